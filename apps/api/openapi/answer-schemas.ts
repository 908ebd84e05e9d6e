import { subscriptionStatuses } from '#ledger/subscription-standing.js';

/** The answers of the routes, as /openapi.json describes them: each shape once, and which route answers with which. */
type Schema = { readonly [member: string]: unknown };

const text: Schema = { type: 'string' };
const whole: Schema = { type: 'integer' };
const flag: Schema = { type: 'boolean' };
const time: Schema = { type: 'string', format: 'date-time' };
const anything: Schema = { type: 'object', additionalProperties: true };
const ref = (name: string): Schema => ({ $ref: `#/components/schemas/${name}` });
const list = (items: Schema): Schema => ({ type: 'array', items });
const orNull = (schema: Schema): Schema =>
  typeof schema['type'] === 'string'
    ? {
        ...schema,
        type: [schema['type'], 'null'],
        ...(Array.isArray(schema['enum']) ? { enum: [...(schema['enum'] as readonly string[]), null] } : {}),
      }
    : { oneOf: [schema, { type: 'null' }] };
const word = (...words: readonly string[]): Schema => ({ type: 'string', enum: words });

/** An object of exactly these members; `?` at the end of a name: it may be absent. */
function object(members: { readonly [name: string]: Schema }, more: Schema = {}): Schema {
  const names = Object.keys(members);
  return {
    type: 'object',
    required: names.filter((name) => !name.endsWith('?')),
    properties: Object.fromEntries(names.map((name) => [name.replace('?', ''), members[name]])),
    ...more,
  };
}

const position: Schema = { type: 'string', description: 'A place in the log; later is greater.' };
const asOf = ref('AsOf');
const page = (entry: string): Schema =>
  object({ data: list(ref(entry)), hasMore: flag, nextCursor: orNull(text), asOf });
/** All there is, in the form of a page. */
const wholeList = (entry: string): Schema =>
  object({ data: list(ref(entry)), hasMore: flag, nextCursor: orNull(text) });
const account = { customerId: text, unit: text };
const recorded = { balance: ref('DecidedBalance'), position };
const slice = object({ grantId: text, source: text, amount: whole, cost: orNull(ref('Money')) });
const heldSlice = object({ grantId: text, source: text, amount: whole });
const resource = object({ type: text, id: text });
const usage = object({ periodStart: time, periodEnd: time, consumed: whole, limit: orNull(whole) });
const amounts = { available: whole, held: whole, debt: whole };
const bySource: Schema = { type: 'object', additionalProperties: whole };

const grant = {
  id: text,
  source: word('purchase', 'subscription', 'trial', 'free_tier', 'promotion', 'adjustment', 'transfer'),
  priority: whole,
  amount: { ...whole, description: 'amount = remaining + consumed + expired + revoked + repaidDebt.' },
  remaining: { ...whole, description: 'What can still be used, the held part included.' },
  held: whole,
  consumed: whole,
  expired: whole,
  revoked: whole,
  repaidDebt: { ...whole, description: 'What went to credits that were owed.' },
  effectiveAt: time,
  expiresAt: orNull(time),
  costBasis: orNull(ref('Money')),
  paymentReference: orNull(text),
  description: orNull(text),
  status: word('active', 'scheduled', 'spent', 'expired', 'revoked'),
  createdAt: time,
};
const hold = {
  id: text,
  amount: whole,
  remaining: whole,
  captured: whole,
  status: word('open', 'captured', 'released', 'expired'),
  expiresAt: time,
  allocations: list(heldSlice),
};
const customer = {
  id: text,
  name: orNull(text),
  email: orNull(text),
  metadata: anything,
  stripeCustomerId: orNull(text),
  createdAt: orNull(time),
  erasedAt: orNull(time),
};
const apiKey = {
  id: text,
  name: text,
  prefix: text,
  scopes: list(text),
  createdAt: time,
  revokedAt: orNull(time),
  lastUsedAt: orNull(time),
};
const subscription = {
  id: text,
  plan: ref('PlanName'),
  planInForce: orNull(ref('PlanName')),
  status: word(...subscriptionStatuses),
  interval: orNull(word('month', 'year')),
  quantity: whole,
  currentPeriodStart: orNull(time),
  currentPeriodEnd: orNull(time),
  trialEnd: orNull(time),
  cancelAt: orNull(time),
  canceledAt: orNull(time),
  endedAt: orNull(time),
  paused: flag,
  pastDueSince: orNull(time),
  graceUntil: orNull(time),
  entitled: flag,
};
const payment = {
  id: text,
  type: orNull(word('subscription_payment', 'upgrade', 'downgrade', 'top_up')),
  status: word('pending', 'succeeded', 'failed', 'cancelled', 'refunded', 'partially_refunded', 'disputed'),
  amount: orNull(ref('Money')),
  refunded: orNull(ref('Money')),
  method: orNull(object({ type: text, brand: orNull(text), last4: orNull(text) })),
  failureReason: orNull(text),
  paymentIntentId: orNull(text),
  chargeId: orNull(text),
  invoiceId: orNull(text),
  sessionId: orNull(text),
  createdAt: time,
  paidAt: orNull(time),
  refundedAt: orNull(time),
};
const invoice = {
  id: text,
  number: orNull(text),
  status: word('draft', 'open', 'uncollectible', 'void', 'paid'),
  subscriptionId: orNull(text),
  billingReason: orNull(text),
  total: ref('Money'),
  subtotal: ref('Money'),
  amountDue: ref('Money'),
  amountPaid: ref('Money'),
  amountRemaining: ref('Money'),
  attemptCount: whole,
  nextPaymentAttempt: orNull(time),
  hostedInvoiceUrl: orNull(text),
  invoicePdf: orNull(text),
  periodStart: orNull(time),
  periodEnd: orNull(time),
  createdAt: time,
  paidAt: orNull(time),
};
const health = word('ok', 'error', 'timeout');

/** The schemas by their names. */
export const answerSchemas: { readonly [name: string]: Schema } = {
  AsOf: object({ position, time }, { description: 'How fresh the answer is.' }),
  Money: object({ amount: whole, currency: text }, { description: 'In minor units.' }),
  DecidedBalance: object(amounts, { description: 'The balance after the command.' }),
  Customer: object(customer),
  CustomerAnswer: object({ ...customer, 'asOf?': asOf, 'position?': orNull(position) }),
  CustomerList: page('Customer'),
  Grant: object(grant),
  GrantList: page('Grant'),
  GrantAnswer: object({ ...grant, ...account, ...recorded }),
  ConsumptionAnswer: object({
    id: text,
    ...account,
    amount: whole,
    allocations: list(slice),
    debt: whole,
    burnOrder: text,
    usage: orNull(object({ creditEvent: text, quantity: whole })),
    resource: orNull(resource),
    at: time,
    ...recorded,
  }),
  ReversalAnswer: object({
    id: text,
    consumptionId: text,
    amount: whole,
    restored: list(object({ grantId: text, amount: whole })),
    ...recorded,
  }),
  Hold: object({ ...hold, description: orNull(text), createdAt: time }),
  HoldList: page('Hold'),
  HoldAnswer: object({ ...hold, 'consumptionId?': text, ...recorded }),
  AdjustmentAnswer: object({ id: text, amount: whole, 'grantId?': text, 'allocations?': list(slice), ...recorded }),
  AccountAnswer: object({
    ...account,
    status: word('active', 'frozen', 'closed'),
    burnOrder: text,
    overdraftLimit: whole,
    debtPolicy: word('debt', 'write_off'),
    lowBalanceThreshold: orNull(whole),
    ...recorded,
  }),
  BulkAnswer: object({ results: list(object({ status: whole, replayed: flag, body: anything })) }),
  Balance: object({
    ...account,
    status: word('active', 'frozen', 'closed'),
    ...amounts,
    overdraftLimit: whole,
    bySource,
    expiryBuckets: object({ within7Days: whole, within30Days: whole, within90Days: whole, later: whole, never: whole }),
    nextExpiry: orNull(object({ at: time, amount: whole })),
    usage,
    asOf,
  }),
  Movement: object({
    id: text,
    type: text,
    at: time,
    amount: { ...whole, description: 'The signed change of `available`.' },
    balanceAfter: whole,
    'grantId?': text,
    'consumptionId?': text,
    'holdId?': text,
    'reversalId?': text,
    'adjustmentId?': text,
    'resource?': resource,
    'description?': text,
    'paymentReference?': text,
    actor: text,
    eventId: text,
    position,
  }),
  History: object({
    data: list(ref('Movement')),
    hasMore: flag,
    nextCursor: orNull(text),
    'total?': { ...whole, description: 'Where an offset was given.' },
    asOf,
  }),
  Claim: object({
    id: text,
    resource,
    amount: whole,
    debt: whole,
    reversed: whole,
    creditEvent: orNull(text),
    quantity: orNull(whole),
    allocations: list(slice),
    description: orNull(text),
    at: time,
    position,
  }),
  ClaimList: page('Claim'),
  Event: object({
    position,
    stream: text,
    revision: whole,
    id: { type: 'string', format: 'uuid' },
    type: text,
    schemaVersion: whole,
    data: anything,
    metadata: anything,
  }),
  EventList: object({ data: list(ref('Event')), hasMore: flag, nextAfter: position, asOf }),
  CatalogueEntry: object({ id: text, name: text, active: flag }, { additionalProperties: true }),
  CatalogueList: page('CatalogueEntry'),
  BillingConfig: object({ billingEnabled: flag, publishableKey: orNull(text), livemode: flag }),
  Payment: object(payment),
  PaymentList: page('Payment'),
  Invoice: object(invoice),
  InvoiceList: page('Invoice'),
  PlanName: object({ id: text, name: text }),
  Subscription: object({ ...subscription, asOf }),
  BillingStatus: object({
    customerId: text,
    plan: orNull(ref('PlanName')),
    planInForce: orNull(ref('PlanName')),
    status: word(...subscriptionStatuses, 'none'),
    entitled: flag,
    graceUntil: orNull(time),
    cancelAt: orNull(time),
    period: orNull(object({ start: time, end: time })),
    credits: object({
      ...amounts,
      bySource,
      usage: object({ periodStart: time, periodEnd: time, consumed: whole }),
      limit: orNull(whole),
    }),
    nextInvoice: orNull(object({ at: time, amount: ref('Money') })),
    recentInvoices: list(ref('Invoice')),
    asOf,
  }),
  CheckoutSession: object({ id: text, url: orNull(text), expiresAt: time }),
  PaymentIntent: object({ id: text, clientSecret: orNull(text), status: text }),
  PortalSession: object({ url: text }),
  SubscriptionAtStripe: object({ id: text, status: text, plan: orNull(text) }, { additionalProperties: true }),
  ApiKey: object(apiKey),
  ApiKeyList: wholeList('ApiKey'),
  ApiKeyWithSecret: object({ ...apiKey, secret: text }),
  ParkedEvent: object({ id: text, type: text, reason: anything, parkedAt: time, retryRequestedAt: orNull(time) }),
  ParkedEventList: page('ParkedEvent'),
  RetryAnswer: object({ id: text, retryRequested: flag }),
  ReconciliationRun: object({
    id: text,
    startedBy: text,
    repair: flag,
    since: orNull(time),
    startedAt: time,
    finishedAt: { ...orNull(time), description: 'Null while it runs, or when it broke off.' },
    checked: { ...whole, description: 'Events and objects of Stripe that were compared.' },
    differences: whole,
    unrepaired: whole,
    counts: list(object({ type: text, repair: text, count: whole })),
  }),
  ReconciliationDifference: object({
    type: { ...text, description: 'What differs, and how: `refund_missing`, `subscription_differs`, `event_parked` …' },
    id: { ...text, description: "Stripe's id." },
    stripe: { ...anything, description: "Stripe's side." },
    ledger: { ...orNull(anything), description: "The ledger's side; null where it knows nothing of it." },
    repair: word('none', 'repaired', 'waiting', 'parked', 'failed'),
    toldAs: { ...orNull(text), description: 'The Stripe event by which the ledger was told.' },
  }),
  Reconciliation: object({
    run: orNull(ref('ReconciliationRun')),
    data: list(ref('ReconciliationDifference')),
    hasMore: flag,
    nextCursor: orNull(text),
  }),
  Projection: object({
    name: text,
    version: whole,
    generation: whole,
    role: text,
    state: word('running', 'halted'),
    position,
    head: position,
    lagSeconds: { type: 'number' },
    haltedPosition: orNull(position),
    haltedReason: orNull(text),
    rebuildRequested: flag,
  }),
  ProjectionList: wholeList('Projection'),
  ProjectionRequest: object({ name: text, 'rebuildRequested?': flag, 'resumed?': flag }),
  WebhookAnswer: object({ received: flag, duplicate: flag }),
  Live: object({ status: text }),
  Ready: object({ ready: flag, store: health, database: health }),
  Health: object({
    status: word('ok', 'degraded', 'error'),
    store: health,
    database: health,
    stripe: word('configured', 'missing', 'error', 'timeout'),
    projections: list(
      object({ name: text, state: text, lagSeconds: { type: 'number' }, haltedPosition: orNull(text) }),
    ),
  }),
};

const ofCustomer = '/v1/customers/{customerId}';

/** Which schema a route answers with when it succeeds. A test tells which route is missing here. */
export const answersByRoute: { readonly [methodAndPath: string]: string } = {
  [`PUT ${ofCustomer}`]: 'CustomerAnswer',
  [`GET ${ofCustomer}`]: 'CustomerAnswer',
  'GET /v1/customers': 'CustomerList',
  [`POST ${ofCustomer}/grants`]: 'GrantAnswer',
  [`GET ${ofCustomer}/grants`]: 'GrantList',
  [`POST ${ofCustomer}/consumptions`]: 'ConsumptionAnswer',
  [`POST ${ofCustomer}/consumptions/{consumptionId}/reversals`]: 'ReversalAnswer',
  [`POST ${ofCustomer}/holds`]: 'HoldAnswer',
  [`GET ${ofCustomer}/holds`]: 'HoldList',
  [`POST ${ofCustomer}/holds/{holdId}/captures`]: 'HoldAnswer',
  [`POST ${ofCustomer}/holds/{holdId}/releases`]: 'HoldAnswer',
  [`POST ${ofCustomer}/holds/{holdId}/extensions`]: 'HoldAnswer',
  [`POST ${ofCustomer}/adjustments`]: 'AdjustmentAnswer',
  [`PATCH ${ofCustomer}/account`]: 'AccountAnswer',
  [`POST ${ofCustomer}/account/freeze`]: 'AccountAnswer',
  [`POST ${ofCustomer}/account/unfreeze`]: 'AccountAnswer',
  [`POST ${ofCustomer}/account/close`]: 'AccountAnswer',
  'POST /v1/commands': 'BulkAnswer',
  [`GET ${ofCustomer}/balance`]: 'Balance',
  [`GET ${ofCustomer}/history`]: 'History',
  [`GET ${ofCustomer}/claims`]: 'ClaimList',
  'GET /v1/events': 'EventList',
  'GET /v1/events/{eventId}': 'Event',
  'GET /v1/plans': 'CatalogueList',
  'GET /v1/credit-products': 'CatalogueList',
  'GET /v1/credit-events': 'CatalogueList',
  'GET /v1/billing/config': 'BillingConfig',
  [`GET ${ofCustomer}/payments`]: 'PaymentList',
  [`GET ${ofCustomer}/invoices`]: 'InvoiceList',
  [`GET ${ofCustomer}/subscription`]: 'Subscription',
  [`GET ${ofCustomer}/status`]: 'BillingStatus',
  [`POST ${ofCustomer}/checkout-sessions`]: 'CheckoutSession',
  [`POST ${ofCustomer}/payment-intents`]: 'PaymentIntent',
  [`POST ${ofCustomer}/portal-sessions`]: 'PortalSession',
  [`POST ${ofCustomer}/subscription`]: 'SubscriptionAtStripe',
  [`POST ${ofCustomer}/subscription/cancel`]: 'SubscriptionAtStripe',
  [`POST ${ofCustomer}/subscription/resume`]: 'SubscriptionAtStripe',
  [`POST ${ofCustomer}/subscription/change`]: 'SubscriptionAtStripe',
  'POST /v1/admin/api-keys': 'ApiKeyWithSecret',
  'GET /v1/admin/api-keys': 'ApiKeyList',
  'DELETE /v1/admin/api-keys/{keyId}': 'ApiKey',
  'GET /v1/admin/parked-events': 'ParkedEventList',
  'POST /v1/admin/parked-events/{stripeEventId}/retry': 'RetryAnswer',
  'GET /v1/admin/reconciliation': 'Reconciliation',
  'GET /v1/admin/projections': 'ProjectionList',
  'POST /v1/admin/projections/{name}/rebuild': 'ProjectionRequest',
  'POST /v1/admin/projections/{name}/resume': 'ProjectionRequest',
  'POST /v1/webhooks/stripe': 'WebhookAnswer',
  'GET /livez': 'Live',
  'GET /readyz': 'Ready',
  'GET /healthz': 'Health',
};

import { hash } from 'node:crypto';
import type Stripe from 'stripe';
import { instantOf, plusMs, type Instant } from '#kernel/instant.js';
import { canonicalJson } from '#kernel/json.js';
import type { CatalogState } from '#ledger/catalog.js';
import type { InvoiceState } from '#ledger/invoice.js';
import type { PaymentState } from '#ledger/payment/state.js';
import type { ReceivedStripeEvent, StripeEventState } from '#ledger/stripe/event.js';
import type { SubscriptionState } from '#ledger/subscription/subscription.js';
import type { StripeAnswer, StripeClient } from '../operations/client.js';
import { idAt, objectAt, objectIn, timeAt, type Fields } from '../shapes/fields.js';
import { inSlices } from '../operations/in-slices.js';
import { normaliseInvoiceState } from '../shapes/invoice-state.js';
import {
  normaliseCharge,
  normaliseCreditNote,
  normaliseDispute,
  normalisePaymentIntent,
  normaliseRefund,
} from '../shapes/money.js';
import { metadataAt, normaliseSession } from '../shapes/billing.js';
import { normaliseSubscription } from '../shapes/subscription.js';
import { fetchedEvent, plainJson, eventFromObject } from '../operations/events.js';
import * as compare from './compare.js';
import type { Difference } from './compare.js';
import { namedCustomer } from '../translations/translation.js';

/** A difference, the event that brings the ledger what Stripe says, if it says anything, and the same comparison with the ledger as it is by then. */
export type Finding = {
  readonly difference: Difference;
  readonly event: ReceivedStripeEvent | null;
  recheck(): Promise<Difference | null>;
};
export type Page = {
  readonly checked: number;
  readonly findings: readonly Finding[];
  /** The ids of Stripe's objects that the page held. */
  readonly listed: readonly string[];
  readonly next: string | null;
};

/** One kind of thing at Stripe, gone through page by page, the newest first. */
export type Stage = { readonly name: string; page(after: string | null): Promise<StripeAnswer<Page>> };

/** What the ledger knows; each answer is what the log says by then. */
export type KnownToLedger = {
  stripeEvent(id: string): Promise<StripeEventState>;
  payment(id: string): Promise<PaymentState>;
  invoice(id: string): Promise<InvoiceState>;
  subscription(id: string): Promise<SubscriptionState>;
  catalog(): Promise<CatalogState>;
  /** Whether a Stripe customer is one of ours. */
  isLinked(stripeCustomerId: string): Promise<boolean>;
};

export type Source = {
  readonly client: StripeClient;
  readonly ledger: KnownToLedger;
  /** Objects and events made before are left out; null: none are. */
  readonly since: Instant | null;
  readonly livemode: boolean;
  readonly customerKey: string;
  /** Stripe's time: what it lists from now on is at least as new. */
  readonly asOf: Instant;
};

type Params = { limit: number; starting_after?: string };
type Dated = Params & { created?: { gte: number } };

/** How an object is reported: as which type of event, as of when, and after what was seen of it before. */
type Observation = { readonly type: string; readonly at: Instant; readonly after?: Instant };
type Compared = { readonly difference: Difference | null; readonly observation: Observation };
/** Compares an object with the ledger; null where it is none of the ledger's. */
type Comparison = (object: Fields, created: Instant) => Promise<Compared | null>;

function stage<T extends { readonly id: string; readonly object: string }>(
  name: string,
  list: (params: Params) => Promise<StripeAnswer<Stripe.ApiList<T>>>,
  compareOne: (object: T) => Promise<Finding | null>,
): Stage {
  return {
    name,
    page: async (after) => {
      const answer = await list({ limit: 100, ...(after === null ? {} : { starting_after: after }) });
      if (answer.kind !== 'answered') return answer;
      const { data, has_more: hasMore } = answer.value;
      const findings = (await inSlices(data, compareOne)).filter((finding) => finding !== null);
      return {
        kind: 'answered',
        value: {
          checked: data.length,
          findings,
          listed: data.flatMap(({ id, object }) => (object === 'event' ? [] : [id])),
          next: hasMore ? (data.at(-1)?.id ?? null) : null,
        },
      };
    },
  };
}

/** Everything that is compared, in the order that repairs need: what Stripe still reports, then what only objects say. */
export const stagesOf = (source: Source): readonly Stage[] => [
  eventStage(source),
  ...saleStages(source),
  ...moneyStages(source),
];

function eventStage(source: Source): Stage {
  const { client, ledger } = source;
  return stage(
    'events',
    (params) => client.ask('list', (stripe) => stripe.events.list({ ...params, ...datedBy(source) })),
    async (event) => {
      const received = fetchedEvent(event);
      const recheck = async () =>
        compare.compareEvent(
          { id: event.id, type: event.type, created: received.created },
          await ledger.stripeEvent(event.id),
        );
      const difference = await recheck();
      return difference === null ? null : { difference, event: received, recheck };
    },
  );
}

const datedBy = ({ since }: Source): Pick<Dated, 'created'> =>
  since === null ? {} : { created: { gte: Math.floor(Date.parse(since) / 1000) } };

type Listed = {
  readonly id: string;
  readonly object: string;
  readonly created: number;
  readonly livemode?: boolean;
};

/** A stage of objects that are compared by `comparison` and reported under an id that is the same for the same two sides. */
function objectStage<T extends Listed>(
  name: string,
  source: Source,
  list: (stripe: Stripe, params: Dated) => Promise<Stripe.ApiList<T>>,
  comparison: Comparison,
): Stage {
  return stage(
    name,
    (params) => source.client.ask('list', (stripe) => list(stripe, { ...params, ...datedBy(source) })),
    async (object) => {
      const fields = objectIn(plainJson(object));
      if (fields === null) return null;
      const created = instantOf(object.created * 1000);
      const first = await comparison(fields, created);
      if (first === null || first.difference === null) return null;
      const { difference, observation } = first;
      const sides = { stripe: difference.stripe, ledger: difference.ledger, after: observation.after ?? null };
      const id = `evt_scrip_${object.id}_${hash('sha256', canonicalJson(sides), 'hex').slice(0, 16)}`;
      return {
        difference,
        event: eventFromObject(object, { id, type: observation.type, at: observation.at, livemode: source.livemode }),
        recheck: async () => (await comparison(fields, created))?.difference ?? null,
      };
    },
  );
}

/**
 * What changes without end is reported as of now, after all that was seen of it: so it counts, older news that come late do not, and
 * those of a later second do.
 */
function asOfNow({ asOf }: Source, type: string, seenAt: Instant | undefined): Observation {
  const after = seenAt !== undefined && seenAt > asOf ? seenAt : asOf;
  return { type, at: plusMs(after, 1), ...(seenAt === undefined ? {} : { after: seenAt }) };
}

const saleStages = (source: Source): readonly Stage[] => [
  objectStage(
    'sessions',
    source,
    (stripe, params) =>
      stripe.checkout.sessions.list({
        ...params,
        status: 'complete',
        expand: ['data.payment_intent.latest_charge'],
      }),
    async (object, created) => {
      const read = normaliseSession(object);
      const id = 'ok' in read ? compare.paymentOfSession(read.ok) : null;
      if (!('ok' in read) || id === null) return null;
      const own = await source.ledger.payment(id);
      // Its invoice may have reported the sale first: then the payment is kept under that one's id.
      const isPart = own.payment === null && own.invoiceId !== null;
      const state = isPart ? await source.ledger.payment(own.invoiceId) : own;
      const difference = compare.compareSession(read.ok, state);
      return { difference, observation: { type: 'checkout.session.completed', at: created } };
    },
  ),
  objectStage(
    'customers',
    source,
    (stripe, params) => stripe.customers.list(params),
    async (object, created) => {
      const id = idAt(object, 'id');
      const customerId = namedCustomer(metadataAt(object, 'metadata')[source.customerKey]);
      if (id === null || customerId === null) return null;
      const difference = compare.compareCustomer(id, customerId, await source.ledger.isLinked(id));
      return { difference, observation: { type: 'customer.updated', at: created } };
    },
  ),
  // Before the invoices: they are the first that name the customer. All of them, because an old one changes too.
  objectStage(
    'subscriptions',
    source,
    (stripe, { created: _created, ...params }) => stripe.subscriptions.list({ ...params, status: 'all' }),
    (object) => comparedSubscription(source, object),
  ),
  objectStage(
    'invoices',
    source,
    (stripe, params) => stripe.invoices.list({ ...params, expand: ['data.payments'] }),
    (object, created) => comparedInvoice(source, object, created),
  ),
];

async function comparedSubscription(source: Source, object: Fields): Promise<Compared | null> {
  const read = normaliseSubscription(object);
  if (!('ok' in read)) return null;
  const state = await source.ledger.subscription(read.ok.id);
  const { endedAt } = read.ok;
  // What was over before is nothing that was missed.
  if (state.standing === null && source.since !== null && endedAt !== null && endedAt < source.since) return null;
  const difference = compare.compareSubscription(read.ok, state, await source.ledger.catalog());
  const type = `customer.subscription.${endedAt === null ? 'updated' : 'deleted'}`;
  return { difference, observation: asOfNow(source, type, state.standing?.seenAt) };
}

const invoiceEventTypes: { readonly [status: string]: string } = {
  draft: 'invoice.created',
  open: 'invoice.finalized',
  paid: 'invoice.paid',
  void: 'invoice.voided',
  uncollectible: 'invoice.marked_uncollectible',
};

async function comparedInvoice(source: Source, object: Fields, created: Instant): Promise<Compared | null> {
  const read = normaliseInvoiceState(object, created);
  if (!('ok' in read)) return null;
  const { snapshot, stripeCustomerId, metadata } = read.ok;
  const state = await source.ledger.invoice(snapshot.invoiceId);
  const named = namedCustomer(metadata[source.customerKey]) !== null;
  const isOurs = named || (stripeCustomerId !== null && (await source.ledger.isLinked(stripeCustomerId)));
  const difference = compare.compareInvoice(read.ok, state, isOurs);
  const failed = snapshot.status === 'open' && snapshot.attemptCount > 0;
  const type = failed ? 'invoice.payment_failed' : (invoiceEventTypes[snapshot.status] ?? 'invoice.finalized');
  return { difference, observation: asOfNow(source, type, state.snapshot?.seenAt) };
}

const moneyStages = (source: Source): readonly Stage[] => [
  objectStage(
    'payment intents',
    source,
    (stripe, params) => stripe.paymentIntents.list({ ...params, expand: ['data.latest_charge'] }),
    (object, created) => comparedIntent(source, object, created),
  ),
  objectStage(
    'refunds',
    source,
    (stripe, params) => stripe.refunds.list(params),
    async (object, created) => {
      const read = normaliseRefund(object, created);
      if (!('ok' in read)) return null;
      const { paymentId, refund } = read.ok;
      const difference = compare.compareRefund(
        refund,
        String(object['currency']),
        await source.ledger.payment(paymentId),
      );
      return { difference, observation: { type: 'refund.updated', at: created } };
    },
  ),
  objectStage(
    'charges',
    source,
    (stripe, params) => stripe.charges.list(params),
    async (object, created) => {
      const read = normaliseCharge(object, created);
      if (!('ok' in read) || object['status'] !== 'succeeded') return null;
      const difference = compare.compareCharge(read.ok, await source.ledger.payment(read.ok.paymentId));
      const isRefund = difference !== null && difference.stripe?.['refunded'] !== difference.ledger?.['refunded'];
      return { difference, observation: { type: isRefund ? 'charge.refunded' : 'charge.succeeded', at: created } };
    },
  ),
  objectStage(
    'disputes',
    source,
    (stripe, params) => stripe.disputes.list(params),
    (object, created) => comparedDispute(source, object, created),
  ),
  objectStage(
    'credit notes',
    source,
    (stripe, params) => stripe.creditNotes.list(params),
    async (object, created) => {
      const read = normaliseCreditNote(object, created);
      if (!('ok' in read)) return null;
      const { invoiceId, creditNote } = read.ok;
      const difference = compare.compareCreditNote(creditNote, await source.ledger.payment(invoiceId));
      return { difference, observation: { type: 'credit_note.created', at: created } };
    },
  ),
];

const intentEventTypes = {
  succeeded: 'payment_intent.succeeded',
  canceled: 'payment_intent.canceled',
  processing: 'payment_intent.processing',
  failed: 'payment_intent.payment_failed',
} as const;

/** What the intent says of the attempt to pay; null while nobody has tried. */
function attemptIn(object: Fields): keyof typeof intentEventTypes | null {
  const { status } = object;
  if (status === 'succeeded' || status === 'canceled' || status === 'processing') return status;
  return objectIn(object['last_payment_error']) === null ? null : 'failed';
}

async function comparedIntent(source: Source, object: Fields, created: Instant): Promise<Compared | null> {
  const status = attemptIn(object);
  const read = status === null ? null : normalisePaymentIntent(object, status, created);
  if (status === null || read === null || !('ok' in read)) return null;
  const { id, stripeCustomerId, metadata } = read.ok;
  const isNamed = namedCustomer(metadata[source.customerKey]) !== null;
  const isOurs = stripeCustomerId !== null && (await source.ledger.isLinked(stripeCustomerId));
  const difference = compare.compareIntent(read.ok, await source.ledger.payment(id), { isNamed, isOurs });
  const chargedAt = status === 'succeeded' ? timeAt(objectAt(object, 'latest_charge'), 'created') : null;
  return { difference, observation: { type: intentEventTypes[status], at: chargedAt ?? created } };
}

async function comparedDispute(source: Source, object: Fields, created: Instant): Promise<Compared | null> {
  const read = normaliseDispute(object, created, false);
  const { id, amount, currency, status, payment_intent: intent, charge } = object;
  const paymentId = 'ok' in read ? read.ok.paymentId : (intent ?? charge);
  if (typeof id !== 'string' || typeof amount !== 'number' || typeof paymentId !== 'string') return null;
  const dispute = { id, amount, currency: String(currency), status: String(status) };
  const state = await source.ledger.payment(paymentId);
  const difference = compare.compareDispute(dispute, 'ok' in read ? read.ok.dispute : null, state);
  return { difference, observation: { type: 'charge.dispute.updated', at: created } };
}

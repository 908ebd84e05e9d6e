import type { AccountRefusal, PurchaseRefusal } from '#ledger/account/commands.js';
import type { PricingRefusal } from '#ledger/catalog.js';
import type { CustomerRefusal } from '#ledger/customer.js';
import type { UsageRefusal } from '#ledger/usage/usage.js';
import type { StripeEventRefusal } from '#ledger/stripe/event.js';
import type { SaleRefusal } from '#stripe/operations/checkout.js';

/** `detail` says what the caller can do; it is fixed text, so nothing of a request or an exception gets into an answer. */
export type ProblemKind = { readonly status: number; readonly title: string; readonly detail: string };

type RefusalCode = (
  | Exclude<AccountRefusal, PurchaseRefusal>
  | PricingRefusal
  | CustomerRefusal
  | SaleRefusal
  | StripeEventRefusal
  | Exclude<UsageRefusal, { rejected: 'usage_time_out_of_range' }>
)['rejected'];

/**
 * Every problem that the API answers with: the one place where a code gets its status. `docs/errors.md` is made from it.
 * A new refusal of a decider fails to compile here until it has a row.
 */
export const problemKinds = {
  invalid_request: {
    status: 400,
    title: 'The request is not valid',
    detail: 'Correct the fields named in `errors` and send it again.',
  },
  idempotency_key_required: {
    status: 400,
    title: 'The header Idempotency-Key is missing',
    detail:
      'Send 1 to 255 printable ASCII characters that name this command for ever, and the same ones when you repeat it.',
  },
  invalid_signature: {
    status: 400,
    title: 'The signature of the webhook is not valid',
    detail: 'Check the signing secret, that the body arrives unchanged, and that the clocks differ by less than 300 s.',
  },
  unauthenticated: {
    status: 401,
    title: 'Who you are is not known',
    detail: 'Send `Authorization: Bearer` with a valid API key or token.',
  },
  insufficient_credits: {
    status: 402,
    title: 'Not enough credits',
    detail:
      'Nothing was recorded. `available` is what is left of `unit`, `required` what was asked; buy more at `topUpUrl`, if given.',
  },
  forbidden: {
    status: 403,
    title: 'Not allowed',
    detail: 'Use credentials that have the scope which this route asks for.',
  },
  usage_limit_exceeded: {
    status: 403,
    title: 'The limit of the plan is reached',
    detail:
      'Nothing was recorded. `used` of `limit` are used in this `window`; try again after `windowEnd`, ask for less, or change the plan.',
  },
  feature_not_in_plan: {
    status: 403,
    title: 'The plan does not have the feature',
    detail:
      'Nothing was recorded. See GET …/entitlements for what the customer may use, and /v1/plans for plans that have it.',
  },
  budget_exceeded: {
    status: 403,
    title: 'A budget does not allow it',
    detail:
      'Nothing was recorded. `used` of `limit` count in the budget of `scope`; ask for less, wait until `resetsAt`, or raise the limit.',
  },
  not_found: { status: 404, title: 'No such route', detail: 'See /openapi.json for the routes.' },
  customer_not_found: {
    status: 404,
    title: 'No such customer',
    detail: 'Check the customer id, and that your credentials may read this customer.',
  },
  grant_not_found: { status: 404, title: 'No such grant', detail: 'Check the grant id and the account.' },
  hold_not_found: {
    status: 404,
    title: 'No such hold',
    detail: 'Check the hold id and the account; a hold belongs to one unit of one customer.',
  },
  budget_not_found: { status: 404, title: 'No such budget', detail: 'See GET …/budgets for the scopes that have one.' },
  consumption_not_found: {
    status: 404,
    title: 'No such consumption',
    detail: 'Check the consumption id and the account.',
  },
  transfer_not_found: {
    status: 404,
    title: 'No such transfer',
    detail: 'Check the transfer id and the unit; a transfer belongs to its sender and its receiver.',
  },
  event_not_found: { status: 404, title: 'No such event', detail: 'Check the event id.' },
  stripe_event_not_found: { status: 404, title: 'No such Stripe event', detail: 'Check the id of the Stripe event.' },
  api_key_not_found: { status: 404, title: 'No such API key', detail: 'Check the id of the key.' },
  projection_not_found: {
    status: 404,
    title: 'No such projection',
    detail: 'See GET /v1/admin/projections for the names.',
  },
  plan_not_found: { status: 404, title: 'No such plan', detail: 'See /v1/plans for what is on sale.' },
  credit_product_not_found: {
    status: 404,
    title: 'No such credit product',
    detail: 'See /v1/credit-products for what is on sale.',
  },
  subscription_not_found: {
    status: 404,
    title: 'No subscription',
    detail: 'The customer has no subscription at Stripe that has not ended. Start one with a checkout session.',
  },
  billing_disabled: {
    status: 404,
    title: 'Billing is switched off',
    detail:
      'Stripe is not called here: an operator has to set STRIPE_SECRET_KEY, and STRIPE_BILLING_ENABLED must not be false.',
  },
  method_not_allowed: {
    status: 405,
    title: 'The route does not take this method',
    detail: 'Use one of the methods in the header Allow.',
  },
  request_timeout: {
    status: 408,
    title: 'The request did not come in whole in time',
    detail: 'Nothing of it was looked at. Send it again, over a new connection, within 30 s.',
  },
  hold_not_open: {
    status: 409,
    title: 'The hold is no longer open',
    detail: 'It was captured, released, or timed out; place another.',
  },
  already_reversed: {
    status: 409,
    title: 'The consumption is already reversed',
    detail: 'Nothing of it is left to give back.',
  },
  conflict: {
    status: 409,
    title: 'Others kept writing to the account first',
    detail: 'Nothing was recorded. Send it again with the same key.',
  },
  customer_erased: {
    status: 409,
    title: 'The customer was erased',
    detail: 'Personal data of this customer is no longer kept; use another id.',
  },
  already_subscribed: {
    status: 409,
    title: 'The customer has a subscription already',
    detail: 'Change it with `POST …/subscription/change`, or cancel it first.',
  },
  idempotency_key_reused: {
    status: 409,
    title: 'The key was used for another command',
    detail: 'Nothing was recorded. Use a new key for a new command, and the same body when you repeat one.',
  },
  payload_too_large: { status: 413, title: 'The body is too large', detail: 'Send at most 1 MiB.' },
  unsupported_media_type: {
    status: 415,
    title: 'The body is not JSON',
    detail: 'Send `Content-Type: application/json`, in UTF-8 and not compressed.',
  },
  expectation_failed: {
    status: 417,
    title: 'The expectation cannot be met',
    detail: 'Leave the header Expect out, or send `Expect: 100-continue`.',
  },
  headers_too_large: {
    status: 431,
    title: 'The headers are too large',
    detail: 'Send a shorter address and shorter headers, at most 16 KiB in all.',
  },
  command_too_large: {
    status: 422,
    title: 'The command would record too much at once',
    detail: 'Nothing was recorded. Send smaller commands in its place, each with a key of its own.',
  },
  account_frozen: { status: 422, title: 'The account is frozen', detail: 'An operator has to unfreeze it first.' },
  account_closed: { status: 422, title: 'The account is closed', detail: 'It takes no more commands.' },
  grant_expired: {
    status: 422,
    title: 'The grant has already expired',
    detail: 'Send an `expiresAt` that is in the future.',
  },
  invalid_expiry: {
    status: 422,
    title: 'The grant would expire before it is effective',
    detail: 'Send an `effectiveAt` before `expiresAt`.',
  },
  amount_exceeds_hold: { status: 422, title: 'More than the hold has left', detail: 'Capture at most `remaining`.' },
  amount_exceeds_grant: {
    status: 422,
    title: 'More than is unspent of the grant',
    detail: 'Revoke at most `unspent`. What a hold reserves can be revoked when it is released; what is spent stays.',
  },
  amount_exceeds_consumption: {
    status: 422,
    title: 'More than is left of the consumption',
    detail: 'Reverse at most what is not reversed yet.',
  },
  too_many_grants: {
    status: 422,
    title: 'The credits come from too many grants',
    detail: 'One transfer takes from at most 300 grants. Send smaller amounts, each with a key of its own.',
  },
  balance_limit_exceeded: {
    status: 422,
    title: 'The account would hold too many credits',
    detail: 'All grants of an account sum to at most 2^53-1.',
  },
  scope_invalid: {
    status: 422,
    title: 'The scope is not one',
    detail:
      'Send `org`, or one to five segments such as `team:growth/member:ada`: lower case letters, a colon, and 1 to 64 of A-Z a-z 0-9 _ . @ -.',
  },
  budget_below_used: {
    status: 422,
    title: 'More than the limit is used already',
    detail:
      'Nothing was recorded. `used` counts in the present window of `scope`: send a `limit` of at least that, or one that is `soft`.',
  },
  too_many_budgets: {
    status: 422,
    title: 'The account has too many budgets',
    detail: 'An account has at most 25,000. Remove some, or cap the scopes above them.',
  },
  credit_event_unknown: {
    status: 422,
    title: 'No such credit event',
    detail: 'See GET /v1/credit-events for the names.',
  },
  credit_event_disabled: {
    status: 422,
    title: 'The credit event is no longer offered',
    detail: 'See GET /v1/credit-events for those on offer.',
  },
  price_out_of_range: {
    status: 422,
    title: 'The price of this quantity is out of range',
    detail: 'Send a smaller quantity.',
  },
  feature_unknown: {
    status: 422,
    title: 'No plan has such a feature',
    detail: 'See /v1/plans for the features and limits of plans.',
  },
  usage_out_of_range: {
    status: 422,
    title: 'More was used than can be counted',
    detail: 'What is used of a feature within some 65 days sums to at most 2^53-1. Count it in a larger unit.',
  },
  plan_not_for_sale: {
    status: 422,
    title: 'The plan has no such price',
    detail: 'Choose another `interval` or plan. A free plan is started with `POST …/subscription`.',
  },
  plan_not_free: {
    status: 422,
    title: 'The plan is not free',
    detail: 'Only a free plan can be started without payment; others need a checkout session.',
  },
  price_not_at_stripe: {
    status: 422,
    title: 'Stripe does not know the price yet',
    detail: 'An operator has to run `scrip catalog push-stripe`.',
  },
  credits_not_for_sale: {
    status: 422,
    title: 'Credits are not sold by the number',
    detail: 'The smallest credit product on sale sets the rate, and there is none with a price.',
  },
  currency_unsupported: {
    status: 422,
    title: 'The currency is not supported',
    detail: 'Use one of ISO 4217 or of Stripe; `ugx` is none, because its decimals are not certain.',
  },
  amount_not_chargeable: {
    status: 422,
    title: 'Stripe cannot charge this amount',
    detail:
      'At most 99,999,999 in minor units; currencies of three decimals take only amounts that end in 0, `isk` in 00.',
  },
  stripe_refused: {
    status: 422,
    title: 'Stripe refused the request',
    detail:
      "`stripeCode` and `stripeParam` say why; Stripe's documentation explains them. A corrected request needs a new key.",
  },
  rate_limited: {
    status: 429,
    title: 'Too many requests',
    detail: 'Wait as long as Retry-After says and send it again with the same key.',
  },
  internal_error: {
    status: 500,
    title: 'Something is wrong on our side',
    detail:
      'It may have been recorded. Send it again with the same key: that settles it. Tell us the `requestId` if it stays so.',
  },
  overloaded: {
    status: 503,
    title: 'Too much is waiting',
    detail: 'Nothing was recorded. Wait as long as Retry-After says and send it again with the same key.',
  },
  outcome_unknown: {
    status: 503,
    title: 'The outcome is not known',
    detail: 'It may have been recorded. Send it again with the same key: that settles it.',
  },
  projection_behind: {
    status: 503,
    title: 'The read model has not reached `minPosition` yet',
    detail: 'Ask again, or with a longer `waitMs`.',
  },
  stripe_unavailable: {
    status: 503,
    title: 'Stripe does not answer',
    detail:
      'Wait as long as Retry-After says and send it again with the same key: what was begun is then finished, never done twice.',
  },
  key_set_unavailable: {
    status: 503,
    title: 'Tokens cannot be verified',
    detail:
      'The key set of JWT_JWKS_URL does not answer. Nothing was recorded. Wait as long as Retry-After says and send it again with the same key.',
  },
  store_unavailable: {
    status: 503,
    title: 'The store cannot be reached',
    detail: 'Nothing was recorded. Wait as long as Retry-After says and send it again with the same key.',
  },
} as const satisfies { readonly [Code in RefusalCode]: ProblemKind } & { readonly [code: string]: ProblemKind };

export type ProblemCode = keyof typeof problemKinds;

import type Stripe from 'stripe';
import type { Database } from '#database/database.js';
import type { Clock } from '#kernel/clock.js';
import { instantOf, type Instant } from '#kernel/instant.js';
import { customersOfStripe } from '#records/stripe-links.js';
import type { StripeClient } from '#stripe/operations/client.js';
import { whyNot } from '../../stripe-client.js';
import { decimalOf, times, type Decimal } from '../decimal.js';
import { inOrder } from '../in-order.js';
import { SourceBroken, type LotSource, type SourceCustomer, type SourceRecord } from '../source.js';

const PAGE = 100;
/** Balances asked for at once: well within what Stripe takes in a second. */
const AT_ONCE = 16;
const usualPriority = 50;

export type StripeCredits = {
  readonly client: StripeClient;
  readonly database: Database;
  readonly clock: Clock;
  /** The key of a Stripe customer's metadata that names the customer. */
  readonly customerKey: string;
  /** Takes a Stripe customer's id for the customer where nothing else names one. */
  readonly useStripeIds: boolean;
  readonly currency: string;
  /** Credits for each minor unit of `currency`. */
  readonly rate: Decimal;
  readonly unit: string;
};

type Grant = Stripe.Billing.CreditGrant;
type Unread = { readonly grant: Grant; readonly owner: string | null };

/** Lots of Stripe's billing credit grants, with the balance that each has left. A request for a hundred grants, and one for each that may have something left. */
export function stripeCreditsSource(stripe: StripeCredits): LotSource {
  const records = inOrder(grantsOf(stripe), AT_ONCE, (unread) => recordOf(stripe, unread));
  return { records, progress: () => null };
}

/** All grants, the newest first, each with the customer whom Scrip has linked to its Stripe customer. */
async function* grantsOf({ client, database }: StripeCredits): AsyncGenerator<Unread> {
  for (let after: string | null = null; ;) {
    const from: { starting_after?: string } = after === null ? {} : { starting_after: after };
    const answer = await client.ask('list', (stripe) =>
      stripe.billing.creditGrants.list({ limit: PAGE, expand: ['data.customer'], ...from }),
    );
    if (answer.kind !== 'answered') throw new SourceBroken(whyNot(answer));
    const { data, has_more: hasMore } = answer.value;
    const owners = await customersOfStripe(database, [...new Set(data.map(({ customer }) => idOf(customer)))]);
    for (const grant of data) yield { grant, owner: owners.get(idOf(grant.customer)) ?? null };
    after = data.at(-1)?.id ?? null;
    if (!hasMore || after === null) return;
  }
}

const idOf = (customer: Grant['customer']): string => (typeof customer === 'string' ? customer : customer.id);

async function recordOf(stripe: StripeCredits, { grant, owner }: Unread): Promise<SourceRecord> {
  const at = `credit grant ${grant.id}`;
  const customer = customerOf(stripe, grant.customer, owner);
  const unreadable = (reason: string): SourceRecord => ({
    kind: 'unreadable',
    at,
    externalId: grant.id,
    customerId: customer?.id ?? null,
    reason,
  });
  const { monetary } = grant.amount;
  if (customer === null)
    return unreadable(
      `its Stripe customer ${idOf(grant.customer)} names no customer in metadata.${stripe.customerKey} and is linked to none: ` +
        'name one there, or give --use-stripe-ids',
    );
  if (monetary === null) return unreadable('its amount is not money');
  const ended = endOf(stripe, grant, monetary.currency);
  const left = ended === null ? await leftOf(stripe, grant) : 0;
  const scope = grant.applicability_config.scope.prices ?? [];
  const isPaid = grant.category === 'paid';
  return {
    kind: 'lot',
    at,
    externalId: grant.id,
    customer,
    unit: stripe.unit,
    left: times(decimalOf(left), stripe.rate),
    source: isPaid ? 'purchase' : 'promotion',
    priority: grant.priority ?? usualPriority,
    effectiveAt: instantOfSeconds(grant.effective_at),
    expiresAt: instantOfSeconds(grant.expires_at),
    costBasis: isPaid ? { amount: left, currency: monetary.currency } : null,
    adjustments: scope.length === 0 ? [] : ['it was for certain prices only, and is for all use now'],
    endedBecause: ended,
  };
}

const instantOfSeconds = (seconds: number | null): Instant | null =>
  seconds === null ? null : instantOf(seconds * 1000);

/** Why a grant has nothing to bring, without asking for its balance; null where it may have. */
function endOf({ clock, currency }: StripeCredits, grant: Grant, ofGrant: string): string | null {
  if (grant.voided_at !== null) return `it was voided at ${instantOf(grant.voided_at * 1000)}`;
  if (grant.expires_at !== null && grant.expires_at * 1000 <= clock.now())
    return `it expired at ${instantOf(grant.expires_at * 1000)}`;
  return ofGrant === currency ? null : `it is in ${ofGrant}, not in ${currency}`;
}

function customerOf(
  { customerKey, useStripeIds }: StripeCredits,
  customer: Grant['customer'],
  owner: string | null,
): SourceCustomer | null {
  const known = typeof customer === 'string' || customer.deleted === true ? null : customer;
  const named = known?.metadata[customerKey] ?? '';
  const id = owner ?? (named === '' ? null : named) ?? (useStripeIds ? idOf(customer) : null);
  return id === null ? null : { id, name: known?.name ?? null, email: known?.email ?? null };
}

/** Minor units that a grant has left to be applied; of one that is not effective yet, all. */
async function leftOf({ client, clock }: StripeCredits, grant: Grant): Promise<number> {
  const whole = grant.amount.monetary?.value ?? 0;
  if ((grant.effective_at ?? 0) * 1000 > clock.now()) return whole;
  const answer = await client.ask('billing.credit_balance_summary', async (stripe) => {
    const summary = await stripe.billing.creditBalanceSummaries.retrieve({
      customer: idOf(grant.customer),
      filter: { type: 'credit_grant', credit_grant: grant.id },
    });
    // A summary has no id of its own.
    return { ...summary, id: grant.id };
  });
  if (answer.kind !== 'answered') throw new SourceBroken(`the balance of credit grant ${grant.id}: ${whyNot(answer)}`);
  return answer.value.balances[0]?.available_balance.monetary?.value ?? 0;
}

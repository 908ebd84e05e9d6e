import { monthOf } from '#kernel/instant.js';
import { accountOf, DEFAULT_UNIT } from '#kernel/stream-name.js';
import type { AccountEvent } from '#ledger/account/events.js';
import type { LedgerEvent } from '#ledger/events.js';
import type { SubscriptionEvent } from '#ledger/subscription/subscription.js';
import type { SubscriptionStanding } from '#ledger/subscription/standing.js';
import type { ExpectedRow, Oracle, OracleFold } from '#projecting/projection.js';
import type { Projected } from '../ledger-projection.js';

type Row = ExpectedRow['row'];
type Month = readonly [month: string, credits: number];
type Customer = {
  /** The free plan that was started last. */
  start: { readonly planId: string; readonly subscriptionId: string } | null;
  closed: boolean;
  /** Whether a free month was ever granted or withdrawn. */
  hasMonths: boolean;
  /** The newest months, the newest last. */
  months: readonly Month[];
};
type Subscription = { readonly customerId: string; readonly standing: SubscriptionStanding };

/** So many months are shown. */
const shownMonths = 3;

/** Keeps customers and subscriptions apart, and counts at the end which subscriptions last. */
class AllowancesOracle implements OracleFold<LedgerEvent> {
  readonly #customers = new Map<string, Customer>();
  readonly #subscriptions = new Map<string, Subscription>();

  add({ recorded: { stream }, event }: Projected): readonly ExpectedRow[] {
    const account = accountOf(stream);
    if (account === null) this.#addToSubscription(event as SubscriptionEvent);
    else this.#addToAccount(account, event as AccountEvent);
    return [];
  }

  *rest(): Iterable<ExpectedRow> {
    for (const [id, customer] of this.#customers) yield { table: 'allowances', row: this.#customerRow(id, customer) };
    for (const [id, of] of this.#subscriptions) yield { table: 'allowances', row: subscriptionRow(id, of) };
  }

  #addToSubscription(event: SubscriptionEvent): void {
    if (event.type === 'SubscriptionActivated' || event.type === 'SubscriptionRenewed') return;
    const { subscriptionId, customerId } = event;
    const customer = this.#customer(customerId);
    if (event.type === 'SubscriptionStarted') customer.start = { planId: event.planId, subscriptionId };
    else this.#subscriptions.set(subscriptionId, { customerId, standing: event.standing });
  }

  #addToAccount({ customerId, unit }: { customerId: string; unit: string }, event: AccountEvent): void {
    switch (event.type) {
      case 'AccountClosed':
        if (unit === DEFAULT_UNIT) this.#customer(customerId).closed = true;
        return;
      case 'CreditsGranted':
        if (event.term?.kind === 'free') this.#setMonth(customerId, event.term.start, event.amount);
        return;
      case 'CreditsRevoked':
        if (event.cause.kind === 'superseded' && event.allocations.length > 0)
          this.#setMonth(customerId, event.cause.id, null);
        return;
      case 'CreditsReinstated':
        if (event.cause.kind === 'superseded') this.#setMonth(customerId, event.cause.id, event.amount);
        return;
      default:
    }
  }

  /** @param credits null for a month that was withdrawn. */
  #setMonth(customerId: string, start: string, credits: number | null): void {
    const customer = this.#customer(customerId);
    const month = monthOf(start);
    const others = customer.months.filter(([other]) => other !== month);
    const months: readonly Month[] = credits === null ? others : [...others, [month, credits]];
    customer.months = months.toSorted(([a], [b]) => (a < b ? -1 : 1)).slice(-shownMonths);
    customer.hasMonths = true;
  }

  #customer(id: string): Customer {
    const customer = this.#customers.get(id) ?? { start: null, closed: false, hasMonths: false, months: [] };
    this.#customers.set(id, customer);
    return customer;
  }

  #customerRow(customerId: string, { start, closed, hasMonths, months }: Customer): Row {
    const own = [...this.#subscriptions.values()].filter((of) => of.customerId === customerId);
    const isFree = start !== null || hasMonths;
    return {
      ...{ id: `free:${customerId}`, customer_id: customerId, in_force: false, ends_at: null, unpaid_since: null },
      kind: closed ? 'closed' : isFree ? 'free' : 'none',
      plan_id: start?.planId ?? '',
      subscription_id: start?.subscriptionId ?? '',
      months: months.map(([month, credits]) => ` ${month}=${String(credits)};`).join(''),
      latest_month: months.at(-1)?.[0] ?? '',
      latest_amount: months.at(-1)?.[1] ?? 0,
      lasting: own.filter(({ standing }) => lasts(standing)).length,
    };
  }
}

const isInForce = ({ status }: SubscriptionStanding): boolean => !['paused', 'incomplete'].includes(status);

function endOf({ status, endedAt, canceledAt, cancelAt, seenAt }: SubscriptionStanding): string | null {
  const hasEnded = status === 'canceled' || status === 'incomplete_expired';
  return hasEnded ? (endedAt ?? canceledAt ?? seenAt) : cancelAt;
}

/** Empty where the days of grace are over, whatever their number. */
function unpaidSince({ status, pastDueSince }: SubscriptionStanding): string | null {
  if (status === 'unpaid') return '';
  return status === 'past_due' ? pastDueSince : null;
}

const lasts = (standing: SubscriptionStanding): boolean =>
  isInForce(standing) && endOf(standing) === null && unpaidSince(standing) === null;

const subscriptionRow = (subscriptionId: string, { customerId, standing }: Subscription): Row => ({
  ...{ id: `state:${subscriptionId}`, kind: 'state', customer_id: customerId, subscription_id: subscriptionId },
  plan_id: standing.planId,
  in_force: isInForce(standing),
  ends_at: endOf(standing),
  unpaid_since: unpaidSince(standing),
  ...{ months: '', latest_month: '', latest_amount: 0, lasting: 0 },
});

/** Subscriptions and accounts of one customer make one row, so all of them are folded together. */
export const allowancesOracle: Oracle<LedgerEvent> = { keyOf: () => 'all', fold: () => new AllowancesOracle() };

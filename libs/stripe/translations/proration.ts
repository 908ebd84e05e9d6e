import { isAmount, proportion, type Money } from '#kernel/amount.js';
import { earlier, later, msOf, plusMs, type Instant } from '#kernel/instant.js';
import { accountStream, DEFAULT_UNIT, subscriptionStream } from '#kernel/stream-name.js';
import type { AccountCommand } from '#ledger/account-commands.js';
import { dripKey, periodName } from '#ledger/allowance-keys.js';
import { planOfStripePrice, type Plan } from '#ledger/catalog.js';
import { anniversary, costOfMonth, endOfMonth, endOfPeriod, monthsIn, monthsUntil } from '#ledger/paid-month.js';
import type { BoughtLine } from '#ledger/payment-claims.js';
import type { Invoice, InvoiceLine } from '../normalise.js';
import { commands, park, type FactCommand, type Lookups, type Translation } from '../translation.js';

/** What a line cost without discounts and without tax. */
export const netOf = (line: InvoiceLine): number => line.amount - line.discount - line.includedTax;

/** The lines as what is granted for them names them. */
export const boughtBy = (lines: readonly InvoiceLine[]): readonly BoughtLine[] =>
  lines.map(({ id, amount }) => ({ id, amount }));

export const costOf = (amount: number, currency: string): Money | null => (amount > 0 ? { amount, currency } : null);

type Priced = { readonly line: InvoiceLine; readonly plan: Plan; readonly interval: 'month' | 'year' };

/** Lines that charge or give back the rest of one period; of a yearly plan those of one instant, which tells the months before from those after. */
type Change = { readonly end: Instant; readonly lines: readonly Priced[] };

/** The scheduler may grant a month while it has not seen a change that is known already. */
const SCHEDULER_LAG_MS = 3_600_000;

type Context = {
  readonly invoice: Invoice;
  readonly subscriptionId: string;
  readonly customerId: string;
  readonly now: Instant;
};

/**
 * What a change of plan or quantity within a period means: the credits that the rest of the period would have had before are set
 * against those that it has now. More grants the difference, less takes it back as far as it is unspent, both by the policy of the
 * plan that is changed to. A yearly plan's difference comes, or is left out, by the month, like the rest of it: what is not paid for any
 * more is not given, whatever the policy.
 */
export function prorations(
  invoice: Invoice,
  subscriptionId: string,
  customerId: string,
  { catalog, now }: Lookups,
): Translation {
  const changes = new Map<string, Change>();
  for (const line of invoice.lines) {
    if (!line.proration || line.priceId === null || line.amount === 0 || line.periodEnd <= line.periodStart) continue;
    const known = planOfStripePrice(catalog, line.priceId);
    // Something else than a plan was charged for, or is no longer.
    if (known === null) continue;
    const name = known.interval === 'year' ? `${line.periodEnd} ${line.periodStart}` : line.periodEnd;
    const lines = changes.get(name)?.lines ?? [];
    changes.set(name, { end: line.periodEnd, lines: [...lines, { line, ...known }] });
  }
  const context = { invoice, subscriptionId, customerId, now };
  const list: FactCommand[] = [];
  for (const change of changes.values()) {
    const meant = commandsOf(change, context);
    if (meant === null) return park('unknown_shape', invoice.id, 'more credits than an account can hold');
    list.push(...meant);
  }
  return commands(...withOneClaimEach(list));
}

/** What an invoice takes of one month is one claim, however many changes it charges. */
function withOneClaimEach(list: readonly FactCommand[]): readonly FactCommand[] {
  const merged = new Map<string, FactCommand>();
  for (const fact of list) {
    const known = merged.get(fact.key)?.command;
    const both =
      fact.to === 'account' && fact.command.type === 'TakeUnspent' && known?.type === 'TakeUnspent'
        ? {
            ...fact,
            command: {
              ...fact.command,
              since: later(known.since, fact.command.since),
              amount: known.amount + fact.command.amount,
            },
          }
        : fact;
    merged.set(fact.key, both);
  }
  return [...merged.values()];
}

/** Null when the credits are beyond all bounds. */
function commandsOf(change: Change, context: Context): readonly FactCommand[] | null {
  const charged = change.lines.find(({ line }) => line.amount > 0);
  const { plan, interval, line } = charged ?? change.lines[0] ?? {};
  if (plan === undefined || line === undefined) return [];
  const yearly = interval === 'year';
  const difference = change.lines.reduce((sum, priced) => {
    const credits = yearly ? priced.plan.creditsPerMonth * priced.line.quantity : creditsOfRest(priced);
    return priced.line.amount > 0 ? sum + credits : sum - credits;
  }, 0);
  if (!isAmount(Math.abs(difference))) return null;
  const { invoice } = context;
  if (difference < 0) {
    const takesBack = plan.policy?.downgradeClawback === true;
    if (yearly) return reduceYearly(change, line, -difference, takesBack, context);
    if (!takesBack) return [];
    const taken = { endsAt: change.end, since: line.periodStart, amount: -difference };
    return [takeUnspent(taken, keyOf(change, invoice), context)];
  }
  if (difference === 0 || plan.policy?.proratedUpgrade === false) return [];
  return yearly
    ? addYearly(change, plan, line, difference, context)
    : [grantRest(change, plan, line, difference, context)];
}

const keyOf = ({ end }: Change, { id }: Invoice): string => `proration:${id}:${end}`;

/** The credits of the part of the month that the line is for; those of a longer part are a month's. */
function creditsOfRest({ line, plan }: Priced): number {
  const whole = plan.creditsPerMonth * line.quantity;
  const start = msOf(anniversary(line.periodEnd, -1));
  const full = msOf(line.periodEnd) - start;
  const rest = Math.min(full, msOf(line.periodEnd) - msOf(line.periodStart));
  return isAmount(whole) ? proportion(whole, rest, full) : whole;
}

const costOfChange = ({ lines }: Change, { currency }: Invoice): Money | null =>
  costOf(
    lines.reduce((sum, { line }) => sum + netOf(line), 0),
    currency,
  );

function grantRest(change: Change, plan: Plan, line: InvoiceLine, amount: number, context: Context): FactCommand {
  const { invoice, subscriptionId, customerId, now } = context;
  return {
    to: 'account',
    stream: accountStream(customerId, DEFAULT_UNIT),
    key: keyOf(change, invoice),
    command: {
      type: 'GrantCredits',
      amount,
      source: 'subscription',
      priority: 50,
      effectiveAt: earlier(line.periodStart, now),
      expiresAt: endOfPeriod(line.periodStart, change.end, now),
      costBasis: costOfChange(change, invoice),
      paymentReference: invoice.id,
      description: null,
      metadata: { plan: plan.id, subscription: subscriptionId },
      lines: boughtBy(change.lines.map((priced) => priced.line)),
    },
  };
}

type Unspent = Pick<Extract<AccountCommand, { type: 'TakeUnspent' }>, 'endsAt' | 'since' | 'amount'>;

function takeUnspent(taken: Unspent, key: string, { invoice, customerId }: Context): FactCommand {
  const cause = { kind: 'downgrade', id: invoice.id } as const;
  const command = { type: 'TakeUnspent', ...taken, cause } as const;
  return { to: 'account', stream: accountStream(customerId, DEFAULT_UNIT), key, command };
}

/**
 * Months to come give the less; of those that began since the change, and may have been granted whole before it was heard of, what is
 * unspent is taken. The month that the change is in was paid for until then: the policy says whether its rest is taken.
 */
function reduceYearly(
  change: Change,
  { periodStart: since }: InvoiceLine,
  creditsPerMonth: number,
  takesBack: boolean,
  context: Context,
): readonly FactCommand[] {
  const { invoice, subscriptionId, customerId, now } = context;
  const { end: periodEnd } = change;
  const wholeUntil = plusMs(now, SCHEDULER_LAG_MS);
  const fact = { invoiceId: invoice.id, periodEnd, since, wholeUntil, creditsPerMonth };
  const reduce: FactCommand = {
    to: 'subscription',
    stream: subscriptionStream(subscriptionId),
    key: `fewer:${invoice.id}:${periodEnd}:${since}`,
    command: { type: 'ReducePaidPeriod', subscriptionId, customerId, ...fact },
  };
  const begun = monthsUntil(periodEnd, since).filter(
    ({ start, end }) => end > now && (start <= wholeUntil || start < since),
  );
  const taken = begun.flatMap(({ start, end }): FactCommand[] => {
    if (start < since && !takesBack) return [];
    const from = later(start, since);
    const amount = proportion(creditsPerMonth, msOf(end) - msOf(from), msOf(end) - msOf(start));
    const key = `unspent:${invoice.id}:${end}`;
    return amount === 0 ? [] : [takeUnspent({ endsAt: end, since: from, amount }, key, context)];
  });
  return [...taken, reduce];
}

/**
 * The difference is a paid period of its own, whose months are those of the plan: the present one now, the others by the scheduler.
 */
function addYearly(
  change: Change,
  plan: Plan,
  line: InvoiceLine,
  creditsPerMonth: number,
  context: Context,
): readonly FactCommand[] {
  const { invoice, subscriptionId, customerId, now } = context;
  const { periodStart: agreedAt } = line;
  const periodEnd = change.end;
  const periodStart = monthsUntil(periodEnd, agreedAt)[0]?.start ?? agreedAt;
  const itemId = line.id; // its own: the plan's item has a month of this start already
  const name = periodName(itemId, periodStart);
  const cost = costOfChange(change, invoice);
  const grant = grantRest(change, plan, line, creditsPerMonth, context);
  if (grant.to !== 'account' || grant.command.type !== 'GrantCredits') return [];
  const costBasis = costOfMonth(cost, 0, monthsIn(periodStart, periodEnd));
  const expiresAt = endOfMonth(periodStart, periodEnd, 0, now);
  return [
    { ...grant, key: dripKey(name, 0), command: { ...grant.command, costBasis, expiresAt } },
    {
      to: 'subscription',
      stream: subscriptionStream(subscriptionId),
      key: `period:${name}`,
      command: {
        type: 'RecordPaidPeriod',
        subscriptionId,
        customerId,
        planId: plan.id,
        interval: 'year',
        periodStart,
        periodEnd,
        itemId,
        creditsPerMonth,
        cost,
        first: false,
        invoiceId: invoice.id,
        agreedAt,
      },
    },
  ];
}

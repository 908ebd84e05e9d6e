import { isAmount, type Money } from '#kernel/amount.js';
import type { Instant } from '#kernel/instant.js';
import { accountStream, DEFAULT_UNIT } from '#kernel/stream-name.js';
import type { ChangedPeriod } from '#ledger/account/events.js';
import { planBoughtAt, type CatalogState, type Plan } from '#ledger/catalog.js';
import type { BoughtLine } from '#ledger/payment/claims.js';
import type { Invoice, InvoiceLine } from '../../shapes/billing.js';
import { commands, park, type FactCommand, type Lookups, type Translation } from '../translation.js';
import { directionOf } from './direction.js';

/** What a line cost without discounts and without tax. */
export const netOf = (line: InvoiceLine): number => line.amount - line.discount - line.includedTax;

/** The lines as what is granted for them names them. */
export const boughtBy = (lines: readonly InvoiceLine[]): readonly BoughtLine[] =>
  lines.map(({ id, amount }) => ({ id, amount }));

export const costOf = (amount: number, currency: string): Money | null => (amount > 0 ? { amount, currency } : null);

type Priced = {
  readonly line: InvoiceLine;
  /** Whether it charges or gives back. */
  readonly direction: -1 | 1;
  readonly plan: Plan;
  readonly interval: 'month' | 'year';
};

/** The key of all changes of a subscription that one invoice charges or gives back. */
const changeKey = ({ id }: Invoice, subscriptionId: string): string => `change:${id}:${subscriptionId}`;

/**
 * What changes of plan or quantity within paid periods mean: for each time of a change the credits of a month by the new plan are set
 * against those by the old one. The account settles it, by the true length of the period. More is granted, and less is taken back of
 * the month under way, by the policy of the plan that is changed to. All changes of a subscription that one invoice charges are one.
 */
export function prorations(
  invoice: Invoice,
  subscriptionId: string,
  customerId: string,
  { catalog }: Lookups,
): Translation {
  const lines = changingLines(invoice, catalog);
  const periods = [...Map.groupBy(lines, ({ line, interval }) => `${line.periodEnd} ${interval}`).values()].flatMap(
    (group) => changedPeriod(group, invoice, catalog),
  );
  if (periods.length === 0) return commands();
  if (!periods.every(({ parts }) => parts.every(({ credits }) => isAmount(Math.abs(credits)))))
    return park('unknown_shape', invoice.id, 'more credits than an account can hold');
  const plan = lines.findLast(({ direction }) => direction > 0)?.plan ?? lines[0]?.plan;
  const change: FactCommand = {
    to: 'account',
    stream: accountStream(customerId, DEFAULT_UNIT),
    key: changeKey(invoice, subscriptionId),
    command: {
      type: 'ChangePeriod',
      subscriptionId,
      changeId: invoice.id,
      periods,
      paymentReference: invoice.id,
      metadata: { ...(plan === undefined ? {} : { plan: plan.id }), subscription: subscriptionId },
    },
  };
  return commands(change);
}

/** The lines that say of a plan that it was changed. One that is of no plan is something else that was charged for. */
const changingLines = ({ lines, paidAt }: Invoice, catalog: CatalogState): readonly Priced[] =>
  lines.flatMap((line): Priced[] => {
    if (!line.proration || line.priceId === null || line.periodEnd <= line.periodStart) return [];
    const known = planBoughtAt(catalog, line.priceId, paidAt);
    const direction = directionOf(line, lines);
    return known === null || direction === 0 ? [] : [{ line, direction, plan: known.plan, interval: known.interval }];
  });

/** The changes of periods that end at one time; none where they come to nothing. */
function changedPeriod(group: readonly Priced[], invoice: Invoice, catalog: CatalogState): readonly ChangedPeriod[] {
  // A plan of 0 credits beside it, or in whose place it came, is money and nothing else.
  const giving = group.filter(({ plan }) => plan.creditsPerMonth > 0);
  const [one] = giving;
  if (one === undefined) return [];
  const parts = [...Map.groupBy(giving, ({ line }) => line.periodStart)]
    .map(([since, priced]) => partFrom(since, priced))
    .filter(({ plans }) => plans.length > 0)
    .sort((a, b) => (a.since < b.since ? -1 : 1));
  if (parts.length === 0) return [];
  const { policy } = changedTo(group, invoice, catalog) ?? one.plan;
  return [
    {
      end: one.line.periodEnd,
      interval: one.interval,
      parts,
      cost: costOf(
        giving.reduce((sum, { line }) => sum + netOf(line), 0),
        invoice.currency,
      ),
      lines: boughtBy(giving.map(({ line }) => line)),
      // What a subscription begins with was bought, not added.
      grants: policy?.proratedUpgrade !== false || invoice.billingReason === 'subscription_create',
      takesBack: policy?.downgradeClawback === true,
    },
  ];
}

/** What changes at one time; of no plans where all that is given back is charged again. */
function partFrom(since: Instant, priced: readonly Priced[]) {
  const plans = [
    ...Map.groupBy(withoutPairs(priced), ({ plan, direction }) => `${plan.id} ${String(direction)}`).values(),
  ]
    .map((same) => {
      const [{ plan }] = same as [Priced];
      const quantity = same.reduce((sum, { direction, line }) => sum + direction * line.quantity, 0);
      return { id: plan.id, quantity, credits: plan.creditsPerMonth };
    })
    .filter(({ quantity }) => quantity !== 0)
    .sort((a, b) => (a.id === b.id ? a.quantity - b.quantity : a.id < b.id ? -1 : 1));
  const moreOf = (plan: string): number =>
    plans.reduce((sum, { id, quantity }) => (id === plan ? sum + quantity : sum), 0);
  return {
    since,
    credits: plans.reduce((sum, { quantity, credits }) => sum + quantity * credits, 0),
    plans: plans.some(({ id }) => moreOf(id) !== 0) ? plans : [],
  };
}

/** What is given back as it is charged in one second, seat by seat, was there for no time. */
function withoutPairs(priced: readonly Priced[]): readonly Priced[] {
  const charged = priced.filter(({ direction }) => direction > 0);
  const givenBack = priced.filter(({ direction, plan, line }) => {
    if (direction > 0) return false;
    const same = charged.findIndex((one) => one.plan.id === plan.id && one.line.quantity === line.quantity);
    if (same >= 0) charged.splice(same, 1);
    return same < 0;
  });
  return [...givenBack, ...charged];
}

/** The plan that was changed to: the last one charged for the rest of the period, or else for a new one. */
function changedTo(group: readonly Priced[], { lines, paidAt }: Invoice, catalog: CatalogState): Plan | null {
  const charged = group
    .filter(({ direction, plan }) => direction > 0 && plan.creditsPerMonth > 0)
    .sort((a, b) => (a.line.periodStart < b.line.periodStart ? -1 : 1))
    .at(-1);
  if (charged !== undefined) return charged.plan;
  const renewed = lines.flatMap(({ proration, priceId, amount }) => {
    const known = proration || priceId === null ? null : planBoughtAt(catalog, priceId, paidAt);
    // A line of 0.00 is a trial's, unless the plan's price is nothing.
    return known === null || (amount <= 0 && known.price.money.amount > 0) ? [] : [known.plan];
  });
  return renewed.find(({ creditsPerMonth }) => creditsPerMonth > 0) ?? null;
}

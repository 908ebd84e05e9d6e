import type { Invoice, InvoiceLine } from '../../../apps/stripe-sandbox/core/model.js';
import type { Market, Offer } from '../story/market.js';
import type { DueGrant, Money } from './books.js';
import { asOneMonth, monthsOf, monthUntil, restOf, shares, type Month } from './calendar.js';
import { directionOf, isChange, isWithin, itemOf, type Direction } from './line-directions.js';
import { neverGiven, type Deal, type Seats } from './unpaid-books.js';

/**
 * What paid invoices of subscriptions give, by the README of the ledger: every line counts for itself, periods have true
 * lengths, and all months of a year are there from the start.
 */
export type TermBooks = {
  readonly grants: readonly DueGrant[];
  readonly changes: readonly ChangedMonth[];
  readonly money: readonly Money[];
};

/** More (`credits` > 0) or less in one month of a subscription, from `from` on, by a change of plan or quantity at `since`. */
export type ChangedMonth = {
  readonly subscription: string;
  readonly invoiceId: string;
  readonly since: number;
  readonly from: number;
  readonly end: number;
  readonly credits: number;
  /** Whether more is granted, and less is taken back, in this month. */
  readonly grants: boolean;
  readonly takesBack: boolean;
};

type Found = {
  readonly grants: DueGrant[];
  readonly changes: ChangedMonth[];
  readonly money: Money[];
  /** The periods that were paid for. */
  readonly periods: (Deal & { readonly subscription: string })[];
  /** By what a change is: the credits a month that it gives back though nobody paid for them. */
  readonly spared: Map<string, number>;
};
type PlanLine = { readonly line: InvoiceLine; readonly offer: Offer; readonly direction: Direction };

export function termBooksOf(market: Market, invoices: readonly Invoice[]): TermBooks {
  const found: Found = { grants: [], changes: [], money: [], periods: [], spared: new Map() };
  const given = new Set<string>();
  const paid = invoices.toSorted((a, b) => (a.status_transitions.paid_at ?? 0) - (b.status_transitions.paid_at ?? 0));
  // A change is measured against the period that it falls in, whenever that is paid: periods come first.
  for (const invoice of paid) {
    const lines = planLinesOf(market, invoice, found.money);
    const whole = lines.filter(({ line }) => !isChange(line));
    for (const [key, group] of Map.groupBy(whole, ({ line }) => nameOf(line, invoice))) {
      const isPaid = group.some(({ line }) => line.amount > 0);
      if (isPaid && !given.has(key)) period(found, invoice, group);
      else note(found, group, isPaid ? 'a period that was paid before' : 'a trial');
      if (isPaid) given.add(key);
    }
  }
  const changing = paid.flatMap((invoice): readonly Change[] => {
    const lines = planLinesOf(market, invoice, []).filter(
      ({ line, direction }) => isChange(line) && isWithin(line) && direction !== 0,
    );
    const byEnd = Map.groupBy(lines, ({ line, offer }) => `${String(line.period.end)} ${offer.interval}`);
    return [...byEnd.values()].map((group) => ({ invoice, group }));
  });
  spareUnpaid(found, changing);
  for (const { invoice, group } of changing) change(found, invoice, group, changedTo(market, invoice, group));
  return found;
}

/** The changes of the periods that end at one time, on one invoice. */
type Change = { readonly invoice: Invoice; readonly group: readonly PlanLine[] };

const partName = (invoice: Invoice, { line: { period }, offer }: PlanLine): string =>
  [invoice.id, offer.interval, period.start, period.end].join(' ');

/** Notes what of each change was never paid for. */
function spareUnpaid({ periods, spared }: Found, changing: readonly Change[]): void {
  const deals = changing.flatMap(({ invoice, group }) =>
    [...Map.groupBy(group, (one) => partName(invoice, one))].flatMap(([name, lines]) => {
      const [charged, givenBack] = dealsOf(lines);
      const { start: since, end } = lines[0]!.line.period;
      const deal = { end, since, invoiceId: invoice.id, charged, givenBack };
      return charged.length + givenBack.length === 0 ? [] : [{ ...deal, name, subscription: subscriptionOf(invoice) }];
    }),
  );
  for (const [subscription, own] of Map.groupBy(deals, (deal) => deal.subscription)) {
    const bought = periods.filter((deal) => deal.subscription === subscription);
    const found = neverGiven(bought, own);
    for (const deal of own) spared.set(deal.name, found.get(deal) ?? 0);
  }
}

/** What lines of one second charge and give back; nothing of what is given back as it is charged, nor where all comes to nothing. */
function dealsOf(lines: readonly PlanLine[]): readonly [readonly Seats[], readonly Seats[]] {
  const seatsOf = ({ line: { quantity }, offer }: PlanLine): Seats => ({
    plan: offer.planId,
    seats: quantity ?? 1,
    credits: offer.creditsPerMonth,
  });
  const charged = lines.filter(({ direction }) => direction > 0).map(seatsOf);
  const givenBack = lines
    .filter(({ direction }) => direction < 0)
    .flatMap((line): readonly Seats[] => {
      const gone = seatsOf(line);
      const same = charged.findIndex(({ plan, seats }) => plan === gone.plan && seats === gone.seats);
      if (same < 0) return [gone];
      charged.splice(same, 1);
      return [];
    });
  const seats = (plan: string, all: readonly Seats[]): number =>
    all.reduce((sum, one) => (one.plan === plan ? sum + one.seats : sum), 0);
  const differs = [...charged, ...givenBack].some(({ plan }) => seats(plan, charged) !== seats(plan, givenBack));
  return differs ? [charged, givenBack.toSorted((a, b) => (a.plan < b.plan ? -1 : 1))] : [[], []];
}

/**
 * What was bought. An invoice that charges it again charges what it charged before; not one that gives back what was bought from
 * that second on.
 */
function nameOf(line: InvoiceLine, invoice: Invoice): string {
  const { id, lines } = invoice;
  const { start, end } = line.period;
  const price = line.pricing?.price_details?.price ?? '';
  const instead = lines.data.some(
    (one) => isChange(one) && directionOf(one, invoice) < 0 && one.period.start === start,
  );
  const bought = [itemOf(line), start, end, String(price), line.quantity ?? 1];
  return [...bought, instead ? id : ''].join(' ');
}
const subscriptionOf = ({ parent }: Invoice): string => parent?.subscription_details.subscription ?? '';

/** The lines of plans that give credits; all others are money and nothing else. */
function planLinesOf(market: Market, invoice: Invoice, money: Money[]): readonly PlanLine[] {
  return invoice.lines.data.flatMap((line): readonly PlanLine[] => {
    const offer = market.offers.find(({ priceId }) => priceId === line.pricing?.price_details?.price);
    if (offer !== undefined) return [{ line, offer, direction: directionOf(line, invoice) }];
    const amount = netOf(line);
    if (amount !== 0) money.push({ currency: invoice.currency, amount, became: 'no credits: another line' });
    return [];
  });
}

/** A line's money without tax and discounts. */
export function netOf({ amount, taxes, discount_amounts: off }: InvoiceLine): number {
  const included = (taxes ?? []).filter(({ tax_behavior: behavior }) => behavior === 'inclusive');
  return [...included, ...(off ?? [])].reduce((sum, taken) => sum - taken.amount, amount);
}

const sumOf = (group: readonly PlanLine[]): number => group.reduce((sum, { line }) => sum + netOf(line), 0);

function note({ money }: Found, group: readonly PlanLine[], became: string): void {
  const [amount, first] = [sumOf(group), group[0]];
  if (amount !== 0 && first !== undefined) money.push({ currency: first.offer.currency, amount, became });
}

/** A paid period: all of a month's credits at once, those of a year by the month. */
function period(found: Found, invoice: Invoice, group: readonly PlanLine[]): void {
  const { offer, line } = group[0]!;
  const { start, end } = line.period;
  const seats = group.reduce((sum, one) => sum + (one.line.quantity ?? 1), 0);
  const perMonth = offer.creditsPerMonth * seats;
  const months = offer.interval === 'year' ? monthsOf(start, end) : [asOneMonth(start, end)];
  const amounts = months.map((month) => restOf(perMonth, month.start, month));
  const costs = shares(Math.max(0, sumOf(group)), amounts);
  if (amounts[0]! > 0)
    found.periods.push({
      ...{ subscription: subscriptionOf(invoice), invoiceId: invoice.id, since: start, end, givenBack: [] },
      charged: [{ plan: offer.planId, seats, credits: offer.creditsPerMonth }],
    });
  for (const [index, month] of months.entries()) {
    const amount = amounts[index]!;
    const why = offer.interval === 'year' ? 'month of a year' : 'period';
    const term = { subscription: subscriptionOf(invoice), periodStart: start, start: month.start, end: month.end };
    const grant = {
      why,
      source: 'subscription',
      reference: invoice.id,
      optional: false,
      lines: group.map((one) => one.line.id),
    } as const;
    if (amount > 0)
      found.grants.push({
        ...grant,
        amount,
        cost: costs[index] || null,
        startsAt: month.start,
        endsAt: month.end,
        term: { ...term, measuredFrom: month.measuredFrom },
      });
  }
  note(found, group, 'credits of a paid period');
}

/** A change within a period: the credits of its rest by the new plan, less those by the old one. */
function change(found: Found, invoice: Invoice, group: readonly PlanLine[], to: Offer): void {
  const { offer, line } = group[0]!;
  const { end } = line.period;
  const yearly = offer.interval === 'year';
  const first = Math.min(...group.map((one) => one.line.period.start));
  const months = yearly ? monthsOf(first, end) : [asOneMonth(first, end)];
  const changed = months.flatMap((month): readonly ChangedMonth[] => {
    const one = changedMonth(found, invoice, group, { ...month, yearly, to });
    return one === null ? [] : [one];
  });
  found.changes.push(...changed);
  const more = changed.filter(({ credits, grants }) => credits > 0 && grants);
  const costs = shares(
    Math.max(0, sumOf(group)),
    more.map(({ credits }) => credits),
  );
  for (const [index, { subscription, credits, since, from, end: until }] of more.entries()) {
    const term = {
      subscription,
      periodStart: since,
      start: from,
      end: until,
      measuredFrom: from,
      invoiceId: invoice.id,
    };
    const grant = {
      why: 'proration',
      source: 'subscription',
      reference: invoice.id,
      optional: false,
      lines: group.map((one) => one.line.id),
    } as const;
    found.grants.push({ ...grant, amount: credits, cost: costs[index] || null, startsAt: from, endsAt: until, term });
  }
  if (more.length > 0) note(found, group, 'credits of a change to more');
  else if (changed.some(({ credits }) => credits > 0))
    note(found, group, 'a change to more whose plan grants nothing before the next period');
  else note(found, group, 'a change to less: credited to the balance');
}

/** The plan that was changed to: the last one charged for the rest of the period, or for a new one. Its policy counts. */
function changedTo(market: Market, invoice: Invoice, group: readonly PlanLine[]): Offer {
  const charged = group
    .filter(({ direction }) => direction > 0)
    .toSorted((a, b) => a.line.period.start - b.line.period.start)
    .at(-1);
  const renewed = planLinesOf(market, invoice, []).find(({ line }) => !isChange(line) && line.amount > 0);
  return (charged ?? renewed ?? group[0]!).offer;
}

/** What the lines of a change mean for one month of its period; null for nothing. */
function changedMonth(
  found: Found,
  invoice: Invoice,
  group: readonly PlanLine[],
  month: Month & { readonly yearly: boolean; readonly to: Offer },
): ChangedMonth | null {
  const { end, yearly, to } = month;
  const within = group.filter(({ line }) => line.period.start < end);
  if (within.length === 0) return null;
  const since = Math.max(...within.map(({ line }) => line.period.start));
  const subscription = subscriptionOf(invoice);
  // As long as it is: from its own start, where a period of the subscription tells it; else as its months are counted.
  const known = found.grants.filter(
    ({ term }) =>
      term?.subscription === subscription &&
      term.invoiceId === undefined &&
      term.end === end &&
      term.start <= Math.max(month.start, since),
  );
  const start = Math.max(...known.map(({ term }) => term!.measuredFrom), -Infinity);
  const measuredFrom = start === -Infinity ? monthUntil(end, group[0]!.line.period.end) : start;
  // What is more or less from one time on is one sum.
  const parts = Map.groupBy(within, ({ line }) => line.period.start);
  const credits = [...parts].reduce((sum, [from, lines]) => {
    const whole = lines.reduce(
      (all, { line, offer, direction }) => all + direction * offer.creditsPerMonth * (line.quantity ?? 1),
      found.spared.get(partName(invoice, lines[0]!)) ?? 0,
    );
    return sum + Math.sign(whole) * restOf(Math.abs(whole), Math.max(from, measuredFrom), { measuredFrom, end });
  }, 0);
  if (credits === 0) return null;
  const underWay = !yearly || since > measuredFrom;
  const { downgradeClawback } = to.policy;
  // What a subscription begins with was bought, not added.
  const proratedUpgrade = to.policy.proratedUpgrade || invoice.billing_reason === 'subscription_create';
  return {
    ...{ subscription, invoiceId: invoice.id, since, end, credits },
    from: yearly ? Math.max(since, month.start) : since,
    grants: !underWay || proratedUpgrade,
    takesBack: !underWay || downgradeClawback,
  };
}

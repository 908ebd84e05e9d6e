import type { Invoice, InvoiceLine } from '../../../apps/stripe-sandbox/core/model.js';
import type { DueGrant, Money } from './books.js';
import { monthsLater, monthsOf, shareOf } from './calendar.js';
import type { Life } from '../story/life.js';
import type { Market, Offer } from '../story/market.js';
import { mayGive, slackOf } from './subscription-books.js';

type Found = {
  readonly grants: DueGrant[];
  readonly money: Money[];
  readonly downgrades: Map<string, number>;
  readonly yearly: Yearly[];
};
/** A period whose credits come by the month, and what later changes to less leave out of each month. */
type Yearly = {
  readonly invoice: Invoice;
  readonly agreedAt: number;
  readonly start: number;
  readonly end: number;
  readonly amount: number;
  readonly cost: number;
  readonly fewer: { readonly since: number; readonly heardOf: number; readonly amount: number }[];
};
type Line = { readonly line: InvoiceLine; readonly offer: Offer };

/** What the lines of paid subscription invoices give. */
export function linesOf(life: Life, market: Market, invoices: readonly Invoice[]): Found {
  const found: Found = { grants: [], money: [], downgrades: new Map(), yearly: [] };
  const given = new Set<string>();
  const inOrder = invoices.toSorted((a, b) => paidAt(a) - paidAt(b));
  for (const invoice of inOrder) {
    const lines = invoice.lines.data.map((line): Line => ({ line, offer: offerOf(line, market) }));
    const isChange = ({ line }: Line): boolean => line.parent?.invoice_item_details?.proration === true;
    for (const [key, group] of Map.groupBy(
      lines.filter((one) => !isChange(one)),
      periodOf,
    )) {
      const paid = group.some(({ line }) => line.amount > 0);
      if (!paid || given.has(key)) {
        tell(found, group, paid ? 'a period that was paid before' : 'a trial');
        continue;
      }
      given.add(key);
      period(found, invoice, group);
    }
    // A change that costs nothing and gives nothing back, by a full discount, changes no credits of the period.
    const changes = lines.filter((one) => isChange(one) && one.line.amount !== 0);
    for (const group of Map.groupBy(changes, changeOf).values()) {
      change(found, life, invoice, group);
    }
  }
  found.grants.push(...found.yearly.flatMap((paid) => byTheMonth(life, paid)));
  return found;
}

const paidAt = (invoice: Invoice): number => invoice.status_transitions.paid_at ?? 0;
const itemOf = (line: InvoiceLine): string => line.parent?.subscription_item_details?.subscription_item ?? '';
const periodOf = ({ line }: Line): string => `${itemOf(line)} ${String(line.period.start)}`;
/** Changes of one month count together; in a year, what is given depends on when each was made. */
const changeOf = ({ line: { period }, offer }: Line): string =>
  `${String(period.end)} ${offer.interval === 'year' ? String(period.start) : ''}`;
const subscriptionOf = ({ parent }: Invoice): string => parent?.subscription_details.subscription ?? '';

function offerOf(line: InvoiceLine, market: Market): Offer {
  const id = line.pricing?.price_details?.price;
  const offer = market.offers.find(({ priceId }) => priceId === id);
  if (offer === undefined) throw new Error(`${line.id} is for no price of the market`);
  return offer;
}

/** A line's money without tax and discounts. */
function netOf({ amount, taxes, discount_amounts: off }: InvoiceLine): number {
  const included = (taxes ?? []).filter(({ tax_behavior: behavior }) => behavior === 'inclusive');
  return [...included, ...(off ?? [])].reduce((sum, taken) => sum - taken.amount, amount);
}

const sumOf = (group: readonly Line[]): number => group.reduce((sum, { line }) => sum + netOf(line), 0);

function tell({ money }: Found, group: readonly Line[], became: string): void {
  const amount = sumOf(group);
  const [first] = group;
  if (amount !== 0 && first !== undefined) money.push({ currency: first.offer.currency, amount, became });
}

/** A paid period: all of a month's credits at once, those of a year by the month. */
function period(found: Found, invoice: Invoice, group: readonly Line[]): void {
  const { offer, line } = group[0]!;
  const { start, end } = line.period;
  const seats = group.reduce((sum, one) => sum + (one.line.quantity ?? 1), 0);
  const amount = offer.creditsPerMonth * seats;
  const cost = sumOf(group);
  if (offer.interval === 'year') {
    found.yearly.push({ invoice, agreedAt: start, start, end, amount, cost, fewer: [] });
  } else {
    const first = { why: 'period', source: 'subscription', optional: false } as const;
    found.grants.push({ ...first, reference: invoice.id, amount, cost: cost || null, endsAt: end });
  }
  tell(found, group, 'credits of a paid period');
}

/** A month's credits for each month of a period, as long as the subscription gives anything, less what is not paid for any more. */
function byTheMonth(life: Life, { invoice, start, end, amount, cost, fewer }: Yearly): readonly DueGrant[] {
  const months = monthsOf(start, end);
  const upTo = (n: number): number => shareOf(cost, n, months.length);
  return months.flatMap((due, index): readonly DueGrant[] => {
    const when = index === 0 ? 'surely' : mayGive(life, subscriptionOf(invoice), Math.max(due, paidAt(invoice)));
    if (when === 'never') return [];
    // A month that begins before the change is heard of is given whole, and then taken back.
    const amounts = index === 0 ? [amount] : whatMayBeLeft(amount, fewer, due);
    const given = amounts.filter((left) => left > 0);
    return given.map((left) => ({
      why: 'month of a year',
      source: 'subscription',
      reference: invoice.id,
      amount: left,
      cost: cost > 0 ? shareOf(upTo(index + 1) - upTo(index), left, amount) || null : null,
      endsAt: months[index + 1] ?? end,
      optional: when === 'perhaps' || amounts.length > 1,
    }));
  });
}

/** What may be given of a month once each change to less was heard of, or while it was not. */
function whatMayBeLeft(amount: number, fewer: Yearly['fewer'], due: number): readonly number[] {
  const left = fewer.reduce<readonly number[]>(
    (before, one) => {
      const after = before.map((credits) => credits - one.amount);
      if (due < one.since) return before;
      return due >= one.heardOf ? after : [...before, ...after];
    },
    [amount],
  );
  return [...new Set(left)];
}

/** A change within a period: the credits of its rest by the new plan, less those by the old one. */
function change(found: Found, life: Life, invoice: Invoice, group: readonly Line[]): void {
  const charged = group.find(({ line }) => line.amount > 0);
  const { offer, line } = charged ?? group[0]!;
  const { start, end } = line.period;
  const credits = group.reduce((sum, one) => sum + Math.sign(one.line.amount) * creditsOfRest(one), 0);
  const cost = sumOf(group);
  if (credits <= 0) {
    if (offer.interval === 'year') fewerByTheMonth(found, life, invoice, group, -credits);
    else if (offer.policy.downgradeClawback) found.downgrades.set(invoice.id, -credits);
    tell(found, group, 'a change to less: credited to the balance');
    return;
  }
  if (!offer.policy.proratedUpgrade) {
    tell(found, group, 'a change to more whose plan grants nothing before the next period');
    return;
  }
  tell(found, group, 'credits of a change to more');
  if (offer.interval === 'year') {
    const paid = { invoice, agreedAt: start, end, amount: credits, cost: Math.max(0, cost) };
    found.yearly.push({ ...paid, start: monthIn(start, end), fewer: [] });
    return;
  }
  const grant = { why: 'proration', source: 'subscription', reference: invoice.id, optional: false } as const;
  found.grants.push({ ...grant, amount: credits, cost: cost > 0 ? cost : null, endsAt: end });
}

/** When the month began, of those counted back from `end`, that `time` is in. */
function monthIn(time: number, end: number): number {
  let months = 1;
  while (monthsLater(end, -months) > time) months += 1;
  return monthsLater(end, -months);
}

/** Months to come give so much less: of what was agreed last, then of what was agreed before. */
function fewerByTheMonth(found: Found, life: Life, invoice: Invoice, group: readonly Line[], credits: number): void {
  const { offer, line } = group.find((one) => one.line.amount > 0) ?? group[0]!;
  const { start: since, end } = line.period;
  const heardOf = Math.max(since, paidAt(invoice)) + slackOf(life);
  const begun = monthsOf(since, Math.min(end, heardOf)).length;
  const before = found.downgrades.get(invoice.id) ?? 0;
  found.downgrades.set(invoice.id, before + credits * (offer.policy.downgradeClawback ? begun + 1 : begun));
  let missing = credits;
  for (const paid of found.yearly.toSorted((a, b) => b.agreedAt - a.agreedAt)) {
    if (subscriptionOf(paid.invoice) !== subscriptionOf(invoice) || paid.end !== end || paid.agreedAt > since) continue;
    const amount = Math.min(
      missing,
      paid.fewer.reduce((left, one) => left - one.amount, paid.amount),
    );
    missing -= amount;
    paid.fewer.push({ since, heardOf, amount });
  }
}

/** What a line's plan gives for the rest of its month; by the month where it is a year's. */
function creditsOfRest({ line, offer }: Line): number {
  const whole = offer.creditsPerMonth * (line.quantity ?? 1);
  if (offer.interval === 'year') return whole;
  const { start, end } = line.period;
  const month = end - monthsLater(end, -1);
  return shareOf(whole, Math.min(end - start, month), month);
}

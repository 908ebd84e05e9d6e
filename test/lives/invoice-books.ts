import type { Invoice, InvoiceLine } from '../../apps/stripe-sandbox/core/model.js';
import type { DueGrant, Money } from './books.js';
import { monthsLater, monthsOf, shareOf } from './calendar.js';
import type { Life } from './life.js';
import type { Market, Offer } from './market.js';
import { mayGive } from './subscription-books.js';

type Found = {
  readonly grants: DueGrant[];
  readonly money: Money[];
  readonly downgrades: Map<string, number>;
};
type Line = { readonly line: InvoiceLine; readonly offer: Offer };

/** What the lines of paid subscription invoices give. */
export function linesOf(life: Life, market: Market, invoices: readonly Invoice[]): Found {
  const found: Found = { grants: [], money: [], downgrades: new Map() };
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
      period(found, life, invoice, group);
    }
    for (const group of Map.groupBy(lines.filter(isChange), ({ line }) => line.period.end).values()) {
      change(found, life, invoice, group);
    }
  }
  return found;
}

const paidAt = (invoice: Invoice): number => invoice.status_transitions.paid_at ?? 0;
const itemOf = (line: InvoiceLine): string => line.parent?.subscription_item_details?.subscription_item ?? '';
const periodOf = ({ line }: Line): string => `${itemOf(line)} ${String(line.period.start)}`;
const subscriptionOf = ({ parent }: Invoice): string => parent?.subscription_details.subscription ?? '';

function offerOf(line: InvoiceLine, market: Market): Offer {
  const id = line.pricing?.price_details?.price;
  const offer = market.offers.find(({ priceId }) => priceId === id);
  if (offer === undefined) throw new Error(`${line.id} is for no price of the market`);
  return offer;
}

/** A line's money without tax. */
function netOf({ amount, taxes }: InvoiceLine): number {
  const included = (taxes ?? []).filter(({ tax_behavior: behavior }) => behavior === 'inclusive');
  return included.reduce((sum, tax) => sum - tax.amount, amount);
}

const sumOf = (group: readonly Line[]): number => group.reduce((sum, { line }) => sum + netOf(line), 0);

function tell({ money }: Found, group: readonly Line[], became: string): void {
  const amount = sumOf(group);
  const [first] = group;
  if (amount !== 0 && first !== undefined) money.push({ currency: first.offer.currency, amount, became });
}

/** A paid period: all of a month's credits at once, those of a year by the month. */
function period(found: Found, life: Life, invoice: Invoice, group: readonly Line[]): void {
  const { offer, line } = group[0]!;
  const { start, end } = line.period;
  const seats = group.reduce((sum, one) => sum + (one.line.quantity ?? 1), 0);
  const amount = offer.creditsPerMonth * seats;
  const cost = sumOf(group);
  if (offer.interval === 'year') {
    found.grants.push(...byTheMonth(life, invoice, { start, end, amount, cost }));
  } else {
    const first = { why: 'period', source: 'subscription', optional: false } as const;
    found.grants.push({ ...first, reference: invoice.id, amount, cost: cost || null, endsAt: end });
  }
  tell(found, group, 'credits of a paid period');
}

/** A month's credits for each month of a period, as long as the subscription gives anything. */
function byTheMonth(
  life: Life,
  invoice: Invoice,
  paid: { readonly start: number; readonly end: number; readonly amount: number; readonly cost: number },
): readonly DueGrant[] {
  const { start, end, amount, cost } = paid;
  const months = monthsOf(start, end);
  return months.flatMap((due, index): readonly DueGrant[] => {
    const when = index === 0 ? 'surely' : mayGive(life, subscriptionOf(invoice), Math.max(due, paidAt(invoice)));
    if (when === 'never') return [];
    const upTo = (n: number): number => shareOf(cost, n, months.length);
    return [
      {
        why: 'month of a year',
        source: 'subscription',
        reference: invoice.id,
        amount,
        cost: cost > 0 ? upTo(index + 1) - upTo(index) || null : null,
        endsAt: Math.min(end, monthsLater(start, index + 1)),
        optional: when === 'perhaps',
      },
    ];
  });
}

/** A change within a period: the credits of its rest by the new plan, less those by the old one. */
function change(found: Found, life: Life, invoice: Invoice, group: readonly Line[]): void {
  const charged = group.find(({ line }) => line.amount > 0);
  const { offer, line } = charged ?? group[0]!;
  const { start, end } = line.period;
  const credits = group.reduce((sum, one) => sum + Math.sign(one.line.amount) * creditsOfRest(one), 0);
  const cost = sumOf(group);
  if (credits <= 0) {
    if (offer.policy.downgradeClawback && offer.interval === 'month') found.downgrades.set(invoice.id, -credits);
    tell(found, group, 'a change to less: credited to the balance');
    return;
  }
  if (!offer.policy.proratedUpgrade) {
    tell(found, group, 'a change to more whose plan grants nothing before the next period');
    return;
  }
  tell(found, group, 'credits of a change to more');
  if (offer.interval === 'year') {
    found.grants.push(...byTheMonth(life, invoice, { start, end, amount: credits, cost: Math.max(0, cost) }));
    return;
  }
  const grant = { why: 'proration', source: 'subscription', reference: invoice.id, optional: false } as const;
  found.grants.push({ ...grant, amount: credits, cost: cost > 0 ? cost : null, endsAt: end });
}

/** What a line's plan gives for the rest of its month; by the month where it is a year's. */
function creditsOfRest({ line, offer }: Line): number {
  const whole = offer.creditsPerMonth * (line.quantity ?? 1);
  if (offer.interval === 'year') return whole;
  const { start, end } = line.period;
  const month = end - monthsLater(end, -1);
  return shareOf(whole, Math.min(end - start, month), month);
}

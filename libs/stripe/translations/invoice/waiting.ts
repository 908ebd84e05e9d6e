import { planOfStripePrice, type CatalogState } from '#ledger/catalog.js';
import type { Invoice, InvoiceLine } from '../../shapes/billing.js';
import { park, type Parked } from '../translation.js';
import { directionOf } from './direction.js';

/** Whether a line's price is that of a plan of the catalogue, whatever the line charges. */
export const isPlans = ({ priceId }: { readonly priceId: string | null }, catalog: CatalogState): boolean =>
  priceId !== null && planOfStripePrice(catalog, priceId) !== null;

/**
 * Why a paid invoice waits for the catalogue; null where it does not. It waits when none of its lines has a known plan and one might
 * have. It also waits when it gives back a known plan and charges an unknown price in its place: that is a change to a plan that the
 * catalogue does not know yet. The order of the lines makes no difference.
 */
export function waitsForPrice(invoice: Invoice, catalog: CatalogState): Parked | null {
  const odd = invoice.oddLines.find((line) => isPlans(line, catalog));
  if (odd !== undefined) return park('unknown_shape', null, odd.problem);
  const known = invoice.lines.filter((line) => isPlans(line, catalog));
  const waiting = invoice.lines
    .filter((line) => !isPlans(line, catalog) && mightBePlans(line, invoice))
    .filter((line) => known.length === 0 || replaces(line, known, invoice.lines))
    .map(({ priceId }) => priceId ?? '')
    .sort();
  const [priceId] = waiting;
  return priceId === undefined
    ? null
    : park('unknown_price', priceId, 'no plan of the catalogue has this Stripe price, nor has another line a plan');
}

/** Whether the catalogue may come to know the line's price as a plan's: it charges a recurring price of a subscription, and in advance. */
function mightBePlans(line: InvoiceLine, { subscriptionId, createdAt }: Invoice): boolean {
  const { priceId, amount, subscriptionItemId, proration, periodEnd } = line;
  if (priceId === null || amount <= 0 || line.isNoPlans) return false;
  // What is charged after its time is usage.
  if (!proration && createdAt !== null && periodEnd <= createdAt) return false;
  return subscriptionItemId !== null || (proration && (line.subscriptionId ?? subscriptionId) !== null);
}

/** Whether the line stands in the place of a known plan: all that the invoice says of its subscription's plans is that they are given back. */
function replaces(line: InvoiceLine, known: readonly InvoiceLine[], all: readonly InvoiceLine[]): boolean {
  const beside = known.filter(({ subscriptionId }) => subscriptionId === line.subscriptionId);
  return beside.length > 0 && beside.every((one) => directionOf(one, all) < 0);
}

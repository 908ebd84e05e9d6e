import type { Invoice, InvoiceItem, InvoiceLine, Subscription, SubscriptionItem } from '../../core/model.js';
import type { Tx } from '../../core/tx.js';

type Credited = InvoiceItem['sandbox']['credited'];

/** The lines that last charged for an item, of a whole period or of the rest of one. Null where it was never charged for. */
export function creditedItems(tx: Tx, subscription: Subscription, item: SubscriptionItem): Credited {
  const latest = subscription.latest_invoice === null ? undefined : tx.get('invoice', subscription.latest_invoice);
  const found = latest === undefined || latest === null ? null : chargedOn(tx, latest, item);
  if (found !== null) return found;
  const all = [...tx.all('invoice')].filter(({ customer }) => customer === subscription.customer);
  for (const invoice of all.toReversed()) {
    const lines = chargedOn(tx, invoice, item);
    if (lines !== null) return lines;
  }
  return null;
}

/**
 * Whether an item is credited that no invoice charged for: where its charge waits for the next one, and always of a classic subscription,
 * which is credited by the price that it has. A flexible one is given back what was charged.
 */
export const creditsUncharged = (tx: Tx, { billing_mode: mode }: Subscription, item: SubscriptionItem): boolean =>
  mode.type !== 'flexible' ||
  [...tx.all('invoiceitem')].some(({ invoice, sandbox }) => invoice === null && sandbox.subscriptionItem === item.id);

function chargedOn(tx: Tx, { id: invoice, lines }: Invoice, item: SubscriptionItem): Credited {
  const charged = lines.data.filter((line) => itemOf(tx, line) === item.id);
  return charged.length === 0 ? null : { invoice, invoice_line_items: charged.map(({ id }) => id) };
}

/** Which item a line charges for; null for none, and where it gives back. */
function itemOf(tx: Tx, { amount, parent }: InvoiceLine): string | null {
  if (amount < 0 || parent === null) return null;
  const whole = parent.subscription_item_details?.subscription_item ?? null;
  if (whole !== null) return whole;
  const details = parent.invoice_item_details;
  if (details?.proration !== true || details.proration_details?.credited_items != null) return null;
  const made = details.invoice_item === null ? null : tx.get('invoiceitem', details.invoice_item);
  return made?.sandbox.subscriptionItem ?? null;
}

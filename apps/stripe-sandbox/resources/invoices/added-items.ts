import { invalid } from '../../core/api/errors.js';
import type { Price, Subscription } from '../../core/model.js';
import type { Params } from '../../core/api/params.js';
import type { Tx } from '../../core/tx.js';
import { priceOf } from '../catalog/catalogue.js';
import { newInvoiceItem } from './lines.js';
import { priceAmount } from '../catalog/tiers.js';

/** Something bought once together with a subscription. */
export type AddedItem = {
  readonly price: Price;
  readonly quantity: number;
  readonly metadata: Record<string, string>;
};

/** Reads `add_invoice_items[]`; none when absent. */
export function addedItems(tx: Tx, params: Params): readonly AddedItem[] {
  return (params.children('add_invoice_items') ?? []).map((given) => {
    given.accept('tax_rates', 'period');
    const price = priceOf(tx, given);
    if (price.recurring !== null) {
      throw invalid(
        'The price specified is set to `type=recurring` but this field only accepts prices with `type=one_time`.',
        given.name('price'),
      );
    }
    return { price, quantity: given.integer('quantity') ?? 1, metadata: given.metadata() };
  });
}

/** Puts one on the subscription's next invoice, which may be the one that this request makes. */
export function addToNextInvoice(tx: Tx, subscription: Subscription, { price, quantity, metadata }: AddedItem): void {
  newInvoiceItem(tx, {
    customer: subscription.customer,
    amount: priceAmount(price, quantity),
    currency: price.currency,
    description: tx.get('product', price.product)?.name ?? null,
    period: { start: tx.now, end: tx.now },
    quantity,
    price,
    metadata,
    subscription: subscription.id,
  });
}

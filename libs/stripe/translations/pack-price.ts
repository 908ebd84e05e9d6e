import type { CatalogState, CreditProduct } from '#ledger/catalog.js';
import type { Metadata } from '../shapes/billing.js';
import { park, type Parked } from './translation.js';

/** What was charged before discount and tax, in minor units. Several amounts: it cannot be said which of them the price stands for. */
export type Charged = { readonly currency: string; readonly amounts: readonly number[] };

/** The Stripe price of the pack that the metadata names; null where it names none, or the pack has none. */
export function packPriceId({ credit_product: productId }: Metadata, { creditProducts }: CatalogState): string | null {
  return productId === undefined ? null : (creditProducts.get(productId)?.item.stripePriceId ?? null);
}

/**
 * Why a sale of packs waits for a person: the number that the metadata names does not cost what was charged, neither at today's price nor at
 * one that the pack had before. Null where it does, and where it cannot be said: nothing is known of what was charged, or the pack has no
 * price in its currency.
 */
export function mismatchOf(
  packs: { readonly product: CreditProduct; readonly count: number },
  charged: Charged | null,
  catalog: CatalogState,
): Parked | null {
  const { product, count } = packs;
  const [shown] = charged?.amounts ?? [];
  if (charged === null || shown === undefined) return null;
  const { currency, amounts } = charged;
  const prices = [product.price, ...(catalog.formerPackPrices.get(product.id) ?? [])]
    .filter((price) => price.currency === currency)
    .map((price) => price.amount * count);
  const [expected] = prices;
  if (expected === undefined || prices.some((price) => amounts.includes(price))) return null;
  const [named, found] = [expected, shown].map((amount) => `${String(amount)} ${currency}`);
  return park(
    'amount_mismatch',
    product.id,
    `metadata: ${String(count)} × ${product.id} costs ${String(named)}; charged before discount and tax: ${String(found)}`,
  );
}

import type { Catalog } from '#ledger/catalog.js';

/** Sandboxes count from nought where ids of Stripe have the time of their making, so no price of Stripe's begins like this. */
const sandboxPrice = /^price_10/;

/** A Stripe price of the catalogue that no sandbox made; null where there is none. */
export function priceElsewhere({ plans, creditProducts }: Catalog): string | null {
  const priced = [...plans.flatMap(({ monthly, yearly }) => [monthly, yearly]), ...creditProducts];
  const ids = priced.map((item) => item?.stripePriceId ?? null);
  return ids.find((id) => id !== null && !sandboxPrice.test(id)) ?? null;
}

/** What to do about a catalogue that is sold by Stripe while no key is set. */
export const soldElsewhere = (price: string): string =>
  `the catalogue is sold at another Stripe account (${price}): set its STRIPE_SECRET_KEY to sell it, ` +
  'or another DATABASE_URL or SCRIP_DATA_DIR to try the sandbox';

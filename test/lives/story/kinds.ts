import type { Life } from './life.js';
import type { Market } from './market.js';

/**
 * What must happen often enough to be tested, counted from what is at Stripe at the end, not from what a story says: an action
 * that Stripe refuses every time counts for nothing.
 */
const counts = {
  'pack bought by Checkout': ({ stripe }) =>
    stripe.all('checkout.session').filter(({ mode, status }) => mode === 'payment' && status === 'complete').length,
  'pack bought by an intent': ({ stripe }) =>
    stripe
      .all('payment_intent')
      .filter(({ status, metadata }) => status === 'succeeded' && metadata['top_up'] === 'true').length,
  'yearly plan': ({ stripe }) =>
    stripe.all('subscription').filter(({ items }) => items.data[0]?.price.recurring?.interval === 'year').length,
  trial: ({ stripe }) => stripe.all('subscription').filter(({ trial_end: end }) => end !== null).length,
  refund: ({ stripe }) => stripe.all('refund').filter(({ status }) => status === 'succeeded').length,
  'dispute lost': ({ stripe }) => stripe.all('dispute').filter(({ status }) => status === 'lost').length,
  'credit note': ({ stripe }) => stripe.all('credit_note').length,
  'invoice with tax': ({ stripe }) =>
    stripe.all('invoice').filter(({ total_taxes: taxes }) => taxes !== null && taxes.length > 0).length,
} as const satisfies Record<string, (life: Life, market: Market) => number>;

export type Kind = keyof typeof counts;
export const kinds = Object.keys(counts) as readonly Kind[];
export type Occurrences = Readonly<Record<Kind, number>>;

/** How often each kind has happened in a life. */
export function kindsOf(life: Life, market: Market): Occurrences {
  return Object.fromEntries(
    kinds.map((kind) => [kind, (counts[kind] as (life: Life, market: Market) => number)(life, market)]),
  ) as Occurrences;
}

export function sumOfKinds(all: readonly Occurrences[]): Occurrences {
  return Object.fromEntries(kinds.map((kind) => [kind, all.reduce((sum, one) => sum + one[kind], 0)])) as Occurrences;
}

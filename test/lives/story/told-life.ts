import { SeededRandom } from '../../simulation/random.js';
import { advance, calm, Post, type Life, type LifeOptions } from './life.js';
import type { Market } from './market.js';
import { StripeAccount } from './stripe-account.js';

const DAY = 86_400;

/** What is done at Stripe so many days after the beginning. */
export type Deed = readonly [day: number, act: (stripe: StripeAccount) => unknown];

/** A life in which exactly this is done, as the random ones seldom do; nothing is used. Its webhooks arrive at once. */
export function toldLife(market: Market, seed: number, options: LifeOptions, deeds: readonly Deed[]): Life {
  const { start, end, types } = options;
  const customerId = `life-${String(seed)}`;
  const stripe = new StripeAccount(market, { seed, start, apiVersion: null, types: [...types] });
  const post = new Post(calm, new SeededRandom(seed));
  stripe.post('customers', { 'metadata[customer_id]': customerId });
  for (const [day, act] of deeds) {
    advance(stripe, post, start + day * DAY);
    act(stripe);
  }
  advance(stripe, post, end);
  return {
    ...{ seed, customerId, start, end, stripe, arrivals: post.arrivals, lost: post.lost, standings: post.standings },
    ...{ consumptions: [], lateness: 0, story: [] },
  };
}

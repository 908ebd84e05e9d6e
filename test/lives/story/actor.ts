import type { SeededRandom } from '../../simulation/random.js';
import type { Currency, Market } from './market.js';
import type { StripeAccount } from './stripe-account.js';

/** Who does what: a customer of Scrip at Stripe, and chance. */
export type Actor = {
  readonly stripe: StripeAccount;
  readonly market: Market;
  readonly random: SeededRandom;
  readonly customerId: string;
  readonly currency: Currency;
};

/** Something that happens in a life; answers what it was, null when it could not happen now. */
export type Action = (actor: Actor) => string | null;

import type { Config } from '#config/env.js';
import type { Clock } from '#kernel/clock.js';
import { stripeClientOf, type StripeClient } from '#stripe/operations/client.js';
import { Problem } from '../../http/problem.js';

/** Leaves the log its time: the whole request is answered within 10 s. */
const REQUEST_MS = 8_000;

/** The way to Stripe, where there is one. */
export class StripeConnection {
  readonly #client: StripeClient | null;

  constructor(stripe: Config['stripe'], clock: Clock, fetch?: typeof globalThis.fetch) {
    this.#client = stripeClientOf(stripe, clock, fetch);
  }

  /** Whether Stripe may be called. */
  get isOpen(): boolean {
    return this.#client !== null;
  }

  /**
   * For the calls of one request, which together take no longer than a caller waits. Throws the problem `billing_disabled` where
   * Stripe must not be called.
   */
  forRequest(): StripeClient {
    if (this.#client === null) throw new Problem('billing_disabled');
    return this.#client.within(REQUEST_MS);
  }
}

import type { Config } from '#config/env.js';
import type { Clock } from '#kernel/clock.js';
import { stripeClientOf, type StripeClient } from '#stripe/client.js';
import { Problem } from '../http/problems.js';

/** The way to Stripe, where there is one. */
export class StripeConnection {
  readonly #client: StripeClient | null;

  constructor(stripe: Config['stripe'], clock: Clock, fetch?: typeof globalThis.fetch) {
    this.#client = stripeClientOf(stripe, clock, fetch);
  }

  /** Throws the problem `billing_disabled` where Stripe must not be called. */
  get client(): StripeClient {
    if (this.#client === null) throw new Problem('billing_disabled');
    return this.#client;
  }

  /** The same refusal, for before anything else is looked at. */
  demand(): void {
    void this.client;
  }
}

import { Injectable } from '@nestjs/common';
import { Clock } from '#kernel/clock.js';
import { Problem } from './problems.js';

const LIMIT = 5;
const WINDOW_MS = 60_000;
const MAX_CUSTOMERS = 50_000;

/**
 * At most five requests a minute for each customer and route that leads to a page of Stripe, counted in this process. Bounded; the
 * longest unseen are forgotten.
 */
@Injectable()
export class BillingRate {
  readonly #seen = new Map<string, readonly number[]>();

  constructor(private readonly clock: Clock) {}

  /** Counts a request. Throws the problem `rate_limited` with the time until the next one is taken. */
  take(route: 'checkout' | 'portal', customerId: string): void {
    const key = `${route} ${customerId}`;
    const now = this.clock.now();
    const recent = (this.#seen.get(key) ?? []).filter((at) => now - at < WINDOW_MS && at <= now);
    this.#seen.delete(key);
    if (this.#seen.size >= MAX_CUSTOMERS) this.#seen.delete(this.#seen.keys().next().value ?? '');
    const [oldest] = recent;
    if (oldest !== undefined && recent.length >= LIMIT) {
      this.#seen.set(key, recent);
      throw new Problem('rate_limited', {}, Math.ceil((oldest + WINDOW_MS - now) / 1000));
    }
    this.#seen.set(key, [...recent, now]);
  }
}

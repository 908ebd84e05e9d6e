import type { Clock } from '#kernel/clock.js';

type Bucket = { tokens: number; at: number };

const maxCallers = 100_000;

/** A token bucket for each caller: `perSecond` on average, twice that at once. Bounded; the longest unseen are forgotten. */
export class RateLimit {
  readonly #buckets = new Map<string, Bucket>();

  constructor(
    private readonly perSecond: number,
    private readonly clock: Clock,
  ) {}

  /** True when the caller may go on; one place is used up. */
  allows(caller: string): boolean {
    const now = this.clock.now();
    const burst = 2 * this.perSecond;
    const known = this.#buckets.get(caller);
    const bucket = known ?? { tokens: burst, at: now };
    if (known !== undefined) this.#buckets.delete(caller);
    else if (this.#buckets.size >= maxCallers) this.#buckets.delete(this.#buckets.keys().next().value ?? '');
    bucket.tokens = Math.min(burst, bucket.tokens + (Math.max(0, now - bucket.at) / 1000) * this.perSecond);
    bucket.at = now;
    this.#buckets.set(caller, bucket);
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
  }
}

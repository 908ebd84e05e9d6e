import type { Clock } from '#kernel/clock.js';

const FAILURES_TO_OPEN = 5;
const FIRST_PAUSE_MS = 5_000;
const LONGEST_PAUSE_MS = 60_000;

/**
 * Stops calling Stripe while it does not answer. After five failures in a row it is open: no call for 5 s, then one call as a
 * trial; if that fails too the pause doubles, up to a minute. Any success closes it.
 */
export class Circuit {
  #failures = 0;
  #pauseMs = FIRST_PAUSE_MS;
  #openUntil: number | null = null;
  #trying = false;

  constructor(private readonly clock: Clock) {}

  /** Milliseconds until a call makes sense; 0: call now, and tell how it went by `succeeded` or `failed`. */
  enter(): number {
    if (this.#openUntil === null) return 0;
    const left = this.#openUntil - this.clock.now();
    if (left > 0) return left;
    if (this.#trying) return FIRST_PAUSE_MS;
    this.#trying = true;
    return 0;
  }

  succeeded(): void {
    this.#failures = 0;
    this.#pauseMs = FIRST_PAUSE_MS;
    this.#openUntil = null;
    this.#trying = false;
  }

  failed(): void {
    this.#failures += 1;
    if (this.#trying) this.#pauseMs = Math.min(LONGEST_PAUSE_MS, this.#pauseMs * 2);
    else if (this.#failures < FAILURES_TO_OPEN || this.#openUntil !== null) return;
    this.#trying = false;
    this.#openUntil = this.clock.now() + this.#pauseMs;
  }
}

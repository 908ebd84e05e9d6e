/** What an `AbortSignal` is, named here because the pure libraries know no platform. */
export type Cancellation = {
  readonly aborted: boolean;
  addEventListener(type: 'abort', listener: () => void, options?: { once?: boolean }): void;
  removeEventListener(type: 'abort', listener: () => void): void;
};

/**
 * The only source of time and of waiting in `libs`. The system implementation is chosen in a composition root; a
 * simulation gives a virtual one, so a run can be replayed from its seed.
 */
export abstract class Clock {
  /** Milliseconds since the Unix epoch. May jump either way; writers make it monotonic per stream. */
  abstract now(): number;
  /** Resolves after `ms` milliseconds of this clock, early when `signal` aborts. Never rejects. */
  abstract sleep(ms: number, signal?: Cancellation): Promise<void>;
  /** A number in [0, 1) for jitter. Never used for ids or amounts. */
  abstract random(): number;
}

/**
 * Waits `ms` milliseconds before another try, shortened at random by up to half, so that those who failed together do not all
 * come back at once. Ends early when `signal` aborts.
 */
export const sleepJittered = (clock: Clock, ms: number, signal?: Cancellation): Promise<void> =>
  clock.sleep(ms * (0.5 + clock.random() / 2), signal);

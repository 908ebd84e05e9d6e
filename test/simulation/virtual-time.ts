import { Clock, type Cancellation } from '#kernel/clock.js';
import { SeededRandom } from './random.js';

type Timer = { readonly at: number; readonly order: number; readonly wake: () => void };

/** One time for the whole simulated world. It moves only when nothing can go on without it. */
export class VirtualTime {
  now = Date.parse('2026-01-01T00:00:00.000Z');
  readonly #timers: Timer[] = [];
  #order = 0;

  /** Calls `wake` in `ms`. */
  after(ms: number, wake: () => void): void {
    const timer = { at: this.now + Math.max(0, ms), order: this.#order, wake };
    this.#order += 1;
    let [low, high] = [0, this.#timers.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = this.#timers[middle];
      if (other !== undefined && (other.at < timer.at || (other.at === timer.at && other.order < timer.order)))
        low = middle + 1;
      else high = middle;
    }
    this.#timers.splice(low, 0, timer);
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.after(ms, resolve);
    });
  }

  /** Lets the world go on until `isOver` or `until`; true when it was over in time. */
  async run(until: number, isOver: () => boolean): Promise<boolean> {
    for (;;) {
      // All that can happen now happens before time moves on: setImmediate comes after every microtask.
      await new Promise((resolve) => setImmediate(resolve));
      if (isOver()) return true;
      const timer = this.#timers[0];
      if (timer === undefined || timer.at > until) return false;
      this.#timers.shift();
      this.now = timer.at;
      timer.wake();
    }
  }
}

/** A process: what it waits for never comes once it is dead. */
export class Life {
  alive = true;

  /** Never settles for the dead. */
  async through<T>(work: Promise<T>): Promise<T> {
    try {
      const result = await work;
      return this.alive ? result : await forever();
    } catch (error) {
      if (this.alive) throw error;
      return forever();
    }
  }
}

export const forever = (): Promise<never> => new Promise<never>(() => undefined);

/** The clock of one process: it may be wrong, and it dies with the process. */
export class SkewedClock extends Clock {
  readonly #random: SeededRandom;

  constructor(
    private readonly time: VirtualTime,
    private readonly skew: () => number,
    private readonly life: Life,
    seed: number,
  ) {
    super();
    this.#random = new SeededRandom(seed);
  }

  override now(): number {
    return this.time.now + this.skew();
  }

  override async sleep(ms: number, signal?: Cancellation): Promise<void> {
    if (signal?.aborted === true) return;
    await this.life.through(this.time.sleep(ms));
  }

  override random(): number {
    return this.#random.next();
  }
}

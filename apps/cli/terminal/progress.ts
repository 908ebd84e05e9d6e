import type { Clock } from '#kernel/clock.js';
import type { Output } from './output.js';

const everyMs = 2_000;

/** Tells on stderr, every two seconds, how many events are done and how fast. Silent for short work. */
export class Progress {
  readonly #started: number;
  #told: number;
  #done = 0;

  constructor(
    private readonly output: Output,
    private readonly clock: Clock,
    private readonly verb: string,
  ) {
    this.#started = this.#told = clock.now();
  }

  add(events: number): void {
    this.#done += events;
    const now = this.clock.now();
    if (now - this.#told < everyMs) return;
    this.#told = now;
    this.#tell(now);
  }

  end(): void {
    if (this.#told !== this.#started) this.#tell(this.clock.now());
  }

  #tell(now: number): void {
    const rate = Math.round((this.#done * 1_000) / Math.max(1, now - this.#started));
    this.output.progress(`${this.verb} ${this.#done.toLocaleString('en')} events (${rate.toLocaleString('en')}/s)`);
  }
}

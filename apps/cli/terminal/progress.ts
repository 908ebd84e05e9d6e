import type { Clock } from '#kernel/clock.js';
import type { Output } from './output.js';

const everyMs = 2_000;

/** Tells on stderr, every two seconds, how many events are done and how fast. Silent for short work. */
export class Progress {
  readonly #started: number;
  #reportedAt: number;
  #done = 0;

  constructor(
    private readonly output: Output,
    private readonly clock: Clock,
    private readonly verb: string,
  ) {
    this.#started = this.#reportedAt = clock.now();
  }

  add(events: number): void {
    this.#done += events;
    const now = this.clock.now();
    if (now - this.#reportedAt < everyMs) return;
    this.#reportedAt = now;
    this.#report(now);
  }

  end(): void {
    if (this.#reportedAt !== this.#started) this.#report(this.clock.now());
  }

  #report(now: number): void {
    const rate = Math.round((this.#done * 1_000) / Math.max(1, now - this.#started));
    this.output.progress(`${this.verb} ${this.#done.toLocaleString('en')} events (${rate.toLocaleString('en')}/s)`);
  }
}

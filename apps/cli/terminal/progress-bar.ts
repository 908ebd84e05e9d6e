import type { Clock } from '#kernel/clock.js';
import type { Output } from './output.js';

const WIDTH = 24;
const EVERY_MS = 2_000;

/** Tells on stderr how far a work of several parts is: a bar where somebody watches, else a line every two seconds. */
export class ProgressBar {
  #reportedAt: number;

  constructor(
    private readonly output: Output,
    private readonly clock: Clock,
  ) {
    this.#reportedAt = clock.now();
  }

  /** `done` of `parts` parts are done; `text` says what is being done and how much of it was. */
  show(done: number, parts: number, text: string): void {
    if (this.output.isWatched) return this.output.status(`${bar(done, parts)} ${text}`);
    const now = this.clock.now();
    if (now - this.#reportedAt < EVERY_MS) return;
    this.#reportedAt = now;
    this.output.progress(text);
  }
}

function bar(done: number, parts: number): string {
  const full = Math.round((WIDTH * Math.min(done, parts)) / Math.max(1, parts));
  return `[${'='.repeat(full)}${' '.repeat(WIDTH - full)}] ${String(done)}/${String(parts)}`;
}

import type { Clock } from '#kernel/clock.js';

const shortestPollMs = 15;
const longestPollMs = 50;
const longestBackOffMs = 1_000;

/**
 * Waits for the log to grow, once for all subscriptions of a process: asks for the head while somebody waits, more often
 * when events have just come, and learns at once of what this process itself appends.
 */
export class LogTail {
  readonly #waiting = new Set<{ readonly after: number; wake(): void }>();
  readonly #closed = new AbortController();
  #head = 0;
  #polling = false;

  constructor(
    private readonly clock: Clock,
    private readonly readHead: () => Promise<number>,
  ) {}

  /** Tells that the newest position is at least `head`. */
  advance(head: number): void {
    if (head <= this.#head) return;
    this.#head = head;
    for (const waiter of [...this.#waiting]) if (waiter.after < head) waiter.wake();
  }

  /** Resolves when there are events after `after`, or when `signal` aborts. */
  async grownBeyond(after: number, signal: AbortSignal): Promise<void> {
    if (this.#head > after || signal.aborted) return;
    await new Promise<void>((resolve) => {
      const waiter = {
        after,
        wake: (): void => {
          this.#waiting.delete(waiter);
          signal.removeEventListener('abort', waiter.wake);
          resolve();
        },
      };
      this.#waiting.add(waiter);
      signal.addEventListener('abort', waiter.wake, { once: true });
      if (!this.#polling) void this.#poll();
    });
  }

  /** Ends the polling. */
  close(): void {
    this.#closed.abort();
  }

  async #poll(): Promise<void> {
    this.#polling = true;
    let pause = shortestPollMs;
    while (this.#waiting.size > 0 && !this.#closed.signal.aborted) {
      const before = this.#head;
      try {
        this.advance(await this.readHead());
        pause = this.#head > before ? shortestPollMs : Math.min(pause * 1.2, longestPollMs);
      } catch {
        pause = Math.min(pause * 2, longestBackOffMs); // the store is away: its readers are told, waiters just wait
      }
      await this.clock.sleep(pause * (0.9 + this.clock.random() / 5), this.#closed.signal);
    }
    this.#polling = false;
  }
}

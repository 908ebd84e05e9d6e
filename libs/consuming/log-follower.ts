import { START, type EventStore, type Position } from '#event-store/port/event-store.js';
import type { Clock } from '#kernel/clock.js';
import type { Database } from '#database/database.js';
import { followLog, type LogConsumer } from './follow-log.js';
import { runAlone } from './run-alone.js';

const BATCH_MAX = 1000;

export type FollowerParts = {
  readonly store: EventStore;
  readonly database: Database;
  readonly clock: Clock;
  /** Told of every failure; must not throw. */
  readonly report: (error: unknown) => void;
};

/** Feeds the log to a consumer. One process does; the others wait until the lock of that name is free. */
export class LogFollower {
  readonly #name: string;
  readonly #consumer: LogConsumer;
  readonly #parts: FollowerParts;
  #position: Position = START;

  constructor(name: string, consumer: LogConsumer, parts: FollowerParts) {
    this.#name = name;
    this.#consumer = consumer;
    this.#parts = parts;
  }

  /** How far this process has read; START while another one works. */
  get position(): Position {
    return this.#position;
  }

  /** Works until `signal` aborts; the batch under way is finished first. Never rejects. */
  run(signal: AbortSignal): Promise<void> {
    return runAlone(this.#name, this.#parts, signal, async (locked) => {
      try {
        await this.#follow(locked);
      } finally {
        this.#position = START;
      }
    });
  }

  #follow(signal: AbortSignal): Promise<void> {
    const consumer: LogConsumer = {
      checkpoint: () => this.#consumer.checkpoint(),
      process: async (checkpoint, batch) => {
        const saved = await this.#consumer.process(checkpoint, batch);
        this.#position = batch.at(-1)?.position ?? saved;
        return saved;
      },
    };
    return followLog(this.#parts.store, consumer, BATCH_MAX, signal);
  }
}

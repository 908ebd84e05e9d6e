import type { Position } from '#event-store/port/event-store.js';
import { toPosition } from './generations.js';
import type { Database } from '../database/database.js';
import { SCHEMA } from './schema.js';

const POLL_MS = 12;

type Waiter = {
  readonly projection: string;
  readonly position: Position;
  readonly until: number;
  readonly settle: (outcome: 'reached' | 'behind') => void;
};

/** All waiters of one database in this process share one query. */
class PositionWatch {
  readonly #db: Database;
  readonly #waiters = new Set<Waiter>();
  #watching = false;

  constructor(db: Database) {
    this.#db = db;
  }

  wait(projection: string, position: Position, waitMs: number): Promise<'reached' | 'behind'> {
    return new Promise((settle) => {
      this.#waiters.add({ projection, position, until: this.#db.clock.now() + waitMs, settle });
      if (!this.#watching) void this.#watch();
    });
  }

  async #watch(): Promise<void> {
    this.#watching = true;
    while (this.#waiters.size > 0) {
      const positions = await this.#positions();
      const now = this.#db.clock.now();
      for (const waiter of this.#waiters) {
        const position = positions.get(waiter.projection);
        const reached = position !== undefined && position >= waiter.position;
        if (!reached && now < waiter.until) continue;
        this.#waiters.delete(waiter);
        waiter.settle(reached ? 'reached' : 'behind');
      }
      if (this.#waiters.size > 0) await this.#db.clock.sleep(POLL_MS);
    }
    this.#watching = false;
  }

  /** None while the database does not answer: waiters then wait on, until their time is over. */
  async #positions(): Promise<ReadonlyMap<string, Position>> {
    try {
      const rows = await this.#db.query<{ name: string; position: string }>({
        name: 'live positions',
        text: `select name, position from ${SCHEMA}.projection_checkpoints where role = 'live'`,
      });
      return new Map(rows.map(({ name, position }) => [name, toPosition(position)]));
    } catch {
      return new Map();
    }
  }
}

const watches = new WeakMap<Database, PositionWatch>();

/**
 * Waits until the live tables of a projection include the event at `position`: `reached`, or `behind` when they do not after
 * `waitMs` milliseconds. Never rejects.
 */
export function waitForPosition(
  db: Database,
  projection: string,
  position: Position,
  waitMs: number,
): Promise<'reached' | 'behind'> {
  let watch = watches.get(db);
  if (watch === undefined) {
    watch = new PositionWatch(db);
    watches.set(db, watch);
  }
  return watch.wait(projection, position, waitMs);
}

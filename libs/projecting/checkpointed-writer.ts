import { assert } from '#kernel/assert.js';
import type { Position } from '#event-store/port/event-store.js';
import { relevant, type ProjectedEvent, type Projection, type ProjectionWriter } from './projection.js';
import type { Database, Reader } from '../database/database.js';
import { DatabaseError } from '../database/errors.js';
import { SCHEMA, tableOf } from './schema.js';

/** Somebody else moved the checkpoint: this runner is not the one that works any more. */
export class Fenced extends Error {
  override readonly name = 'Fenced';
}

/** The projection cannot go on past this event. Everything before it is applied. */
export class Halted extends Error {
  override readonly name = 'Halted';
  constructor(
    readonly position: Position,
    readonly reason: string,
  ) {
    super(reason);
  }
}

/** The same bytes would fail again: anything but the database being away or busy, or another runner at work. */
function isPoison(error: unknown): boolean {
  if (error instanceof Fenced) return false;
  if (error instanceof DatabaseError) return error.sqlState !== null && /^2[23]/.test(error.sqlState);
  return true;
}

/** The database gave the statement up: fewer events at once may be done in time. */
const isTooMuch = (error: unknown): boolean => error instanceof DatabaseError && error.sqlState === '57014';

const expected = "name = $1 and generation = $2 and position = $3 and state = 'running' and role <> 'retired'";
const holdText = `select set_config('synchronous_commit', 'off', true) from ${SCHEMA}.projection_checkpoints
  where ${expected} for update`;
const moveText = `update ${SCHEMA}.projection_checkpoints set position = $3 where name = $1 and generation = $2`;
/** Both in one step, where there is nothing to write. */
const passText = `with fast as (select set_config('synchronous_commit', 'off', true))
  update ${SCHEMA}.projection_checkpoints set position = $4 from fast where ${expected} returning 1`;

/**
 * Applies batches to one generation, exactly once: rows and checkpoint move in one transaction, which first locks the
 * checkpoint and compares it with where this writer believes to be. These commits do not wait for the disk: a crash loses
 * rows and checkpoint together.
 */
export class CheckpointedWriter<Event> {
  position: Position;
  readonly #db: Database;
  readonly #projection: Projection<Event>;
  readonly #generation: number;
  #writer: ProjectionWriter<Event>;

  constructor(db: Database, projection: Projection<Event>, generation: number, position: Position) {
    this.#db = db;
    this.#projection = projection;
    this.#generation = generation;
    this.position = position;
    this.#writer = this.#freshWriter();
  }

  /**
   * Applies the batch and moves the checkpoint behind it. A batch that fails for its content, or takes too long, is cut in
   * halves until it passes or the event at fault is found. True when there was more to do than to move the checkpoint. Throws
   * Halted at the event at fault, Fenced, or DatabaseError.
   */
  async apply(batch: readonly ProjectedEvent<Event>[]): Promise<boolean> {
    let rest = batch;
    let size = batch.length;
    let concerned = false;
    while (rest.length > 0) {
      const part = rest.slice(0, size);
      try {
        if (await this.#commit(part)) concerned = true;
        rest = rest.slice(part.length);
      } catch (error) {
        this.#writer = this.#freshWriter();
        const poison = isPoison(error);
        const [event] = part;
        if (!poison && (part.length === 1 || !isTooMuch(error))) throw error;
        if (part.length === 1 && event !== undefined)
          throw new Halted(event.recorded.position, error instanceof Error ? error.message : 'unknown');
        size = Math.ceil(part.length / 2);
      }
    }
    return concerned;
  }

  /** Writes rows and checkpoint in a transaction of the caller, who holds the lock in it. */
  async applyWithin(transaction: Reader, batch: readonly ProjectedEvent<Event>[]): Promise<void> {
    const last = this.#assertInOrder(batch);
    await this.#writer.apply(transaction, relevant(this.#projection, batch));
    await transaction.query({ name: 'move checkpoint', text: moveText, values: [...this.#row, last] });
    this.position = last;
  }

  get #row(): readonly [name: string, generation: number] {
    return [this.#projection.name, this.#generation];
  }

  #freshWriter(): ProjectionWriter<Event> {
    return this.#projection.open((name) => tableOf(name, this.#generation));
  }

  #assertInOrder(batch: readonly ProjectedEvent<Event>[]): Position {
    let last = this.position;
    for (const { recorded } of batch) {
      assert(recorded.position > last, 'the log gave events out of order');
      last = recorded.position;
    }
    assert(/^\d{19}$/.test(last), 'a position is not of its form');
    return last;
  }

  async #commit(batch: readonly ProjectedEvent<Event>[]): Promise<boolean> {
    const last = this.#assertInOrder(batch);
    const events = relevant(this.#projection, batch);
    if (events.length === 0) {
      const values = [...this.#row, this.position, last];
      const moved = await this.#db.query({ name: 'pass checkpoint', text: passText, values });
      if (moved.length === 0) throw new Fenced();
    } else {
      await this.#inTransaction(events, last);
    }
    this.position = last;
    return events.length > 0;
  }

  #inTransaction(events: readonly ProjectedEvent<Event>[], last: Position): Promise<void> {
    return this.#db.transaction(async (transaction) => {
      const values = [...this.#row, this.position];
      const held = await transaction.query({ name: 'hold checkpoint', text: holdText, values });
      if (held.length === 0) throw new Fenced();
      await this.#writer.apply(transaction, events);
      await transaction.query({ name: 'move checkpoint', text: moveText, values: [...this.#row, last] });
    });
  }
}

import { KeyIndex } from '#event-store/port/key-index.js';
import { START, StoreUnavailable, type EventPlace, type Position } from '#event-store/port/event-store.js';
import { toPosition } from '#projecting/generations.js';
import type { Reader } from '#database/database.js';
import { DatabaseError } from '#database/errors.js';
import { SCHEMA } from '#projecting/schema.js';
import { arrayText } from '#database/values.js';

type Found = {
  readonly position: string;
  readonly event_id: string | null;
  readonly stream: string | null;
  readonly revision: string | null;
};

/** The index as the write path asks it. Complete up to `through`, read in the same statement. */
export class CommandKeyIndex extends KeyIndex {
  readonly #reader: Reader;

  constructor(reader: Reader) {
    super();
    this.#reader = reader;
  }

  override async locate(
    eventIds: readonly string[],
  ): Promise<{ places: ReadonlyMap<string, EventPlace>; through: Position }> {
    const rows = await this.#rows(eventIds);
    const places = new Map<string, EventPlace>();
    for (const { event_id, stream, revision } of rows) {
      if (event_id !== null && stream !== null) places.set(event_id, { stream, revision: Number(revision) });
    }
    const position = rows[0]?.position ?? null;
    return { places, through: position === null ? START : toPosition(position) };
  }

  async #rows(eventIds: readonly string[]): Promise<readonly Found[]> {
    try {
      return await this.#reader.query<Found>({
        name: 'command keys',
        text: `select c.position, k.event_id, k.stream, k.revision
          from (select max(position) as position from ${SCHEMA}.projection_checkpoints where name = 'command-keys' and role = 'live') c
          left join ${SCHEMA}.command_keys k on k.event_id = any($1::uuid[])`,
        values: [arrayText(eventIds)],
      });
    } catch (cause) {
      // Bad values and statements that do not fit are bugs; waiting does not mend them.
      if (!(cause instanceof DatabaseError) || /^(22|42)/.test(cause.sqlState ?? '')) throw cause;
      throw new StoreUnavailable('the index of command keys did not answer', { cause });
    }
  }
}

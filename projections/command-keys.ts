import { KeyIndex } from '#event-store/key-index.js';
import { START, StoreUnavailable, type EventPlace, type Position } from '#event-store/event-store.js';
import { eventTypes, type LedgerEvent } from '#ledger/events.js';
import { toPosition } from '#read-store/generations.js';
import type { ExpectedRow, OracleFold, ProjectionWriter } from '#read-store/projection.js';
import { ReadDatabaseError, SCHEMA, type Reader } from '#read-store/read-database.js';
import { arrayText, TableWriter, type RowOf, type Table } from '#read-store/tables.js';
import type { LedgerProjection, Projected } from './ledger-projection.js';

/** Where every event stands, by id: commands ask for their first event, and operators for any. */
const commandKeys = {
  name: 'command_keys',
  visibleTo: 'operators',
  key: ['event_id'],
  columns: { event_id: 'uuid', stream: 'text', revision: 'bigint' },
} as const satisfies Table;
type Row = RowOf<typeof commandKeys>;

const rowOf = ({ recorded: { id, stream, revision } }: Projected): Row => ({ event_id: id, stream, revision });

class CommandKeysWriter implements ProjectionWriter<LedgerEvent> {
  readonly #table: TableWriter<typeof commandKeys>;

  constructor(table: (name: string) => string) {
    this.#table = new TableWriter(commandKeys, table(commandKeys.name));
  }

  async apply(transaction: Reader, batch: readonly Projected[]): Promise<void> {
    await this.#table.insert(transaction, batch.map(rowOf));
  }
}

class CommandKeysOracle implements OracleFold<LedgerEvent> {
  add(projected: Projected): readonly ExpectedRow[] {
    return [{ table: commandKeys.name, row: rowOf(projected) }];
  }

  rest(): readonly ExpectedRow[] {
    return [];
  }
}

/** The index of command keys. It looks at no event's content, so events that nobody can read do not halt it. */
export const commandKeysProjection: LedgerProjection = {
  name: 'command-keys',
  version: 2,
  categories: ['account', 'customer', 'catalog', 'stripeEvent', 'stripeIntent', 'subscription', 'payment', 'invoice'],
  tables: [commandKeys],
  handlers: Object.fromEntries(eventTypes.map((type) => [type, 'indexed'])),
  open: (table) => new CommandKeysWriter(table),
  oracle: { keyOf: ({ stream }) => stream, streaming: true, fold: () => new CommandKeysOracle() },
};

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
      if (!(cause instanceof ReadDatabaseError) || /^(22|42)/.test(cause.sqlState ?? '')) throw cause;
      throw new StoreUnavailable('the index of command keys did not answer', { cause });
    }
  }
}

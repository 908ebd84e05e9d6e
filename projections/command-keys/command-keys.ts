import { eventTypes, type LedgerEvent } from '#ledger/events.js';
import type { ProjectionWriter } from '#projecting/projection.js';
import type { Reader } from '#database/database.js';
import { TableWriter, type RowOf, type Table } from '#projecting/tables.js';
import type { LedgerProjection, Projected } from '../ledger-projection.js';
import { commandKeysOracle } from './oracle.js';

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

/** The index of command keys. It looks at no event's content, so events that nobody can read do not halt it. */
export const commandKeysProjection: LedgerProjection = {
  name: 'command-keys',
  version: 3,
  categories: [
    'account',
    'customer',
    'catalog',
    'stripeCustomer',
    'stripeEvent',
    'stripeIntent',
    'subscription',
    'payment',
    'invoice',
    'usage',
  ],
  tables: [commandKeys],
  handlers: Object.fromEntries(eventTypes.map((type) => [type, 'indexed'])),
  open: (table) => new CommandKeysWriter(table),
  oracle: commandKeysOracle,
};

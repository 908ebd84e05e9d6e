import type { AccountEvent } from '#ledger/account/events.js';
import type { LedgerEvent } from '#ledger/events.js';
import type { Reader } from '#database/database.js';
import { document } from '#database/values.js';
import type { ProjectionWriter } from '#projecting/projection.js';
import { TableWriter, type RowOf, type Table } from '#projecting/tables.js';
import {
  dispatch,
  lotsIgnored,
  ownerOf,
  settingsIgnored,
  type Handlers,
  type LedgerProjection,
  type Projected,
} from '../ledger-projection.js';
import { transfersOracle } from './oracle.js';

/** One row per transfer as it was sent, written once. `customer_id` is the sender, `lots` what was taken of which grants. */
export const transfers = {
  name: 'transfers',
  visibleTo: 'operators',
  key: ['id'],
  columns: {
    id: 'text',
    customer_id: 'text',
    to_customer_id: 'text',
    unit: 'text',
    amount: 'bigint',
    lots: 'text',
    reason: 'text?',
    created_at: 'text',
    position: 'bigint',
  },
  indexes: ['(customer_id, created_at, id)', '(to_customer_id, created_at, id)'],
} as const satisfies Table;

/** One row per transfer that has arrived or come back, written once: of another account than the row above, perhaps. */
export const transferEnds = {
  name: 'transfer_ends',
  visibleTo: 'operators',
  key: ['id'],
  columns: { id: 'text', status: 'text', because: 'text?', ended_at: 'text', position: 'bigint' },
} as const satisfies Table;

type Sent = RowOf<typeof transfers>;
type End = RowOf<typeof transferEnds>;
type Rows = { readonly sent: Sent[]; readonly ends: End[] };

const handlers: Handlers<Rows, AccountEvent> = {
  AccountOpened: 'ignored',
  CreditsGranted: 'ignored',
  CreditsConsumed: 'ignored',
  ConsumptionReversed: 'ignored',
  ...lotsIgnored,
  ...settingsIgnored,
  TransferSent: ({ sent }, { transferId, toCustomerId, amount, lots, reason, at }, { recorded }) => {
    sent.push({
      ...ownerOf(recorded),
      ...{ id: transferId, to_customer_id: toCustomerId, amount, reason, created_at: at },
      lots: document(lots),
      position: recorded.position,
    });
  },
  TransferReceived: ({ ends }, { transferId, at }, { recorded }) => {
    const { position } = recorded;
    ends.push({ id: transferId, status: 'completed', because: null, ended_at: at, position });
  },
  TransferReturned: ({ ends }, { transferId, because, at }, { recorded }) => {
    ends.push({ id: transferId, status: 'returned', because, ended_at: at, position: recorded.position });
  },
};

class TransfersWriter implements ProjectionWriter<LedgerEvent> {
  readonly #sent: TableWriter<typeof transfers>;
  readonly #ends: TableWriter<typeof transferEnds>;

  constructor(table: (name: string) => string) {
    this.#sent = new TableWriter(transfers, table(transfers.name));
    this.#ends = new TableWriter(transferEnds, table(transferEnds.name));
  }

  async apply(transaction: Reader, batch: readonly Projected[]): Promise<void> {
    const rows: Rows = { sent: [], ends: [] };
    for (const projected of batch) dispatch(handlers, rows, projected);
    await this.#sent.insert(transaction, rows.sent);
    await this.#ends.insert(transaction, rows.ends);
  }
}

/** What customers gave each other, and whether it has arrived. */
export const transfersProjection: LedgerProjection = {
  name: 'transfers',
  version: 1,
  categories: ['account'],
  tables: [transfers, transferEnds],
  handlers,
  open: (table) => new TransfersWriter(table),
  oracle: transfersOracle,
};

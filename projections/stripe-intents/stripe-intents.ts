import type { LedgerEvent } from '#ledger/events.js';
import type { StripeIntentEvent } from '#ledger/stripe/intent.js';
import type { ProjectionWriter } from '#projecting/projection.js';
import type { Reader } from '#database/database.js';
import { TableWriter, type RowOf, type Table } from '#projecting/tables.js';
import { dispatch, type Handlers, type LedgerProjection, type Projected } from '../ledger-projection.js';
import { stripeIntentsOracle } from './oracle.js';

/** What Stripe was, or is being, asked for and has not been heard to answer. */
export const pending = {
  name: 'pending_stripe_intents',
  visibleTo: 'operators',
  key: ['intent_id'],
  columns: { intent_id: 'text', operation: 'text', intended_at: 'text', position: 'bigint' },
  indexes: ['(intended_at, intent_id)', '(operation, intended_at, intent_id)'],
} as const satisfies Table;
type Row = RowOf<typeof pending>;

/** What a batch makes of each intent: its row, or null when it is pending no longer. */
type Fold = Map<string, Row | null>;

const settled = (fold: Fold, { intentId }: { readonly intentId: string }): void => {
  fold.set(intentId, null);
};

const handlers: Handlers<Fold, StripeIntentEvent> = {
  StripeCallIntended: (fold, { intentId, operation, at }, { recorded }) => {
    fold.set(intentId, { intent_id: intentId, operation, intended_at: at, position: recorded.position });
  },
  StripeCallAnswered: settled,
  StripeCallRefused: settled,
  StripeCallLapsed: settled,
};

class PendingWriter implements ProjectionWriter<LedgerEvent> {
  readonly #table: TableWriter<typeof pending>;

  constructor(table: (name: string) => string) {
    this.#table = new TableWriter(pending, table(pending.name));
  }

  async apply(transaction: Reader, batch: readonly Projected[]): Promise<void> {
    const fold: Fold = new Map();
    for (const projected of batch) dispatch(handlers, fold, projected);
    const gone = [...fold].filter(([, row]) => row === null).map(([intent_id]) => ({ intent_id }));
    await this.#table.remove(transaction, gone);
    await this.#table.put(
      transaction,
      [...fold.values()].filter((row) => row !== null),
    );
  }
}

/** The calls to Stripe of which nobody has heard how they ended. */
export const stripeIntentsProjection: LedgerProjection = {
  name: 'stripe-intents',
  version: 2,
  categories: ['stripeIntent'],
  tables: [pending],
  handlers,
  open: (table) => new PendingWriter(table),
  oracle: stripeIntentsOracle,
};

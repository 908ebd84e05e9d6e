import type { Instant } from '#kernel/instant.js';
import type { LedgerEvent } from '#ledger/events.js';
import type { StripeEventEvent } from '#ledger/stripe-event.js';
import type { ExpectedRow, OracleFold, ProjectionWriter } from '#read-store/projection.js';
import type { Reader } from '#read-store/read-database.js';
import { TableWriter, type RowOf, type Table } from '#read-store/tables.js';
import { dispatch, type Handlers, type LedgerProjection, type Projected } from './ledger-projection.js';

/** Stripe events that wait for a person. */
export const parked = {
  name: 'parked_events',
  visibleTo: 'operators',
  key: ['stripe_event_id'],
  columns: {
    stripe_event_id: 'text',
    stripe_type: 'text',
    reason_code: 'text',
    subject: 'text?',
    detail: 'text',
    parked_at: 'text',
    retry_requested_at: 'text?',
    position: 'bigint',
  },
} as const satisfies Table;
type Row = RowOf<typeof parked>;

/** What a batch makes of each Stripe event: its row, or null when it waits no longer. */
type Fold = { readonly rows: Map<string, Row | null>; readonly retried: Map<string, Instant> };

const rowOf = ({ recorded }: Projected, event: Extract<StripeEventEvent, { type: 'StripeEventParked' }>): Row => ({
  stripe_event_id: event.stripeEventId,
  stripe_type: event.stripeType,
  reason_code: event.reason.code,
  subject: event.reason.subject,
  detail: event.reason.detail,
  parked_at: event.at,
  retry_requested_at: null,
  position: recorded.position,
});

const handlers: Handlers<Fold, StripeEventEvent> = {
  StripeEventReceived: 'ignored',
  StripeInvoiceLinesFetched: 'ignored', // it is tried again at once, and says then how it ended
  StripeEventParked: (fold, event, projected) => {
    fold.rows.set(event.stripeEventId, rowOf(projected, event));
    fold.retried.delete(event.stripeEventId);
  },
  StripeEventTranslated: (fold, { stripeEventId }) => {
    fold.rows.set(stripeEventId, null);
  },
  StripeEventRetryRequested: (fold, { stripeEventId, at }) => {
    const row = fold.rows.get(stripeEventId);
    if (row === undefined) fold.retried.set(stripeEventId, at);
    else if (row !== null) row.retry_requested_at = at;
  },
};

class ParkedWriter implements ProjectionWriter<LedgerEvent> {
  readonly #table: TableWriter<typeof parked>;

  constructor(table: (name: string) => string) {
    this.#table = new TableWriter(parked, table(parked.name));
  }

  async apply(transaction: Reader, batch: readonly Projected[]): Promise<void> {
    const fold: Fold = { rows: new Map(), retried: new Map() };
    for (const projected of batch) dispatch(handlers, fold, projected);
    const waiting = [...fold.retried.keys()]
      .filter((id) => !fold.rows.has(id))
      .map((stripe_event_id) => ({ stripe_event_id }));
    for (const row of await this.#table.withKeys(transaction, waiting)) {
      fold.rows.set(row.stripe_event_id, { ...row, retry_requested_at: fold.retried.get(row.stripe_event_id) ?? null });
    }
    const gone = [...fold.rows].filter(([, row]) => row === null).map(([stripe_event_id]) => ({ stripe_event_id }));
    await this.#table.remove(transaction, gone);
    await this.#table.put(
      transaction,
      [...fold.rows.values()].filter((row) => row !== null),
    );
  }
}

class ParkedOracle implements OracleFold<LedgerEvent> {
  readonly #rows = new Map<string, Row>();

  add(projected: Projected): readonly ExpectedRow[] {
    if (handlers[projected.recorded.type as keyof typeof handlers] === 'ignored') return [];
    const event = projected.event as StripeEventEvent;
    const before = this.#rows.get(event.stripeEventId);
    if (event.type === 'StripeEventParked') this.#rows.set(event.stripeEventId, rowOf(projected, event));
    else if (event.type === 'StripeEventTranslated') this.#rows.delete(event.stripeEventId);
    else if (before !== undefined) this.#rows.set(event.stripeEventId, { ...before, retry_requested_at: event.at });
    return [];
  }

  *rest(): Iterable<ExpectedRow> {
    for (const row of this.#rows.values()) yield { table: parked.name, row };
  }
}

/** The Stripe events that could not be translated yet. */
export const parkedEventsProjection: LedgerProjection = {
  name: 'parked-events',
  version: 1,
  categories: ['stripeEvent'],
  tables: [parked],
  handlers,
  open: (table) => new ParkedWriter(table),
  oracle: { keyOf: ({ stream }) => stream, fold: () => new ParkedOracle() },
};

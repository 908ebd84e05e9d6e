import type { LedgerEvent } from '#ledger/events.js';
import type { StripeEventEvent } from '#ledger/stripe/event.js';
import type { ProjectionWriter } from '#projecting/projection.js';
import type { Reader } from '#database/database.js';
import { TableWriter, type RowOf, type Table } from '#projecting/tables.js';
import { dispatch, type Handlers, type LedgerProjection, type Projected } from '../ledger-projection.js';
import { parkedEventsOracle } from './oracle.js';

/** Stripe events that wait for a person, and those that were set aside. */
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
    status: 'text',
    set_aside_at: 'text?',
    set_aside_by: 'text?',
    set_aside_reason: 'text?',
    position: 'bigint',
  },
  indexes: ['(status, position)'],
} as const satisfies Table;
type Row = RowOf<typeof parked>;

/** The rows of a batch's Stripe events: null for one that waits no longer, or never did. */
type Fold = { readonly rows: Map<string, Row | null>; readonly changed: Set<string> };

type Parked = Extract<StripeEventEvent, { type: 'StripeEventParked' }>;
type SetAside = Extract<StripeEventEvent, { type: 'StripeEventSetAside' }>;
type Change = Parked | SetAside | Extract<StripeEventEvent, { type: 'StripeEventRetryRequested' }>;

const rowOf = ({ recorded }: Projected, event: Parked): Row => ({
  stripe_event_id: event.stripeEventId,
  stripe_type: event.stripeType,
  reason_code: event.reason.code,
  subject: event.reason.subject,
  detail: event.reason.detail,
  parked_at: event.at,
  retry_requested_at: null,
  status: 'parked',
  set_aside_at: null,
  set_aside_by: null,
  set_aside_reason: null,
  position: recorded.position,
});

/** The row after an event; `before` is null for one that was never parked. */
function after(before: Row | null, event: Change, projected: Projected): Row | null {
  switch (event.type) {
    case 'StripeEventParked':
      return rowOf(projected, event);
    case 'StripeEventSetAside':
      return {
        ...(before ?? ruledOut(projected, event)),
        retry_requested_at: null,
        status: 'set_aside',
        set_aside_at: event.at,
        set_aside_by: event.actor,
        set_aside_reason: event.reason,
      };
    case 'StripeEventRetryRequested':
      return before === null
        ? null
        : {
            ...before,
            retry_requested_at: event.at,
            status: 'parked',
            set_aside_at: null,
            set_aside_by: null,
            set_aside_reason: null,
          };
  }
}

/** One that a rule took before it could be parked. */
const ruledOut = ({ recorded }: Projected, { stripeEventId, stripeType, at, reason }: SetAside): Row => ({
  stripe_event_id: stripeEventId,
  stripe_type: stripeType,
  reason_code: 'ignored',
  subject: null,
  detail: reason,
  parked_at: at,
  retry_requested_at: null,
  status: 'set_aside',
  set_aside_at: at,
  set_aside_by: null,
  set_aside_reason: reason,
  position: recorded.position,
});

function change(fold: Fold, event: Change, projected: Projected): void {
  const { stripeEventId: id } = event;
  fold.rows.set(id, after(fold.rows.get(id) ?? null, event, projected));
  fold.changed.add(id);
}

const handlers: Handlers<Fold, StripeEventEvent> = {
  StripeEventReceived: 'ignored',
  StripeInvoiceLinesFetched: 'ignored', // it is tried again at once, and says then how it ended
  StripeEventParked: change,
  StripeEventSetAside: change,
  StripeEventRetryRequested: change,
  StripeEventTranslated: (fold, { stripeEventId }) => {
    fold.rows.set(stripeEventId, null);
    fold.changed.add(stripeEventId);
  },
};

const isChange = (event: LedgerEvent): event is Change =>
  event.type === 'StripeEventParked' ||
  event.type === 'StripeEventSetAside' ||
  event.type === 'StripeEventRetryRequested';

class ParkedWriter implements ProjectionWriter<LedgerEvent> {
  readonly #table: TableWriter<typeof parked>;

  constructor(table: (name: string) => string) {
    this.#table = new TableWriter(parked, table(parked.name));
  }

  async apply(transaction: Reader, batch: readonly Projected[]): Promise<void> {
    const ids = new Set(batch.flatMap(({ event }) => (isChange(event) ? [event.stripeEventId] : [])));
    const before = await this.#table.withKeys(
      transaction,
      [...ids].map((stripe_event_id) => ({ stripe_event_id })),
    );
    const fold: Fold = { rows: new Map(before.map((row) => [row.stripe_event_id, row])), changed: new Set() };
    for (const projected of batch) dispatch(handlers, fold, projected);
    const rows = [...fold.rows].filter(([id]) => fold.changed.has(id));
    const gone = rows.filter(([, row]) => row === null).map(([stripe_event_id]) => ({ stripe_event_id }));
    await this.#table.remove(transaction, gone);
    await this.#table.put(
      transaction,
      rows.flatMap(([, row]) => row ?? []),
    );
  }
}

/** The Stripe events that could not be translated yet, and those that were set aside. */
export const parkedEventsProjection: LedgerProjection = {
  name: 'parked-events',
  version: 2,
  categories: ['stripeEvent'],
  tables: [parked],
  handlers,
  open: (table) => new ParkedWriter(table),
  oracle: parkedEventsOracle,
};

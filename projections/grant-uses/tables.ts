import type { RowOf, Table } from '#projecting/tables.js';

/** One row per use of a grant, written once. `n`: how many uses of the grant there were by then, this one included. */
export const grantUses = {
  name: 'grant_uses',
  visibleTo: 'own-rows',
  key: ['stream', 'grant_id', 'revision', 'type'],
  columns: {
    stream: 'text',
    grant_id: 'text',
    revision: 'bigint',
    type: 'text',
    customer_id: 'text',
    n: 'bigint',
    amount: 'bigint',
    cost_amount: 'bigint?',
    cost_currency: 'text?',
    consumption_id: 'text?',
    hold_id: 'text?',
    at: 'text',
    event_id: 'uuid',
    position: 'bigint',
  },
} as const satisfies Table;

/** One row per reversal, found by the consumption that it gives back. */
export const reversals = {
  name: 'reversals',
  visibleTo: 'own-rows',
  key: ['stream', 'consumption_revision', 'revision'],
  columns: {
    stream: 'text',
    consumption_revision: 'bigint',
    revision: 'bigint',
    customer_id: 'text',
    reversal_id: 'text',
    amount: 'bigint',
    debt_reversed: 'bigint',
    restored: 'text',
    reason: 'text?',
    at: 'text',
    event_id: 'uuid',
    position: 'bigint',
  },
} as const satisfies Table;

/** One row per raise of a hold: its slices were chosen then, not when the hold was placed. */
export const holdRaises = {
  name: 'hold_raises',
  visibleTo: 'own-rows',
  key: ['stream', 'hold_id', 'revision'],
  columns: { stream: 'text', hold_id: 'text', revision: 'bigint', customer_id: 'text' },
} as const satisfies Table;

export type RaiseRow = RowOf<typeof holdRaises>;
export type UseRow = RowOf<typeof grantUses>;
export type ReversalRow = RowOf<typeof reversals>;

import type { RowOf, Table } from '#projecting/tables.js';

/**
 * One row per account. `next_due_at`: when time alone will next change something that is to be recorded. `usage`: what was
 * consumed when, and the periods that it is shown by, as the ledger's `encodeUsage` writes them.
 */
export const accountBalances = {
  name: 'account_balances',
  visibleTo: 'own-rows',
  key: ['stream'],
  changing: true,
  constant: ['customer_id', 'unit', 'opened_at'],
  columns: {
    stream: 'text',
    customer_id: 'text',
    unit: 'text',
    status: 'text',
    burn_order: 'text',
    overdraft_limit: 'bigint',
    debt_policy: 'text',
    low_balance_threshold: 'bigint?',
    available: 'bigint',
    held: 'bigint',
    debt: 'bigint',
    revision: 'bigint',
    position: 'bigint',
    next_due_at: 'text?',
    usage: 'text',
    opened_at: 'text',
  },
  indexes: ['(next_due_at) where next_due_at is not null'],
} as const satisfies Table;

/**
 * One row per grant. amount = free + held + consumed + expired + revoked + repaid + transferred; `free` is scheduled or available.
 * `term`: what a subscription gives it for; null for all else.
 */
export const grants = {
  name: 'grants',
  visibleTo: 'own-rows',
  key: ['stream', 'grant_id'],
  changing: true,
  constant: [
    ...['customer_id', 'unit', 'revision', 'source', 'priority', 'amount', 'effective_at', 'expires_at'],
    ...['cost_amount', 'cost_currency', 'payment_reference', 'term', 'description', 'metadata', 'created_at'],
  ],
  columns: {
    stream: 'text',
    grant_id: 'text',
    customer_id: 'text',
    unit: 'text',
    revision: 'bigint',
    source: 'text',
    priority: 'int',
    amount: 'bigint',
    scheduled: 'boolean',
    free: 'bigint',
    held: 'bigint',
    consumed: 'bigint',
    expired: 'bigint',
    revoked: 'bigint',
    repaid: 'bigint',
    transferred: 'bigint',
    live: 'boolean',
    effective_at: 'text',
    expires_at: 'text?',
    cost_amount: 'bigint?',
    cost_currency: 'text?',
    cost_left: 'bigint',
    payment_reference: 'text?',
    term: 'text?',
    description: 'text?',
    metadata: 'text',
    created_at: 'text',
  },
  indexes: ['(stream) where live'],
} as const satisfies Table;

/** One row per hold. `allocations`: what it still pins, `[{ grantId, source, amount }]`. */
export const holds = {
  name: 'holds',
  visibleTo: 'own-rows',
  key: ['stream', 'hold_id'],
  changing: true,
  constant: ['customer_id', 'unit', 'resource', 'scope', 'description', 'metadata', 'created_at'],
  columns: {
    stream: 'text',
    hold_id: 'text',
    customer_id: 'text',
    unit: 'text',
    amount: 'bigint',
    remaining: 'bigint',
    captured: 'bigint',
    status: 'text',
    expires_at: 'text?',
    allocations: 'text',
    resource: 'text?',
    scope: 'text?',
    description: 'text?',
    metadata: 'text',
    created_at: 'text',
  },
  indexes: [`(stream) where status = 'open'`],
} as const satisfies Table;

export type AccountRow = RowOf<typeof accountBalances>;
export type GrantRow = RowOf<typeof grants>;
export type HoldRow = RowOf<typeof holds>;

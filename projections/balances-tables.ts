import type { Usage } from '#ledger/account-usage.js';
import type { RowOf, Table } from '#read-store/tables.js';

/**
 * One row per account. `next_due_at`: when time alone will next change something that is to be recorded. `usage_…`: the start
 * of the newest period in which something was consumed, how much less what was given back of it, and the revision of its first
 * consumption.
 */
export const accountBalances = {
  name: 'account_balances',
  visibleTo: 'own-rows',
  key: ['stream'],
  changing: true,
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
    usage_start: 'text?',
    usage_consumed: 'bigint',
    usage_since: 'bigint?',
    opened_at: 'text',
  },
  indexes: ['(next_due_at) where next_due_at is not null'],
} as const satisfies Table;

/** One row per grant. amount = free + held + consumed + expired + revoked + repaid; `free` is scheduled or available. */
export const grants = {
  name: 'grants',
  visibleTo: 'own-rows',
  key: ['stream', 'grant_id'],
  changing: true,
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
    live: 'boolean',
    effective_at: 'text',
    expires_at: 'text?',
    cost_amount: 'bigint?',
    cost_currency: 'text?',
    cost_left: 'bigint',
    payment_reference: 'text?',
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
    description: 'text?',
    metadata: 'text',
    created_at: 'text',
  },
  indexes: [`(stream) where status = 'open'`],
} as const satisfies Table;

export type AccountRow = RowOf<typeof accountBalances>;
export type GrantRow = RowOf<typeof grants>;
export type HoldRow = RowOf<typeof holds>;

/** The usage that a row of an account tells. */
export const usageOf = ({
  usage_start,
  usage_since,
  usage_consumed,
}: {
  readonly [Column in 'usage_start' | 'usage_since' | 'usage_consumed']: number | string | null;
}): Usage | null =>
  usage_start === null
    ? null
    : { periodStart: String(usage_start), since: Number(usage_since), consumed: BigInt(usage_consumed ?? 0) };

/** The columns of an account's row that tell its usage. */
export const usageColumns = (
  usage: Usage | null,
): { usage_start: string | null; usage_since: number | null; usage_consumed: string } => ({
  usage_start: usage?.periodStart ?? null,
  usage_since: usage?.since ?? null,
  usage_consumed: String(usage?.consumed ?? 0),
});

import { sql } from 'kysely';
import { instantOf, type Instant } from '#kernel/instant.js';
import type { Money } from '#kernel/amount.js';
import { accountStream } from '#kernel/stream-name.js';
import type { HeldSlice, Source } from '#ledger/account-events.js';
import { pageOf, type Cursor, type CursorShape, type Page } from '#read-store/cursor.js';
import { queryBuilder, type Reader } from '#read-store/read-database.js';
import type { StoredRow } from '#read-store/tables.js';
import type { grants, holds } from './balances-tables.js';

type StoredGrant = StoredRow<typeof grants>;
type StoredHold = StoredRow<typeof holds>;
const build = queryBuilder<{
  grants: StoredGrant;
  holds: StoredHold;
}>();

export type GrantStatus = 'active' | 'scheduled' | 'spent' | 'expired' | 'revoked';
export type GrantEntry = {
  readonly id: string;
  readonly source: Source;
  readonly priority: number;
  readonly amount: number;
  /** What can still be used, the held part included. */
  readonly remaining: number;
  readonly held: number;
  readonly consumed: number;
  readonly expired: number;
  readonly revoked: number;
  /** What went to credits that were owed. amount = remaining + consumed + expired + revoked + repaidDebt. */
  readonly repaidDebt: number;
  readonly effectiveAt: Instant;
  readonly expiresAt: Instant | null;
  readonly costBasis: Money | null;
  readonly paymentReference: string | null;
  readonly description: string | null;
  readonly status: GrantStatus;
  readonly createdAt: Instant;
};
export type HoldStatus = 'open' | 'captured' | 'released' | 'expired';
export type HoldEntry = {
  readonly id: string;
  readonly amount: number;
  readonly remaining: number;
  readonly captured: number;
  readonly status: HoldStatus;
  readonly expiresAt: Instant;
  readonly allocations: readonly HeldSlice[];
  readonly description: string | null;
  readonly createdAt: Instant;
};
export type AccountFilter<Status> = { readonly customerId: string; readonly unit: string; readonly status?: Status };
export const grantsCursor: CursorShape = ['text'];
export const holdsCursor: CursorShape = ['text'];

/**
 * A grant used up is `expired` or `revoked` if any of it went that way, else `spent`. One past its expiry is `expired` even
 * while a hold still pins a part of it.
 */
const grantStatus = (now: Instant) => sql<GrantStatus>`case
  when scheduled and free > 0 and effective_at > ${now} then 'scheduled'
  when free + held > 0 and (expires_at is null or expires_at > ${now}) then 'active'
  when expired > 0 or free + held > 0 then 'expired'
  when revoked > 0 then 'revoked'
  else 'spent' end`;

/** An account's grants as they are at `now` (milliseconds), newest first. `cursor`: decoded, of one field. */
export async function grantsOf(
  reader: Reader,
  filter: AccountFilter<GrantStatus>,
  limit: number,
  cursor: Cursor | null,
  now: number,
): Promise<Page<GrantEntry>> {
  const at = instantOf(now);
  let query = build
    .selectFrom('grants')
    .selectAll()
    .select(grantStatus(at).as('status'))
    .where('stream', '=', accountStream(filter.customerId, filter.unit))
    .orderBy('grant_id', 'desc')
    .limit(limit + 1);
  if (filter.status !== undefined) query = query.where(grantStatus(at), '=', filter.status);
  if (cursor !== null) query = query.where('grant_id', '<', String(cursor[0]));
  return pageOf(
    await reader.rows(query),
    limit,
    (row) => grantEntry(row, at),
    ({ grant_id }) => [grant_id],
  );
}

function grantEntry(row: StoredGrant & { status: GrantStatus }, now: Instant): GrantEntry {
  const gone = row.expires_at !== null && row.expires_at <= now ? Number(row.free) : 0;
  return {
    id: row.grant_id,
    source: row.source as Source,
    priority: row.priority,
    amount: Number(row.amount),
    remaining: Number(row.free) - gone + Number(row.held),
    held: Number(row.held),
    consumed: Number(row.consumed),
    expired: Number(row.expired) + gone,
    revoked: Number(row.revoked),
    repaidDebt: Number(row.repaid),
    effectiveAt: row.effective_at,
    expiresAt: row.expires_at,
    costBasis:
      row.cost_amount === null || row.cost_currency === null
        ? null
        : { amount: Number(row.cost_amount), currency: row.cost_currency },
    paymentReference: row.payment_reference,
    description: row.description,
    status: row.status,
    createdAt: row.created_at,
  };
}

const holdStatus = (now: Instant) =>
  sql<HoldStatus>`case when status = 'open' and expires_at <= ${now} then 'expired' else status end`;

/** An account's holds as they are at `now` (milliseconds), newest first. `cursor`: decoded, of one field. */
export async function holdsOf(
  reader: Reader,
  filter: AccountFilter<HoldStatus>,
  limit: number,
  cursor: Cursor | null,
  now: number,
): Promise<Page<HoldEntry>> {
  const at = instantOf(now);
  let query = build
    .selectFrom('holds')
    .selectAll()
    .where('stream', '=', accountStream(filter.customerId, filter.unit))
    .orderBy('hold_id', 'desc')
    .limit(limit + 1);
  if (filter.status !== undefined) query = query.where(holdStatus(at), '=', filter.status);
  if (cursor !== null) query = query.where('hold_id', '<', String(cursor[0]));
  return pageOf(
    await reader.rows(query),
    limit,
    (row) => holdEntry(row, at),
    ({ hold_id }) => [hold_id],
  );
}

function holdEntry(row: StoredHold, now: Instant): HoldEntry {
  const over = row.status === 'open' && row.expires_at <= now;
  return {
    id: row.hold_id,
    amount: Number(row.amount),
    remaining: over ? 0 : Number(row.remaining),
    captured: Number(row.captured),
    status: over ? 'expired' : (row.status as HoldStatus),
    expiresAt: row.expires_at,
    allocations: over ? [] : (JSON.parse(row.allocations) as readonly HeldSlice[]),
    description: row.description,
    createdAt: row.created_at,
  };
}

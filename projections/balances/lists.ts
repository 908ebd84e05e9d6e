import { sql } from 'kysely';
import { assert } from '#kernel/assert.js';
import { instantOf, type Instant } from '#kernel/instant.js';
import type { Json } from '#kernel/json.js';
import type { Money } from '#kernel/amount.js';
import { accountStream } from '#kernel/stream-name.js';
import { timePassed, type TimePassed } from '#ledger/account/at.js';
import type { AccountEventOf, AccountEventType, HeldSlice, Resource, Source } from '#ledger/account/events.js';
import type { Grant } from '#ledger/account/state.js';
import { pageOf, type Cursor, type CursorShape, type Page } from '#database/page.js';
import type { Reader } from '#database/database.js';
import { queryBuilder } from '#projecting/query-builder.js';
import type { StoredRow } from '#projecting/tables.js';
import { arrayText } from '#database/values.js';
import type { AccountLog } from './account-log.js';
import type { accountBalances, grants, holds } from './tables.js';

type StoredGrant = StoredRow<typeof grants>;
type StoredHold = StoredRow<typeof holds>;
const build = queryBuilder<{
  account_balances: StoredRow<typeof accountBalances>;
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
  /** What went to credits that were owed. */
  readonly repaidDebt: number;
  /** What was given to other customers. amount = remaining + consumed + expired + revoked + repaidDebt + transferred. */
  readonly transferred: number;
  readonly effectiveAt: Instant;
  readonly expiresAt: Instant | null;
  readonly costBasis: Money | null;
  readonly paymentReference: string | null;
  readonly description: string | null;
  readonly metadata: Json;
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
  /** Null for what a refund under way or a dispute reserves of credits that never expire. */
  readonly expiresAt: Instant | null;
  readonly allocations: readonly HeldSlice[];
  readonly resource: Resource | null;
  /** Under which it was placed; null where it named none. */
  readonly scope: string | null;
  readonly description: string | null;
  readonly metadata: Json;
  readonly createdAt: Instant;
};
export type AccountFilter<Status> = {
  readonly customerId: string;
  readonly unit: string;
  readonly status?: Status;
  /** Only those with one of these ids. */
  readonly ids?: readonly string[];
};
export const grantsCursor: CursorShape = ['text'];
export const holdsCursor: CursorShape = ['text'];

/** What of a list is asked for: at most `limit` entries after `cursor` (of one field), as they are at `now` (milliseconds). */
export type Wanted<Status> = {
  readonly filter: AccountFilter<Status>;
  readonly limit: number;
  readonly cursor: Cursor | null;
  readonly now: number;
};

/**
 * What time has done to an account since the newest event that its rows know of; null when nothing, so that the rows say it all.
 * Rows that are read afterwards are as new or newer.
 */
async function passedIn(
  reader: Reader,
  log: AccountLog,
  { customerId, unit }: AccountFilter<unknown>,
  now: Instant,
): Promise<TimePassed | null> {
  const stream = accountStream(customerId, unit);
  const due = build
    .selectFrom('account_balances')
    .select('revision')
    .where('stream', '=', stream)
    .where('next_due_at', '<=', now);
  const [row] = await reader.rows(due);
  if (row === undefined) return null;
  const { state, revision } = await log.load(stream, { revision: Number(row.revision) });
  return timePassed(state, now, revision);
}

const eventOf = <Type extends AccountEventType>(
  { events }: TimePassed,
  type: Type,
  isIt: (event: AccountEventOf<Type>) => boolean,
): AccountEventOf<Type> | undefined =>
  events.find((event): event is AccountEventOf<Type> & typeof event => event.type === type && isIt(event as never));

/**
 * A grant used up is `expired` or `revoked` if any of it went that way, else `spent`. One past its expiry is `expired` even
 * while a hold still pins a part of it.
 */
const statusInRow = (now: Instant) => sql<GrantStatus>`case
  when scheduled and free > 0 then 'scheduled'
  when free + held > 0 and (expires_at is null or expires_at > ${now}) then 'active'
  when expired > 0 or free + held > 0 then 'expired'
  when revoked > 0 then 'revoked'
  else 'spent' end`;

/** The same of a grant that time has passed in. */
function statusOf({ scheduled, free, held, expiresAt, expired, revoked }: Grant, now: Instant): GrantStatus {
  if (scheduled && free > 0) return 'scheduled';
  if (free + held > 0 && (expiresAt === null || expiresAt > now)) return 'active';
  if (expired > 0 || free + held > 0) return 'expired';
  return revoked > 0 ? 'revoked' : 'spent';
}

/** An account's grants, newest first. */
export async function grantsOf(
  reader: Reader,
  log: AccountLog,
  { filter, limit, cursor, now }: Wanted<GrantStatus>,
): Promise<Page<GrantEntry>> {
  const at = instantOf(now);
  const passed = await passedIn(reader, log, filter, at);
  const stream = accountStream(filter.customerId, filter.unit);
  const own = build.selectFrom('grants').selectAll().select(statusInRow(at).as('status')).where('stream', '=', stream);
  if (passed !== null) {
    const wanted = [...passed.state.grants.values()]
      .filter((grant) => filter.status === undefined || statusOf(grant, at) === filter.status)
      .filter(({ id }) => filter.ids === undefined || filter.ids.includes(id))
      .filter(({ id }) => cursor === null || id < String(cursor[0]))
      .sort((a, b) => (a.id < b.id ? 1 : -1))
      .slice(0, limit + 1);
    const ids = wanted.map(({ id }) => id);
    const rows = ids.length === 0 ? [] : await reader.rows(own.where('grant_id', 'in', ids));
    const byId = new Map(rows.map((row) => [row.grant_id, row]));
    const entries = wanted.map((grant) => passedEntry(grant, byId.get(grant.id), passed, at));
    return pageOf(
      entries,
      limit,
      (entry) => entry,
      ({ id }) => [id],
    );
  }
  let query = own.orderBy('grant_id', 'desc').limit(limit + 1);
  if (filter.status !== undefined) query = query.where(statusInRow(at), '=', filter.status);
  if (filter.ids !== undefined) query = query.where(sql<boolean>`grant_id = any(${arrayText(filter.ids)}::text[])`);
  if (cursor !== null) query = query.where('grant_id', '<', String(cursor[0]));
  return pageOf(await reader.rows(query), limit, grantEntry, ({ grant_id }) => [grant_id]);
}

const grantEntry = (row: StoredGrant & { status: GrantStatus }): GrantEntry => ({
  id: row.grant_id,
  source: row.source as Source,
  priority: row.priority,
  amount: Number(row.amount),
  remaining: Number(row.free) + Number(row.held),
  held: Number(row.held),
  consumed: Number(row.consumed),
  expired: Number(row.expired),
  revoked: Number(row.revoked),
  repaidDebt: Number(row.repaid),
  // Rows of the tables before these have none.
  transferred: Number(row.transferred ?? 0),
  effectiveAt: row.effective_at,
  expiresAt: row.expires_at,
  costBasis:
    row.cost_amount === null || row.cost_currency === null
      ? null
      : { amount: Number(row.cost_amount), currency: row.cost_currency },
  paymentReference: row.payment_reference,
  description: row.description,
  metadata: JSON.parse(row.metadata) as Json,
  status: row.status,
  createdAt: row.created_at,
});

/** A grant that time has passed in. What no rule asks for stands in its row, or in the event of time that made it. */
function passedEntry(grant: Grant, row: StoredGrant | undefined, passed: TimePassed, now: Instant): GrantEntry {
  const { id, source, priority, amount, held, effectiveAt, expiresAt, costBasis, paymentReference } = grant;
  const made = eventOf(passed, 'CreditsGranted', ({ grantId }) => grantId === id);
  const metadata = row === undefined ? made?.metadata : (JSON.parse(row.metadata) as Json);
  const createdAt = row?.created_at ?? made?.at;
  assert(metadata !== undefined && createdAt !== undefined, `grant ${id} has no row and no event`);
  return {
    id,
    source,
    priority,
    amount,
    remaining: grant.free + held,
    held,
    consumed: grant.consumed,
    expired: grant.expired,
    revoked: grant.revoked,
    repaidDebt: grant.repaid,
    transferred: grant.transferred,
    effectiveAt,
    expiresAt,
    costBasis,
    paymentReference,
    description: row === undefined ? (made?.description ?? null) : row.description,
    metadata,
    status: statusOf(grant, now),
    createdAt,
  };
}

/** An account's holds, newest first. */
export async function holdsOf(
  reader: Reader,
  log: AccountLog,
  { filter, limit, cursor, now }: Wanted<HoldStatus>,
): Promise<Page<HoldEntry>> {
  const passed = await passedIn(reader, log, filter, instantOf(now));
  const stillOpen = passed === null ? null : [...passed.state.holds.values()].map(({ id }) => id);
  const status = statusOfHold(stillOpen);
  let query = build
    .selectFrom('holds')
    .selectAll()
    .where('stream', '=', accountStream(filter.customerId, filter.unit))
    .orderBy('hold_id', 'desc')
    .limit(limit + 1);
  if (filter.status !== undefined) query = query.where(status, '=', filter.status);
  if (filter.ids !== undefined) query = query.where(sql<boolean>`hold_id = any(${arrayText(filter.ids)}::text[])`);
  if (cursor !== null) query = query.where('hold_id', '<', String(cursor[0]));
  return pageOf(
    await reader.rows(query),
    limit,
    (row) => holdEntry(row, passed),
    ({ hold_id }) => [hold_id],
  );
}

/** What time ends of a hold is its time-out. */
const statusOfHold = (stillOpen: readonly string[] | null) =>
  stillOpen === null
    ? sql<HoldStatus>`status`
    : sql<HoldStatus>`case when status = 'open' and hold_id <> all (${arrayText(stillOpen)}::text[]) then 'expired' else status end`;

function holdEntry(row: StoredHold, passed: TimePassed | null): HoldEntry {
  const over = row.status === 'open' && passed !== null && passed.state.holds.get(row.hold_id) === undefined;
  return {
    id: row.hold_id,
    amount: Number(row.amount),
    remaining: over ? 0 : Number(row.remaining),
    captured: Number(row.captured),
    status: over ? 'expired' : (row.status as HoldStatus),
    expiresAt: row.expires_at,
    allocations: over ? [] : (JSON.parse(row.allocations) as readonly HeldSlice[]),
    resource: row.resource === null ? null : (JSON.parse(row.resource) as Resource),
    scope: row.scope,
    description: row.description,
    metadata: JSON.parse(row.metadata) as Json,
    createdAt: row.created_at,
  };
}

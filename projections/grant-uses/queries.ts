import type { Money } from '#kernel/amount.js';
import type { Instant } from '#kernel/instant.js';
import type { StreamName } from '#kernel/stream-name.js';
import { sql } from 'kysely';
import type { Slice } from '#ledger/account/events.js';
import type { UseCount } from '#ledger/account/reading/explanation.js';
import type { UseType } from '#ledger/account/reading/uses.js';
import { pageOf, type Cursor, type CursorShape, type Page } from '#database/page.js';
import type { Reader } from '#database/database.js';
import { arrayText } from '#database/values.js';
import { toPosition } from '#projecting/generations.js';
import { queryBuilder } from '#projecting/query-builder.js';
import { SCHEMA } from '#projecting/schema.js';
import type { StoredRow } from '#projecting/tables.js';
import type { grantUses, holdRaises, reversals } from './tables.js';

export type GrantUseEntry = {
  readonly type: UseType;
  readonly at: Instant;
  /** What was used; negative where it came back. */
  readonly amount: number;
  readonly cost: Money | null;
  readonly consumptionId?: string;
  readonly holdId?: string;
  readonly eventId: string;
  readonly position: string;
};
export const usesCursor: CursorShape = ['bigint', 'text'];

type StoredUse = StoredRow<typeof grantUses>;
type StoredReversal = StoredRow<typeof reversals>;
const build = queryBuilder<{
  grant_uses: StoredUse;
  reversals: StoredReversal;
  hold_raises: StoredRow<typeof holdRaises>;
}>();

/** The uses of a grant, oldest first. */
export async function usesOfGrant(
  reader: Reader,
  { stream, grantId }: { readonly stream: StreamName; readonly grantId: string },
  limit: number,
  cursor: Cursor | null,
): Promise<Page<GrantUseEntry>> {
  let query = build
    .selectFrom('grant_uses')
    .selectAll()
    .where('stream', '=', stream)
    .where('grant_id', '=', grantId)
    .orderBy('revision')
    .orderBy('type')
    .limit(limit + 1);
  if (cursor !== null)
    query = query.where(sql<boolean>`(revision, type) > (${cursor[0]}::bigint, ${cursor[1]}::text collate "C")`);
  return pageOf(await reader.rows(query), limit, useEntry, ({ revision, type }) => [revision, type]);
}

const useEntry = (row: StoredUse): GrantUseEntry => ({
  type: row.type as UseType,
  at: row.at,
  amount: Number(row.amount),
  cost:
    row.cost_amount === null || row.cost_currency === null
      ? null
      : { amount: Number(row.cost_amount), currency: row.cost_currency },
  ...(row.consumption_id === null ? {} : { consumptionId: row.consumption_id }),
  ...(row.hold_id === null ? {} : { holdId: row.hold_id }),
  eventId: row.event_id,
  position: toPosition(row.position),
});

type CountRow = { readonly grant_id: string; readonly n: string; readonly first: Instant; readonly last: Instant };

/** How often grants of an account were used by the event at `revision`; those never used are left out. */
export async function useCountsUntil(
  reader: Reader,
  stream: StreamName,
  revision: number,
  grantIds: readonly string[],
): Promise<ReadonlyMap<string, UseCount>> {
  const ofGrant = `from ${SCHEMA}.grant_uses u where u.stream = $1 and u.grant_id = g.grant_id`;
  const rows = await reader.query<CountRow>({
    name: 'use counts',
    text: `select g.grant_id, l.n, f.at as first, l.at as last from unnest($3::text[]) as g(grant_id)
      cross join lateral (select n, at ${ofGrant} and u.revision <= $2 order by revision desc, type desc limit 1) l
      cross join lateral (select at ${ofGrant} order by revision, type limit 1) f`,
    values: [stream, revision, arrayText(grantIds)],
  });
  return new Map(
    rows.map(({ grant_id, n, first, last }) => [grant_id, { uses: Number(n), firstUse: first, lastUse: last }]),
  );
}

export type ReversalEntry = {
  readonly id: string;
  readonly at: Instant;
  readonly amount: number;
  /** The part that had been an overdraft. */
  readonly debtReversed: number;
  readonly restored: readonly Slice[];
  readonly reason: string | null;
  readonly eventId: string;
  readonly position: string;
};

/** What was given back of the consumption at a revision, oldest first. */
export async function reversalsOf(
  reader: Reader,
  stream: StreamName,
  consumptionRevision: number,
): Promise<readonly ReversalEntry[]> {
  const rows = await reader.rows(
    build
      .selectFrom('reversals')
      .selectAll()
      .where('stream', '=', stream)
      .where('consumption_revision', '=', String(consumptionRevision))
      .orderBy('revision'),
  );
  return rows.map((row) => ({
    id: row.reversal_id,
    at: row.at,
    amount: Number(row.amount),
    debtReversed: Number(row.debt_reversed),
    restored: JSON.parse(row.restored) as readonly Slice[],
    reason: row.reason,
    eventId: row.event_id,
    position: toPosition(row.position),
  }));
}

/** The revisions at which a hold was raised, oldest first. */
export async function raisesOf(reader: Reader, stream: StreamName, holdId: string): Promise<readonly number[]> {
  const rows = await reader.rows(
    build
      .selectFrom('hold_raises')
      .select('revision')
      .where('stream', '=', stream)
      .where('hold_id', '=', holdId)
      .orderBy('revision'),
  );
  return rows.map(({ revision }) => Number(revision));
}

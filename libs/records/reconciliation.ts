import type { Instant } from '#kernel/instant.js';
import type { Json } from '#kernel/json.js';
import { pageOf, type Cursor, type CursorShape, type Page } from '../database/page.js';
import type { Database, Reader } from '../database/database.js';
import { SCHEMA } from './schema.js';
import { document } from '../database/values.js';

/** A comparison of Stripe with the ledger. */
export type ReconciliationRun = {
  readonly id: string;
  /** Who or what started it. */
  readonly startedBy: string;
  readonly repair: boolean;
  /** Nothing older was looked at; null: everything was. */
  readonly since: Instant | null;
  readonly startedAt: Instant;
  /** Null while it runs, or when it broke off; then a run that asks the same goes on with it. */
  readonly finishedAt: Instant | null;
  /** How many events and objects of Stripe were compared. */
  readonly checked: number;
};

/** How far a run is: a stage, and the last of Stripe's objects in it. */
type Place = { readonly stage: number; readonly after: string | null; readonly checked: number };

/** Something that Stripe and the ledger did not say alike, with both sides and what became of it. */
export type FoundDifference = {
  readonly type: string;
  readonly id: string;
  /** Null where Stripe does not have it. */
  readonly stripe: Json;
  readonly ledger: Json;
  readonly repair: string;
  /** Id of the Stripe event that was given to the ledger for it; null where none was. */
  readonly toldAs: string | null;
};

type RunRow = {
  id: string;
  started_by: string;
  repair: boolean;
  since: string | null;
  started_at: string;
  finished_at: string | null;
  stage: number;
  after: string | null;
  checked: string;
};
type DifferenceRow = {
  number: string;
  type: string;
  object_id: string;
  stripe: string;
  ledger: string | null;
  repair: string;
  told_as: string | null;
};

const RUNS_KEPT = 10;

const runOf = (row: RunRow): ReconciliationRun => ({
  id: row.id,
  startedBy: row.started_by,
  repair: row.repair,
  since: row.since,
  startedAt: row.started_at,
  finishedAt: row.finished_at,
  checked: Number(row.checked),
});

/**
 * Starts a run, or goes on with the newest one when it asked the same and broke off within the last day. Only the newest runs are
 * kept. One process at a time: the caller holds a lock.
 */
export async function beginRun(
  db: Database,
  wanted: { readonly startedBy: string; readonly repair: boolean; readonly since: Instant | null },
  at: { readonly now: Instant; readonly resumableSince: Instant },
): Promise<{ readonly run: ReconciliationRun; readonly place: Place }> {
  const [newest] = await db.query<RunRow>({
    text: `select * from ${SCHEMA}.reconciliation_runs order by id desc limit 1`,
  });
  const { startedBy, repair, since } = wanted;
  const alike = newest?.finished_at === null && newest.repair === repair && newest.since === since;
  if (newest !== undefined && alike && newest.started_at >= at.resumableSince)
    return { run: runOf(newest), place: placeOf(newest) };
  const [row] = await db.query<RunRow>({
    text: `insert into ${SCHEMA}.reconciliation_runs (started_by, repair, since, started_at, stage, checked)
      values ($1, $2, $3, $4, 0, 0) returning *`,
    values: [startedBy, repair, since, at.now],
  });
  if (row === undefined) throw new Error('an insert gave no row back');
  await db.query({
    text: `delete from ${SCHEMA}.reconciliation_runs where id <= (
      select id from ${SCHEMA}.reconciliation_runs order by id desc offset $1 limit 1)`,
    values: [RUNS_KEPT],
  });
  return { run: runOf(row), place: placeOf(row) };
}

const placeOf = ({ stage, after, checked }: RunRow): Place => ({ stage, after, checked: Number(checked) });

/** Keeps how far a run is, what it found on the way and which ids Stripe's lists held, all or nothing. */
export async function keepPlace(
  db: Database,
  runId: string,
  { stage, after, checked }: Place,
  found: readonly FoundDifference[],
  listed: readonly string[],
): Promise<void> {
  await db.transaction(async (transaction) => {
    if (listed.length > 0) {
      await transaction.query({
        text: `insert into ${SCHEMA}.reconciliation_listed (run_id, object_id)
          select $1, unnest($2::text[]) on conflict do nothing`,
        values: [runId, listed],
      });
    }
    await transaction.query({
      text: `update ${SCHEMA}.reconciliation_runs set stage = $2, after = $3, checked = $4 where id = $1`,
      values: [runId, stage, after, checked],
    });
    if (found.length === 0) return;
    await transaction.query({
      text: `insert into ${SCHEMA}.reconciliation_differences (run_id, type, object_id, stripe, ledger, repair, told_as)
        select $1, * from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])`,
      values: [
        runId,
        found.map(({ type }) => type),
        found.map(({ id }) => id),
        found.map(({ stripe }) => document(stripe)),
        found.map(({ ledger }) => (ledger === null ? null : document(ledger))),
        found.map(({ repair }) => repair),
        found.map(({ toldAs }) => toldAs),
      ],
    });
  });
}

/** Those of the ids that Stripe's lists did not hold in this run. */
export async function unlistedOf(reader: Reader, runId: string, ids: readonly string[]): Promise<readonly string[]> {
  const rows = await reader.query<{ id: string }>({
    text: `select id from unnest($2::text[]) as id where not exists (
      select from ${SCHEMA}.reconciliation_listed where run_id = $1 and object_id = id)`,
    values: [runId, ids],
  });
  return rows.map(({ id }) => id);
}

/** Notes that a run has come to its end: the next one starts from the beginning. */
export async function finishRun(reader: Reader, runId: string, at: Instant): Promise<void> {
  await reader.query({
    text: `update ${SCHEMA}.reconciliation_runs set finished_at = $2 where id = $1`,
    values: [runId, at],
  });
  await reader.query({ text: `delete from ${SCHEMA}.reconciliation_listed where run_id = $1`, values: [runId] });
}

const UNSETTLED_PAGE = 100;

/** Differences after `after` (a number) whose event was given to the ledger and not yet taken in when the run looked last. */
export async function unsettledDifferences(
  reader: Reader,
  runId: string,
  after: string,
): Promise<readonly { readonly number: string; readonly toldAs: string }[]> {
  const rows = await reader.query<{ number: string; told_as: string }>({
    text: `select number, told_as from ${SCHEMA}.reconciliation_differences
      where run_id = $1 and number > $2 and repair in ('waiting', 'parked') and told_as is not null order by number limit $3`,
    values: [runId, after === '' ? '0' : after, UNSETTLED_PAGE],
  });
  return rows.map(({ number, told_as: toldAs }) => ({ number, toldAs }));
}

/** Sets what became of a difference. */
export async function noteRepair(reader: Reader, runId: string, number: string, repair: string): Promise<void> {
  await reader.query({
    text: `update ${SCHEMA}.reconciliation_differences set repair = $3 where run_id = $1 and number = $2`,
    values: [runId, number, repair],
  });
}

/** The newest run; null before the first. */
export async function newestRun(reader: Reader): Promise<ReconciliationRun | null> {
  const [row] = await reader.query<RunRow>({
    text: `select * from ${SCHEMA}.reconciliation_runs order by id desc limit 1`,
  });
  return row === undefined ? null : runOf(row);
}

/** How many differences a run found and how many of them are left, and of each type by what became of them. */
export async function differenceCounts(reader: Reader, runId: string): Promise<DifferenceCounts> {
  const rows = await reader.query<{ type: string; repair: string; count: string }>({
    text: `select type, repair, count(*) as count from ${SCHEMA}.reconciliation_differences
      where run_id = $1 group by type, repair order by type, repair`,
    values: [runId],
  });
  const counts = rows.map(({ type, repair, count }) => ({ type, repair, count: Number(count) }));
  const sum = (list: typeof counts): number => list.reduce((total, { count }) => total + count, 0);
  const unrepaired = sum(counts.filter(({ repair }) => repair !== 'repaired'));
  return { differences: sum(counts), unrepaired, counts };
}

export type DifferenceCounts = {
  readonly differences: number;
  readonly unrepaired: number;
  readonly counts: readonly { readonly type: string; readonly repair: string; readonly count: number }[];
};

/** The run and the number of a difference in it. */
export const differencesCursor: CursorShape = ['text', 'bigint'];

/** The differences of a run, in the order they were found. `cursor`: one of the same run. */
export async function differencesOf(
  reader: Reader,
  runId: string,
  limit: number,
  cursor: Cursor | null,
): Promise<Page<FoundDifference>> {
  const rows = await reader.query<DifferenceRow>({
    text: `select number, type, object_id, stripe, ledger, repair, told_as from ${SCHEMA}.reconciliation_differences
      where run_id = $1 and number > $2 order by number limit $3`,
    values: [runId, cursor?.[1] ?? '0', limit + 1],
  });
  return pageOf(rows, limit, differenceOf, ({ number }) => [runId, number]);
}

const differenceOf = (row: DifferenceRow): FoundDifference => ({
  type: row.type,
  id: row.object_id,
  stripe: JSON.parse(row.stripe) as Json,
  ledger: row.ledger === null ? null : (JSON.parse(row.ledger) as Json),
  repair: row.repair,
  toldAs: row.told_as,
});

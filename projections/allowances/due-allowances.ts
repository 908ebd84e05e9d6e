import { monthAfter, monthOf, plusMs, type Instant } from '#kernel/instant.js';
import type { Reader } from '#database/database.js';
import { SCHEMA } from '#projecting/schema.js';

/** A customer of a free plan whose months are not what they should be. */
export type DueAllowance = {
  readonly id: string;
  readonly customerId: string;
  readonly planId: string;
  readonly subscriptionId: string;
  /** The present month and the next, and whether the free plan gives them: not while a subscription is in force at that time. */
  readonly months: readonly { readonly start: Instant; readonly end: Instant; readonly isFree: boolean }[];
};

/** When free plans are looked at, and what they give. */
export type AllowancesAt = {
  readonly now: Instant;
  /** For how long a plan stays in force after a missed payment. */
  readonly graceMs: number;
  /** The credits of a month of each free plan that gives any. */
  readonly credits: ReadonlyMap<string, number>;
};

type Row = {
  readonly id: string;
  readonly customer_id: string;
  readonly plan_id: string;
  readonly subscription_id: string;
  readonly free_now: boolean;
  readonly free_next: boolean;
};

/** A subscription that has ended says for so long that the month in which it ended may be missing. */
const ENDED_LATELY_MS = 62 * 86_400_000;

/** Whether no subscription of the customer is in force at a time, by all that is known of it now. */
const isFree = (at: string, unpaidBefore: string): string => `not exists (
    select from ${SCHEMA}.allowances s where s.customer_id = f.customer_id and s.kind = 'state' and s.in_force
      and (s.ends_at is null or s.ends_at > ${at}) and (s.unpaid_since is null or s.unpaid_since > ${unpaidBefore}))`;

/**
 * Looked at is whoever may be due, found by an index, so that nothing is read of most customers: without a lasting subscription those
 * whose newest month is not the next one, or of another amount; with one those who have a month too many; and those of whom a
 * subscription ends, has ended lately, or is not paid.
 */
const text = `
  with plans as (select * from unnest($3::text[], $4::bigint[]) as p(plan_id, credits)),
  looked_at as (
    select id from ${SCHEMA}.allowances where kind = 'free' and lasting = 0 and latest_month < $6
    union
    select f.id from plans p join ${SCHEMA}.allowances f using (plan_id)
      where f.kind = 'free' and f.lasting = 0 and f.latest_month = $6
        and (f.latest_amount < p.credits or f.latest_amount > p.credits)
    union
    select id from ${SCHEMA}.allowances where kind = 'free' and lasting > 0 and latest_month >= $6
    union
    select 'free:' || customer_id from ${SCHEMA}.allowances where kind = 'state' and in_force and ends_at > $9
    union
    select 'free:' || customer_id from ${SCHEMA}.allowances
      where kind = 'state' and in_force and ends_at is null and unpaid_since is not null
  )
  select * from (
    select f.*, coalesce(p.credits, 0) as credits,
      ${isFree('$1', '$7')} as free_now, ${isFree('$2', '$8')} as free_next
    from looked_at l join ${SCHEMA}.allowances f using (id) left join plans p using (plan_id)
    where f.kind = 'free' and f.id > $10
  ) due
  where (free_now and credits > 0 and position(' ' || $5 || '=' in months) = 0)
    or (free_next and credits > 0 and position(' ' || $6 || '=' || credits || ';' in months) = 0)
    or (not (free_next and credits > 0) and position(' ' || $6 || '=' in months) > 0)
  order by id limit $11`;

/** At most `limit` customers of free plans for whom there is something to do, after the one at `after`. */
export async function dueAllowances(
  reader: Reader,
  { now, graceMs, credits }: AllowancesAt,
  after: { readonly id: string } | null,
  limit: number,
): Promise<readonly DueAllowance[]> {
  const month = monthOf(now);
  const turn = monthAfter(month);
  const next = monthOf(turn);
  const [before, beforeTurn] = [plusMs(now, -graceMs), plusMs(turn, -graceMs)];
  const endedLately = plusMs(now, -ENDED_LATELY_MS);
  const plans = [[...credits.keys()], [...credits.values()]];
  const values = [now, turn, ...plans, month, next, before, beforeTurn, endedLately, after?.id ?? '', limit];
  const rows = await reader.query<Row>({ name: 'due allowances', text, values });
  const start = `${month}-01T00:00:00.000Z`;
  return rows.map((row) => ({
    id: row.id,
    customerId: row.customer_id,
    planId: row.plan_id,
    subscriptionId: row.subscription_id,
    months: [
      { start, end: turn, isFree: row.free_now },
      { start: turn, end: monthAfter(next), isFree: row.free_next },
    ],
  }));
}

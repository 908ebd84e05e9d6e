import type { Reader } from '../database/database.js';
import { SCHEMA } from './schema.js';

const LIMIT = 5;
const WINDOW_MS = 60_000;
const FORGOTTEN_AT_ONCE = 20;

/**
 * Counts a request of `subject`, of which at most five are taken in any minute, by all processes together: the count is in the
 * database and its clock is the only one. Answers 0 when it is taken, else the milliseconds until the next one will be. Rows that
 * nobody needs any more are removed on the way.
 */
export async function takeBillingRequest(reader: Reader, subject: string): Promise<number> {
  const [row] = await reader.query<{ wait: string }>({
    name: 'take billing request',
    text: `with clock as (select (extract(epoch from clock_timestamp()) * 1000)::bigint as now),
      forgotten as (
        delete from ${SCHEMA}.billing_requests where subject in (
          select subject from ${SCHEMA}.billing_requests, clock where newest <= now - ${String(WINDOW_MS)} and subject <> $1
          order by newest limit ${String(FORGOTTEN_AT_ONCE)} for update of billing_requests skip locked)
      ),
      taken as (
        insert into ${SCHEMA}.billing_requests as known (subject, taken, newest) select $1, array[now], now from clock
        on conflict (subject) do update set newest = excluded.newest, taken =
          array(select at from unnest(known.taken) as at where at > excluded.newest - ${String(WINDOW_MS)}) || excluded.newest
        where (select count(*) from unnest(known.taken) as at where at > excluded.newest - ${String(WINDOW_MS)}) < ${String(LIMIT)}
        returning 0 as wait
      )
      select coalesce(
        (select wait from taken),
        (select greatest(1, min(at) + ${String(WINDOW_MS)} - now) from ${SCHEMA}.billing_requests, unnest(taken) as at, clock
          where subject = $1 and at > now - ${String(WINDOW_MS)} group by now),
        ${String(WINDOW_MS)}) as wait`,
    values: [subject],
  });
  return Number(row?.wait ?? WINDOW_MS);
}

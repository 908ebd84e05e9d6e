import type { Instant } from '#kernel/instant.js';
import { NO_COUNTS, type Counts } from '#ledger/usage/counts.js';
import type { PlanFacts } from '#ledger/usage/plans.js';
import { decodeCounts } from '#ledger/usage/snapshot.js';
import type { Reader } from '#database/database.js';
import { queryBuilder } from '#projecting/query-builder.js';
import { SCHEMA } from '#projecting/schema.js';
import type { StoredRow } from '#projecting/tables.js';
import type { usageHours } from './tables.js';
import { plansIn } from './usage.js';

/** What a customer's limits are worked out from. */
export type UsageFacts = { readonly plans: PlanFacts; readonly countsOf: (feature: string) => Counts };

type FactsRow = {
  readonly plans: readonly { readonly type: string; readonly event: string }[] | null;
  readonly counts: readonly (readonly [feature: string, counts: string])[] | null;
};

/** One statement: plans and counts are of one instant. `$2`: the features whose counts are wanted; null for all. */
const statement = `
  select
    (select json_agg(json_build_object('type', p.type, 'event', p.event) order by p.revision)
      from ${SCHEMA}.usage_plans p where p.customer_id = $1) as plans,
    (select json_agg(json_build_array(c.feature, c.counts))
      from ${SCHEMA}.usage_counts c where c.customer_id = $1 and ($2::text is null or c.feature = $2)) as counts`;

/** The facts of a customer; of one without any, none. `feature`: null for all. */
export async function usageFactsOf(reader: Reader, customerId: string, feature: string | null): Promise<UsageFacts> {
  const [row] = await reader.query<FactsRow>({ name: 'usage-facts', text: statement, values: [customerId, feature] });
  const counts = new Map(row?.counts ?? []);
  return {
    plans: plansIn(customerId, row?.plans ?? []),
    countsOf: (name) => {
      const text = counts.get(name);
      return text === undefined ? NO_COUNTS : decodeCounts(text);
    },
  };
}

export const usageIntervals = ['hour', 'day', 'month'] as const;
export type UsageInterval = (typeof usageIntervals)[number];
/** What was used of a feature in an interval that begins at `start`. */
export type UsageSum = { readonly feature: string; readonly start: Instant; readonly quantity: number };

const startLength = { hour: 13, day: 10, month: 7 } as const;
const restOfStart = { hour: ':00:00.000Z', day: 'T00:00:00.000Z', month: '-01T00:00:00.000Z' } as const;
const build = queryBuilder<{ usage_hours: StoredRow<typeof usageHours> }>();

/**
 * What was used from `from` until `to` (whole hours), summed by intervals, the oldest first; intervals without a use are left out.
 * `feature`: null for all.
 */
export async function usageSumsOf(
  reader: Reader,
  customerId: string,
  wanted: { readonly feature: string | null; readonly from: Instant; readonly to: Instant; readonly by: UsageInterval },
): Promise<readonly UsageSum[]> {
  const { feature, from, to, by } = wanted;
  let query = build
    .selectFrom('usage_hours')
    .select(({ fn, val }) => [
      'feature',
      fn<string>('left', ['hour', val(startLength[by])]).as('interval'),
      fn.sum<string>('quantity').as('quantity'),
    ])
    .where('customer_id', '=', customerId)
    .where('hour', '>=', from)
    .where('hour', '<', to)
    .groupBy(['feature', 'interval'])
    .orderBy('interval')
    .orderBy('feature');
  if (feature !== null) query = query.where('feature', '=', feature);
  const rows = await reader.rows(query);
  return rows.map(({ feature: name, interval, quantity }) => ({
    feature: name,
    start: `${interval}${restOfStart[by]}`,
    quantity: Number(quantity),
  }));
}

import type { Instant } from '#kernel/instant.js';
import type { FewerCredits } from '#ledger/period-reduction.js';
import { queryBuilder, type Reader } from '#read-store/read-database.js';
import type { StoredRow } from '#read-store/tables.js';
import { fewerOf, type allowances } from './allowances.js';

/** A month of credits that is due; `index` of a paid period counts from 0. */
export type DueAllowance = {
  readonly id: string;
  readonly nextAt: Instant;
  readonly customerId: string;
  readonly planId: string;
  readonly subscriptionId: string;
  /** Null for a free plan. */
  readonly paid: {
    /** The period's name in keys. */
    readonly period: string;
    readonly index: number;
    readonly periodStart: Instant;
    readonly periodEnd: Instant;
    readonly creditsPerMonth: number;
    /** What changes to less leave out of its months. */
    readonly fewer: readonly FewerCredits[];
    readonly cost: { readonly amount: number; readonly currency: string } | null;
    readonly invoiceId: string | null;
    /** How much of the month before goes on, unspent. */
    readonly rolloverCap: number;
  } | null;
};

type Stored = StoredRow<typeof allowances>;
const build = queryBuilder<{ allowances: Stored }>();

/**
 * At most `limit` allowances that are due at `now`, the longest due first, after the one at `after`. A customer with a paid
 * period at `now`, or a subscription that gives something, is not on the free plan for that time; one that has ended, is paused, or
 * lacks a payment since `unpaidBefore` or longer gives nothing.
 */
export async function dueAllowances(
  reader: Reader,
  now: Instant,
  unpaidBefore: Instant,
  after: { readonly nextAt: Instant; readonly id: string } | null,
  limit: number,
): Promise<readonly DueAllowance[]> {
  let query = build
    .selectFrom('allowances as due')
    .selectAll()
    .where('next_at', '<=', now)
    .where(({ eb, not, exists, selectFrom }) => {
      const stopped = selectFrom('allowances as state')
        .select('state.id')
        .whereRef('state.subscription_id', '=', 'due.subscription_id')
        .where('state.kind', '=', 'state')
        .where('state.period_end', '<=', now);
      const paid = selectFrom('allowances as paid')
        .leftJoin('allowances as state', (join) =>
          join.onRef('state.subscription_id', '=', 'paid.subscription_id').on('state.kind', '=', 'state'),
        )
        .where((or) => or.or([or('state.period_end', 'is', null), or('state.period_end', '>', now)]))
        .select('paid.id')
        .whereRef('paid.customer_id', '=', 'due.customer_id')
        .where('paid.kind', '=', 'paid')
        .where('paid.period_end', '>', now)
        .where('paid.period_start', '<=', now);
      const subscribed = selectFrom('allowances as live')
        .select('live.id')
        .whereRef('live.customer_id', '=', 'due.customer_id')
        .where('live.kind', '=', 'state')
        .where((or) => or.or([or('live.period_end', 'is', null), or('live.period_end', '>', now)]))
        .where((or) => or.or([or('live.unpaid_since', 'is', null), or('live.unpaid_since', '>', unpaidBefore)]));
      return eb.or([
        eb.and([eb('due.kind', '=', 'paid'), not(exists(stopped))]),
        eb.and([eb('due.kind', '=', 'free'), not(exists(paid)), not(exists(subscribed))]),
      ]);
    })
    .orderBy('next_at')
    .orderBy('id')
    .limit(limit);
  if (after !== null) {
    const { nextAt, id } = after;
    query = query.where((eb) =>
      eb.or([eb('next_at', '>', nextAt), eb.and([eb('next_at', '=', nextAt), eb('id', '>', id)])]),
    );
  }
  return (await reader.rows(query)).map(dueOf);
}

function dueOf(row: Stored): DueAllowance {
  const { id, customer_id: customerId, plan_id: planId, subscription_id: subscriptionId } = row;
  const start = row.period_start;
  const end = row.period_end;
  const paid =
    row.kind !== 'paid' || start === null || end === null
      ? null
      : {
          period: id.slice('paid:'.length),
          index: row.months_granted,
          periodStart: start,
          periodEnd: end,
          creditsPerMonth: Number(row.credits_per_month),
          fewer: fewerOf(row.fewer),
          cost:
            row.cost_amount === null || row.cost_currency === null
              ? null
              : { amount: Number(row.cost_amount), currency: row.cost_currency },
          invoiceId: row.invoice_id,
          rolloverCap: Number(row.rollover_cap),
        };
  return { id, nextAt: row.next_at ?? '', customerId, planId, subscriptionId, paid };
}

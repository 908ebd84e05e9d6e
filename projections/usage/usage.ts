import type { LedgerEvent } from '#ledger/events.js';
import { NO_COUNTS, withUse, type Counts } from '#ledger/usage/counts.js';
import { noPlans, type PlanFacts } from '#ledger/usage/plans.js';
import { decodeCounts, encodeCounts } from '#ledger/usage/snapshot.js';
import { plansAfter, type UsageEvent } from '#ledger/usage/usage.js';
import { document } from '#database/values.js';
import type { Reader } from '#database/database.js';
import type { ProjectionWriter } from '#projecting/projection.js';
import { TableWriter } from '#projecting/tables.js';
import { dispatch, type Handlers, type LedgerProjection, type Projected } from '../ledger-projection.js';
import { usageOracle } from './oracle.js';
import { usageCounts, usageHours, usagePlans, type CountsRow, type HourRow, type PlanRow } from './tables.js';

type PlanEvent = Exclude<UsageEvent, { type: 'UsageRecorded' }>;
type Customer = { plans: PlanFacts; readonly counts: Map<string, Counts> };

/** How many customers are kept between batches. */
const KEPT_MAX = 50_000;

/** The plans that rows of `usage_plans` say of, in the order of their revisions. */
export function plansIn(customerId: string, rows: readonly Pick<PlanRow, 'type' | 'event'>[]): PlanFacts {
  return rows.reduce(
    (plans, { type, event }) => plansAfter(plans, { ...(JSON.parse(event) as object), type } as PlanEvent),
    noPlans(customerId),
  );
}

/** Adds up uses. Keeps the customers that it has seen: nobody else writes these tables while the checkpoint is where it left it. */
class UsageFold implements ProjectionWriter<LedgerEvent> {
  readonly #customers = new Map<string, Customer>();
  readonly #plans: PlanRow[] = [];
  readonly #counts = new Map<string, CountsRow>();
  readonly #hours = new Map<string, HourRow>();
  readonly #planTable: TableWriter<typeof usagePlans>;
  readonly #countTable: TableWriter<typeof usageCounts>;
  readonly #hourTable: TableWriter<typeof usageHours>;

  constructor(table: (name: string) => string) {
    this.#planTable = new TableWriter(usagePlans, table(usagePlans.name));
    this.#countTable = new TableWriter(usageCounts, table(usageCounts.name));
    this.#hourTable = new TableWriter(usageHours, table(usageHours.name));
  }

  async apply(transaction: Reader, batch: readonly Projected[]): Promise<void> {
    if (this.#customers.size > KEPT_MAX) this.#customers.clear();
    this.#plans.length = 0;
    this.#counts.clear();
    this.#hours.clear();
    await this.#load(transaction, batch);
    for (const projected of batch) dispatch(handlers, this, projected);
    await this.#write(transaction);
  }

  recordPlan(event: PlanEvent, revision: number): void {
    const { type, ...data } = event;
    const { customerId: customer_id } = event;
    const customer = this.#customer(customer_id);
    customer.plans = plansAfter(customer.plans, event);
    this.#plans.push({ customer_id, revision, type, event: document(data) });
  }

  recordUse(event: Extract<UsageEvent, { type: 'UsageRecorded' }>): void {
    const { customerId: customer_id, feature, quantity, usedAt, at } = event;
    const { plans, counts } = this.#customer(customer_id);
    const after = withUse(counts.get(feature) ?? NO_COUNTS, event, plans, at);
    counts.set(feature, after);
    this.#counts.set(`${customer_id} ${feature}`, { customer_id, feature, counts: '' });
    const hour = `${usedAt.slice(0, 13)}:00:00.000Z`;
    const key = `${customer_id} ${feature} ${hour}`;
    const row = this.#hours.get(key) ?? { customer_id, feature, hour, quantity: 0 };
    row.quantity = Number(row.quantity) + quantity;
    this.#hours.set(key, row);
  }

  #customer(id: string): Customer {
    const known = this.#customers.get(id);
    if (known !== undefined) return known;
    const customer = { plans: noPlans(id), counts: new Map<string, Counts>() };
    this.#customers.set(id, customer);
    return customer;
  }

  async #load(on: Reader, batch: readonly Projected[]): Promise<void> {
    const ids = [...new Set(batch.map(({ event }) => (event as UsageEvent).customerId))];
    const unknown = ids.filter((id) => !this.#customers.has(id));
    if (unknown.length === 0) return;
    const plans = Map.groupBy(await this.#planTable.where(on, 'customer_id', unknown), (row) => row.customer_id);
    for (const [id, rows] of plans)
      this.#customer(id).plans = plansIn(
        id,
        rows.toSorted((a, b) => Number(a.revision) - Number(b.revision)),
      );
    for (const { customer_id, feature, counts } of await this.#countTable.where(on, 'customer_id', unknown))
      this.#customer(customer_id).counts.set(feature, decodeCounts(counts));
  }

  async #write(on: Reader): Promise<void> {
    await this.#planTable.insert(on, this.#plans);
    for (const row of this.#counts.values())
      row.counts = encodeCounts(this.#customer(row.customer_id).counts.get(row.feature) ?? NO_COUNTS);
    await this.#countTable.put(on, [...this.#counts.values()]);
    const hours = [...this.#hours.values()];
    for (const before of await this.#hourTable.withKeys(on, hours)) {
      const row = this.#hours.get(`${before.customer_id} ${before.feature} ${before.hour}`);
      if (row !== undefined) row.quantity = Number(row.quantity) + Number(before.quantity);
    }
    await this.#hourTable.put(on, hours);
  }
}

const recordPlan = (fold: UsageFold, event: PlanEvent, { recorded }: Projected): void => {
  fold.recordPlan(event, recorded.revision);
};

const handlers: Handlers<UsageFold, UsageEvent> = {
  UsageRecorded: (fold, event) => {
    fold.recordUse(event);
  },
  PlanObserved: recordPlan,
  FreePlanEntered: recordPlan,
};

/** What customers used of features, and what counts for their limits. */
export const usageProjection: LedgerProjection = {
  name: 'usage',
  version: 1,
  categories: ['usage'],
  tables: [usagePlans, usageCounts, usageHours],
  handlers,
  open: (table) => new UsageFold(table),
  oracle: usageOracle,
};

import { plusMs, type Instant } from '#kernel/instant.js';
import { dueAllowances, type AllowancesAt, type DueAllowance } from '#projections/allowances/due-allowances.js';
import { dueAccounts, type DueAccount } from '#projections/balances/due-accounts.js';
import { lapsedSubscriptions, type LapsedSubscription } from '#projections/subscriptions/queries.js';
import type { Reader } from '#database/database.js';

/** Lists the work that is due by now, in pages. May lag behind the log: work done a moment ago can still be listed. */
export abstract class DueWork {
  abstract accounts(now: Instant, after: DueAccount | null, limit: number): Promise<readonly DueAccount[]>;
  /** Customers whose months of a free plan are not what they should be. `credits`: what a month of each free plan gives. */
  abstract allowances(
    now: Instant,
    credits: AllowancesAt['credits'],
    after: DueAllowance | null,
    limit: number,
  ): Promise<readonly DueAllowance[]>;
  /** Subscriptions without payment for longer than the days of grace, of customers who were never on a free plan. */
  abstract lapsed(
    now: Instant,
    after: LapsedSubscription | null,
    limit: number,
  ): Promise<readonly LapsedSubscription[]>;
}

const DAY_MS = 86_400_000;

/** The due work as the projections have it. */
export class ProjectedDueWork extends DueWork {
  constructor(
    private readonly reader: Reader,
    private readonly graceDays: number,
  ) {
    super();
  }

  override accounts(now: Instant, after: DueAccount | null, limit: number): Promise<readonly DueAccount[]> {
    return dueAccounts(this.reader, now, after, limit);
  }

  override allowances(
    now: Instant,
    credits: AllowancesAt['credits'],
    after: DueAllowance | null,
    limit: number,
  ): Promise<readonly DueAllowance[]> {
    return dueAllowances(this.reader, { now, graceMs: this.#graceMs, credits }, after, limit);
  }

  override lapsed(
    now: Instant,
    after: LapsedSubscription | null,
    limit: number,
  ): Promise<readonly LapsedSubscription[]> {
    return lapsedSubscriptions(this.reader, plusMs(now, -this.#graceMs), after, limit);
  }

  get #graceMs(): number {
    return this.graceDays * DAY_MS;
  }
}

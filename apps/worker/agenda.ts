import type { Instant } from '#kernel/instant.js';
import { dueAllowances } from '#projections/allowances.js';
import type { DueAllowance } from '#projections/allowances.js';
import { dueAccounts } from '#projections/due-accounts.js';
import type { DueAccount } from '#projections/due-accounts.js';
import type { Reader } from '#read-store/read-database.js';

/** Lists what time has made due, in pages. May lag behind the log: what was done a moment ago can still be listed. */
export abstract class Agenda {
  abstract accounts(now: Instant, after: DueAccount | null, limit: number): Promise<readonly DueAccount[]>;
  abstract allowances(now: Instant, after: DueAllowance | null, limit: number): Promise<readonly DueAllowance[]>;
}

/** The agenda as the projections have it. */
export class ProjectedAgenda extends Agenda {
  constructor(private readonly reader: Reader) {
    super();
  }

  override accounts(now: Instant, after: DueAccount | null, limit: number): Promise<readonly DueAccount[]> {
    return dueAccounts(this.reader, now, after, limit);
  }

  override allowances(now: Instant, after: DueAllowance | null, limit: number): Promise<readonly DueAllowance[]> {
    return dueAllowances(this.reader, now, after, limit);
  }
}

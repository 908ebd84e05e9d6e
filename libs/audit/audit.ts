import type { Clock } from '#kernel/clock.js';
import { pagesOf, START, type EventStore } from '#event-store/port/event-store.js';
import type { Comparison } from '#projecting/comparison/compare.js';
import { projectionStatus } from '#projecting/status.js';
import type { Database } from '#database/database.js';
import { LogAudit, type LogReport } from './log-audit.js';

/** What an audit found: in the log, and in each read model that was compared with it. */
export type Audited = { readonly log: LogReport; readonly projections: readonly Comparison[] };

export type AuditedLog = {
  readonly store: EventStore;
  /** Whether the store counts positions without gaps. */
  readonly contiguous: boolean;
};

/** The read models of a log, and what compares them with it. */
export type AuditedModels = {
  readonly database: Database;
  readonly clock: Clock;
  /** Compares all of them with an independent fold of the log, which it reads by itself. */
  readonly compare: () => Promise<readonly Comparison[]>;
};

/**
 * Audits the log while its read models are compared with it. Where a log that contradicts itself cannot be folded, no read model is
 * compared. Throws StoreUnavailable and DatabaseError.
 *
 * @param models null: the log alone.
 * @param progress told how many events were read since it was told last.
 */
export async function audit(
  log: AuditedLog,
  models: AuditedModels | null,
  progress: (events: number) => void,
): Promise<Audited> {
  if (models === null) return { log: await auditOfLog(log, progress), projections: [] };
  const comparing = models.compare();
  comparing.catch(() => undefined); // awaited below, when it is known whether the log can be folded at all
  const report = await auditOfLog(log, progress);
  const projections = await comparing.catch((error: unknown) => {
    if (report.findingsTotal === 0) throw error;
    return [];
  });
  return { log: await withMissingEnd(report, log.store, models), projections };
}

async function auditOfLog({ store, contiguous }: AuditedLog, progress: (events: number) => void): Promise<LogReport> {
  const logAudit = new LogAudit({ contiguous });
  for await (const page of pagesOf(store, START)) {
    logAudit.add(page);
    progress(page.length);
  }
  return logAudit.report();
}

/** Events cut off the end of the log leave nothing in it that could tell; what has read them remembers how far it came. */
async function withMissingEnd(
  log: LogReport,
  store: EventStore,
  { database, clock }: AuditedModels,
): Promise<LogReport> {
  const ahead = (await projectionStatus(database, store, clock.now()))
    .filter(({ position, head }) => position > head)
    .map(({ name, position }) => `${name} has read it up to ${String(BigInt(position))}`);
  if (ahead.length === 0) return log;
  const problem = `the log ends here, but ${ahead.join(', ')}: events at its end are missing`;
  const finding = { position: log.lastPosition ?? START, stream: '', revision: -1, eventId: null, problem };
  return { ...log, findings: [...log.findings, finding], findingsTotal: log.findingsTotal + 1 };
}

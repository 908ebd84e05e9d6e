import type { Clock } from '#kernel/clock.js';
import { pagesOf, START, type EventStore } from '#event-store/port/event-store.js';
import { ledgerCodec, type LedgerEvent } from '#ledger/events.js';
import { ModelComparison, type Comparison } from '#projecting/comparison/compare.js';
import { projected, type Projection } from '#projecting/projection.js';
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

/** Read models to compare, and the database that they are in. */
export type AuditedModels = {
  readonly database: Database;
  readonly projections: readonly Projection<LedgerEvent>[];
  readonly clock: Clock;
};

/**
 * Audits the log and compares the read models with it in one pass, so that each event is read and decoded once. Where a log that
 * contradicts itself cannot be folded, no read model is compared. Throws StoreUnavailable and DatabaseError.
 *
 * @param models null: the log alone.
 * @param progress told how many events were read since it was told last.
 */
export async function audit(
  log: AuditedLog,
  models: AuditedModels | null,
  progress: (events: number) => void,
): Promise<Audited> {
  if (models === null) return auditInOnePass(log, null, progress);
  const comparison = await ModelComparison.ofLive(models.database, models.projections);
  try {
    const { log: report, projections } = await auditInOnePass(log, comparison, progress);
    return { log: await withMissingEnd(report, log.store, models), projections };
  } finally {
    await comparison.close();
  }
}

async function auditInOnePass(
  { store, contiguous }: AuditedLog,
  comparison: ModelComparison<LedgerEvent> | null,
  progress: (events: number) => void,
): Promise<Audited> {
  const logAudit = new LogAudit({ contiguous });
  const { decode } = ledgerCodec;
  let models = comparison;
  for await (const recorded of pagesOf(store, START)) {
    const page = projected(recorded, decode);
    logAudit.addDecoded(page);
    try {
      models?.add(page);
    } catch (error) {
      if (logAudit.sound) throw error;
      models = null; // nothing follows from a log that contradicts itself
    }
    progress(page.length);
  }
  const log = logAudit.report();
  if (models === null) return { log, projections: [] };
  const projections = await models.finish({ store, decode }).catch((error: unknown) => {
    if (log.findingsTotal === 0) throw error;
    return [];
  });
  return { log, projections };
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

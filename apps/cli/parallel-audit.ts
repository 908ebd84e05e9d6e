import { availableParallelism } from 'node:os';
import type { EventStore, Position } from '#event-store/event-store.js';
import { readLogShares } from '#event-store/log-shares.module.js';
import type { LogShares } from '#event-store/log-shares.js';
import { ledgerCodec, type LedgerEvent } from '#ledger/events.js';
import type { Comparison, ModelComparison } from '#read-store/compare.js';
import { ProjectedEvent } from '#read-store/projection.js';
import { foldTogether } from '#read-store/share-fold.js';
import type { AccountSums } from './account-books.js';
import type { LogReport } from './log-audit.js';
import { modelsOf, passesOver, type ShareModel, type ShareReport } from './share-audit.js';
import { ShareThreads } from './share-threads.js';

/** A shorter log is done before threads have started. */
const worthWhile = 50_000;
const threadsMax = 4;
export type Audited = { readonly log: LogReport; readonly projections: readonly Comparison[] };

/**
 * Audits a long log in PostgreSQL on several threads, each a share of its streams; this one reads it. Null unless all is found sound: the caller
 * then reads the log in one piece, which names what is wrong in its order.
 *
 * @param models what to compare, opened before the call; null: nothing.
 */
export async function auditInParallel(
  log: { readonly store: EventStore; readonly databaseUrl: string },
  models: ModelComparison<LedgerEvent> | null,
  progress: (events: number) => void,
): Promise<Audited | null> {
  // After the models were opened: the log up to each of their checkpoints is part of what is read.
  const through = await log.store.head();
  const of = Math.min(threadsMax, availableParallelism());
  if (of < 2 || Number(through) < worthWhile) return null;
  const shares = { databaseUrl: log.databaseUrl, of, through };
  const reports = await runAll(shares, modelsOf(models?.compared ?? []), progress);
  if (reports === null) return null;
  return combined(reports, through, models);
}

/** What the reports of all shares come to; null unless all is found sound. */
export async function combined(
  reports: readonly ShareReport[],
  through: Position,
  models: ModelComparison<LedgerEvent> | null,
): Promise<Audited | null> {
  const log = merged(
    reports.map((report) => report.log),
    through,
  );
  if (log === null) return null;
  if (models === null) return { log, projections: [] };
  const expected = foldTogether(
    models.compared,
    reports.map(({ folded }) => folded),
    (recorded) => new ProjectedEvent<LedgerEvent>(recorded, ledgerCodec.decode),
  );
  const projections = await models.agreesWith(expected);
  return projections === null ? null : { log, projections };
}

/** Null as soon as a thread failed or was not content: the caller can tell better what is wrong. */
async function runAll(
  shares: LogShares,
  models: readonly ShareModel[],
  progress: (events: number) => void,
): Promise<readonly ShareReport[] | null> {
  const threads = new ShareThreads(shares.of, models, progress);
  try {
    for (let pass = 0; pass < passesOver(models); pass += 1) {
      await readLogShares(shares, threads);
      threads.endPass();
    }
    return await threads.reports();
  } catch {
    return null;
  } finally {
    await threads.end();
  }
}

/**
 * The report on the whole log. Null when something was found, or when an event is missing: positions are counted without gaps
 * and none is there twice, so there are as many events as the last one's position says.
 */
function merged(reports: readonly LogReport[], through: Position): LogReport | null {
  const sum = (of: (report: LogReport) => number): number => reports.reduce((total, report) => total + of(report), 0);
  if (sum(({ findingsTotal }) => findingsTotal) > 0 || sum(({ events }) => events) !== Number(through)) return null;
  const totals: { [unit: string]: { [name in keyof AccountSums]: string } } = {};
  for (const report of reports) {
    for (const [unit, sums] of Object.entries(report.totals)) {
      const before = totals[unit];
      totals[unit] = before === undefined ? sums : added(before, sums);
    }
  }
  return {
    events: sum(({ events }) => events),
    streams: sum(({ streams }) => streams),
    accounts: sum(({ accounts }) => accounts),
    lastPosition: through,
    findings: [],
    findingsTotal: 0,
    totals,
  };
}

type Totals = LogReport['totals'][string];
const added = (a: Totals, b: Totals): Totals =>
  Object.fromEntries(
    Object.entries(a).map(([name, value]) => [name, `${BigInt(value) + BigInt(b[name as keyof AccountSums])}`]),
  ) as Totals;

import { readLogShare } from '#event-store/log-share.module.js';
import type { LogShareRequest } from '#event-store/log-share.js';
import { ledgerCodec, type LedgerEvent } from '#ledger/events.js';
import type { Compared } from '#read-store/model-fold.js';
import { ProjectedEvent } from '#read-store/projection.js';
import { ShareFold, type ShareFolded } from '#read-store/share-fold.js';
import { projections } from '#projections/registry.js';
import { LogAudit, type LogReport } from './log-audit.js';

/** A read model to fold, with its projection named: what a thread is told must be plain data. */
export type ShareModel = Omit<Compared<LedgerEvent>, 'projection'> & { readonly projection: string };

/** What one thread is asked to audit. */
export type ShareTask = LogShareRequest & { readonly models: readonly ShareModel[] };

/** What it found. Folds of a share that has findings are of no use. */
export type ShareReport = { readonly log: LogReport; readonly folded: ShareFolded };

/** What is compared, as plain data for a thread. */
export const modelsOf = (compared: readonly Compared<LedgerEvent>[]): readonly ShareModel[] =>
  compared.map((each) => ({ ...each, projection: each.projection.name }));

const comparedOf = (models: readonly ShareModel[]): readonly Compared<LedgerEvent>[] =>
  models.flatMap((model) => {
    const projection = projections.find(({ name }) => name === model.projection);
    return projection === undefined ? [] : [{ ...model, projection }];
  });

/**
 * Audits a share of the log, and folds the read models over it: every event is read, hashed and decoded once. Positions
 * between the events of a share are not its own to judge. Throws StoreUnavailable, and what a fold throws on a sound log.
 */
export async function auditShare(task: ShareTask, progress: (events: number) => void): Promise<ShareReport> {
  const audit = new LogAudit({ contiguous: false });
  const fold = new ShareFold(comparedOf(task.models));
  await readLogShare(task, (recorded) => {
    const page = recorded.map((event) => new ProjectedEvent<LedgerEvent>(event, ledgerCodec.decode));
    audit.addDecoded(page);
    if (audit.sound) fold.add(0, page);
    progress(page.length);
  });
  fold.endPass(0);
  for (let pass = 1; pass < fold.passes && audit.sound; pass += 1) {
    await readLogShare(task, (recorded) => {
      fold.add(
        pass,
        recorded.map((event) => new ProjectedEvent<LedgerEvent>(event, ledgerCodec.decode)),
      );
    });
    fold.endPass(pass);
  }
  return { log: audit.report(), folded: fold.folded };
}

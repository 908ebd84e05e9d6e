import { eventsIn } from '#event-store/log-share-events.module.js';
import type { ShareBytes } from '#event-store/log-shares.js';
import { ledgerCodec, type LedgerEvent } from '#ledger/events.js';
import type { Compared } from '#read-store/model-fold.js';
import { ProjectedEvent } from '#read-store/projection.js';
import { passesOf, ShareFold, type ShareFolded } from '#read-store/share-fold.js';
import { projections } from '#projections/registry.js';
import { LogAudit, type LogReport } from './log-audit.js';

/** A read model to fold, with its projection named: what a thread is told must be plain data. */
export type ShareModel = Omit<Compared<LedgerEvent>, 'projection'> & { readonly projection: string };

/** What a share came to. */
export type ShareReport = { readonly log: LogReport; readonly folded: ShareFolded };

/** What is compared, as plain data for a thread. */
export const modelsOf = (compared: readonly Compared<LedgerEvent>[]): readonly ShareModel[] =>
  compared.map((each) => ({ ...each, projection: each.projection.name }));

const comparedOf = (models: readonly ShareModel[]): readonly Compared<LedgerEvent>[] =>
  models.flatMap((model) => {
    const projection = projections.find(({ name }) => name === model.projection);
    return projection === undefined ? [] : [{ ...model, projection }];
  });

/** The share is not sound: what is wrong must be told by who reads the whole log, in its order. */
export class ShareNotSound extends Error {
  override readonly name = 'ShareNotSound';
}

/**
 * Audits a share of the log, and folds the read models over it: every event is read, hashed and decoded once. Positions
 * between the events of a share are not its own to judge.
 */
export class ShareAudit {
  readonly #audit = new LogAudit({ contiguous: false });
  readonly #fold: ShareFold<LedgerEvent>;
  #pass = 0;

  constructor(models: readonly ShareModel[]) {
    this.#fold = new ShareFold(comparedOf(models));
  }

  /** Takes the next events of a pass; how many. Throws ShareNotSound, and what a fold throws on a sound log. */
  take(bytes: ShareBytes): number {
    let taken = 0;
    for (const { events, contentHashes } of eventsIn(bytes)) {
      const page = events.map((event) => new ProjectedEvent<LedgerEvent>(event, ledgerCodec.decode));
      if (this.#pass === 0) this.#audit.addDecoded(page, contentHashes);
      if (!this.#audit.sound) throw new ShareNotSound('the log is not sound');
      this.#fold.add(this.#pass, page);
      taken += page.length;
    }
    return taken;
  }

  /** Closes a pass: the whole share has been taken. */
  endPass(): void {
    this.#fold.endPass(this.#pass);
    this.#pass += 1;
  }

  report(): ShareReport {
    return { log: this.#audit.report(), folded: this.#fold.folded };
  }
}

/** How often a share must be taken, from its first event to its last. */
export const passesOver = (models: readonly ShareModel[]): number => passesOf(comparedOf(models));

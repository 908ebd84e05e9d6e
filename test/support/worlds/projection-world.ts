import { PastAccounts } from '../../../apps/api/accounts/reads/past-accounts.js';
import { BoundedReads } from '../../../apps/api/reads/bounded-reads.js';
import { InMemoryEventStore, InMemoryLog, InMemorySnapshotStore } from '../../../libs/event-store/in-memory.js';
import { SystemClock } from '#config/system-clock.js';
import type { Position } from '#event-store/port/event-store.js';
import { ledgerCodec, type LedgerEvent } from '#ledger/events.js';
import { compareProjections, type Comparison } from '#projecting/comparison/compare.js';
import { generationsOf, type Generation } from '#projecting/generations.js';
import { migrateReadModels } from '#projecting/migrate.js';
import { migrateRecords } from '#records/migrate.js';
import type { Decode } from '#projecting/projection.js';
import { runProjections } from '#projecting/runner.js';
import type { ProjectionReport } from '#projecting/generation-runner.js';
import { openDatabase, type Database } from '#database/database.js';
import { waitForPosition } from '#projecting/wait-for-position.js';
import type { LedgerProjection } from '../../../projections/ledger-projection.js';
import { projections as all } from '../../../projections/registry.js';
import { LedgerWriter } from '../ledger/ledger-writer.js';
import { freshDatabase } from '../databases/postgres.js';

export type Worker = { readonly stop: () => Promise<void>; readonly reports: readonly ProjectionReport[] };

/** A log in memory and its read models in a real database of their own, with any number of workers between them. */
export class ProjectionWorld {
  readonly clock = new SystemClock();
  readonly log = new InMemoryLog();
  readonly store = new InMemoryEventStore(this.log);
  readonly writer = new LedgerWriter(this.store);
  readonly accounts = new PastAccounts(this.store, new InMemorySnapshotStore(), this.clock, new BoundedReads(2, 1_000));
  readonly #workers = new Set<Worker>();

  private constructor(
    readonly url: string,
    readonly db: Database,
    private readonly drop: () => Promise<void>,
  ) {}

  static async open(): Promise<ProjectionWorld> {
    const { url, drop } = await freshDatabase();
    const clock = new SystemClock();
    await migrateRecords(url);
    await migrateReadModels(url, clock, all);
    return new ProjectionWorld(url, openDatabase(url, { clock }), drop);
  }

  /** A worker as another process would have it: a store and decoding of its own. */
  work(projections: readonly LedgerProjection[] = all, decode: Decode<LedgerEvent> = ledgerCodec.decode): Worker {
    const stopping = new AbortController();
    const reports: ProjectionReport[] = [];
    const done = runProjections(
      {
        store: new InMemoryEventStore(this.log),
        db: this.db,
        clock: this.clock,
        projections,
        decode,
        report: (report) => reports.push(report),
      },
      stopping.signal,
    );
    const worker: Worker = {
      reports,
      stop: () => {
        this.#workers.delete(worker);
        stopping.abort();
        return done;
      },
    };
    this.#workers.add(worker);
    return worker;
  }

  /** Waits until the named projections, or all, have applied the log up to `position`. */
  async reached(position: Position, names: readonly string[] = all.map(({ name }) => name)): Promise<void> {
    const outcomes = await Promise.all(names.map((name) => waitForPosition(this.db, name, position, 60_000)));
    const behind = names.filter((_, index) => outcomes[index] === 'behind');
    if (behind.length > 0) throw new Error(`behind ${position}: ${behind.join(', ')}`);
  }

  /** Waits until `look` finds something. */
  async eventually<Found>(look: () => Promise<Found | undefined | null | false>): Promise<Found> {
    for (const end = Date.now() + 20_000; Date.now() < end; await this.clock.sleep(25)) {
      const found = await look();
      if (found !== undefined && found !== null && found !== false) return found;
    }
    throw new Error('it never happened');
  }

  async generations(name: string): Promise<readonly Generation[]> {
    return (await generationsOf(this.db)).filter((generation) => generation.name === name);
  }

  compare(projections: readonly LedgerProjection[] = all): Promise<readonly Comparison[]> {
    return compareProjections(this.store, this.db, ledgerCodec.decode, projections);
  }

  /** The first differences between the tables and the log; empty when there are none. */
  async differences(projections: readonly LedgerProjection[] = all): Promise<readonly object[]> {
    return (await this.compare(projections)).flatMap(({ differences }) => differences);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#workers].map(({ stop }) => stop()));
    await this.db.close();
    await this.drop();
  }
}

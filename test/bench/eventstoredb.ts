import { SystemClock } from '#config/system-clock.js';
import type { EventStore } from '#event-store/port/event-store.js';
import { openEventStore, type EventStoreOptions } from '#event-store/event-store.module.js';
import { projectionsFor } from '../../projections/registry.js';
import { openDatabase, type Database } from '#database/database.js';
import type { NodeProcess } from '../support/processes/node-process.js';
import type { Bench, Figure, Measured } from './bench.js';
import { hot, scripRound, spread, type Contest } from './consume.js';
import { median } from './histogram.js';
import { reachedBy } from './reached-by.js';

/** Of the throughput on PostgreSQL. */
const bars = { spread: { atLeast: 0.33 }, hot: { atLeast: 0.45 } };

/**
 * consume-spread and consume-hot with the log in the EventStoreDB at EVENTSTORE_URL, against the log in PostgreSQL; left out
 * when it is not set. A worker runs beside each: without ids that the store knows, old keys are looked up in a read model. Before
 * each measurement both workers come to the end of their logs, so that neither installation works while the other is measured.
 */
export async function eventStoreDb(bench: Bench): Promise<readonly Figure[]> {
  const { EVENTSTORE_URL } = process.env;
  if (EVENTSTORE_URL === undefined || EVENTSTORE_URL === '') {
    console.log('eventstoredb is left out: EVENTSTORE_URL is not set');
    return [];
  }
  const [postgres, eventStoreDb] = [
    await Installation.start(bench, null),
    await Installation.start(bench, EVENTSTORE_URL),
  ];
  // A server that is used again has the accounts of the last time.
  const run = `run${String(Date.now())}`;
  const figures = [
    await compare(bench, { postgres, eventStoreDb }, { ...spread, bar: bars.spread }, run),
    await compare(bench, { postgres, eventStoreDb }, { ...hot, bar: bars.hot }, run),
  ];
  await Promise.all([postgres.stop(), eventStoreDb.stop()]);
  return figures;
}

/** An api and a worker, with the log in EventStoreDB, or in PostgreSQL when there is no url. */
class Installation {
  private constructor(
    readonly api: NodeProcess,
    private readonly worker: NodeProcess,
    private readonly store: EventStore,
    private readonly db: Database,
  ) {}

  static async start(bench: Bench, eventStoreUrl: string | null): Promise<Installation> {
    const databaseUrl = await bench.scripDatabase();
    const env: Record<string, string> =
      eventStoreUrl === null ? {} : { EVENT_STORE: 'eventstoredb', EVENTSTORE_URL: eventStoreUrl };
    const options: EventStoreOptions =
      eventStoreUrl === null ? { kind: 'postgres', databaseUrl } : { kind: 'eventstoredb', url: eventStoreUrl };
    const worker = await bench.worker(databaseUrl, env);
    const api = await bench.api(databaseUrl, env);
    const clock = new SystemClock();
    const store = await openEventStore(options, clock);
    return new Installation(api, worker, store, openDatabase(databaseUrl, { clock }));
  }

  /** Resolves when the read models are at the end of the log. */
  async atRest(): Promise<void> {
    await reachedBy(this.db, await this.store.head(), projectionsFor(this.store).length);
  }

  async stop(): Promise<void> {
    await Promise.all([this.api.stop(), this.worker.stop(), this.store.close(), this.db.close()]);
  }
}

async function compare(
  bench: Bench,
  installations: { readonly postgres: Installation; readonly eventStoreDb: Installation },
  contest: Contest,
  run: string,
): Promise<Figure> {
  const { postgres, eventStoreDb } = installations;
  const measured = async ({ api }: Installation, prefix: string): Promise<Measured> => {
    await Promise.all([postgres.atRest(), eventStoreDb.atRest()]);
    return scripRound(bench, api, contest, prefix);
  };
  const rounds: { readonly postgres: Measured; readonly eventStoreDb: Measured }[] = [];
  for (let round = 0; round < bench.effort.rounds; round += 1) {
    const prefix = `${run}-${contest.name}-${String(round)}-`;
    rounds.push({
      postgres: await measured(postgres, prefix),
      eventStoreDb: await measured(eventStoreDb, prefix),
    });
  }
  const of = (which: 'postgres' | 'eventStoreDb'): number => median(rounds.map((round) => round[which].perSecond));
  return {
    name: `eventstoredb ${contest.name}`,
    value: of('eventStoreDb') / of('postgres'),
    unit: '× throughput on PostgreSQL',
    bar: contest.bar,
    detail: {
      rounds: rounds.map((round) => ({
        postgres: {
          perSecond: Math.round(round.postgres.perSecond),
          latency: round.postgres.latency,
          serverMicros: Math.round(round.postgres.serverMicros),
        },
        eventStoreDb: {
          perSecond: Math.round(round.eventStoreDb.perSecond),
          latency: round.eventStoreDb.latency,
          serverMicros: Math.round(round.eventStoreDb.serverMicros),
          statuses: round.eventStoreDb.statuses,
          failures: round.eventStoreDb.failures,
        },
      })),
    },
  };
}

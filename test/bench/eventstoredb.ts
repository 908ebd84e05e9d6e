import type { NodeProcess } from '../support/node-process.js';
import type { Bench, Figure, Measured } from './bench.js';
import { hot, scripRound, spread, type Contest } from './consume.js';
import { median } from './histogram.js';

const bar = { atLeast: 0.5 };

/**
 * consume-spread and consume-hot with the log in the EventStoreDB at EVENTSTORE_URL, against the log in PostgreSQL; left out
 * when it is not set. A worker runs beside each: without ids that the store knows, old keys are looked up in a read model.
 */
export async function eventStoreDb(bench: Bench): Promise<readonly Figure[]> {
  const { EVENTSTORE_URL } = process.env;
  if (EVENTSTORE_URL === undefined || EVENTSTORE_URL === '') {
    console.log('eventstoredb is left out: EVENTSTORE_URL is not set');
    return [];
  }
  const [postgres, eventStoreDb] = [
    await installation(bench, {}),
    await installation(bench, { EVENT_STORE: 'eventstoredb', EVENTSTORE_URL }),
  ];
  // A server that is used again has the accounts of the last time.
  const run = `run${String(Date.now())}`;
  const figures = [
    await compare(bench, postgres.api, eventStoreDb.api, spread, run),
    await compare(bench, postgres.api, eventStoreDb.api, hot, run),
  ];
  await Promise.all([postgres, eventStoreDb].flatMap(({ api, worker }) => [api.stop(), worker.stop()]));
  return figures;
}

async function installation(
  bench: Bench,
  env: Record<string, string>,
): Promise<{ readonly api: NodeProcess; readonly worker: NodeProcess }> {
  const url = await bench.scripDatabase();
  return { worker: await bench.worker(url, env), api: await bench.api(url, env) };
}

async function compare(
  bench: Bench,
  postgres: NodeProcess,
  eventStoreDb: NodeProcess,
  contest: Contest,
  run: string,
): Promise<Figure> {
  const rounds: { readonly postgres: Measured; readonly eventStoreDb: Measured }[] = [];
  for (let round = 0; round < bench.effort.rounds; round += 1) {
    const prefix = `${run}-${contest.name}-${String(round)}-`;
    rounds.push({
      postgres: await scripRound(bench, postgres, contest, prefix),
      eventStoreDb: await scripRound(bench, eventStoreDb, contest, prefix),
    });
  }
  const of = (which: 'postgres' | 'eventStoreDb'): number => median(rounds.map((round) => round[which].perSecond));
  return {
    name: `eventstoredb ${contest.name}`,
    value: of('eventStoreDb') / of('postgres'),
    unit: '× throughput on PostgreSQL',
    bar,
    detail: {
      rounds: rounds.map((round) => ({
        postgres: { perSecond: Math.round(round.postgres.perSecond), latency: round.postgres.latency },
        eventStoreDb: {
          perSecond: Math.round(round.eventStoreDb.perSecond),
          latency: round.eventStoreDb.latency,
          statuses: round.eventStoreDb.statuses,
          failures: round.eventStoreDb.failures,
        },
      })),
    },
  };
}

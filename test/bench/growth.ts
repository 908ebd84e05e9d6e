import { CommandHandler } from '#event-store/writing/command-handler.js';
import { openEventStore, openSnapshotStore } from '#event-store/event-store.module.js';
import { SystemClock } from '#config/system-clock.js';
import { accountDecider } from '#ledger/account/account.js';
import type { Bench, Figure } from './bench.js';
import { median } from './histogram.js';
import { catchUpOnce } from './whole-log.js';
import { codec, execute, funding, inParallel, use, type Handler } from './write-path.js';

const customers = 1_000;
const customerPrefix = 'growth-';
/** Callers at once: enough that full batches of 500 commands gather, also on one account. */
const callers = 2_000;
const coldLoads = 20;
const bar = { atMost: 2.2 };

type Times = { readonly append: number; readonly projection: number; readonly read: number };

/** What twice the log costs: to append, to project, to read as many balances; and what an account with a long past costs to load. */
export async function growth(bench: Bench): Promise<readonly Figure[]> {
  const events = Math.max(2 * customers, Math.round(bench.effort.events / 10));
  await timesOf(bench, 2 * customers); // for the code to be compiled before anything is timed
  const rounds: { readonly once: Times; readonly twice: Times }[] = [];
  for (let round = 0; round < bench.effort.rounds; round += 1) {
    // A B, then B A: what the machine does besides, and what the database has left to write, is not always the second's.
    const first = await timesOf(bench, round % 2 === 0 ? events : 2 * events);
    const second = await timesOf(bench, round % 2 === 0 ? 2 * events : events);
    rounds.push(round % 2 === 0 ? { once: first, twice: second } : { once: second, twice: first });
  }
  const detail = { events, rounds };
  const ratio = (of: keyof Times): number => median(rounds.map(({ once, twice }) => twice[of] / once[of]));
  return [
    ...(['append', 'projection', 'read'] as const).map((of) => ({
      name: `growth ${of}`,
      value: ratio(of),
      unit: '× the time for twice the log',
      bar,
      detail: of === 'append' ? detail : {},
    })),
    await coldLoad(bench),
  ];
}

async function opened(url: string): Promise<{ handler: () => Handler; close: () => Promise<void> }> {
  const clock = new SystemClock();
  const store = await openEventStore({ kind: 'postgres', databaseUrl: url }, clock);
  const snapshots = await openSnapshotStore(url, clock);
  const handler = (): Handler => new CommandHandler(accountDecider, { store, snapshots, keys: null, clock, codec });
  return { handler, close: () => store.close() };
}

/** Consumptions spread over `accounts` until there are `events` of them; in seconds. */
async function append(handler: Handler, accounts: number, events: number): Promise<number> {
  const begin = performance.now();
  const account = (n: number): string => `${customerPrefix}${String(n % accounts)}`;
  await inParallel(callers, accounts, (n) => execute(handler, account(n), 'grant', funding));
  await inParallel(callers, events - accounts, (n) => execute(handler, account(n), `k${String(n)}`, use));
  await handler.drain();
  return (performance.now() - begin) / 1000;
}

/** Seconds to append `events`, to project them, and to read a balance for each. */
async function timesOf(bench: Bench, events: number): Promise<Times> {
  const url = await bench.scripDatabase();
  const { handler, close } = await opened(url);
  await bench.pool.query('checkpoint');
  const appended = await append(handler(), customers, events);
  await close();
  await bench.pool.query('checkpoint');
  const { seconds: projection } = await catchUpOnce(bench, url);
  const api = await bench.api(url);
  const requests = { kind: 'balance' as const, customerPrefix, customers, suffix: '' };
  const { perSecond } = await bench.run(api, { requests, connections: 64, loop: { kind: 'closed' } });
  await api.stop();
  return { append: appended, projection, read: events / perSecond };
}

/** Loads an account with a million events into a process that has never seen it. */
async function coldLoad(bench: Bench): Promise<Figure> {
  const url = await bench.scripDatabase();
  const writing = await opened(url);
  const seconds = await append(writing.handler(), 1, bench.effort.events);
  await writing.close();
  const reading = await opened(url);
  const stream = `account-${customerPrefix}0`;
  const times: number[] = [];
  let revision = 0;
  for (let load = 0; load < coldLoads; load += 1) {
    const begin = performance.now();
    ({ revision } = await reading.handler().load(stream));
    times.push(performance.now() - begin);
  }
  await reading.close();
  const detail = { events: revision + 1, appendedPerSecond: Math.round((revision + 1) / seconds), times };
  return { name: 'growth cold load', value: median(times), unit: 'ms', bar: { atMost: 50 }, detail };
}

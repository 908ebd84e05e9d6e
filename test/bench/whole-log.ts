import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { SystemClock } from '#config/system-clock.js';
import { openEventStore } from '#event-store/event-store.module.js';
import { ledgerCodec, type LedgerEvent } from '#ledger/events.js';
import { runProjections } from '#projecting/runner.js';
import { openDatabase } from '#database/database.js';
import pg from 'pg';
import { projections, projectionsFor } from '../../projections/registry.js';
import { migrateScrip } from '../support/databases/scrip-database.js';
import type { Bench, Figure } from './bench.js';
import { fill } from './bulk.js';
import { cpuSeconds } from './cpu-time.js';
import { median } from './histogram.js';
import { reachedBy } from './reached-by.js';

const root = fileURLToPath(new URL('../..', import.meta.url));

const logs = new WeakMap<Bench, Promise<string>>();

/** A database whose log has a million events of 10,000 accounts; made once, for all who read it and change nothing in it. */
function longLog(bench: Bench): Promise<string> {
  const known = logs.get(bench) ?? fillLog(bench);
  logs.set(bench, known);
  return known;
}

async function fillLog(bench: Bench): Promise<string> {
  const url = await bench.scripDatabase();
  const api = await bench.api(url);
  await fill(bench, api, 'log-', bench.effort.events);
  await api.stop();
  return url;
}

/** All projections from position zero over a million events; then also the index that stores need which do not know every id. */
export async function catchUp(bench: Bench): Promise<readonly Figure[]> {
  const url = await longLog(bench);
  const rounds: CatchUp[] = [];
  for (let round = 0; round < bench.effort.rounds; round += 1) {
    await forgetReadModels(url);
    rounds.push(await catchUpOnce(bench, url));
  }
  const perSecond = rounds.map(({ events, seconds }) => events / seconds);
  return [
    {
      name: 'catch-up',
      value: median(perSecond),
      unit: 'events/s',
      bar: { atLeast: 25_000 },
      detail: { rounds },
    },
    {
      name: 'catch-up with command keys',
      value: await catchUpWithKeys(url),
      unit: 'events/s',
      bar: { atLeast: 25_000 },
      detail: {},
    },
  ];
}

/** Events a second when this process does what a worker beside EventStoreDB does. */
async function catchUpWithKeys(url: string): Promise<number> {
  await forgetReadModels(url);
  const clock = new SystemClock();
  const store = await openEventStore({ kind: 'postgres', databaseUrl: url }, clock);
  const db = openDatabase(url, { clock, poolSize: 20 }); // as a worker has it
  const head = await store.head();
  const stopping = new AbortController();
  const begin = performance.now();
  const running = runProjections<LedgerEvent>(
    { store, db, clock, projections, decode: ledgerCodec.decode, report: (report) => console.error(report) },
    stopping.signal,
  );
  await reachedBy(db, head, projections.length);
  const perSecond = (Number(head) * 1000) / (performance.now() - begin);
  stopping.abort();
  await running;
  await db.close();
  await store.close();
  return perSecond;
}

/** `scrip audit verify` over a million events and what all projections made of them. */
export async function verify(bench: Bench): Promise<readonly Figure[]> {
  const url = await longLog(bench);
  const { events } = await catchUpOnce(bench, url);
  await settle(url);
  const [whole, logOnly] = [[] as Audit[], [] as Audit[]];
  for (let round = 0; round < bench.effort.rounds; round += 1) {
    whole.push(await audit(bench, url, []));
    logOnly.push(await audit(bench, url, ['--log-only']));
  }
  const perSecond = (audits: readonly Audit[]): number => events / median(audits.map(({ seconds }) => seconds));
  return [
    {
      name: 'verify',
      value: perSecond(whole),
      unit: 'events/s',
      bar: { atLeast: 100_000 },
      detail: { events, rounds: whole },
    },
    {
      name: 'verify memory',
      value: Math.max(...whole.map(({ peakMiB }) => peakMiB)),
      unit: 'MiB',
      bar: { atMost: 300 },
      detail: {},
    },
    { name: 'verify --log-only', value: perSecond(logOnly), unit: 'events/s', bar: null, detail: { rounds: logOnly } },
  ];
}

async function forgetReadModels(url: string): Promise<void> {
  await inDatabase(url, 'drop schema if exists scrip_read cascade');
  await migrateScrip(url);
}

/** What autovacuum does within minutes: else the first to read new rows notes in each that it is committed, and writes that back. */
async function settle(url: string): Promise<void> {
  await inDatabase(url, 'vacuum (freeze, analyze)');
  await inDatabase(url, 'checkpoint');
}

async function inDatabase(url: string, statement: string): Promise<void> {
  const client = new pg.Client(url);
  await client.connect();
  await client.query(statement);
  await client.end();
}

export type CatchUp = {
  readonly events: number;
  readonly seconds: number;
  /** CPU of the worker, and of PostgreSQL, for an event. */
  readonly workerMicros: number;
  readonly postgresMicros: number;
  readonly slowest: string;
};

/** Starts a worker on a log; how long all read models need to reach its end. */
export async function catchUpOnce(bench: Bench, url: string): Promise<CatchUp> {
  const clock = new SystemClock();
  const store = await openEventStore({ kind: 'postgres', databaseUrl: url }, clock);
  const db = openDatabase(url, { clock, poolSize: 20 }); // as a worker has it
  const head = await store.head();
  const worker = await bench.worker(url);
  const begin = performance.now();
  const cpu = { worker: cpuSeconds(worker.pid), postgres: cpuSeconds(bench.postgres.pid) };
  const slowest = await reachedBy(db, head, projectionsFor(store).length);
  const seconds = (performance.now() - begin) / 1000;
  const events = Number(head);
  const micros = (now: number, then: number): number => ((now - then) * 1e6) / events;
  const workerMicros = micros(cpuSeconds(worker.pid), cpu.worker);
  const postgresMicros = micros(cpuSeconds(bench.postgres.pid), cpu.postgres);
  await worker.stop();
  await db.close();
  await store.close();
  return { events, seconds, workerMicros, postgresMicros, slowest };
}

type Audit = {
  readonly seconds: number;
  readonly peakMiB: number;
  /** Seconds of CPU: of the command, and of PostgreSQL. */
  readonly cpu: { readonly scrip: number; readonly postgres: number };
};

/** Runs `scrip audit verify` to its end. Throws when it did not find the log sound. */
async function audit(bench: Bench, url: string, flags: readonly string[]): Promise<Audit> {
  // What has ended counts as its parent's.
  const cpu = (): Audit['cpu'] => ({ scrip: cpuSeconds(process.pid), postgres: cpuSeconds(bench.postgres.pid) });
  const before = cpu();
  const begin = performance.now();
  const { PATH = '' } = process.env;
  const child = spawn(process.execPath, ['scrip.js', 'audit', 'verify', '--json', ...flags], {
    cwd: root,
    env: { PATH, DATABASE_URL: url },
    stdio: 'ignore',
  });
  let peakKiB = 0;
  const watch = setInterval(() => {
    try {
      peakKiB = Number(
        /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${String(child.pid)}/status`, 'utf8'))?.[1] ?? peakKiB,
      );
    } catch {
      clearInterval(watch); // it has ended
    }
  }, 50);
  const exitCode = await new Promise<number | null>((ended) => child.once('exit', ended));
  clearInterval(watch);
  if (exitCode !== 0) throw new Error(`scrip audit verify ended with ${String(exitCode)}`);
  const seconds = (performance.now() - begin) / 1000;
  const after = cpu();
  return {
    seconds,
    peakMiB: peakKiB / 1024,
    cpu: { scrip: after.scrip - before.scrip, postgres: after.postgres - before.postgres },
  };
}

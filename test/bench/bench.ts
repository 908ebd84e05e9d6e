import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import pg from 'pg';
import { EmbeddedPostgres } from '../../apps/cli/installation/embedded-postgres.js';
import { runtime } from '../../apps/cli/installation/runtime.js';
import { NodeProcess } from '../support/processes/node-process.js';
import { migrateScrip } from '../support/databases/scrip-database.js';
import { cpuSeconds } from './cpu-time.js';
import { LoadProcess } from './load/load-process.js';
import type { Job, JobResult } from './load/job.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const sources = ['--conditions=source', '--import', './test/support/run-typescript.mjs'];
export const apiKey = 'bench-admin-key-0123456789';

/** How long to measure: less to try a benchmark out, never to quote it. */
export type Effort = {
  readonly rounds: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
  /** Events of the long log, and seconds that the lag is watched. */
  readonly events: number;
  readonly lagSeconds: number;
  /** Customers of `stripe-lives`. */
  readonly lives: number;
  /** Where the servers' CPU profiles go; null: none are made. */
  readonly profile: string | null;
};

/** A job's result with the CPU time that a request cost, warm-up included, in microseconds. */
export type Measured = JobResult & { readonly serverMicros: number; readonly postgresMicros: number };

/** What the benchmarks share: a PostgreSQL server with durable commits, servers on databases of their own, a load generator. */
export class Bench {
  readonly load = new LoadProcess();
  readonly #processes: NodeProcess[] = [];
  #databases = 0;
  #stopped: Promise<void> | null = null;

  private constructor(
    readonly postgres: EmbeddedPostgres,
    readonly pool: pg.Pool,
    readonly effort: Effort,
    private readonly directory: string,
  ) {}

  static async start(effort: Effort): Promise<Bench> {
    const directory = await mkdtemp(join(tmpdir(), 'scrip-bench-'));
    const postgres = await EmbeddedPostgres.start({ dataDir: directory });
    const pool = new pg.Pool({ connectionString: postgres.url, max: 4 });
    await recycleLog(pool);
    return new Bench(postgres, pool, effort, directory);
  }

  /** Ends everything that was started; harmless a second time. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    this.load.stop();
    await Promise.all(this.#processes.map((process) => process.stop()));
    await this.pool.end();
    await this.postgres.stop();
    await rm(this.directory, { recursive: true, force: true });
  }

  /** The URL of a new, empty database. */
  async database(): Promise<string> {
    this.#databases += 1;
    const name = `bench_${String(this.#databases)}`;
    await this.pool.query(`create database ${name}`);
    const url = new URL(this.postgres.url);
    url.pathname = `/${name}`;
    return url.href;
  }

  /** A database with Scrip's tables. */
  async scripDatabase(): Promise<string> {
    const url = await this.database();
    await migrateScrip(url);
    return url;
  }

  /** Runs the built `scrip` to its end; gives what it printed. */
  async scrip(args: readonly string[], env: Record<string, string>): Promise<string> {
    const { PATH = '' } = process.env;
    const { stdout } = await promisify(execFile)(process.execPath, ['dist/apps/cli/main.js', ...args], {
      cwd: root,
      env: { PATH, ...env },
      maxBuffer: 2 ** 26,
    });
    return stdout;
  }

  api(databaseUrl: string, env: Record<string, string> = {}): Promise<NodeProcess> {
    return this.#start(
      [...runtime.flags, 'dist/apps/api/main.js'],
      { ...runtime.environment, DATABASE_URL: databaseUrl, PORT: '0', ...env },
      'listening',
    );
  }

  worker(databaseUrl: string, env: Record<string, string> = {}): Promise<NodeProcess> {
    return this.#start(
      [...runtime.flags, 'dist/apps/worker/main.js'],
      { ...runtime.environment, DATABASE_URL: databaseUrl, METRICS_PORT: '0', ...env },
      'working',
    );
  }

  baseline(databaseUrl: string, poolSize: number): Promise<NodeProcess> {
    return this.#start(
      [...runtime.flags, ...sources, 'test/bench/baseline/server.ts'],
      { ...runtime.environment, DATABASE_URL: databaseUrl, POOL_SIZE: String(poolSize) },
      'listening',
    );
  }

  /** Runs a job against a server, and counts what CPU time the server and PostgreSQL spent on it. */
  async run(
    server: NodeProcess,
    job: Omit<Job, 'host' | 'port' | 'apiKey' | 'warmUpSeconds' | 'seconds' | 'atMost'> & Partial<Job>,
  ): Promise<Measured> {
    const { hostname, port } = new URL(server.url);
    const { seconds, warmUpSeconds } = this.effort;
    const before = { server: cpuSeconds(server.pid), postgres: cpuSeconds(this.postgres.pid) };
    const result = await this.load.run({
      host: hostname,
      port: Number(port),
      apiKey,
      seconds,
      warmUpSeconds,
      atMost: null,
      ...job,
    });
    const perRequest = (now: number, then: number): number => ((now - then) * 1e6) / result.sent;
    return {
      ...result,
      serverMicros: perRequest(cpuSeconds(server.pid), before.server),
      postgresMicros: perRequest(cpuSeconds(this.postgres.pid), before.postgres),
    };
  }

  #profiling(): Record<string, string> {
    const { profile } = this.effort;
    return profile === null ? {} : { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${profile}` };
  }

  async #start(args: readonly string[], env: Record<string, string>, readyWhen: string): Promise<NodeProcess> {
    const process = await NodeProcess.start({
      args,
      readyWhen,
      env: { ADMIN_API_KEY: apiKey, NODE_ENV: 'production', ...this.#profiling(), ...env },
    });
    this.#processes.push(process);
    return process;
  }
}

/**
 * Brings the server to where one is that has run for an hour: the files of its write-ahead log are old ones used again. In a
 * new one each 16 MiB is a file that is filled with zeros first, and all commits wait some 80 ms for that.
 */
async function recycleLog(pool: pg.Pool): Promise<void> {
  await pool.query("alter system set min_wal_size = '1800MB'");
  await pool.query('select pg_reload_conf()');
  await pool.query(
    "select count(pg_logical_emit_message(false, 'bench', repeat('-', 1000000))) from generate_series(1, 1700)",
  );
  await pool.query('checkpoint');
}

/** One line of the table: what was measured, and whether it reaches its bar. */
export type Figure = {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly bar: { readonly atLeast: number } | { readonly atMost: number } | null;
  /** What else the rounds showed: medians, latencies, statuses. */
  readonly detail: Readonly<Record<string, unknown>>;
};

export type Benchmark = (bench: Bench) => Promise<readonly Figure[]>;

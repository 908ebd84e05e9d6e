import { execFile, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chown, mkdir, open, readFile, rename, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import pg from 'pg';
import { freePort } from './ports.js';
import { PostgresPrograms } from './postgres-binaries.js';

const run = promisify(execFile);

const user = 'scrip';
const database = 'scrip';
const readyWithinMs = 60_000;
const attempts = 5;
const maxLogBytes = 1_048_576;

/**
 * Durable: an acknowledged commit is on disk. The rest keeps checkpoints rare and the server small. The first change of a page after a checkpoint
 * logs all of it; compressing that (only pglz is built in) costs 170 µs a page for a fifth less log.
 */
const settings = {
  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '200',
  shared_buffers: '128MB',
  max_wal_size: '2GB',
  checkpoint_timeout: '15min',
  wal_compression: 'off',
  jit: 'off',
  log_checkpoints: 'off',
};

export type EmbeddedPostgresOptions = {
  /** Where everything is kept: the cluster, its password, its log. Made when missing, used again when not. */
  readonly dataDir: string;
  /** A free port is chosen when none is given. */
  readonly port?: number;
};

/** A PostgreSQL server of our own, from the binaries that npm installed, reachable from this machine only. */
export class EmbeddedPostgres {
  private constructor(
    /** Connection URL of the database, with password: a secret. */
    readonly url: string,
    readonly dataDir: string,
    readonly port: number,
    private readonly programs: PostgresPrograms,
    private readonly server: StartedServer,
  ) {}

  /** Process id of the server. */
  get pid(): number {
    return this.server.pid;
  }

  /** Resolves when the server process has ended, however. */
  get exited(): Promise<void> {
    return this.server.exited;
  }

  /**
   * Starts the server, making the cluster first when there is none, and resolves when it answers. Recovers by itself from
   * a crash, and stops a server that a killed process left behind. Rejects when another live process runs this one.
   */
  static async start(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
    const dataDir = resolve(options.dataDir);
    await mkdir(dataDir, { recursive: true });
    const programs = await PostgresPrograms.find(join(dataDir, 'cluster'));
    if (programs.identity !== null) await chown(dataDir, programs.identity.uid, programs.identity.gid);
    await makeCluster(programs, dataDir);
    await stopLeftOver(programs, dataDir);
    await writeFile(join(dataDir, 'owner'), String(process.pid));
    const password = (await readFile(join(dataDir, 'password'), 'utf8')).trim();
    for (let attempt = 1; ; attempt += 1) {
      const port = options.port ?? (await freePort('127.0.0.1'));
      try {
        const server = await startServer(programs, dataDir, port, password);
        const url = `postgres://${user}:${password}@127.0.0.1:${port}/${database}`;
        return new EmbeddedPostgres(url, dataDir, port, programs, server);
      } catch (error) {
        // The port was taken in between, or the memory of a killed server is not given back yet.
        if (attempt === attempts) throw error;
        await sleep(300);
      }
    }
  }

  /** Ends the server: `fast` in order, `immediate` like a crash (the next start recovers). Harmless when it has ended. */
  async stop(mode: 'fast' | 'immediate' = 'fast'): Promise<void> {
    this.server.process.ref();
    if ((await serverPid(this.dataDir)) === this.pid) await stopServer(this.programs, this.dataDir, mode);
    await this.exited;
  }
}

async function makeCluster(programs: PostgresPrograms, dataDir: string): Promise<void> {
  const cluster = join(dataDir, 'cluster');
  if (await exists(join(cluster, 'PG_VERSION'))) return;
  const unfinished = join(dataDir, 'cluster.new');
  await rm(unfinished, { recursive: true, force: true });
  const password = join(dataDir, 'password');
  await writeFile(password, `${randomBytes(24).toString('base64url')}\n`, { mode: 0o600 });
  if (programs.identity !== null) await chown(password, programs.identity.uid, programs.identity.gid);
  await programs.run('initdb', [
    `--pgdata=${unfinished}`,
    `--username=${user}`,
    `--pwfile=${password}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    '--locale-provider=builtin',
    '--locale=C.UTF-8',
    '--set=scram_iterations=1', // the password has 192 random bits: slowing down guesses would only slow down connections
  ]);
  await rename(unfinished, cluster);
}

type StartedServer = { readonly pid: number; readonly process: ChildProcess; readonly exited: Promise<void> };

async function startServer(
  programs: PostgresPrograms,
  dataDir: string,
  port: number,
  password: string,
): Promise<StartedServer> {
  const logFile = join(dataDir, 'postgres.log');
  if ((await sizeOf(logFile)) > maxLogBytes) await truncate(logFile);
  const log = await open(logFile, 'a');
  const flags = Object.entries({ ...settings, port: String(port) }).flatMap(([name, value]) => [
    '-c',
    `${name}=${value}`,
  ]);
  const server = programs.spawnServer(['-D', join(dataDir, 'cluster'), ...flags], log.fd);
  await log.close();
  const exited = endOf(server);
  server.unref(); // the server alone keeps no process alive
  let ended = false;
  void exited.then(() => (ended = true));
  const until = Date.now() + readyWithinMs;
  while (!(await answers(port, password))) {
    if (ended) throw new Error(`PostgreSQL ended at once:\n${(await readFile(logFile, 'utf8')).slice(-2_000)}`);
    if (Date.now() > until) {
      server.kill('SIGQUIT');
      throw new Error(`PostgreSQL did not answer within ${readyWithinMs / 1_000} s, see ${logFile}`);
    }
    await sleep(25);
  }
  const pid = await serverPid(dataDir);
  if (pid === null) throw new Error('PostgreSQL ended while it started');
  return { pid, process: server, exited };
}

function endOf(server: ChildProcess): Promise<void> {
  return new Promise((ended) => {
    server.once('exit', () => {
      ended();
    });
    server.once('error', () => {
      ended();
    });
  });
}

/** True when the server lets us in; makes the database when it is missing. */
async function answers(port: number, password: string): Promise<boolean> {
  const client = new pg.Client({
    host: '127.0.0.1',
    port,
    user,
    password,
    database: 'postgres',
    connectionTimeoutMillis: 2_000,
  });
  client.on('error', () => undefined); // an end while it starts shows in the next attempt
  try {
    await client.connect();
    const found = await client.query('select 1 from pg_database where datname = $1', [database]);
    if (found.rowCount === 0) await client.query(`create database ${database}`);
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** Stops the server of an earlier process that was killed, and removes the lock file of one that is dead. */
async function stopLeftOver(programs: PostgresPrograms, dataDir: string): Promise<void> {
  const pid = await serverPid(dataDir);
  if (pid === null) return rm(join(dataDir, 'cluster', 'postmaster.pid'), { force: true });
  const owner = Number(await readFile(join(dataDir, 'owner'), 'utf8').catch(() => '0'));
  if (owner > 0 && owner !== process.pid && isAlive(owner)) {
    throw new Error(
      `process ${owner} runs the database in ${dataDir}: stop it first, or choose another data directory`,
    );
  }
  await stopServer(programs, dataDir, 'fast');
}

const stopServer = (programs: PostgresPrograms, dataDir: string, mode: string): Promise<void> =>
  programs.run('pg_ctl', ['stop', '-D', join(dataDir, 'cluster'), '-m', mode, '-w', '-t', '60']);

/** The process id of the live server of this cluster, or null. A process that merely got the same number does not count. */
async function serverPid(dataDir: string): Promise<number | null> {
  const cluster = join(dataDir, 'cluster');
  const lock = await readFile(join(cluster, 'postmaster.pid'), 'utf8').catch(() => '');
  const pid = Number.parseInt(lock, 10);
  if (!(pid > 0) || !isAlive(pid)) return null;
  const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(async () => {
    const ps = await run('ps', ['-o', 'command=', '-p', String(pid)]).catch(() => null);
    return ps?.stdout ?? '';
  });
  return command.includes(cluster) ? pid : null;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

const sizeOf = (path: string): Promise<number> =>
  stat(path).then(
    ({ size }) => size,
    () => 0,
  );

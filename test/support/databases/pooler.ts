import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { query, SERVER_URL } from './postgres.js';
import { freePort } from '../processes/free-port.js';

/** The address of the pooler of the whole run, where there is one. */
const POOLER_URL = 'SCRIP_TEST_POOLER_URL';

/** Sends a process of Scrip through the pooler of the run, unless there is none or its database is on another server. */
export function throughPooler(env: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const [server, pooler, url] = [process.env[SERVER_URL], process.env[POOLER_URL], env['DATABASE_URL']];
  if (server === undefined || pooler === undefined || url === undefined || 'DATABASE_DIRECT_URL' in env) return env;
  if (new URL(server).port !== new URL(url).port) return env;
  const pooled = new URL(url);
  pooled.host = new URL(pooler).host;
  return { ...env, DATABASE_URL: pooled.href, DATABASE_DIRECT_URL: url };
}

/** Starts the pooler of the run if it is asked for (`npm run test:pooler`); gives what stops it. */
export async function poolerOfTheRun(serverUrl: string): Promise<() => Promise<void>> {
  if (process.env['SCRIP_TEST_POOLER'] !== '1') return () => Promise.resolve();
  const why = Pooler.whyNot();
  if (why !== null) throw new Error(why);
  const pooler = await Pooler.start(serverUrl);
  process.env[POOLER_URL] = pooler.urlOf(serverUrl);
  return () => pooler.stop();
}

/** PgBouncer in transaction mode before a server, with so few connections that its clients must share them. */
export class Pooler {
  private constructor(
    private readonly process: ChildProcess,
    private readonly directory: string,
    private readonly port: number,
  ) {}

  /** Null where it is installed; else what to say about a test that needs it. */
  static whyNot(): string | null {
    try {
      execFileSync('pgbouncer', ['--version'], { stdio: 'ignore' });
      return null;
    } catch {
      return 'pgbouncer is not installed (apt-get install pgbouncer)';
    }
  }

  static async start(serverUrl: string): Promise<Pooler> {
    const directory = await mkdtemp(join(tmpdir(), 'scrip-pooler-'));
    const [port, server] = [await freePort(), new URL(serverUrl)];
    const file = join(directory, 'pgbouncer.ini');
    const target = `host=${server.hostname} port=${server.port} user=${server.username} password=${server.password}`;
    await writeFile(
      file,
      `[databases]
* = ${target}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${String(port)}
unix_socket_dir =
auth_type = any
pool_mode = transaction
max_client_conn = 1000
default_pool_size = 12
server_round_robin = 1
`,
    );
    await chmod(directory, 0o755);
    // It refuses to run as root.
    const user = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
    const pooler = new Pooler(spawn('pgbouncer', ['-q', file], { stdio: 'ignore', ...user }), directory, port);
    await pooler.#answers(serverUrl);
    return pooler;
  }

  /** The address of the same database through the pooler. */
  urlOf(databaseUrl: string): string {
    const url = new URL(databaseUrl);
    url.port = String(this.port);
    url.hostname = '127.0.0.1';
    return url.href;
  }

  async stop(): Promise<void> {
    if (this.process.exitCode === null) {
      this.process.kill('SIGINT');
      await once(this.process, 'exit');
    }
    await rm(this.directory, { recursive: true, force: true });
  }

  async #answers(serverUrl: string): Promise<void> {
    for (const until = Date.now() + 10_000; ;) {
      try {
        await query(this.urlOf(serverUrl), 'select 1');
        return;
      } catch (error) {
        if (Date.now() > until || this.process.exitCode !== null) throw error;
        await new Promise((next) => setTimeout(next, 50));
      }
    }
  }
}

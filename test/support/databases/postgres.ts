import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { EmbeddedPostgres } from '../../../apps/cli/installation/embedded-postgres.js';

/** How the server of the whole run reaches the tests, which jest runs in other processes. */
export const SERVER_URL = 'SCRIP_TEST_POSTGRES_URL';

/** A server in a directory of its own that goes when it stops. */
export async function temporaryPostgres(): Promise<{ server: EmbeddedPostgres; remove: () => Promise<void> }> {
  const dataDir = await mkdtemp(join(tmpdir(), 'scrip-test-'));
  const server = await EmbeddedPostgres.start({ dataDir });
  return {
    server,
    remove: async () => {
      await server.stop('immediate');
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** An empty database on the server of the run. `drop` also ends connections that are still open. */
export async function freshDatabase(): Promise<{ url: string; drop: () => Promise<void> }> {
  const server = process.env[SERVER_URL];
  if (server === undefined) throw new Error(`${SERVER_URL} is not set: run with --selectProjects integration`);
  const name = `test_${randomBytes(6).toString('hex')}`;
  await execute(server, `create database ${name}`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  return { url: url.href, drop: () => execute(server, `drop database if exists ${name} with (force)`) };
}

/** Runs one statement on a connection of its own and gives back the rows. */
export async function query(url: string, text: string, values: unknown[] = []): Promise<Record<string, unknown>[]> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(text, values)).rows;
  } finally {
    await client.end();
  }
}

async function execute(url: string, text: string): Promise<void> {
  await query(url, text);
}

/**
 * A server of the test's own that may be crashed and started again on the same port, so that its clients can come back.
 */
export class CrashablePostgres {
  private constructor(
    private server: EmbeddedPostgres,
    private readonly removeFirst: () => Promise<void>,
  ) {}

  static async start(): Promise<CrashablePostgres> {
    const { server, remove } = await temporaryPostgres();
    return new CrashablePostgres(server, remove);
  }

  get url(): string {
    return this.server.url;
  }

  /** Process id of the postmaster, for signals. */
  get pid(): number {
    return this.server.pid;
  }

  /** Stops like a power cut of the server process. */
  async crash(): Promise<void> {
    await this.server.stop('immediate');
  }

  /** Kills the postmaster alone, as the kernel does when memory ends. */
  async kill(): Promise<void> {
    process.kill(this.server.pid, 'SIGKILL');
    await this.server.exited;
  }

  /** Stops in order. */
  async shutDown(): Promise<void> {
    await this.server.stop('fast');
  }

  /** Starts again on the same data and port. */
  async restart(): Promise<void> {
    this.server = await EmbeddedPostgres.start({ dataDir: this.server.dataDir, port: this.server.port });
  }

  /** Stops for good and removes the data. */
  async remove(): Promise<void> {
    await this.server.stop('immediate');
    await this.removeFirst();
  }
}

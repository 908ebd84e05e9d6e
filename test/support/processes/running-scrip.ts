import { ApiClient } from '../api/client.js';
import type { NodeProcess } from './node-process.js';
import { freshDatabase } from '../databases/postgres.js';
import { startApiProcess, startWorkerProcess } from './program.js';
import { migrateScrip } from '../databases/scrip-database.js';
import { Writer } from '../ledger/writer.js';

export const adminKey = 'test-admin-key-0123456789';
export const jwtSecret = 'test-jwt-secret-0123456789abcdef';
export const webhookSecret = 'whsec_test_0123456789';

const environment = {
  ADMIN_API_KEY: adminKey,
  JWT_SECRET: jwtSecret,
  STRIPE_WEBHOOK_SECRET: `whsec_older_secret,${webhookSecret}`,
  TOP_UP_URL: 'https://shop.example/credits',
};

/** Scrip in processes of its own on a database of its own. */
export class RunningScrip {
  readonly #processes: NodeProcess[] = [];

  private constructor(
    readonly database: Awaited<ReturnType<typeof freshDatabase>>,
    readonly writer: Writer,
  ) {}

  /** A migrated database with the test catalogue; no process yet. */
  static async prepare(): Promise<RunningScrip> {
    const database = await freshDatabase();
    await migrateScrip(database.url);
    const writer = await Writer.open(database.url);
    await writer.applyCatalog();
    return new RunningScrip(database, writer);
  }

  async startApi(env: Readonly<Record<string, string>> = {}): Promise<{ process: NodeProcess; client: ApiClient }> {
    const process = await startApiProcess(this.database.url, { ...environment, ...env });
    this.#processes.push(process);
    return { process, client: new ApiClient(process.url, adminKey) };
  }

  async startWorker(env: Readonly<Record<string, string>> = {}): Promise<NodeProcess> {
    const process = await startWorkerProcess(this.database.url, { ...environment, ...env });
    this.#processes.push(process);
    return process;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#processes.map((process) => process.stop('SIGKILL')));
    await this.writer.store.close();
    await this.database.drop();
  }
}

import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { SystemClock } from '#config/system-clock.js';
import { openEventStore } from '#event-store/event-store.module.js';
import { metadataOf, START, type EventStore, type RecordedEvent } from '#event-store/port/event-store.js';
import { decodeEvent } from '#ledger/events.js';
import { projectionsFor } from '#projections/registry.js';
import { compareProjections } from '#projecting/comparison/compare.js';
import { projectionStatus } from '#projecting/status.js';
import { openDatabase } from '#database/database.js';
import { EmbeddedPostgres } from '../../../apps/cli/installation/embedded-postgres.js';
import { LogAudit } from '#audit/log-audit.js';
import { freePort } from '../processes/free-port.js';
import { NodeProcess } from '../processes/node-process.js';
import { temporaryPostgres } from '../databases/postgres.js';
import { RecordingClient } from '../api/recording-client.js';
import { migrateScrip } from '../databases/scrip-database.js';

export const adminKey = 'faults-admin-key-0123456789';
export const webhookSecret = 'whsec_faults_0123456789';

/** Scrip as it runs in production, on a PostgreSQL server of its own: every part of it can be killed. */
export class World {
  readonly client: RecordingClient;
  readonly #processes = new Set<NodeProcess>();
  #api: NodeProcess | null = null;

  private constructor(
    public postgres: EmbeddedPostgres,
    private readonly remove: () => Promise<void>,
    private readonly apiPort: number,
  ) {
    this.client = new RecordingClient(() => `http://127.0.0.1:${String(apiPort)}`, adminKey);
  }

  static async start(): Promise<World> {
    const { server, remove } = await temporaryPostgres();
    await migrateScrip(server.url);
    return World.over(server, remove);
  }

  /** Over a server that is there, with Scrip's tables; `remove` stops it and takes its data away. */
  static async over(server: EmbeddedPostgres, remove: () => Promise<void>): Promise<World> {
    return new World(server, remove, await freePort());
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#processes].map((process) => process.stop('SIGKILL')));
    await this.postgres.stop('immediate').catch(() => undefined);
    await this.remove();
  }

  get api(): NodeProcess {
    return this.#api!;
  }

  async startApi(env: Record<string, string> = {}): Promise<NodeProcess> {
    this.#api = await this.#start('api', 'listening', { PORT: String(this.apiPort), ...env });
    return this.#api;
  }

  /** Another api process on a port of its own. */
  startSecondApi(env: Record<string, string> = {}): Promise<NodeProcess> {
    return this.#start('api', 'listening', { PORT: '0', ...env });
  }

  startWorker(env: Record<string, string> = {}): Promise<NodeProcess> {
    return this.#start('worker', 'working', env);
  }

  /** Power loss, as far as a process can tell: nothing is flushed, nothing is said goodbye to. Then it starts again. */
  async crashPostgres(downMs = 0): Promise<void> {
    await this.postgres.stop('immediate');
    await sleep(downMs);
    await this.startPostgres();
  }

  async startPostgres(): Promise<void> {
    const { dataDir, port } = this.postgres;
    this.postgres = await EmbeddedPostgres.start({ dataDir, port });
  }

  async query<Row extends pg.QueryResultRow>(text: string, values: unknown[] = []): Promise<Row[]> {
    const client = new pg.Client(this.postgres.url);
    client.on('error', () => undefined);
    await client.connect();
    try {
      return (await client.query<Row>(text, values)).rows;
    } finally {
      await client.end();
    }
  }

  /** The whole log, as the store gives it. */
  async log(): Promise<readonly RecordedEvent[]> {
    return this.#withStore(async (store) => {
      const events: RecordedEvent[] = [];
      for (;;) {
        const page = await store.readAll(events.at(-1)?.position ?? START, 1000);
        if (page.length === 0) return events;
        events.push(...page);
      }
    });
  }

  /**
   * What the log and the answers say against each other; empty when all is well. Every command settled; every acknowledged
   * key in the log exactly once with what was answered; no refused key in it; no gap, no broken chain, books that add up.
   */
  async violations(): Promise<readonly string[]> {
    const found: string[] = [];
    const events = await this.log();
    const audit = new LogAudit({ contiguous: true });
    audit.add(events);
    found.push(
      ...audit.report().findings.map((finding) => `${finding.stream}@${String(finding.revision)}: ${finding.problem}`),
    );
    const consumed = new Map<string, { id: string; amount: number }[]>();
    for (const event of events) {
      const { commandKey } = metadataOf(event);
      if (event.type !== 'CreditsConsumed' || commandKey === null) continue;
      const { consumptionId, amount } = JSON.parse(event.data) as { consumptionId: string; amount: number };
      const key = `${event.stream} ${commandKey}`;
      consumed.set(key, [...(consumed.get(key) ?? []), { id: consumptionId, amount }]);
    }
    for (const { key, customerId, amount, answer } of this.client.asked) {
      const stored = consumed.get(`account-${customerId} ${key}`) ?? [];
      if (answer === null) found.push(`${key} is not settled`);
      else if (answer.status === 201) {
        const { id } = JSON.parse(answer.body) as { id: string };
        if (stored.length !== 1) found.push(`${key} was acknowledged and is in the log ${String(stored.length)} times`);
        else if (stored[0]!.id !== id || stored[0]!.amount !== amount)
          found.push(`${key} is not in the log as it was answered`);
      } else if (stored.length > 0) found.push(`${key} was refused (${String(answer.status)}) and is in the log`);
    }
    return found;
  }

  /** Asks `count` acknowledged keys again: each must get its first answer, marked as replayed, with its position or one before. */
  async replayViolations(count = 50): Promise<readonly string[]> {
    const { acknowledged } = this.client;
    const step = Math.max(1, Math.floor(acknowledged.length / count));
    const found: string[] = [];
    for (const asked of acknowledged.filter((_, index) => index % step === 0)) {
      const response = await this.client.post(`/v1/customers/${asked.customerId}/consumptions`, asked.key, {
        amount: asked.amount,
      });
      const body = await response.text();
      if (response.status !== 201 || response.headers.get('idempotent-replayed') !== 'true')
        found.push(`${asked.key} was answered ${String(response.status)}`);
      else if (!isFirstAnswer(body, asked.answer!.body))
        found.push(`${asked.key} has another answer now: ${body} instead of ${asked.answer!.body}`);
    }
    return found;
  }

  /** Waits until every projection has caught up, then compares all of them with an independent fold of the log. */
  async projectionViolations(withinMs = 60_000): Promise<readonly string[]> {
    await this.caughtUp(withinMs);
    return this.#withReadModels(async (store, db) => {
      const decode = (stored: RecordedEvent) => decodeEvent(stored);
      const compared = await compareProjections(store, db, decode, projectionsFor(store));
      return compared.flatMap(({ differences }) => differences.map((difference) => JSON.stringify(difference)));
    });
  }

  async projections() {
    return this.#withReadModels((store, db) => projectionStatus(db, store, Date.now()));
  }

  async caughtUp(withinMs = 60_000): Promise<void> {
    const until = performance.now() + withinMs;
    for (;;) {
      const states = await this.projections();
      const head = await this.#withStore((store) => store.head());
      if (states.length > 0 && states.every(({ position }) => position >= head)) return;
      if (performance.now() > until) throw new Error(`projections are behind ${head}: ${JSON.stringify(states)}`);
      await sleep(50);
    }
  }

  async #withStore<T>(work: (store: EventStore) => Promise<T>): Promise<T> {
    const store = await openEventStore({ kind: 'postgres', databaseUrl: this.postgres.url }, new SystemClock());
    try {
      return await work(store);
    } finally {
      await store.close();
    }
  }

  #withReadModels<T>(work: (store: EventStore, db: ReturnType<typeof openDatabase>) => Promise<T>): Promise<T> {
    return this.#withStore(async (store) => {
      const db = openDatabase(this.postgres.url, { clock: new SystemClock() });
      try {
        return await work(store, db);
      } finally {
        await db.close();
      }
    });
  }

  async #start(app: 'api' | 'worker', readyWhen: string, env: Record<string, string>): Promise<NodeProcess> {
    const process = await NodeProcess.start({
      args: [`dist/apps/${app}/main.js`],
      readyWhen,
      env: { DATABASE_URL: this.postgres.url, ADMIN_API_KEY: adminKey, STRIPE_WEBHOOK_SECRET: webhookSecret, ...env },
    });
    this.#processes.add(process);
    return process;
  }
}

/** Byte for byte but for the position: commands that were recorded together are first answered with that of the last of them. */
function isFirstAnswer(again: string, first: string): boolean {
  const [now, before] = [again, first].map((body) => JSON.parse(body) as { position: string });
  return now!.position <= before!.position && again.replace(now!.position, before!.position) === first;
}

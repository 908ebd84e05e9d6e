import Stripe from 'stripe';
import { loadConfig } from '#config/env.js';
import { createLogger } from '#config/logger.js';
import { SystemClock } from '#config/system-clock.js';
import { startApi } from '../../../apps/api/start.js';
import { startWorker } from '../../../apps/worker/worker.module.js';
import { ApiClient } from '../api/client.js';
import { eventually } from '../eventually.js';
import { freshDatabase, query } from '../databases/postgres.js';
import { WEBHOOK_SECRET, type Received } from './running-sandbox.js';
import { migrateScrip } from '../databases/scrip-database.js';
import { Writer } from '../ledger/writer.js';

/** The system's clock, moved: it goes on by itself from wherever it is put. */
class MovedClock extends SystemClock {
  #offset = 0;

  override now(): number {
    return super.now() + this.#offset;
  }

  moveTo(ms: number): void {
    this.#offset = ms - super.now();
  }
}

const adminKey = 'test-admin-key-0123456789';

/** API and worker, as their programs start them, on one clock that a test moves, and a database of their own. */
export class ScripInTime {
  private constructor(
    readonly clock: MovedClock,
    readonly databaseUrl: string,
    readonly client: ApiClient,
    readonly writer: Writer,
    private readonly stops: readonly (() => Promise<void>)[],
  ) {}

  static async start(from: number): Promise<ScripInTime> {
    const database = await freshDatabase();
    await migrateScrip(database.url);
    const clock = new MovedClock();
    clock.moveTo(from * 1000);
    const env = {
      DATABASE_URL: database.url,
      PORT: '0',
      ADMIN_API_KEY: adminKey,
      STRIPE_WEBHOOK_SECRET: WEBHOOK_SECRET,
    };
    const config = { ...loadConfig(env), databaseUrl: database.url };
    const logger = createLogger('test', 'silent');
    // One after the other: while the one holds up this process, the other's connections would time out.
    const worker = await startWorker(config, logger, clock);
    const api = await startApi(config, logger, clock);
    const writer = await Writer.open(database.url);
    const client = new ApiClient(api.url, adminKey);
    const stops = [() => api.stop(), () => worker.stop(), () => writer.store.close(), database.drop];
    return new ScripInTime(clock, database.url, client, writer, stops);
  }

  async stop(): Promise<void> {
    for (const stop of this.stops) await stop();
  }

  /**
   * Takes a webhook of a sandbox, whose signature must hold: only its time is the machine's, which does not move with the flow, so it
   * is signed again at the time of this clock. Answers the status.
   */
  async take({ body, signature }: Received): Promise<number> {
    Stripe.webhooks.constructEvent(body, signature, WEBHOOK_SECRET);
    return this.send(body);
  }

  /** Sends a body as Stripe would. */
  async send(body: string): Promise<number> {
    const timestamp = Math.floor(this.clock.now() / 1000);
    const header = Stripe.webhooks.generateTestHeaderString({ payload: body, secret: WEBHOOK_SECRET, timestamp });
    const headers = { 'stripe-signature': header };
    return (await this.client.call('POST', '/v1/webhooks/stripe', { body, token: null, headers })).status;
  }

  /** Goes on to `seconds`, and waits until every event that was taken is translated or parked. */
  async livedTo(seconds: number): Promise<void> {
    if (seconds * 1000 > this.clock.now()) this.clock.moveTo(seconds * 1000);
    const waiting = `select count(*)::int as n from scrip_log.events as taken where taken.type = 'StripeEventReceived'
      and not exists (select 1 from scrip_log.events as done where done.stream = taken.stream and done.revision > 0)`;
    await eventually(
      () => query(this.databaseUrl, waiting),
      ([row]) => row?.['n'] === 0,
    );
  }
}

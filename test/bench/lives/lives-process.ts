import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { SystemClock } from '#config/system-clock.js';
import { openEventStore } from '#event-store/event-store.module.js';
import { openDatabase } from '#database/database.js';
import { translatedTypes } from '#stripe/translations/registry.js';
import { signature } from '../../../apps/stripe-sandbox/http/webhook-sender.js';
import { audit } from '../../lives/audit/audit.js';
import { booksOf } from '../../lives/books/books.js';
import { textOf } from '../../lives/books/calendar.js';
import { ledgerViews } from '../../lives/audit/ledger-view.js';
import { live, type Arrival, type Life } from '../../lives/story/life.js';
import { openMarket, type Market } from '../../lives/story/market.js';
import { Connection } from '../load/connection.js';
import type { Batch, BatchResult, Reconciled } from './batch.js';
import { MergedStripe } from './merged-sandbox.js';
import { settled } from './settled.js';

const CONNECTIONS = 64;
/** After so many webhooks the credits are used that were used in that time. */
const STRETCH = 2000;
const COMMANDS = 500;
/** So that a life makes about fifty webhooks a year. */
const paces = [30, 60, 90, 120];

let stripe: MergedStripe | null = null;

/** Plays one batch of lives and says how it went; after the last, Stripe as all of them left it is compared with the ledger. */
async function play(batch: Batch): Promise<BatchResult> {
  const begin = performance.now();
  const market = openMarket(batch.start - 86_400);
  const { start, end } = batch;
  const lives = Array.from({ length: batch.lives }, (_, index): Life => {
    const life = live(batch.firstSeed + index, market, { start, end, types: translatedTypes, paces });
    // All of it comes now, a year late at most.
    return { ...life, lateness: end - start };
  });
  const lived = performance.now();
  const sender = await Sender.open(batch);
  const consumed = await send(batch, sender, lives);
  const sent = performance.now();
  await settled(batch.databaseUrl);
  const done = performance.now();
  const faults = await audited(batch, market, lives, consumed);
  stripe ??= new MergedStripe(end);
  stripe.add(lives);
  const reconciled = batch.last ? await reconcile(batch, stripe) : null;
  sender.close();
  return {
    webhooks: sender.webhooks,
    consumptions: sender.consumptions,
    statuses: sender.statuses,
    seconds: {
      lived: (lived - begin) / 1000,
      sent: (sent - lived) / 1000,
      settled: (done - lived) / 1000,
      audited: (performance.now() - done) / 1000,
    },
    faults,
    reconciled,
    generatorMiB: process.memoryUsage().rss / 2 ** 20,
  };
}

/** Sends everything in order of time; answers what each customer could use. */
async function send(batch: Batch, sender: Sender, lives: readonly Life[]): Promise<ReadonlyMap<string, number>> {
  const arrivals = lives.flatMap(({ arrivals: came, lost }) => [...came, ...lost]).sort((a, b) => a.at - b.at);
  const uses = lives
    .flatMap(({ customerId, consumptions }) => consumptions.map((use, index) => ({ ...use, customerId, index })))
    .sort((a, b) => a.at - b.at);
  const consumed = new Map<string, number>();
  let used = 0;
  for (let place = 0; place < arrivals.length; place += STRETCH) {
    const stretch = arrivals.slice(place, place + STRETCH);
    await sender.webhook(stretch);
    const until = place + STRETCH >= arrivals.length ? batch.end : (stretch.at(-1)?.at ?? batch.end);
    const due: typeof uses = [];
    for (let use = uses[used]; use !== undefined && use.at <= until; use = uses[++used]) due.push(use);
    for (let from = 0; from < due.length; from += COMMANDS) {
      const commands = due.slice(from, from + COMMANDS);
      const accepted = await sender.consume(commands);
      for (const [index, { customerId, amount }] of commands.entries()) {
        if (accepted[index] === true) consumed.set(customerId, (consumed.get(customerId) ?? 0) + amount);
      }
    }
  }
  return consumed;
}

type Use = { readonly customerId: string; readonly amount: number; readonly index: number };

/** Keep-alive connections to the api. */
class Sender {
  webhooks = 0;
  consumptions = 0;
  readonly statuses: Record<string, number> = {};

  private constructor(
    private readonly batch: Batch,
    private readonly connections: readonly Connection[],
  ) {}

  static async open(batch: Batch): Promise<Sender> {
    const { hostname, port } = new URL(batch.apiUrl);
    const all = Array.from({ length: CONNECTIONS }, () => Connection.open(hostname, Number(port)));
    return new Sender(batch, await Promise.all(all));
  }

  /** Sends webhooks as Stripe does, many at once; every one must be taken. */
  async webhook(arrivals: readonly Arrival[]): Promise<void> {
    let next = 0;
    await Promise.all(
      this.connections.map(async (connection) => {
        for (let arrival = arrivals[next++]; arrival !== undefined; arrival = arrivals[next++]) {
          const status = await this.#post(connection, arrival.body);
          this.statuses[status] = (this.statuses[status] ?? 0) + 1;
          this.webhooks += 1;
        }
      }),
    );
  }

  #post(connection: Connection, body: string): Promise<number> {
    const bytes = Buffer.from(body, 'utf8');
    const signed = signature(body, [this.batch.webhookSecret], Math.floor(Date.now() / 1000));
    const head =
      `POST /v1/webhooks/stripe HTTP/1.1\r\nHost: ${new URL(this.batch.apiUrl).host}\r\nStripe-Signature: ${signed}\r\n` +
      `Content-Type: application/json; charset=utf-8\r\nContent-Length: ${String(bytes.length)}\r\n\r\n`;
    return new Promise((answered, failed) => {
      connection.send(head + bytes.toString('latin1'), answered, () => {
        failed(new Error('the api closed a connection'));
      });
    });
  }

  /** Uses credits; answers which of them could be used. */
  async consume(uses: readonly Use[]): Promise<readonly boolean[]> {
    const commands = uses.map(({ customerId, amount, index }) => {
      const idempotencyKey = `use-${String(index)}`;
      return { type: 'consume', customerId, idempotencyKey, amount };
    });
    const answer = await fetch(`${this.batch.apiUrl}/v1/commands`, {
      method: 'POST',
      headers: { authorization: `Bearer ${this.batch.apiKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({ commands }),
    });
    const { results } = (await answer.json()) as { results: readonly { readonly status: number }[] };
    this.consumptions += results.length;
    return results.map(({ status }) => status === 201);
  }

  close(): void {
    for (const connection of this.connections) connection.close();
  }
}

async function audited(
  { databaseUrl }: Batch,
  market: Market,
  lives: readonly Life[],
  consumed: ReadonlyMap<string, number>,
): Promise<readonly string[]> {
  const clock = new SystemClock();
  const store = await openEventStore({ kind: 'postgres', databaseUrl }, clock);
  const db = openDatabase(databaseUrl, { clock });
  try {
    const customers = lives.map(({ customerId }) => customerId);
    const views = await ledgerViews(db, store, customers, new Date(clock.now()).toISOString());
    const parked = await db.query<{ code: string; n: string }>({
      text: 'select code, count(*) as n from scrip_app.inbox_parked group by code',
    });
    const faults = lives.flatMap((life, index) =>
      audit(life, market, booksOf(life, market), views[index]!, consumed.get(life.customerId) ?? 0).map(
        (fault) => `seed ${String(life.seed)}: ${fault}`,
      ),
    );
    return [...faults, ...parked.map(({ code, n }) => `${n} events are parked: ${code}`)];
  } finally {
    await db.close();
    await store.close();
  }
}

async function reconcile(batch: Batch, merged: MergedStripe): Promise<Reconciled> {
  const sandbox = await merged.listen();
  const directory = await mkdtemp(join(tmpdir(), 'scrip-lives-'));
  const { PATH = '' } = process.env;
  const args = ['dist/apps/cli/main.js', 'stripe', 'reconcile', '--json', '--since', textOf(batch.start)];
  const env = {
    ...{ PATH, DATABASE_URL: batch.databaseUrl, SCRIP_DATA_DIR: directory, LOG_LEVEL: 'error' },
    ...{ STRIPE_API_BASE: sandbox.url, STRIPE_SECRET_KEY: 'sk_test_lives', STRIPE_WEBHOOK_SECRET: batch.webhookSecret },
  };
  try {
    const options = { env, maxBuffer: 1 << 28 };
    const { stdout } = await promisify(execFile)(process.execPath, args, options).catch(
      (error: { stdout: string; stderr: string }) => {
        if (error.stdout === '') throw new Error(error.stderr);
        return error; // it says with its exit code that something differs
      },
    );
    const { checked, differences, found } = JSON.parse(stdout) as Reconciled;
    return { checked, differences, found: found.slice(0, 20) };
  } finally {
    await sandbox.close();
    await rm(directory, { recursive: true, force: true });
  }
}

process.on('message', (batch: Batch) => {
  void play(batch).then(
    (result) => process.send?.({ result }),
    (error: unknown) =>
      process.send?.({ failed: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
  );
});
process.on('disconnect', () => {
  process.exit(0);
});

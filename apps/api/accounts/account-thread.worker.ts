import { parentPort, workerData } from 'node:worker_threads';
import type { Config } from '#config/env.js';
import { createLogger } from '#config/logger.js';
import { SystemClock } from '#config/system-clock.js';
import { assert } from '#kernel/assert.js';
import { ledgerCodec } from '#ledger/events.js';
import { openReadDatabase } from '#read-store/read-database.js';
import type { WriteStatistics } from '#event-store/write-limits.js';
import { databasePatience } from '../reads/database-patience.js';
import type { Answer } from '../http/outcomes.js';
import { apiAccountDecider } from '../writes/api-account-decider.js';
import { AccountWriter } from '../writes/ledger-writers.js';
import { openWriteParts } from '../writes/write-parts.js';
import type { AccountOrder } from './account-order.js';
import { AccountService } from './account-service.js';
import { TopUp } from './top-up.js';

/** What the thread is told. Orders are JSON, which is handed over faster than objects; the first one's number is `first`. */
export type ThreadMessage = { readonly first: number; readonly orders: string } | 'respond' | 'close';

/** What it tells. */
export type ThreadNews = 'ready' | 'responds' | { readonly answers: Answers; readonly statistics: WriteStatistics };

/**
 * Answers with the numbers of their orders, in whatever order they became ready. By column: that is handed over in a third of the
 * time that objects take.
 */
export type Answers = {
  readonly numbers: number[];
  readonly statuses: number[];
  readonly replayed: boolean[];
  readonly bodies: Answer['body'][];
  readonly retryAfters: Answer['retryAfter'][];
};

assert(parentPort !== null, 'this program is a thread');
const port = parentPort;
const tell = (news: ThreadNews): void => {
  port.postMessage(news);
};

const config = workerData as Config & { databaseUrl: string };
const clock = new SystemClock();
const database = openReadDatabase(config.databaseUrl, { clock, ...databasePatience });
const parts = await openWriteParts(config, clock, database);
const accounts = new AccountService({
  writer: new AccountWriter(apiAccountDecider, { ...parts, codec: ledgerCodec }),
  store: parts.store,
  topUp: new TopUp(config.topUpUrl),
  logger: createLogger('api', config.logLevel),
});

const none = (): Answers => ({ numbers: [], statuses: [], replayed: [], bodies: [], retryAfters: [] });
let answers = none();

function sendAnswers(): void {
  tell({ answers, statistics: accounts.statistics });
  answers = none();
}

function carryOut(number: number, order: AccountOrder): void {
  void accounts.answerOf(order).then(({ status, replayed, body, retryAfter }) => {
    answers.statuses.push(status);
    answers.replayed.push(replayed);
    answers.bodies.push(body);
    answers.retryAfters.push(retryAfter);
    // What becomes ready in the same turn is told together.
    if (answers.numbers.push(number) === 1) setImmediate(sendAnswers);
  });
}

async function close(): Promise<void> {
  await accounts.close();
  await parts.store.close();
  await database.close();
  process.exit(0); // ends the thread
}

port.on('message', (message: ThreadMessage) => {
  if (message === 'close') void close();
  else if (message === 'respond') tell('responds');
  else {
    const orders = JSON.parse(message.orders) as readonly AccountOrder[];
    for (const [index, order] of orders.entries()) carryOut(message.first + index, order);
  }
});
tell('ready');

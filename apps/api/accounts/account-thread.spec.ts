import { expect, it } from '@jest/globals';
import { loadConfig } from '#config/env.js';
import { accountStream } from '#kernel/stream-name.js';
import type { AccountOrder } from './account-order.js';
import { AccountThread } from './account-thread.js';

const config = { ...loadConfig({ DATABASE_URL: 'postgres://nowhere' }), databaseUrl: 'postgres://nowhere' };

/** A thread that answers every message's orders together and backwards, with the size of the message as their status. */
const backwards = `
  const { parentPort } = require('node:worker_threads');
  parentPort.on('message', (message) => {
    if (message === 'respond') return parentPort.postMessage('responds');
    if (message === 'close') return process.exit(0);
    const orders = JSON.parse(message.orders);
    if (orders.some(({ key }) => key === 'fail')) throw new Error('a bug');
    const numbers = orders.map((_, index) => message.first + index).reverse();
    parentPort.postMessage({
      answers: {
        numbers,
        statuses: numbers.map(() => orders.length),
        replayed: numbers.map(() => true),
        bodies: numbers.map((number) => orders[number - message.first].key),
        retryAfters: numbers.map(() => null),
      },
      statistics: { batches: 1, commands: orders.length, events: 0, conflicts: 0, duplicates: 0, unknownOutcomes: 0, waiting: 9 },
    });
  });
  parentPort.postMessage('ready');`;

const program = (code: string): URL =>
  new URL(
    `data:text/javascript,${encodeURIComponent(
      `import { createRequire } from 'node:module'; const require = createRequire('file:///');${code}`,
    )}`,
  );

const order = (key: string): AccountOrder => ({
  command: { type: 'ReleaseHold', holdId: 'hold_1' },
  fingerprint: '',
  answer: 'release',
  stream: accountStream('acme', 'credits'),
  key,
  actor: 'key:test',
  requestId: 'request-1',
});

const neverLost = (error: unknown): never => {
  throw error;
};

it('hands over together what is asked in one turn, and gives each order its own answer', async () => {
  const accounts = await AccountThread.start(config, neverLost, program(backwards));
  const first = ['a', 'b', 'c'].map((key) => accounts.answerOf(order(key)));
  expect(accounts.statistics.waiting).toBe(3);
  const answers = await Promise.all(first);
  expect(answers).toEqual(['a', 'b', 'c'].map((body) => ({ status: 3, replayed: true, body, retryAfter: null })));
  expect(await accounts.answerOf(order('d'))).toMatchObject({ status: 1, body: 'd' });
  expect(accounts.statistics).toMatchObject({ commands: 1, waiting: 0 });
  await accounts.responds();
  await accounts.close();
});

it('tells that the thread was lost, with the error that ended it', async () => {
  const { promise, resolve } = Promise.withResolvers<unknown>();
  const accounts = await AccountThread.start(config, resolve, program(backwards));
  void accounts.answerOf(order('fail'));
  expect(await promise).toMatchObject({ message: 'a bug' });
});

it('fails to start as the thread fails to open what it needs', async () => {
  const failing = program(`throw Object.assign(new Error('cannot be reached'), { code: 'ECONNREFUSED' });`);
  await expect(AccountThread.start(config, neverLost, failing)).rejects.toMatchObject({ message: 'cannot be reached' });
});

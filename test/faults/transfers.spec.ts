import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { NodeProcess } from '../support/processes/node-process.js';
import { eventually } from '../support/eventually.js';
import { Writer } from '../support/ledger/writer.js';
import { adminKey, World } from '../support/worlds/world.js';

const GIFTS = 300;
const CALLERS = 8;
const customers = ['ada', 'bob', 'carl', 'dora'] as const;
/** Whose account is closed when credits come. */
const gone = 'gone';
const EACH = 10_000;

describe('transfers between customers, when processes are killed', () => {
  let world: World;
  let worker: NodeProcess;
  let writer: Writer;

  beforeAll(async () => {
    world = await World.start();
    [, worker] = await Promise.all([world.startApi(), world.startWorker()]);
    await Promise.all([...customers, gone].map((customer) => world.client.grant(customer, EACH)));
    writer = await Writer.open(world.postgres.url);
  });

  afterAll(async () => {
    await writer.store.close();
    await world.stop();
  });

  /** Sends until it is known that it was sent; the log has the receivers who cannot take it, which the api would refuse. */
  async function send(n: number): Promise<void> {
    const from = customers[n % 4]!;
    const to = [...customers, gone][(n + 1 + (n % 3)) % 5]!;
    if (to === from) return;
    if (to === gone) {
      const gift = { toCustomerId: gone, amount: 1 + (n % 7), reason: null, receiver: 'ready' } as const;
      // Perhaps sent twice where its end is not known: each of them must come back.
      const sent = (): Promise<boolean> =>
        writer.account(from, { type: 'TransferCredits', ...gift }).then(
          () => true,
          () => false,
        );
      await eventually(sent, (isSent) => isSent);
      return;
    }
    const asked = (): Promise<Response | null> =>
      fetch(`${world.api.url}/v1/customers/${from}/transfers`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${adminKey}`,
          'content-type': 'application/json',
          'idempotency-key': `gift-${String(n)}`,
        },
        body: JSON.stringify({ toCustomerId: to, amount: 1 + (n % 7) }),
        signal: AbortSignal.timeout(20_000),
      }).catch(() => null);
    await eventually(asked, (response) => response?.status === 201);
  }

  const countOf = async (...types: readonly string[]): Promise<number> =>
    (await world.log()).filter(({ type }) => types.includes(type)).length;

  it('bring every credit to one side or the other, once', async () => {
    await writer.account(gone, { type: 'CloseAccount', reason: 'left' });
    let next = 0;
    const callers = Array.from({ length: CALLERS }, async () => {
      while (next < GIFTS) await send((next += 1));
    });
    const harm = async (): Promise<void> => {
      for (let kill = 0; kill < 4; kill += 1) {
        await sleep(250);
        await worker.stop('SIGKILL');
        worker = await world.startWorker();
        if (kill === 1) await world.crashPostgres();
        if (kill === 2) {
          await world.api.stop('SIGKILL');
          await world.startApi();
        }
      }
    };
    await Promise.all([...callers, harm()]);
    await eventually(
      () => Promise.all([countOf('TransferSent'), countOf('TransferReceived', 'TransferReturned')]),
      ([sent, ended]) => sent === ended,
    );
    expect(await countOf('TransferReceived')).toBeGreaterThan(GIFTS / 3);
    expect(await countOf('TransferReturned')).toBeGreaterThan(GIFTS / 10);
    const loaded = customers.map((customer) => writer.handlers.account.load(`account-${customer}`));
    const available = (await Promise.all(loaded)).map(({ state }) => state.balance.available);
    expect(available.reduce((sum, amount) => sum + amount, 0)).toBe(customers.length * EACH);
    expect(await world.violations()).toEqual([]);
    expect(await world.projectionViolations()).toEqual([]);
  });
});

import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { NodeProcess } from '../support/processes/node-process.js';
import { RecordingClient } from '../support/api/recording-client.js';
import { adminKey, World } from '../support/worlds/world.js';
describe('two api processes over one log', () => {
  let world: World;
  let second: NodeProcess;
  let other: RecordingClient;

  beforeAll(async () => {
    world = await World.start();
    await Promise.all([world.startApi(), world.startSecondApi().then((api) => (second = api))]);
    other = new RecordingClient(() => second.url, adminKey);
  });

  afterAll(async () => {
    await world.stop();
  });

  const balanceAfter = (body: string): number =>
    (JSON.parse(body) as { balance: { available: number } }).balance.available;

  it('let exactly 100 of 1,000 concurrent spends of 100 credits succeed', async () => {
    await world.client.grant('crowd', 100);
    const spend = (client: RecordingClient, n: number) => client.consume('crowd', 1, `crowd-${String(n)}`);
    await Promise.all(Array.from({ length: 1_000 }, (_, n) => spend(n % 2 === 0 ? world.client : other, n)));
    await Promise.all([world.client.settle(), other.settle()]);
    world.client.asked.push(...other.asked.splice(0));
    const statuses = world.client.asked.map(({ answer }) => answer!.status);
    expect(statuses.filter((status) => status === 201)).toHaveLength(100);
    expect(statuses.filter((status) => status === 402)).toHaveLength(900);
    const balances = world.client.acknowledged.map(({ answer }) => balanceAfter(answer!.body)).sort((a, b) => a - b);
    expect(balances).toEqual(Array.from({ length: 100 }, (_, n) => n));
    expect(await world.violations()).toEqual([]);
  });

  it('give the bodies that race for one key one effect, whichever process they reach', async () => {
    await world.client.grant('racer', 1_000);
    const ask = (client: RecordingClient, amount: number) =>
      client.post('/v1/customers/racer/consumptions', 'one-key', { amount });
    const tries = Array.from({ length: 40 }, (_, n) => ask(n % 2 === 0 ? world.client : other, 1 + (n % 4)));
    const answers = await Promise.all(
      tries.map(async (answer) => ({ status: (await answer).status, body: await (await answer).text() })),
    );
    const codes = answers.map(({ status, body }) =>
      status === 201 ? 'created' : (JSON.parse(body) as { code: string }).code,
    );
    expect(new Set(codes)).toEqual(new Set(['created', 'idempotency_key_reused']));
    expect(codes.filter((code) => code === 'created')).toHaveLength(10);
    expect(new Set(answers.filter(({ status }) => status === 201).map(({ body }) => body)).size).toBe(1);
    const events = (await world.log()).filter(
      ({ stream, type }) => stream === 'account-racer' && type === 'CreditsConsumed',
    );
    expect(events).toHaveLength(1);
  });

  it('refuse another body for an old key, and record nothing', async () => {
    const before = await world.log();
    const response = await other.post('/v1/customers/crowd/consumptions', world.client.acknowledged[0]!.key, {
      amount: 2,
    });
    expect(((await response.json()) as { code: string }).code).toBe('idempotency_key_reused');
    expect(await world.log()).toEqual(before);
  });

  it('fence one that was frozen: it wakes with an old memory and a full socket, and overspends nothing', async () => {
    await world.client.grant('zombie', 100);
    const warm = await other.consume('zombie', 10, 'zombie-warm'); // it has the account in memory now
    expect(warm.answer?.status).toBe(201);
    second.signal('SIGSTOP');
    const sleeping = Array.from({ length: 20 }, (_, n) => other.consume('zombie', 10, `zombie-old-${String(n)}`));
    await Promise.all(
      Array.from({ length: 8 }, (_, n) => world.client.consume('zombie', 10, `zombie-new-${String(n)}`)),
    );
    second.signal('SIGCONT');
    const statuses = (await Promise.all(sleeping)).map(({ answer }) => answer?.status);
    expect(statuses.filter((status) => status === 201)).toHaveLength(1);
    expect(statuses.filter((status) => status === 402)).toHaveLength(19);
    world.client.asked.push(...other.asked.splice(0));
    expect(await world.violations()).toEqual([]);
  });

  it('leave no outcome unknown and nothing undone when one is told to stop under load', async () => {
    await world.client.grant('steady', 1_000_000);
    const enough = new AbortController();
    const client = new RecordingClient(() => (second.running ? second.url : world.api.url), adminKey);
    const load = client.load(['steady'], 16, enough.signal);
    await sleep(700);
    const begin = performance.now();
    const { code } = await second.stop('SIGTERM');
    expect(code).toBe(0);
    expect(performance.now() - begin).toBeLessThan(10_000);
    await sleep(300);
    enough.abort();
    await load;
    await client.settle();
    // What was cut off on its way in was not carried out; what was carried out had its answer.
    expect(client.asked.filter(({ tries, answer }) => tries > 1 && answer!.replayed)).toEqual([]);
    world.client.asked.push(...client.asked);
    expect(await world.violations()).toEqual([]);
  });
});

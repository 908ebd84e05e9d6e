import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { NodeProcess } from '../support/processes/node-process.js';
import { catalog } from '../support/ledger/catalog.js';
import { Writer } from '../support/ledger/writer.js';
import { adminKey, World } from '../support/worlds/world.js';

const LIMIT = 400;
const CALLERS = 16;
const customer = 'acme';

describe('the limit of a feature, when processes are killed', () => {
  let world: World;
  let worker: NodeProcess;
  let second: NodeProcess;

  beforeAll(async () => {
    world = await World.start();
    const writer = await Writer.open(world.postgres.url);
    const plans = catalog.plans.map((plan) => (plan.free ? { ...plan, limits: { calls: { day: LIMIT } } } : plan));
    await writer.applyCatalog({ ...catalog, plans });
    await writer.startFreePlan(customer, 'free');
    await writer.store.close();
    [, second, worker] = await Promise.all([world.startApi(), world.startSecondApi(), world.startWorker()]);
  });

  afterAll(() => world.stop());

  const ask = (url: string, key: string): Promise<Response> =>
    fetch(`${url}/v1/customers/${customer}/usage`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${adminKey}`,
        'content-type': 'application/json',
        'idempotency-key': key,
      },
      body: '{"feature":"calls"}',
      signal: AbortSignal.timeout(20_000),
    });

  /** Asks until it is known how it ended: 201 or 403. */
  async function settled(key: string, tries = 0): Promise<{ status: number; id: string | null }> {
    const url = tries % 2 === 0 ? world.api.url : second.url;
    const response = await ask(url, key).catch(() => null);
    if (response?.status === 201 || response?.status === 403) {
      const { id = null } = (await response.json()) as { id?: string };
      return { status: response.status, id };
    }
    if (tries > 500) throw new Error(`${key} is never settled`);
    await sleep(20);
    return settled(key, tries + 1);
  }

  it('is used up exactly, by as many as were told so', async () => {
    const answers = new Map<string, { status: number; id: string | null }>();
    let next = 0;
    const callers = Array.from({ length: CALLERS }, async () => {
      while (next < 2 * LIMIT) {
        const key = `u-${String((next += 1))}`;
        answers.set(key, await settled(key));
        await sleep(5);
      }
    });
    const harm = async (): Promise<void> => {
      for (let kill = 0; kill < 3; kill += 1) {
        await sleep(150);
        await world.api.stop('SIGKILL');
        await world.startApi();
      }
      await worker.stop('SIGKILL');
      worker = await world.startWorker();
    };
    await Promise.all([...callers, harm()]);
    const recorded = [...answers].filter(([, { status }]) => status === 201);
    expect(recorded).toHaveLength(LIMIT);
    const inLog = (await world.log()).filter(({ type }) => type === 'UsageRecorded');
    const ids = inLog.map(({ data }) => (JSON.parse(data) as { usageId: string }).usageId);
    expect(ids.sort()).toEqual(recorded.map(([, { id }]) => id).sort());
    const [key, { id }] = recorded[0]!;
    expect(await settled(key)).toEqual({ status: 201, id });
    expect(await world.violations()).toEqual([]);
    expect(await world.projectionViolations()).toEqual([]);
  });
});

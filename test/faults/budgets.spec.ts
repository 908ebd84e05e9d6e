import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { NodeProcess } from '../support/processes/node-process.js';
import { adminKey, World } from '../support/worlds/world.js';

const CALLERS = 16;
const ACTIONS = 700;
const base = '/v1/customers/acme';
const teams = { 'team:a': 260, 'team:b': 200 } as const;
const limits: { readonly [scope: string]: number } = {
  org: 400,
  ...teams,
  ...Object.fromEntries(Array.from({ length: 10 }, (_, n) => [`team:a/member:m${String(n)}`, 30])),
};

type Answer = { readonly status: number; readonly body: { readonly [member: string]: string } };

describe('budgets, when processes are killed', () => {
  let world: World;
  let worker: NodeProcess;
  let second: NodeProcess;

  beforeAll(async () => {
    world = await World.start();
    [, second, worker] = await Promise.all([world.startApi(), world.startSecondApi(), world.startWorker()]);
    await settled('POST', `${base}/grants`, 'grant', { amount: 100_000, source: 'purchase' });
    for (const [scope, limit] of Object.entries(limits))
      await settled('PUT', `${base}/budgets/${encodeURIComponent(scope)}`, scope, { limit, window: 'total' });
  });

  afterAll(() => world.stop());

  async function ask(url: string, method: string, key: string, body: object | null): Promise<Answer | null> {
    const headers = { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json', 'idempotency-key': key };
    const signal = AbortSignal.timeout(20_000);
    const sent = body === null ? {} : { body: JSON.stringify(body) };
    const response = await fetch(url, { method, headers, signal, ...sent }).catch(() => null);
    if (response === null || response.status >= 500 || response.status === 409) return null;
    return { status: response.status, body: (await response.json().catch(() => ({}))) as Answer['body'] };
  }

  /** Asks now this process and now that until it is known how it ended. */
  async function settled(method: string, path: string, key: string, body: object | null): Promise<Answer> {
    for (let tries = 0; tries < 500; tries += 1) {
      const answer = await ask(`${tries % 2 === 0 ? world.api.url : second.url}${path}`, method, key, body);
      if (answer !== null) return answer;
      await sleep(20);
    }
    throw new Error(`${key} is never settled`);
  }

  /** What was acknowledged as used, by the scope that was named. */
  const used = new Map<string, number>();
  const noteUse = (scope: string, amount: number): void => void used.set(scope, (used.get(scope) ?? 0) + amount);
  const usedBelow = (scope: string): number =>
    [...used].reduce(
      (sum, [each, amount]) => (scope === 'org' || each === scope || each.startsWith(`${scope}/`) ? sum + amount : sum),
      0,
    );

  async function act(n: number): Promise<void> {
    const scope = n % 3 === 0 ? 'team:b/agent:x' : `team:a/member:m${String(n % 10)}`;
    if (n % 4 !== 0) {
      const { status } = await settled('POST', `${base}/consumptions`, `use-${String(n)}`, { amount: 1, scope });
      expect([201, 403]).toContain(status);
      if (status === 201) noteUse(scope, 1);
      return;
    }
    const hold = await settled('POST', `${base}/holds`, `hold-${String(n)}`, { amount: 5, scope });
    expect([201, 403]).toContain(hold.status);
    if (hold.status !== 201) return;
    const path = `${base}/holds/${hold.body['id'] ?? ''}`;
    if (n % 8 === 0) {
      const captured = await settled('POST', `${path}/captures`, `capture-${String(n)}`, { amount: 2 });
      expect(captured.status).toBe(201);
      noteUse(scope, 2);
    } else expect((await settled('POST', `${path}/releases`, `release-${String(n)}`, null)).status).toBe(201);
  }

  it('are never overspent, and count nothing that was not spent', async () => {
    let next = 0;
    const callers = Array.from({ length: CALLERS }, async () => {
      while (next < ACTIONS) {
        await act((next += 1));
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
    // Whatever is left can be spent, and not one more.
    for (let n = 0; ; n += 1) {
      const { status } = await settled('POST', `${base}/consumptions`, `rest-${String(n)}`, {
        amount: 1,
        scope: 'org',
      });
      if (status === 403) break;
      noteUse('org', 1);
    }
    const { body } = await settled('GET', `${base}/budgets?limit=200`, 'read', null);
    const shown = body['data'] as unknown as { scope: string; limit: number; used: number; held: number }[];
    expect(shown.map(({ scope }) => scope).sort()).toEqual(Object.keys(limits).sort());
    for (const { scope, limit, used: counted, held } of shown) {
      expect([scope, counted, held]).toEqual([scope, usedBelow(scope), 0]);
      expect(counted).toBeLessThanOrEqual(limit);
    }
    expect(usedBelow('org')).toBe(limits['org']);
    expect(await world.violations()).toEqual([]);
    expect(await world.projectionViolations()).toEqual([]);
  });
});

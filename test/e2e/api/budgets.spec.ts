import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ApiAnswer, ApiClient } from '../../support/api/client.js';
import { RunningScrip } from '../../support/processes/running-scrip.js';

const DAY = 86_400_000;
const midnight = (days: number): string =>
  `${new Date(Date.now() + days * DAY).toISOString().slice(0, 10)}T00:00:00.000Z`;
const leaf = 'team:growth/member:ada/key:k1/agent:a.1/run:r@1';

describe('budgets over HTTP', () => {
  let scrip: RunningScrip;
  let api: ApiClient;
  let other: ApiClient;
  let keys = 0;

  beforeAll(async () => {
    scrip = await RunningScrip.prepare();
    const [one, two] = await Promise.all([scrip.startApi(), scrip.startApi(), scrip.startWorker()]);
    [api, other] = [one.client, two.client];
  });

  afterAll(() => scrip.stop());

  const key = (): string => `b-${String((keys += 1))}`;
  const of = (customer: string, scope: string): string =>
    `/v1/customers/${customer}/budgets/${encodeURIComponent(scope)}`;
  const set = (customer: string, scope: string, body: object, named = key()): Promise<ApiAnswer> =>
    api.call('PUT', of(customer, scope), { body, key: named });
  const spend = (customer: string, body: object, client = api): Promise<ApiAnswer> =>
    client.post(`/v1/customers/${customer}/consumptions`, body, key());
  const funded = async (customer: string, amount = 10_000): Promise<void> => {
    expect((await api.post(`/v1/customers/${customer}/grants`, { amount, source: 'purchase' }, key())).status).toBe(
      201,
    );
  };

  it('are set, listed by scope, changed and removed', async () => {
    const today = { windowStart: midnight(0), windowEnd: midnight(1) };
    const first = await set('acme', leaf, { limit: 50, window: 'day' }, 'first');
    expect([first.status, first.body]).toEqual([
      200,
      {
        ...{
          customerId: 'acme',
          unit: 'credits',
          scope: leaf,
          limit: 50,
          window: 'day',
          timeZone: 'UTC',
          mode: 'hard',
        },
        ...{ used: 0, held: 0, remaining: 50, ...today, position: expect.any(String) },
      },
    ]);
    await set('acme', 'org', { limit: 900, window: 'total', mode: 'soft' });
    const changed = await set('acme', leaf, { limit: 70, window: 'day' });
    expect(changed.body).toMatchObject({ limit: 70 });
    const again = await set('acme', leaf, { limit: 50, window: 'day' }, 'first');
    expect([again.status, again.headers.get('idempotent-replayed'), again.body]).toEqual([200, 'true', first.body]);
    expect((await set('acme', leaf, { limit: 51, window: 'day' }, 'first')).body.code).toBe('idempotency_key_reused');

    const listed = await api.get(`/v1/customers/acme/budgets?minPosition=${changed.body.position}`);
    expect(listed.body['data']).toMatchObject([
      { scope: 'org', window: 'total', mode: 'soft', remaining: 900, windowEnd: null },
      { scope: leaf, limit: 70, ...today },
    ]);
    expect(listed.body.asOf.position >= changed.body.position).toBe(true);
    const page = await api.get('/v1/customers/acme/budgets?limit=1');
    expect(page.body).toMatchObject({ data: [{ scope: 'org' }], hasMore: true });
    const next = await api.get(`/v1/customers/acme/budgets?limit=1&cursor=${String(page.body['nextCursor'])}`);
    expect(next.body).toMatchObject({ data: [{ scope: leaf }], hasMore: false });
    const one = await api.get(`/v1/customers/acme/budgets?scope=${encodeURIComponent(leaf)}`);
    expect(one.body['data']).toMatchObject([{ scope: leaf }]);
    expect((await api.get('/v1/customers/acme/budgets?scope=team:none')).body['data']).toEqual([]);

    const removed = await api.call('DELETE', of('acme', leaf), { key: 'gone' });
    expect([removed.status, removed.body['scope']]).toEqual([200, leaf]);
    expect((await api.call('DELETE', of('acme', leaf), { key: 'gone' })).body).toEqual(removed.body);
    const nothing = await api.call('DELETE', of('acme', leaf), {});
    expect([nothing.status, nothing.body.code]).toEqual([404, 'budget_not_found']);
  });

  it('cap what is spent and held under a scope, and name the level with the least left', async () => {
    await funded('caps');
    await set('caps', 'org', { limit: 100, window: 'month', timeZone: 'America/New_York' });
    await set('caps', 'team:growth', { limit: 60, window: 'day' });
    const { body } = await spend('caps', { amount: 40, scope: leaf });
    expect(body).toMatchObject({ amount: 40, scope: leaf, balance: { available: 9_960 } });
    expect(body).not.toHaveProperty('softBudgets');
    const over = await spend('caps', { amount: 21, scope: 'team:growth' });
    expect([over.status, over.body]).toMatchObject([
      403,
      {
        ...{ code: 'budget_exceeded', scope: 'team:growth', limit: 60, used: 40, requested: 21, window: 'day' },
        resetsAt: midnight(1),
      },
    ]);
    const holds = '/v1/customers/caps/holds';
    const hold = await api.post(holds, { amount: 15, scope: leaf }, key());
    expect(hold.body).toMatchObject({ amount: 15, scope: leaf });
    const raise = await api.post(`${holds}/${String(hold.body.id)}/raises`, { amount: 6 }, key());
    expect([raise.status, raise.body.code]).toEqual([403, 'budget_exceeded']);
    const part = await spend('caps', { amount: 50, scope: leaf, partial: true });
    expect(part.body).toMatchObject({ amount: 5, requested: 50 });
    const none = await spend('caps', { amount: 50, scope: leaf, partial: true });
    expect([none.status, none.body]).toMatchObject([
      402,
      { code: 'insufficient_credits', available: 9_940, required: 50, budget: { scope: 'team:growth', used: 60 } },
    ]);
    expect((await spend('caps', { amount: 500 })).status).toBe(201);
    const capture = await api.post(`${holds}/${String(hold.body.id)}/captures`, { amount: 4 }, key());
    const consumption = `/v1/customers/caps/consumptions/${String(capture.body['consumptionId'])}`;
    const read = await api.get(`${consumption}?minPosition=${capture.body.position}&waitMs=10000`);
    expect(read.body).toMatchObject({ amount: 4, scope: leaf });
    expect((await api.get(`${holds}/${String(hold.body.id)}`)).body).toMatchObject({ status: 'captured', scope: leaf });
    const { data } = (await api.get('/v1/customers/caps/budgets')).body;
    expect(data).toMatchObject([
      { scope: 'org', used: 49, held: 0, remaining: 51 },
      { scope: 'team:growth', used: 49, remaining: 11 },
    ]);
    await api.post(`${consumption}/reversals`, {}, key());
    expect((await api.get('/v1/customers/caps/budgets')).body['data']).toMatchObject([{ used: 45 }, { used: 45 }]);
    const below = await set('caps', 'team:growth', { limit: 44, window: 'day' });
    expect([below.status, below.body]).toMatchObject([
      422,
      { code: 'budget_below_used', scope: 'team:growth', limit: 44, used: 45 },
    ]);
  });

  it('that are soft let it pass and are told', async () => {
    await funded('soft');
    await set('soft', leaf, { limit: 10, window: 'week', mode: 'soft' });
    expect((await spend('soft', { amount: 10, scope: leaf })).body).not.toHaveProperty('softBudgets');
    expect((await spend('soft', { amount: 1, scope: leaf })).body).toMatchObject({ softBudgets: [leaf] });
    const { data } = (await api.get('/v1/customers/soft/budgets')).body;
    expect(data).toMatchObject([{ used: 11, remaining: 0 }]);
  });

  it('are exact when two processes are asked at once, alone and in bulk', async () => {
    await funded('busy');
    for (const [scope, limit] of [
      ['org', 400],
      ['team:growth', 60],
      [leaf, 45],
    ] as const)
      await set('busy', scope, { limit, window: 'period' });
    const asked = Array.from({ length: 120 }, (_, n) =>
      spend('busy', { amount: 1, scope: n % 2 === 0 ? leaf : 'team:growth/member:bob' }, n % 3 === 0 ? api : other),
    );
    const answers = await Promise.all(asked);
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(60);
    expect(answers.filter(({ body }) => body.code === 'budget_exceeded')).toHaveLength(60);
    const commands = Array.from({ length: 500 }, (_, n) => ({
      ...{ type: n % 2 === 0 ? 'consume' : 'hold', customerId: 'busy', idempotencyKey: `bulk-${String(n)}` },
      ...{ amount: 1, scope: 'team:other' },
    }));
    const bulk = await api.post('/v1/commands', { commands });
    const { results } = bulk.body;
    expect(results.filter(({ status }) => status === 201)).toHaveLength(340);
    expect(results.filter(({ status }) => status === 403)).toHaveLength(160);
  });

  it('are decided without being recorded', async () => {
    await funded('dry');
    const headers = { 'scrip-dry-run': 'true' };
    const preview = await api.call('PUT', of('dry', 'org'), { body: { limit: 5, window: 'day' }, headers });
    expect([preview.status, preview.body]).toMatchObject([200, { limit: 5, remaining: 5, dryRun: true }]);
    expect((await api.get('/v1/customers/dry/budgets')).body['data']).toEqual([]);
  });

  it('refuse what is asked wrongly, and record nothing of it', async () => {
    await funded('wrong');
    const before = (await api.get('/v1/events?customerId=wrong')).body.data.length;
    const field = async (body: object): Promise<unknown> => (await set('wrong', 'org', body)).body.errors[0]?.field;
    expect(await field({ limit: 0, window: 'day' })).toBe('limit');
    expect(await field({ limit: 5, window: 'year' })).toBe('window');
    expect(await field({ limit: 5, window: 'day', timeZone: 'Mars/Olympus' })).toBe('timeZone');
    expect(await field({ limit: 5, window: 'day', mode: 'strict' })).toBe('mode');
    for (const scope of ['team', 'team:', 'org/team:a', 'a:1/b:2/c:3/d:4/e:5/f:6', 'Team:a']) {
      expect((await set('wrong', scope, { limit: 5, window: 'day' })).body).toMatchObject({
        status: 422,
        code: 'scope_invalid',
      });
      expect((await spend('wrong', { amount: 1, scope })).body).toMatchObject({ status: 422, code: 'scope_invalid' });
      expect((await api.get(`/v1/customers/wrong/budgets?scope=${encodeURIComponent(scope)}`)).body.code).toBe(
        'scope_invalid',
      );
    }
    expect((await spend('wrong', { amount: 1, scope: '' })).body.code).toBe('scope_invalid');
    expect((await spend('wrong', { amount: 1, scope: 7 })).body.code).toBe('invalid_request');
    const keyless = await api.call('PUT', of('wrong', 'org'), { body: { limit: 5, window: 'day' } });
    expect(keyless.body.code).toBe('idempotency_key_required');
    expect((await api.get('/v1/customers/nobody/budgets')).body.code).toBe('customer_not_found');
    expect((await api.get('/v1/events?customerId=wrong')).body.data).toHaveLength(before);
  });
});

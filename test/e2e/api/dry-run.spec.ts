import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ApiAnswer, ApiClient } from '../../support/api/client.js';
import { RunningScrip } from '../../support/processes/running-scrip.js';

describe('the header Scrip-Dry-Run', () => {
  let scrip: RunningScrip;
  let api: ApiClient;

  beforeAll(async () => {
    scrip = await RunningScrip.prepare();
    ({ client: api } = await scrip.startApi());
  });

  afterAll(async () => {
    await scrip.stop();
  });

  const headers = { 'scrip-dry-run': 'true' };
  const base = '/v1/customers/dry';
  const dry = (method: string, path: string, body: object, key?: string): Promise<ApiAnswer> =>
    api.call(method, path, { body, headers, ...(key === undefined ? {} : { key }) });
  const countOfEvents = async (): Promise<number> => (await api.get('/v1/events?limit=200')).body.data.length;

  it('answers every command as it would end, and records nothing', async () => {
    const granted = (await api.post(`${base}/grants`, { amount: 100, source: 'purchase' }, 'g')).body;
    const consumed = (await api.post(`${base}/consumptions`, { amount: 10 }, 'c')).body;
    const held = (await api.post(`${base}/holds`, { amount: 10 }, 'h')).body;
    await api.call('PUT', '/v1/customers/friend', { body: {} });
    const before = await countOfEvents();
    const commands: readonly (readonly [string, string, object, number, object])[] = [
      ['POST', `${base}/grants`, { amount: 5, source: 'promotion' }, 201, { amount: 5 }],
      ['POST', `${base}/consumptions`, { amount: 60 }, 201, { amount: 60, balance: { available: 20 } }],
      ['POST', `${base}/consumptions/${String(consumed.id)}/reversals`, {}, 201, { amount: 10 }],
      ['POST', `${base}/holds`, { amount: 80 }, 201, { status: 'open', balance: { available: 0, held: 90 } }],
      ['POST', `${base}/holds/${String(held.id)}/captures`, {}, 201, { status: 'captured' }],
      ['POST', `${base}/holds/${String(held.id)}/releases`, {}, 201, { status: 'released' }],
      ['POST', `${base}/holds/${String(held.id)}/extensions`, { expiresInSeconds: 9000 }, 201, { status: 'open' }],
      ['POST', `${base}/transfers`, { toCustomerId: 'friend', amount: 5 }, 201, { status: 'pending', amount: 5 }],
      ['POST', `${base}/adjustments`, { amount: -5, reason: 'x' }, 201, { amount: -5 }],
      ['PATCH', `${base}/account`, { overdraftLimit: 7 }, 200, { overdraftLimit: 7 }],
      ['POST', `${base}/account/freeze`, { reason: 'x' }, 200, { status: 'frozen' }],
      ['POST', `${base}/account/close`, { reason: 'x' }, 200, { status: 'closed' }],
      ['PUT', base, { name: 'Ada' }, 201, { name: 'Ada' }],
    ];
    for (const [method, path, body, status, expected] of commands) {
      const answer = await dry(method, path, body, `dry-${path}`);
      expect([path, answer.status]).toEqual([path, status]);
      expect(answer.body).toMatchObject({ ...expected, dryRun: true });
      expect(answer.body).not.toHaveProperty('position');
    }
    expect(await countOfEvents()).toBe(before);
    expect(granted.position).toMatch(/^\d{19}$/);
    expect((await api.get(base)).status).toBe(404);
  });

  it('needs no key, and does not use one', async () => {
    expect((await dry('POST', `${base}/consumptions`, { amount: 1 })).status).toBe(201);
    expect((await dry('POST', `${base}/consumptions`, { amount: 1 }, 'later')).status).toBe(201);
    const real = await api.post(`${base}/consumptions`, { amount: 2 }, 'later');
    expect([real.status, real.headers.get('idempotent-replayed')]).toEqual([201, null]);
    expect(real.body).not.toHaveProperty('dryRun');
    expect((await dry('POST', `${base}/consumptions`, { amount: 3 }, 'later')).body.code).toBe(
      'idempotency_key_reused',
    );
    const again = await dry('POST', `${base}/consumptions`, { amount: 2 }, 'later');
    expect([again.headers.get('idempotent-replayed'), again.body.id, again.body.dryRun]).toEqual([
      'true',
      real.body.id,
      true,
    ]);
  });

  it('is refused as the command would be', async () => {
    const answer = await dry('POST', `${base}/consumptions`, { amount: 5000 }, 'much');
    expect([answer.status, answer.body.code]).toEqual([402, 'insufficient_credits']);
    expect((await dry('POST', '/v1/customers/nobody-yet/consumptions', { amount: 1 }, 'k')).status).toBe(402);
  });

  it('holds for each command of a bulk request', async () => {
    const before = await countOfEvents();
    const consume = { type: 'consume', customerId: 'dry', amount: 50 };
    const { body } = await dry('POST', '/v1/commands', {
      commands: [
        { ...consume, idempotencyKey: 'b1' },
        { ...consume, idempotencyKey: 'b2' },
        { ...consume, idempotencyKey: 'b3', amount: 500 },
      ],
    });
    expect(body.results).toMatchObject([
      { status: 201, replayed: false, body: { dryRun: true } },
      { status: 201, replayed: false, body: { dryRun: true } },
      { status: 402 },
    ]);
    expect(await countOfEvents()).toBe(before);
  });

  it('is refused where it is not offered, or says neither yes nor no', async () => {
    const refused = [
      await dry('POST', `${base}/checkout-sessions`, { mode: 'credits', credits: 100 }, 'k'),
      await dry('POST', '/v1/admin/api-keys', { name: 'x', scopes: ['credits:read'] }),
      await api.call('POST', `${base}/consumptions`, {
        body: { amount: 1 },
        key: 'k',
        headers: { 'scrip-dry-run': 'yes' },
      }),
    ];
    for (const answer of refused) expect([answer.status, answer.body.errors[0]?.field]).toEqual([400, 'Scrip-Dry-Run']);
    expect((await api.call('GET', '/v1/plans', { headers })).status).toBe(200);
  });
});

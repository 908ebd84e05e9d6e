import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ApiAnswer, ApiClient } from '../../support/api/client.js';
import { RunningScrip } from '../../support/processes/running-scrip.js';

describe('spending options', () => {
  let scrip: RunningScrip;
  let api: ApiClient;

  beforeAll(async () => {
    scrip = await RunningScrip.prepare();
    [{ client: api }] = await Promise.all([scrip.startApi(), scrip.startWorker()]);
  });

  afterAll(async () => {
    await scrip.stop();
  });

  let keys = 0;
  const command = (customer: string, route: string, body: object): Promise<ApiAnswer> => {
    keys += 1;
    return api.post(`/v1/customers/${customer}/${route}`, body, `key-${String(keys)}`);
  };

  it('takes as much as there is, and says what was asked', async () => {
    await command('part', 'grants', { amount: 10, source: 'purchase' });
    const taken = await command('part', 'consumptions', { amount: 25, partial: true });
    expect([taken.status, taken.body.amount, taken.body.requested]).toEqual([201, 10, 25]);
    const nothing = await command('part', 'consumptions', { amount: 1, partial: true });
    expect([nothing.status, nothing.body.code]).toEqual([402, 'insufficient_credits']);
    expect((await command('part', 'holds', { amount: 1, partial: true })).status).toBe(402);
    expect((await command('unseen', 'consumptions', { amount: 1, partial: true })).status).toBe(402);
  });

  it('raises a hold, and lists its captures as claims of what it names', async () => {
    const resource = { type: 'job', id: 'job-9' };
    await command('raise', 'grants', { amount: 100, source: 'purchase' });
    const { id } = (await command('raise', 'holds', { amount: 10, resource, expiresInSeconds: 60 })).body;
    const raised = await command('raise', `holds/${id}/raises`, { amount: 30 });
    expect(raised.body).toMatchObject({
      amount: 40,
      remaining: 40,
      status: 'open',
      balance: { available: 60, held: 40 },
    });
    const many = await command('raise', `holds/${id}/raises`, { amount: 61 });
    expect([many.status, many.body.code]).toEqual([402, 'insufficient_credits']);
    const { position } = (await command('raise', `holds/${id}/captures`, { amount: 35 })).body;
    const read = (path: string) => api.get(`/v1/customers/raise/${path}minPosition=${position}&waitMs=10000`);
    expect((await read('claims?resourceType=job&resourceId=job-9&')).body.data).toMatchObject([
      { amount: 35, resource },
    ]);
    expect((await read('holds?')).body.data).toMatchObject([{ id, amount: 40, captured: 35, resource }]);
    const types = (await read('history?')).body.data.map((entry) => [entry.type, entry.amount]);
    expect(types).toEqual([
      ['released', 5],
      ['captured', 0],
      ['held', -30],
      ['held', -10],
      ['granted', 100],
    ]);
    const closed = await command('raise', `holds/${id}/raises`, { amount: 1 });
    expect([closed.status, closed.body.code]).toEqual([409, 'hold_not_open']);
    expect((await command('raise', 'holds/hold_nonsense/raises', { amount: 1 })).status).toBe(404);
  });

  it('revokes what is unspent of one grant, once for each key', async () => {
    const { id } = (await command('revoke', 'grants', { amount: 100, source: 'promotion' })).body;
    await command('revoke', 'consumptions', { amount: 40 });
    const path = `/v1/customers/revoke/grants/${id}/revocations`;
    const [first, again] = [
      await api.post(path, { amount: 10, reason: 'abuse' }, 'rvk'),
      await api.post(path, { amount: 10, reason: 'abuse' }, 'rvk'),
    ];
    expect(first.body).toMatchObject({ grantId: id, amount: 10, balance: { available: 50, held: 0, debt: 0 } });
    expect([again.body.id, again.headers.get('idempotent-replayed')]).toEqual([first.body.id, 'true']);
    const much = await api.post(path, { amount: 51, reason: 'abuse' }, 'much');
    expect([much.status, much.body.code, much.body.unspent]).toEqual([422, 'amount_exceeds_grant', 50]);
    expect((await api.post(path, { reason: 'abuse' }, 'rest')).body).toMatchObject({ amount: 50 });
    expect((await api.post('/v1/customers/revoke/grants/gr_0/revocations', { reason: 'x' }, 'none')).status).toBe(404);
    expect((await api.post(path, {}, 'reasonless')).status).toBe(400);
  });

  it('takes the same commands in bulk', async () => {
    const { id } = (await command('bulk', 'grants', { amount: 100, source: 'purchase' })).body;
    const hold = (await command('bulk', 'holds', { amount: 1 })).body;
    const { body } = await api.post('/v1/commands', {
      commands: [
        { type: 'raise', customerId: 'bulk', idempotencyKey: 'b1', holdId: hold.id, amount: 9 },
        { type: 'consume', customerId: 'bulk', idempotencyKey: 'b2', amount: 50, partial: true },
        { type: 'revoke', customerId: 'bulk', idempotencyKey: 'b3', grantId: id, reason: 'end' },
      ],
    });
    expect(body.results.map(({ status }: { status: number }) => status)).toEqual([201, 201, 201]);
    expect(body.results.at(-1)?.body.balance).toEqual({ available: 0, held: 10, debt: 0 });
  });
});

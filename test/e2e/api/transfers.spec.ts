import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ApiAnswer, ApiClient } from '../../support/api/client.js';
import { eventually } from '../../support/eventually.js';
import { RunningScrip } from '../../support/processes/running-scrip.js';

describe('transfers between customers over HTTP', () => {
  let scrip: RunningScrip;
  let api: ApiClient;
  let keys = 0;

  beforeAll(async () => {
    scrip = await RunningScrip.prepare();
    [{ client: api }] = await Promise.all([scrip.startApi(), scrip.startWorker()]);
  });

  afterAll(() => scrip.stop());

  const key = (): string => `t-${String((keys += 1))}`;
  const post = (customer: string, what: string, body: object): Promise<ApiAnswer> =>
    api.post(`/v1/customers/${customer}/${what}`, body, key());
  const buy = (customer: string, amount: number): Promise<ApiAnswer> =>
    post(customer, 'grants', { amount, source: 'purchase', costBasis: { amount: 1000, currency: 'usd' } });
  const transfer = (from: string, toCustomerId: string, amount: number, more: object = {}): Promise<ApiAnswer> =>
    post(from, 'transfers', { toCustomerId, amount, ...more });
  const ended = async (customer: string, id: unknown): Promise<ApiAnswer> =>
    eventually(
      () => api.get(`/v1/customers/${customer}/transfers/${String(id)}`),
      ({ body }) => body['status'] !== 'pending' && body['status'] !== 404,
    );
  const eventsOf = async (customer: string): Promise<number> =>
    (await api.get(`/v1/events?customerId=${customer}&limit=200`)).body.data.length;

  it('bring credits to the receiver, and show on both sides', async () => {
    await buy('ada', 100);
    await api.call('PUT', '/v1/customers/bob', { body: {} });
    const sent = await transfer('ada', 'bob', 40, { reason: 'a gift' });
    expect([sent.status, sent.body]).toEqual([
      201,
      expect.objectContaining({
        ...{ fromCustomerId: 'ada', toCustomerId: 'bob', unit: 'credits', amount: 40, status: 'pending' },
        ...{ reason: 'a gift', returnedBecause: null, balance: { available: 60, held: 0, debt: 0 } },
        lots: [expect.objectContaining({ source: 'purchase', amount: 40, cost: { amount: 400, currency: 'usd' } })],
      }),
    ]);
    expect(sent.body['id']).toMatch(/^tr_/);
    const arrived = await ended('bob', sent.body['id']);
    expect(arrived.body).toMatchObject({ status: 'completed', fromCustomerId: 'ada', endedAt: expect.any(String) });
    const { position } = arrived.body.asOf;
    const { data } = (await api.get(`/v1/customers/bob/grants?minPosition=${position}`)).body;
    expect(data).toMatchObject([{ amount: 40, source: 'purchase', costBasis: { amount: 400, currency: 'usd' } }]);
    const types = async (customer: string): Promise<unknown> =>
      (await api.get(`/v1/customers/${customer}/history?minPosition=${position}`)).body.data.map(
        ({ type, amount, transferId }) => [type, amount, transferId === sent.body['id']],
      );
    expect(await types('ada')).toEqual([
      ['transfer_sent', -40, true],
      ['granted', 100, false],
    ]);
    expect(await types('bob')).toEqual([['transfer_received', 40, true]]);
    for (const customer of ['ada', 'bob'])
      expect((await api.get(`/v1/customers/${customer}/transfers`)).body.data).toMatchObject([{ id: sent.body['id'] }]);
  });

  it('go back to the grants that they came from where the receiver’s account was closed meanwhile', async () => {
    await buy('carl', 100);
    await buy('dan', 1);
    await scrip.writer.account('carl', {
      type: 'TransferCredits',
      ...{ toCustomerId: 'dan', amount: 30, reason: null, receiver: 'ready' },
    });
    // The same as a transfer whose receiver closes the account before it arrives.
    await post('erin', 'grants', { amount: 1, source: 'trial' });
    await post('erin', 'account/close', { reason: 'left' });
    await scrip.writer.account('carl', {
      type: 'TransferCredits',
      ...{ toCustomerId: 'erin', amount: 50, reason: null, receiver: 'ready' },
    });
    const listed = await eventually(
      () => api.get('/v1/customers/carl/transfers'),
      ({ body }) => body.data?.length === 2 && body.data.every(({ status }) => status !== 'pending'),
    );
    expect(listed.body.data).toMatchObject([
      { toCustomerId: 'erin', status: 'returned', returnedBecause: 'account_closed' },
      { toCustomerId: 'dan', status: 'completed', returnedBecause: null },
    ]);
    const { position } = listed.body.asOf;
    const { data } = (await api.get(`/v1/customers/carl/grants?minPosition=${position}`)).body;
    expect(data).toMatchObject([{ amount: 100, remaining: 70, transferred: 30 }]);
  });

  it('are refused with the reason, and nothing is recorded', async () => {
    await buy('fred', 100);
    await buy('gone', 1);
    await buy('open', 1);
    await post('gone', 'account/close', { reason: 'left' });
    const before = await eventsOf('fred');
    const refused: readonly (readonly [object, number, string])[] = [
      [{ toCustomerId: 'fred', amount: 1 }, 400, 'invalid_request'],
      [{ toCustomerId: 'not an id', amount: 1 }, 400, 'invalid_request'],
      [{ toCustomerId: 'open', amount: 0 }, 400, 'invalid_request'],
      [{ toCustomerId: 'open', amount: 1, toUnit: 'tokens' }, 400, 'invalid_request'],
      [{ toCustomerId: 'open', amount: 1, unit: 'No Unit' }, 400, 'invalid_request'],
      [{ toCustomerId: 'nobody', amount: 1 }, 404, 'customer_not_found'],
      [{ toCustomerId: 'gone', amount: 1 }, 422, 'account_closed'],
      [{ toCustomerId: 'open', amount: 101 }, 402, 'insufficient_credits'],
      [{ toCustomerId: 'open', amount: 1, unit: 'tokens' }, 402, 'insufficient_credits'],
    ];
    for (const [body, status, code] of refused) {
      const answer = await post('fred', 'transfers', body);
      expect([body, answer.status, answer.body.code]).toEqual([body, status, code]);
    }
    expect(await eventsOf('fred')).toBe(before);
    await post('fred', 'account/freeze', { reason: 'check' });
    expect((await transfer('fred', 'open', 1)).body.code).toBe('account_frozen');
    expect((await api.get('/v1/customers/fred/transfers/tr_1')).body.code).toBe('transfer_not_found');
    expect((await api.get('/v1/customers/nobody/transfers')).body.code).toBe('customer_not_found');
    const badUnit = await api.post('/v1/customers/open/transfers?unit=No', { toCustomerId: 'fred', amount: 1 }, key());
    expect([badUnit.status, badUnit.body.errors[0]?.field]).toEqual([400, 'unit']);
  });

  it('happen once for a key, whatever becomes of the receiver', async () => {
    await buy('gina', 100);
    await buy('hal', 1);
    const body = { toCustomerId: 'hal', amount: 10 };
    const first = await api.post('/v1/customers/gina/transfers', body, 'once');
    await ended('gina', first.body['id']);
    await post('hal', 'account/close', { reason: 'left' });
    const again = await api.post('/v1/customers/gina/transfers', body, 'once');
    expect([again.status, again.headers.get('idempotent-replayed')]).toEqual([201, 'true']);
    expect(again.body).toMatchObject({ id: first.body['id'], status: 'pending', balance: { available: 90 } });
    const other = await api.post('/v1/customers/gina/transfers', { ...body, amount: 11 }, 'once');
    expect([other.status, other.body.code]).toEqual([409, 'idempotency_key_reused']);
    expect((await api.post('/v1/customers/gina/transfers', body)).body.code).toBe('idempotency_key_required');
  });

  it('need the scopes for writing and for reading credits', async () => {
    const keyWith = async (...scopes: string[]): Promise<string> =>
      String((await api.post('/v1/admin/api-keys', { name: scopes.join(), scopes })).body['secret']);
    const [reader, writer] = [await keyWith('credits:read'), await keyWith('credits:write')];
    const path = '/v1/customers/gina/transfers';
    const asked = { body: { toCustomerId: 'open', amount: 1 }, key: key() };
    expect((await api.call('POST', path, { ...asked, token: reader })).status).toBe(403);
    expect((await api.call('POST', path, { ...asked, token: writer })).status).toBe(201);
    expect((await api.get(path, { token: writer })).status).toBe(403);
    expect((await api.get(path, { token: reader })).status).toBe(200);
  });
});

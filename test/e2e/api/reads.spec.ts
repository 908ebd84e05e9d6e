import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ApiAnswer, ApiClient, Body } from '../../support/api/client.js';
import { RunningScrip } from '../../support/processes/running-scrip.js';
describe('queries over HTTP', () => {
  let scrip: RunningScrip;
  let api: ApiClient;
  let other: ApiClient;

  beforeAll(async () => {
    scrip = await RunningScrip.prepare();
    const started = await Promise.all([scrip.startApi(), scrip.startApi(), scrip.startWorker()]);
    [{ client: api }, { client: other }] = started;
  });

  afterAll(async () => {
    await scrip.stop();
  });

  let keys = 0;
  const command = (customer: string, route: string, body: object): Promise<ApiAnswer> => {
    keys += 1;
    return api.post(`/v1/customers/${customer}/${route}`, body, `key-${String(keys)}`);
  };
  const inDays = (days: number): string => new Date(Date.now() + days * 86_400_000).toISOString();

  it('reads its own writes, through another process too', async () => {
    await command('own', 'grants', { amount: 100, source: 'purchase' });
    for (let n = 1; n <= 20; n += 1) {
      const { body } = await command('own', 'consumptions', { amount: 1 });
      const read = await other.get(`/v1/customers/own/balance?minPosition=${body.position}&waitMs=10000`);
      expect([read.status, read.body.available]).toEqual([200, 100 - n]);
      expect(read.body.asOf.position >= body.position).toBe(true);
    }
  });

  it('says when it cannot be fresh enough in time', async () => {
    const answer = await api.get('/v1/customers/own/balance?minPosition=9999999999&waitMs=50');
    expect([answer.status, answer.body.code, answer.headers.get('retry-after')]).toEqual([
      503,
      'projection_behind',
      '1',
    ]);
  });

  it('takes minPosition and waitMs wherever it says how fresh it is', async () => {
    const { body } = await command('fresh', 'grants', { amount: 1, source: 'purchase' });
    const ahead = 'minPosition=9999999999&waitMs=50';
    for (const path of ['events', 'admin/parked-events', 'plans', 'customers', 'customers/fresh/payments']) {
      const reached = await api.get(`/v1/${path}?minPosition=${body.position}&waitMs=10000`);
      expect([path, reached.status, reached.body.asOf.position >= body.position]).toEqual([path, 200, true]);
      const behind = await api.get(`/v1/${path}?${ahead}`);
      expect([path, behind.status, behind.body.code]).toEqual([path, 503, 'projection_behind']);
    }
  });

  it('breaks a balance down by source and expiry', async () => {
    for (const [amount, source, days] of [
      [1, 'promotion', 3],
      [20, 'trial', 20],
      [300, 'subscription', 60],
      [4000, 'purchase', 400],
    ] as const) {
      await command('broken-down', 'grants', { amount, source, expiresAt: inDays(days) });
    }
    const { body } = await command('broken-down', 'grants', { amount: 50_000, source: 'purchase' });
    const read = await api.get(`/v1/customers/broken-down/balance?minPosition=${body.position}`);
    expect(read.body).toMatchObject({
      customerId: 'broken-down',
      unit: 'credits',
      status: 'active',
      available: 54_321,
      held: 0,
      debt: 0,
      overdraftLimit: 0,
      bySource: { promotion: 1, trial: 20, subscription: 300, purchase: 54_000 },
      expiryBuckets: { within7Days: 1, within30Days: 20, within90Days: 300, later: 4000, never: 50_000 },
      nextExpiry: { amount: 1 },
      usage: { consumed: 0, limit: null },
    });
  });

  it('never shows an expired grant as available', async () => {
    const expiresAt = new Date(Date.now() + 3_000).toISOString();
    await command('brief', 'grants', { amount: 5, source: 'promotion', expiresAt });
    const { body } = await command('brief', 'grants', { amount: 7, source: 'purchase' });
    const seen: [string, number][] = [];
    for (const until = Date.now() + 4_000; Date.now() < until;) {
      const read = await api.get(`/v1/customers/brief/balance?minPosition=${body.position}`);
      seen.push([read.body.asOf.time, read.body.available]);
    }
    expect(seen.filter(([time, available]) => available !== (time < expiresAt ? 12 : 7))).toEqual([]);
    expect(new Set(seen.map(([, available]) => available))).toEqual(new Set([12, 7]));
    expect((await command('brief', 'consumptions', { amount: 8 })).body).toMatchObject({
      code: 'insufficient_credits',
      available: 7,
    });
  });

  it('tells the balance of the past from the log, by time and by position', async () => {
    const granted = await command('past', 'grants', { amount: 100, source: 'purchase' });
    const held = await command('past', 'holds', { amount: 30 });
    await new Promise((resolve) => setTimeout(resolve, 5));
    const between = new Date().toISOString();
    await new Promise((resolve) => setTimeout(resolve, 5));
    const consumed = await command('past', 'consumptions', { amount: 20 });
    const at = async (query: string): Promise<object> => {
      const {
        available,
        held: reserved,
        usage,
      } = (await api.get(`/v1/customers/past/balance?${query}`)).body as Body & {
        held: number;
        usage: { consumed: number };
      };
      return { available, held: reserved, consumed: usage.consumed };
    };
    expect(await at(`position=${granted.body.position}`)).toEqual({ available: 100, held: 0, consumed: 0 });
    expect(await at(`position=${held.body.position}`)).toEqual({ available: 70, held: 30, consumed: 0 });
    expect(await at(`at=${between}`)).toEqual({ available: 70, held: 30, consumed: 0 });
    expect(await at(`position=${consumed.body.position}`)).toEqual({ available: 50, held: 30, consumed: 20 });
    const reversed = await command('past', `consumptions/${consumed.body.id}/reversals`, { amount: 4 });
    const now = { available: 54, held: 30, consumed: 16 };
    expect(await at(`position=${reversed.body.position}`)).toEqual(now);
    expect(await at(`minPosition=${reversed.body.position}`)).toEqual(now);
    expect(await at('at=2001-01-01T00:00:00Z')).toEqual({ available: 0, held: 0, consumed: 0 });
    expect((await api.get(`/v1/customers/unheard-of/balance?at=${between}`)).body.code).toBe('customer_not_found');
    expect((await api.get('/v1/customers/unheard-of/balance')).body.code).toBe('customer_not_found');
  });

  it('shows of a reversal what goes back to grants and what of a debt is undone', async () => {
    const stepsOf = async (customer: string, { position }: Body) => {
      const { body } = await api.get(`/v1/customers/${customer}/history?minPosition=${position}`);
      return body.data.map((entry) => [entry['type'], entry['amount'], entry['debtChange']]).reverse();
    };
    const overdrawn = async (customer: string): Promise<string> => {
      await api.call('PATCH', `/v1/customers/${customer}/account`, { body: { overdraftLimit: 100 } });
      await command(customer, 'grants', { amount: 30, source: 'purchase' });
      return (await command(customer, 'consumptions', { amount: 50 })).body.id;
    };
    const owed = await overdrawn('owed');
    const { body: undone } = await command('owed', `consumptions/${owed}/reversals`, {});
    const start = [
      ['granted', 30, 0],
      ['consumed', -30, 0],
      ['debt_incurred', 0, 20],
    ];
    expect(await stepsOf('owed', undone)).toEqual([...start, ['reversed', 30, 0], ['reversed', 0, -20]]);

    const repaid = await overdrawn('repaid');
    await command('repaid', 'grants', { amount: 100, source: 'purchase' });
    const { body: back } = await command('repaid', `consumptions/${repaid}/reversals`, {});
    const repayment = [
      ['granted', 100, 0],
      ['debt_repaid', -20, -20],
    ];
    expect(await stepsOf('repaid', back)).toEqual([...start, ...repayment, ['reversed', 30, 0], ['reversed', 20, 0]]);
    const { body } = await api.get('/v1/customers/repaid/history?type=reversed');
    expect(body.data.map((entry) => entry['reversalId'])).toEqual([back.id, back.id]);
  });

  it('waits for a position that is still to come, and says when it does not come in time', async () => {
    const { body } = await command('ahead', 'grants', { amount: 100, source: 'purchase' });
    for (const query of ['position=9999999999', `at=${inDays(0)}&minPosition=9999999999`]) {
      const answer = await api.get(`/v1/customers/ahead/balance?${query}&waitMs=50`);
      expect([answer.status, answer.body.code]).toEqual([503, 'projection_behind']);
    }
    const next = String(BigInt(body.position) + 1n);
    const waiting = api.get(`/v1/customers/ahead/balance?position=${next}&waitMs=10000`);
    await new Promise((resolve) => setTimeout(resolve, 100));
    await command('ahead', 'consumptions', { amount: 40 });
    expect((await waiting).body).toMatchObject({ available: 60, asOf: { position: next.padStart(19, '0') } });
  });

  it('shows metadata, and keeps entries at their offsets while new ones come', async () => {
    const metadata = { orderId: 'o-1', paid: true, ratio: 0.5 };
    const path = '/v1/customers/noted';
    await api.post(`${path}/grants`, { amount: 100, source: 'promotion', metadata }, 'g');
    await api.post(`${path}/holds`, { amount: 1, metadata }, 'h');
    const resource = { type: 'report', id: 'r-1' };
    const use = (key: string) => api.post(`${path}/consumptions`, { amount: 1, resource, metadata }, key);
    const { position } = (await use('c')).body;
    const firstOf = async (list: string) => (await api.get(`${path}/${list}?minPosition=${position}`)).body.data[0];
    for (const list of ['grants', 'holds', 'claims', 'history'])
      expect(await firstOf(list)).toMatchObject({ metadata });

    const page = (offset: number, upTo = ''): Promise<ApiAnswer> =>
      api.get(`${path}/history?limit=2&offset=${String(offset)}&minPosition=${position}${upTo}`);
    const first = (await page(0)).body;
    const { position: later } = (await use('d')).body;
    await api.get(`${path}/history?minPosition=${later}`);
    const second = (await page(2, `&upTo=${first.asOf.position}`)).body;
    expect([...first.data, ...second.data].map(({ type }) => type)).toEqual(['consumed', 'held', 'granted']);
    expect([first['total'], second['total'], (await page(0)).body['total']]).toEqual([3, 3, 4]);
  });

  it('shows what is set for an account', async () => {
    const path = '/v1/customers/settled/account';
    await api.call('PATCH', path, { body: { lowBalanceThreshold: 5, debtPolicy: 'write_off' }, key: 's' });
    const { position } = (await api.post(`${path}/freeze`, { reason: 'x' }, 'f')).body;
    expect((await api.get(`${path}?minPosition=${position}`)).body).toMatchObject({
      customerId: 'settled',
      unit: 'credits',
      status: 'frozen',
      burnOrder: 'purchased-first',
      overdraftLimit: 0,
      debtPolicy: 'write_off',
      lowBalanceThreshold: 5,
    });
    expect((await api.get(`${path}?unit=points`)).body).toMatchObject({ unit: 'points', lowBalanceThreshold: null });
    expect((await api.get('/v1/customers/nobody-at-all/account')).body.code).toBe('customer_not_found');
  });

  it('lists history by cursor and by offset, the same both ways, newest first', async () => {
    await command('listed', 'grants', { amount: 1000, source: 'purchase' });
    let position = '';
    for (let n = 0; n < 23; n += 1)
      ({ position } = (
        await command('listed', 'consumptions', { amount: 1, resource: { type: 'lead', id: String(n) } })
      ).body);
    await api.get(`/v1/customers/listed/history?minPosition=${position}`);
    const byCursor: Body[] = [];
    let cursor = '';
    do {
      const { body } = await api.get(`/v1/customers/listed/history?limit=10${cursor}`);
      byCursor.push(...body.data);
      cursor = body['hasMore'] === true ? `&cursor=${String(body['nextCursor'])}` : '';
    } while (cursor !== '');
    const byOffset: Body[] = [];
    for (let offset = 0; offset < 24; offset += 5) {
      const { body } = await api.get(`/v1/customers/listed/history?limit=5&offset=${String(offset)}`);
      expect(body['total']).toBe(24);
      byOffset.push(...body.data);
    }
    expect(byCursor).toEqual(byOffset);
    expect(byCursor.map((entry) => entry['balanceAfter'])).toEqual([
      ...Array.from({ length: 23 }, (_, n) => 977 + n),
      1000,
    ]);
    expect(byCursor[0]).toMatchObject({
      type: 'consumed',
      amount: -1,
      resource: { type: 'lead', id: '22' },
      actor: 'key:admin',
      position,
    });
    expect((await api.get('/v1/customers/listed/history?type=granted')).body.data).toHaveLength(1);
    const claims = await api.get('/v1/customers/listed/claims?resourceType=lead&resourceId=7');
    expect(claims.body.data).toMatchObject([{ amount: 1, resource: { type: 'lead', id: '7' } }]);
  });

  it('goes on with a list by a cursor of that list and its filters only', async () => {
    let position = '';
    for (let n = 0; n < 3; n += 1) {
      await command('paged', 'grants', { amount: 5, source: 'promotion' });
      const resource = { type: 'lead', id: String(n) };
      ({ position } = (await command('paged', 'consumptions', { amount: 1, resource })).body);
    }
    await api.get(`/v1/customers/paged/claims?minPosition=${position}`);
    const cursorOf = async (path: string): Promise<string> =>
      String((await api.get(`${path}limit=1&minPosition=${position}`)).body['nextCursor']);
    const [grants, history, plans] = [
      await cursorOf('/v1/customers/paged/grants?status=active&'),
      await cursorOf('/v1/customers/paged/history?'),
      await cursorOf('/v1/plans?'),
    ];
    for (const path of [
      `/v1/customers/paged/grants?status=active&unit=credits&limit=2&cursor=${grants}`,
      `/v1/customers/paged/history?limit=7&cursor=${history}`,
    ])
      expect([path, (await api.get(path)).status]).toEqual([path, 200]);
    for (const path of [
      `/v1/customers/paged/grants?cursor=${grants}`,
      `/v1/customers/paged/grants?status=spent&cursor=${grants}`,
      `/v1/customers/paged/grants?status=active&unit=points&cursor=${grants}`,
      `/v1/customers/listed/grants?status=active&cursor=${grants}`,
      `/v1/customers/paged/holds?cursor=${grants}`,
      `/v1/customers/paged/history?type=granted&cursor=${history}`,
      `/v1/customers/paged/claims?cursor=${history}`,
      `/v1/customers?cursor=${history}`,
      `/v1/admin/parked-events?cursor=${history}`,
      `/v1/credit-products?cursor=${plans}`,
    ]) {
      const { status, body } = await api.get(path);
      expect([path, status, body.errors?.[0]?.field]).toEqual([path, 400, 'cursor']);
    }
  });

  it('lists grants and holds by state', async () => {
    await command('states', 'grants', { amount: 10, source: 'purchase', description: 'first' });
    await command('states', 'grants', { amount: 10, source: 'promotion', effectiveAt: inDays(10) });
    const hold = await command('states', 'holds', { amount: 4 });
    const done = await command('states', `holds/${hold.body.id}/captures`, { amount: 1 });
    const list = async (path: string): Promise<readonly Body[]> =>
      (await api.get(`/v1/customers/states/${path}minPosition=${done.body.position}`)).body.data;
    expect(await list('grants?')).toHaveLength(2);
    expect(await list('grants?status=active&')).toMatchObject([
      { amount: 10, remaining: 9, consumed: 1, description: 'first', status: 'active' },
    ]);
    expect(await list('grants?status=scheduled&')).toMatchObject([{ source: 'promotion', status: 'scheduled' }]);
    expect(await list('holds?status=open&')).toEqual([]);
    expect(await list('holds?status=captured&')).toMatchObject([{ id: hold.body.id, captured: 1, remaining: 0 }]);
  });

  it('tells a customer who has nothing from one who was never heard of', async () => {
    const granted = await api.post('/v1/customers/granted/grants', { amount: 5, source: 'trial' }, 'before');
    const put = (await api.call('PUT', '/v1/customers/granted', { body: { name: 'A' } })).body;
    const seen = (await api.get(`/v1/customers/granted?minPosition=${granted.body.position}&waitMs=10000`)).body;
    expect(put['createdAt']).toBe(seen['createdAt']);
    const { body } = await api.call('PUT', '/v1/customers/newcomer', { body: {} });
    for (const list of ['grants', 'holds', 'claims', 'history', 'history?offset=0']) {
      const query = `${list.includes('?') ? '&' : '?'}minPosition=${body.position}`;
      const empty = await api.get(`/v1/customers/newcomer/${list}${query}`);
      expect([list, empty.status, empty.body.data]).toEqual([list, 200, []]);
      const unknown = await api.get(`/v1/customers/unheard-of/${list}`);
      expect([list, unknown.status, unknown.body.code]).toEqual([list, 404, 'customer_not_found']);
    }
  });

  it('keeps names outside the log', async () => {
    const body = { name: 'Ada Lovelace', email: 'ada@example.com', metadata: { plan: 'x' } };
    const first = await api.call('PUT', '/v1/customers/ada', { body });
    expect([first.status, first.body]).toMatchObject([201, { id: 'ada', ...body }]);
    const second = await api.call('PUT', '/v1/customers/ada', { body: { name: 'Ada King' } });
    expect([second.status, second.body]).toMatchObject([200, { ...body, name: 'Ada King' }]);
    const read = await api.get(`/v1/customers/ada?minPosition=${second.body.position}`);
    expect(read.body).toMatchObject({ id: 'ada', ...body, name: 'Ada King' });
    expect((await api.get('/v1/customers?query=lovelace')).body.data).toEqual([]);
    expect((await api.get('/v1/customers?query=ADA%40EX')).body.data).toMatchObject([{ id: 'ada' }]);
    expect((await api.get('/v1/customers/nobody')).body.code).toBe('customer_not_found');
    const log = await api.get('/v1/events?customerId=ada');
    expect(log.body.data.map((event) => event['type'])).toEqual(
      ['CustomerRegistered', 'CustomerContactChanged', 'CustomerContactChanged'].slice(0, log.body.data.length),
    );
    expect(log.text).not.toMatch(/Lovelace|King|ada@/);
  });

  it('gives the log in pages and as a stream of lines, the same events', async () => {
    const paged: Body[] = [];
    let after = '';
    for (;;) {
      const { body } = await api.get(`/v1/events?limit=7${after}`);
      paged.push(...body.data);
      if (body['hasMore'] !== true) break;
      after = `&after=${String(body['nextAfter'])}`;
    }
    const stream = await api.get('/v1/events', { headers: { accept: 'application/x-ndjson' } });
    expect(stream.headers.get('content-type')).toBe('application/x-ndjson');
    const lines = stream.text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Body);
    expect(lines).toEqual(paged);
    expect(lines.map((event) => event.position)).toEqual(lines.map((event) => event.position).toSorted());
    const one = lines.find((event) => event['stream'] === 'account-past' && event['revision'] === 1)!;
    const { position: head } = lines.at(-1)!;
    expect((await api.get(`/v1/events/${one.id}?minPosition=${head}`)).body).toMatchObject({
      ...one,
      asOf: { position: head, time: expect.any(String) },
    });
    expect((await api.get('/v1/events/00000000-0000-5000-8000-000000000000')).body.code).toBe('event_not_found');
    const ofStream = await api.get(
      `/v1/events?stream=account-listed&limit=3&after=${lines.find((event) => event['stream'] === 'account-listed')!.position}`,
    );
    expect(ofStream.body.data.map((event) => event['revision'])).toEqual([1, 2, 3]);
    expect((await api.get('/v1/events?customerId=past&type=CreditsHeld')).body.data).toMatchObject([
      { type: 'CreditsHeld', metadata: { actor: 'key:admin' } },
    ]);
    expect((await api.get('/v1/events?to=2001-01-01T00:00:00Z')).body.data).toEqual([]);
  });

  it('shows the catalogue to anybody', async () => {
    const read = async (path: string): Promise<unknown> =>
      (await api.get(path, { token: null })).body.data.map((item) => item.id);
    expect(await read('/v1/plans?minPosition=1')).toEqual(['free', 'starter']);
    expect(await read('/v1/credit-products')).toEqual(['credits_1000']);
    expect(await read('/v1/credit-events')).toEqual(['api_call']);
    const first = (await api.get('/v1/plans?limit=1')).body as Body & { nextCursor: string };
    expect([first.data.map(({ id }) => id), first['hasMore']]).toEqual([['free'], true]);
    const rest = (await api.get(`/v1/plans?limit=1&cursor=${first.nextCursor}`)).body;
    expect(rest).toMatchObject({ data: [{ id: 'starter' }], hasMore: false, nextCursor: null });
    expect((await api.get('/v1/credit-products?limit=0')).body.code).toBe('invalid_request');
    expect((await api.get('/v1/credit-events?cursor=zzz')).body.code).toBe('invalid_request');
    expect((await api.get('/v1/billing/config', { token: null })).body).toEqual({
      billingEnabled: true,
      publishableKey: null,
      livemode: false,
      asOf: { position: expect.stringMatching(/^\d{19}$/), time: expect.any(String) },
    });
  });
});

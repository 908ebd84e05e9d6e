import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ApiAnswer, ApiClient, Body } from '../../support/api/client.js';
import { RunningScrip } from '../../support/processes/running-scrip.js';

describe('what is told about an account', () => {
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
  const inDays = (days: number): string => new Date(Date.now() + days * 86_400_000).toISOString();

  it('forecasts when the credits run out and what expires unused', async () => {
    const brief = await command('forecast', 'grants', { amount: 50, source: 'trial', expiresAt: inDays(2) });
    await command('forecast', 'grants', { amount: 100, source: 'purchase' });
    const { body: used } = await command('forecast', 'consumptions', { amount: 30 });
    await command('forecast', `consumptions/${used.id}/reversals`, { amount: 10 });
    const { body: held } = await command('forecast', 'holds', { amount: 5 });
    const { status, body } = await api.get(`/v1/customers/forecast/forecast?minPosition=${held.position}`);
    expect([status, body]).toMatchObject([
      200,
      {
        customerId: 'forecast',
        unit: 'credits',
        available: 125,
        // A day, for the account is younger; 20 of it in all.
        perDay: '20',
        expiringUnused: [{ grantId: brief.body.id, at: brief.body['expiresAt'], amount: 50 }],
        basis: { consumed: 20 },
        asOf: { position: held.position },
      },
    ]);
    // 75 purchased ones are spent first; by then the others have expired.
    expect(body['daysLeft']).toBe(3.75);
    const { from, to } = body['basis'] as { from: string; to: string };
    expect(Date.parse(to) - Date.parse(from)).toBe(86_400_000);
    expect(Date.parse(String(body['runsOutAt'])) - Date.parse(to)).toBe(3.75 * 86_400_000);
  });

  it('forecasts nothing for who consumes nothing', async () => {
    await api.call('PUT', '/v1/customers/idle', { body: {} });
    const nothing = { available: 0, perDay: '0', daysLeft: null, runsOutAt: null, expiringUnused: [] };
    expect((await api.get('/v1/customers/idle/forecast')).body).toMatchObject(nothing);
    const { body } = await command('idle', 'grants', { amount: 7, source: 'purchase' });
    const forecast = await api.get(`/v1/customers/idle/forecast?minPosition=${body.position}`);
    expect(forecast.body).toMatchObject({ ...nothing, available: 7 });
    expect((await api.get('/v1/customers/idle/forecast?unit=points')).body).toMatchObject({
      unit: 'points',
      available: 0,
    });
    expect((await api.get('/v1/customers/unheard-of/forecast')).body.code).toBe('customer_not_found');
  });

  const uses = async (customer: string, grantId: string, query: string): Promise<Body[]> => {
    const all: Body[] = [];
    for (let cursor = ''; ;) {
      const path = `/v1/customers/${customer}/grants/${grantId}/uses?limit=2&${query}${cursor}`;
      const { body } = await api.get(path);
      all.push(...body.data);
      if (body['hasMore'] !== true) return all;
      cursor = `&cursor=${String(body['nextCursor'])}`;
    }
  };

  it('explains a balance grant by grant, now and at any moment of the past, the same for ever', async () => {
    const path = '/v1/customers/explained';
    const costBasis = { amount: 1000, currency: 'usd' };
    const { body: paid } = await command('explained', 'grants', { amount: 100, source: 'purchase', costBasis });
    const { body: trial } = await command('explained', 'grants', { amount: 40, source: 'trial', expiresAt: inDays(9) });
    await command('explained', 'grants', { amount: 7, source: 'promotion', effectiveAt: inDays(3) });
    const { body: used } = await command('explained', 'consumptions', { amount: 110 });
    const { body: held } = await command('explained', 'holds', { amount: 20 });
    await command('explained', `consumptions/${used.id}/reversals`, { amount: 15 });
    const { body: last } = await command('explained', `holds/${held.id}/captures`, { amount: 5, final: false });
    const explanation = async (query: string): Promise<Body & { grants: Body[]; sums: object }> => {
      const { status, body } = await api.get(`${path}/explanation?${query}`);
      expect(status).toBe(200);
      return body as Body & { grants: Body[]; sums: object };
    };
    const now = await explanation(`minPosition=${last.position}`);
    expect(now).toMatchObject({
      available: 25,
      held: 15,
      debt: 0,
      position: last.position,
      grants: [
        { grantId: paid.id, source: 'purchase', granted: 100, available: 5, held: 0, consumed: 95, uses: 2 },
        { grantId: trial.id, source: 'trial', granted: 40, available: 20, held: 15, consumed: 5, uses: 3 },
        { granted: 7, scheduled: 7, available: 0, uses: 0, firstUse: null, lastUse: null },
      ],
      sums: { granted: 147, scheduled: 7, available: 25, held: 15, consumed: 100, debt: 0 },
    });
    const then = await explanation(`position=${used.position}`);
    expect(then).toMatchObject({ available: 30, held: 0, grants: [{ uses: 1 }, { uses: 1, available: 30 }, {}] });
    const { body: newest } = await command('explained', 'consumptions', { amount: 1 });
    expect(await explanation(`position=${used.position}`)).toEqual(then);
    const instant = `at=${String(now['at'])}`;
    expect({ ...(await explanation(instant)), asOf: null, position: null, at: null }).toEqual({
      ...now,
      asOf: null,
      position: null,
      at: null,
    });

    const ofTrial = await uses('explained', trial.id, `minPosition=${last.position}`);
    expect(ofTrial.slice(0, 3).map(({ type, amount }) => [type, amount])).toEqual([
      ['consumed', 10],
      ['reversed', -10],
      ['captured', 5],
    ]);
    expect(ofTrial[2]).toMatchObject({ holdId: held.id, consumptionId: last['consumptionId'], cost: null });
    const [first, second] = await uses('explained', paid.id, `minPosition=${last.position}`);
    expect([first, second]).toMatchObject([
      { type: 'consumed', amount: 100, cost: costBasis, consumptionId: used.id },
      { type: 'reversed', amount: -5, cost: { amount: -50 } },
    ]);
    const both = `minPosition=${newest.position}`;
    const grant = (await api.get(`${path}/grants/${paid.id}?${both}`)).body;
    const { data } = (await api.get(`${path}/grants/${paid.id}/uses?${both}`)).body;
    expect(data.reduce((sum, { amount }) => sum + Number(amount), 0) + Number(grant['remaining'])).toBe(100);
  });

  it('shows one consumption with what was given back and why these grants paid', async () => {
    const path = '/v1/customers/chosen';
    const { body: late } = await command('chosen', 'grants', {
      amount: 10,
      source: 'promotion',
      expiresAt: inDays(30),
    });
    const { body: sooner } = await command('chosen', 'grants', {
      amount: 10,
      source: 'promotion',
      expiresAt: inDays(5),
    });
    const resource = { type: 'lead', id: '7' };
    const { body: used } = await command('chosen', 'consumptions', { amount: 12, resource });
    const { body: reversal } = await command('chosen', `consumptions/${used.id}/reversals`, {
      amount: 3,
      reason: 'dud',
    });
    const { body: read } = await api.get(`${path}/consumptions/${used.id}?minPosition=${reversal.position}`);
    expect(read).toMatchObject({
      id: used.id,
      amount: 12,
      allocations: [
        { grantId: sooner.id, amount: 10 },
        { grantId: late.id, amount: 2 },
      ],
      burnOrder: 'purchased-first',
      resource,
      reversed: 3,
      reversals: [{ id: reversal.id, amount: 3, reason: 'dud', debtReversed: 0, position: reversal.position }],
      why: [
        { grantId: sooner.id, rank: 1, among: 2 },
        { grantId: late.id, rank: 2, among: 2 },
      ],
    });
    const { body: held } = await command('chosen', 'holds', { amount: 4 });
    const { body: captured } = await command('chosen', `holds/${held.id}/captures`, { amount: 4 });
    const consumption = `${path}/consumptions/${String(captured['consumptionId'])}`;
    expect((await api.get(`${consumption}?minPosition=${captured.position}`)).body).toMatchObject({
      holdId: held.id,
      amount: 4,
      why: [
        { grantId: sooner.id, rank: 1, among: 2 },
        { grantId: late.id, rank: 2, among: 2 },
      ],
    });
  });

  it('ranks what a raised hold took where it was taken', async () => {
    const path = '/v1/customers/raised';
    const { body: first } = await command('raised', 'grants', { amount: 5, source: 'promotion' });
    const { body: held } = await command('raised', 'holds', { amount: 5, resource: { type: 'job', id: '9' } });
    const { body: second } = await command('raised', 'grants', { amount: 5, source: 'promotion' });
    const { body: third } = await command('raised', 'grants', { amount: 5, source: 'purchase' });
    await command('raised', `holds/${held.id}/raises`, { amount: 7 });
    const { body: captured } = await command('raised', `holds/${held.id}/captures`, {});
    const { body } = await api.get(`${path}/consumptions/${String(captured['consumptionId'])}`);
    expect(body).toMatchObject({ amount: 12, holdId: held.id, resource: { type: 'job', id: '9' } });
    const ranks = (body['why'] as { grantId: string; rank: number; among: number }[]).map(
      ({ grantId, rank, among }) => [grantId, rank, among],
    );
    expect(ranks.toSorted()).toEqual(
      [
        [first.id, 1, 1],
        [second.id, 2, 2],
        [third.id, 1, 2],
      ].toSorted(),
    );
  });

  it('finds one grant and one hold, and says when there is none', async () => {
    const path = '/v1/customers/looked-up';
    const { body: granted } = await command('looked-up', 'grants', { amount: 10, source: 'purchase' });
    const { body: held } = await command('looked-up', 'holds', { amount: 4, description: 'job' });
    const at = `minPosition=${held.position}`;
    expect((await api.get(`${path}/grants/${granted.id}?${at}`)).body).toMatchObject({ id: granted.id, held: 4 });
    expect((await api.get(`${path}/holds/${held.id}?${at}`)).body).toMatchObject({
      id: held.id,
      status: 'open',
      description: 'job',
    });
    expect((await api.get(`${path}/grants/${granted.id}/uses?${at}`)).body.data).toEqual([]);
    const codes = async (...routes: readonly string[]): Promise<readonly string[]> =>
      Promise.all(routes.map(async (route) => (await api.get(`/v1/customers/${route}`)).body.code));
    expect(
      await codes(
        'looked-up/grants/gr_0',
        'looked-up/grants/gr_0/uses',
        'looked-up/holds/hold_0',
        'looked-up/consumptions/con_0',
        `looked-up/consumptions/${held.id.replace('hold_', 'con_')}`,
        `looked-up/grants/${granted.id}?unit=points`,
        'unheard-of/grants/gr_0',
        'unheard-of/explanation',
      ),
    ).toEqual([
      'grant_not_found',
      'grant_not_found',
      'hold_not_found',
      'consumption_not_found',
      'consumption_not_found',
      'grant_not_found',
      'customer_not_found',
      'customer_not_found',
    ]);
  });

  it('finds by its key what a command made', async () => {
    const path = '/v1/customers/keyed';
    await api.post(`${path}/grants`, { amount: 10, source: 'purchase' }, 'other');
    const { body: granted } = await api.post(`${path}/grants`, { amount: 30, source: 'purchase' }, 'order 1/2');
    const resource = { type: 'lead', id: '1' };
    const { body: used } = await api.post(`${path}/consumptions`, { amount: 5, resource }, 'use');
    const { body: held } = await api.post(`${path}/holds`, { amount: 5 }, 'reserve');
    await api.post(`${path}/holds/${held.id}/captures`, { amount: 2 }, 'settle');
    const idsOf = async (list: string, key: string, more = ''): Promise<readonly unknown[]> => {
      const { status, body } = await api.get(`${path}/${list}?key=${encodeURIComponent(key)}${more}`);
      expect(status).toBe(200);
      return body.data.map((entry) => (list === 'history' ? entry['type'] : entry.id));
    };
    expect(await idsOf('grants', 'order 1/2')).toEqual([granted.id]);
    expect(await idsOf('grants', 'order 1/2', '&status=spent')).toEqual([]);
    expect(await idsOf('grants', 'use')).toEqual([]);
    expect(await idsOf('holds', 'reserve')).toEqual([held.id]);
    expect(await idsOf('holds', 'settle')).toEqual([held.id]);
    expect(await idsOf('claims', 'use')).toEqual([used.id]);
    expect(await idsOf('history', 'settle')).toEqual(['released', 'captured']);
    expect(await idsOf('history', 'settle', '&offset=1')).toEqual(['captured']);
    expect(await idsOf('history', 'never')).toEqual([]);
    expect((await api.get(`${path}/grants?key=`)).status).toBe(400);
    expect((await api.get('/v1/customers/unheard-of/grants?key=use')).body.code).toBe('customer_not_found');
  });

  it('finds movements by resource and by metadata', async () => {
    const path = '/v1/customers/labelled';
    const metadata = { orderId: 'o-1', paid: true, 'a=b': 'c d', big: 'x'.repeat(300) };
    await api.post(`${path}/grants`, { amount: 100, source: 'purchase', metadata }, 'g');
    await api.post(`${path}/holds`, { amount: 1, metadata: { orderId: 'o-2' } }, 'h');
    for (const [key, id] of [
      ['c1', '1'],
      ['c2', '2'],
    ] as const)
      await api.post(`${path}/consumptions`, { amount: 1, resource: { type: 'lead', id }, metadata: { n: 3 } }, key);
    const { body: last } = await api.post(`${path}/consumptions`, { amount: 1, metadata: { orderId: 'o-1' } }, 'c3');
    const typesOf = async (query: string): Promise<readonly unknown[]> => {
      const { status, body } = await api.get(`${path}/history?minPosition=${last.position}&${query}`);
      expect([query, status]).toEqual([query, 200]);
      return body.data.map((entry) => entry['type']);
    };
    expect(await typesOf('metadata.orderId=o-1')).toEqual(['consumed', 'granted']);
    expect(await typesOf('metadata.orderId=o-1&metadata.paid=true')).toEqual(['granted']);
    expect(await typesOf('metadata.orderId=o-1&type=consumed&offset=0')).toEqual(['consumed']);
    expect(await typesOf('metadata.a%3Db=c%20d')).toEqual(['granted']);
    expect(await typesOf('metadata.n=3')).toEqual(['consumed', 'consumed']);
    expect(await typesOf('resourceType=lead')).toEqual(['consumed', 'consumed']);
    expect(await typesOf('resourceType=lead&resourceId=2')).toEqual(['consumed']);
    expect(await typesOf('resourceType=job&resourceId=2')).toEqual([]);
    expect(await typesOf('metadata.none=1')).toEqual([]);
    const first = (await api.get(`${path}/history?limit=1&metadata.n=3`)).body;
    const rest = await api.get(`${path}/history?limit=1&metadata.n=3&cursor=${String(first['nextCursor'])}`);
    expect([first.data, rest.body.data, rest.body['hasMore']]).toMatchObject([
      [{ resource: { id: '2' } }],
      [{ resource: { id: '1' } }],
      false,
    ]);
    const long = 'x'.repeat(256);
    for (const wrong of [
      `metadata.big=${long}`,
      'metadata.=1',
      'metadata=1',
      'meta.orderId=1',
      'metadata.a=1&metadata.a=2',
    ])
      expect([wrong, (await api.get(`${path}/history?${wrong}`)).status]).toEqual([wrong, 400]);
    expect((await api.get(`${path}/grants?metadata.orderId=o-1`)).status).toBe(400);
  });
});

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { eventually } from '../../support/eventually.js';
import type { ApiAnswer, ApiClient } from '../../support/api/client.js';
import { catalog } from '../../support/ledger/catalog.js';
import type { NodeProcess } from '../../support/processes/node-process.js';
import { query } from '../../support/databases/postgres.js';
import { RunningScrip } from '../../support/processes/running-scrip.js';
describe('commands over HTTP', () => {
  let scrip: RunningScrip;
  let api: ApiClient;
  let other: ApiClient;
  let otherProcess: NodeProcess;

  beforeAll(async () => {
    scrip = await RunningScrip.prepare();
    const [first, second] = await Promise.all([scrip.startApi(), scrip.startApi()]);
    api = first.client;
    ({ client: other, process: otherProcess } = second);
  });

  afterAll(async () => {
    await scrip.stop();
  });

  const grant = (customer: string, amount: number, more: object = {}, key = `grant-${customer}`): Promise<ApiAnswer> =>
    api.post(`/v1/customers/${customer}/grants`, { amount, source: 'purchase', ...more }, key);
  const consume = (customer: string, body: object, key: string, by = api): Promise<ApiAnswer> =>
    by.post(`/v1/customers/${customer}/consumptions`, body, key);
  const eventsOf = async (customer: string): Promise<number> => {
    const [row] = await query(scrip.database.url, 'select count(*)::int as n from scrip_log.events where stream = $1', [
      `account-${customer}`,
    ]);
    return Number(row?.['n']);
  };

  it('lets exactly 100 of 1,000 concurrent consumptions have the 100 credits there are', async () => {
    await grant('crowd', 100);
    const answers = await Promise.all(
      Array.from({ length: 1_000 }, (_, n) =>
        consume('crowd', { amount: 1 }, `c-${String(n)}`, n % 2 === 0 ? api : other),
      ),
    );
    const statuses = answers.map(({ status }) => status);
    expect(statuses.filter((status) => status === 201)).toHaveLength(100);
    expect(statuses.filter((status) => status === 402)).toHaveLength(900);
    const last = await consume('crowd', { amount: 1 }, 'one-more');
    expect(last.body).toMatchObject({ code: 'insufficient_credits', available: 0, required: 1, unit: 'credits' });
    expect(last.body['topUpUrl']).toBe('https://shop.example/credits');
  });

  it('takes money in known currencies only, and goes on with what the log holds in others', async () => {
    const costBasis = { amount: 500, currency: 'zzz' };
    const refused = await grant('abroad', 100, { costBasis }, 'k');
    expect([refused.status, refused.body.code]).toEqual([422, 'currency_unsupported']);
    const grants = [
      { type: 'grant', customerId: 'abroad', idempotencyKey: 'k', amount: 1, source: 'purchase', costBasis },
    ];
    const bulk = await api.post('/v1/commands', { commands: grants });
    expect(bulk.body.results).toMatchObject([{ status: 422, body: { code: 'currency_unsupported' } }]);
    expect(await eventsOf('abroad')).toBe(0);
    expect((await grant('abroad', 100, { costBasis: { amount: 500, currency: 'xof' } }, 'k')).status).toBe(201);

    await scrip.writer.account('older', {
      type: 'GrantCredits',
      amount: 100,
      source: 'purchase',
      priority: 50,
      effectiveAt: null,
      expiresAt: null,
      costBasis,
      paymentReference: null,
      description: null,
      metadata: {},
    });
    const used = await consume('older', { amount: 50 }, 'k');
    expect(used.body['allocations']).toMatchObject([{ amount: 50, cost: { amount: 250, currency: 'zzz' } }]);
    const then = await api.get(`/v1/customers/older/balance?position=${used.body.position}`);
    expect([then.status, then.body.available]).toEqual([200, 50]);
  });

  it('gives 50 simultaneous requests with one key one effect and one answer, through two processes and after a restart', async () => {
    await grant('echo', 100);
    const before = await eventsOf('echo');
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, n) => consume('echo', { amount: 7 }, 'same', n % 2 === 0 ? api : other)),
    );
    expect(new Set(answers.map(({ status, text }) => `${String(status)} ${text}`)).size).toBe(1);
    expect(answers.filter(({ headers }) => headers.get('idempotent-replayed') === 'true')).toHaveLength(49);
    expect(await eventsOf('echo')).toBe(before + 1);

    for (let n = 0; n < 60; n += 1) await consume('echo', { amount: 1 }, `between-${String(n)}`);
    await otherProcess.stop();
    ({ client: other, process: otherProcess } = await scrip.startApi());
    const again = await consume('echo', { amount: 7 }, 'same', other);
    expect(again.text).toBe(answers[0]!.text);
    expect(again.headers.get('idempotent-replayed')).toBe('true');
  });

  it('refuses a key with another body, and records nothing for it', async () => {
    await grant('reuse', 10);
    await consume('reuse', { amount: 1, metadata: { a: 1, b: 2 } }, 'k');
    expect(
      (await consume('reuse', { amount: 1, metadata: { b: 2, a: 1 } }, 'k')).headers.get('idempotent-replayed'),
    ).toBe('true');
    const before = await eventsOf('reuse');
    const reused = await consume('reuse', { amount: 2, metadata: { a: 1, b: 2 } }, 'k');
    expect([reused.status, reused.body.code]).toEqual([409, 'idempotency_key_reused']);
    expect((await api.post('/v1/customers/reuse/holds', { amount: 1 }, 'k')).body.code).toBe('idempotency_key_reused');
    expect(await eventsOf('reuse')).toBe(before);
  });

  it('does not remember a refusal: the key may succeed later', async () => {
    expect((await consume('later', { amount: 5 }, 'try')).status).toBe(402);
    expect(await eventsOf('later')).toBe(0);
    await grant('later', 5);
    expect((await consume('later', { amount: 5 }, 'try')).status).toBe(201);
  });

  it('answers every kind of command with its shape, and the same again when it is repeated', async () => {
    const granted = await grant('shapes', 100, { costBasis: { amount: 1000, currency: 'usd' } });
    const grantId = granted.body.id;
    expect(granted.body).toMatchObject({
      status: 'active',
      remaining: 100,
      balance: { available: 100, held: 0, debt: 0 },
    });
    const consumed = await consume('shapes', { amount: 10, resource: { type: 'lead', id: '7' } }, 'c');
    expect(consumed.body).toMatchObject({
      customerId: 'shapes',
      unit: 'credits',
      amount: 10,
      allocations: [{ grantId, source: 'purchase', amount: 10, cost: { amount: 100, currency: 'usd' } }],
      debt: 0,
      burnOrder: 'purchased-first',
      resource: { type: 'lead', id: '7' },
    });
    const path = '/v1/customers/shapes';
    const steps: [string, object, string, object][] = [
      [
        `${path}/consumptions/${consumed.body.id}/reversals`,
        { amount: 4 },
        'r',
        { amount: 4, restored: [{ grantId, amount: 4 }], balance: { available: 94 } },
      ],
      [`${path}/holds`, { amount: 20 }, 'h', { status: 'open', remaining: 20, balance: { available: 74, held: 20 } }],
      [`${path}/adjustments`, { amount: 6, reason: 'goodwill' }, 'a+', { amount: 6, balance: { available: 80 } }],
      [`${path}/adjustments`, { amount: -5, reason: 'mistake' }, 'a-', { amount: -5, balance: { available: 75 } }],
    ];
    for (const [route, body, key, shape] of steps) {
      const first = await api.post(route, body, key);
      expect([route, first.status, first.body]).toMatchObject([route, 201, shape]);
      const again = await api.post(route, body, key);
      expect([route, again.headers.get('idempotent-replayed'), again.text]).toEqual([route, 'true', first.text]);
    }
    const held = await api.post(`${path}/holds`, { amount: 20 }, 'h');
    const hold = `${path}/holds/${held.body.id}`;
    expect((await api.post(`${hold}/extensions`, { expiresInSeconds: 1000 }, 'x')).body).toMatchObject({
      id: held.body.id,
      status: 'open',
      remaining: 20,
    });
    const captured = await api.post(`${hold}/captures`, { amount: 5 }, 'cap');
    expect(captured.body).toMatchObject({
      status: 'captured',
      captured: 5,
      remaining: 0,
      balance: { available: 90, held: 0 },
    });
    expect(captured.body['consumptionId']).toMatch(/^con_/);
    expect((await api.post(`${hold}/releases`, undefined, 'rel')).body.code).toBe('hold_not_open');
    expect((await api.post(`${path}/holds/hold_unknown/releases`, {}, 'rel')).body.code).toBe('hold_not_found');
    const second = await api.post(`${path}/holds`, { amount: 1 }, 'h2');
    expect((await api.call('POST', `${path}/holds/${second.body.id}/releases`, { key: 'rel2' })).body).toMatchObject({
      status: 'released',
      remaining: 0,
    });
  });

  it('prices credit events by the catalogue, and keeps the answer when the price is gone', async () => {
    await grant('priced', 100);
    expect((await consume('priced', { creditEvent: 'api_call', quantity: 3 }, 'p')).body).toMatchObject({
      amount: 3,
      usage: { creditEvent: 'api_call', quantity: 3 },
    });
    expect((await consume('priced', { creditEvent: 'unheard_of' }, 'q')).body.code).toBe('credit_event_unknown');
    expect((await consume('priced', { creditEvent: 'api_call', amount: 3 }, 'q')).status).toBe(400);
    await scrip.writer.applyCatalog({ ...catalog, creditEvents: [] });
    await new Promise((resolve) => setTimeout(resolve, 600));
    const repeated = await consume('priced', { creditEvent: 'api_call', quantity: 3 }, 'p');
    expect([repeated.status, repeated.headers.get('idempotent-replayed'), repeated.body['amount']]).toEqual([
      201,
      'true',
      3,
    ]);
    expect((await consume('priced', { creditEvent: 'api_call' }, 'q')).body.code).toBe('credit_event_disabled');
    await scrip.writer.applyCatalog();
    expect((await consume('priced', { creditEvent: 'api_call' }, 'q')).status).toBe(201);
  });

  it('gives a repeated key its first answer where a state is set, for ever and without effect', async () => {
    await grant('keyed', 10);
    const path = (state: string): string => `/v1/customers/keyed/account/${state}`;
    const set = async (state: string, key: string, reason = 'x'): Promise<readonly unknown[]> => {
      const answer = await api.post(path(state), { reason }, key);
      return [answer.status, answer.body['status'], answer.headers.get('idempotent-replayed')];
    };
    const first = await api.post(path('freeze'), { reason: 'x' }, 'f1');
    expect([first.status, first.body['status']]).toEqual([200, 'frozen']);
    // It changes nothing and is known by its key all the same.
    expect(await set('freeze', 'f2')).toEqual([200, 'frozen', null]);
    expect(await set('unfreeze', 'u1')).toEqual([200, 'active', null]);
    for (const key of ['f1', 'f2']) expect(await set('freeze', key)).toEqual([200, 'frozen', 'true']);
    expect((await api.post(path('freeze'), { reason: 'x' }, 'f1')).text).toBe(first.text);
    expect((await api.post(path('freeze'), { reason: 'other' }, 'f1')).body.code).toBe('idempotency_key_reused');
    expect((await consume('keyed', { amount: 1 }, 'still active')).status).toBe(201);
    expect(await set('close', 'c1')).toEqual([200, 'closed', null]);
    expect(await set('close', 'c2')).toEqual([200, 'closed', null]);
    expect(await set('close', 'c2')).toEqual([200, 'closed', 'true']);
    expect((await api.post(path('close'), { reason: 'again' })).status).toBe(200);
  });

  it('gives a repeated change of settings its first answer, without effect', async () => {
    await grant('thresholds', 10);
    const change = (body: object, key?: string): Promise<ApiAnswer> =>
      api.call('PATCH', '/v1/customers/thresholds/account', { body, ...(key === undefined ? {} : { key }) });
    const first = await change({ lowBalanceThreshold: 5, overdraftLimit: 7 }, 's1');
    const same = await change({ lowBalanceThreshold: 5 }, 's2');
    expect([first.status, same.status, same.body['lowBalanceThreshold']]).toEqual([200, 200, 5]);
    await change({ lowBalanceThreshold: null });
    for (const [body, key] of [
      [{ lowBalanceThreshold: 5, overdraftLimit: 7 }, 's1'],
      [{ lowBalanceThreshold: 5 }, 's2'],
    ] as const)
      expect([(await change(body, key)).headers.get('idempotent-replayed')]).toEqual(['true']);
    expect((await change({ overdraftLimit: 8 }, 's1')).body.code).toBe('idempotency_key_reused');
    expect((await change({})).body).toMatchObject({ overdraftLimit: 7, lowBalanceThreshold: null });
  });

  it('takes settings and states without a key, also when they change nothing', async () => {
    await grant('settings', 10);
    const change = (): Promise<ApiAnswer> =>
      api.call('PATCH', '/v1/customers/settings/account', { body: { burnOrder: 'expiring-first', overdraftLimit: 5 } });
    const first = await change();
    expect([first.status, first.body]).toMatchObject([
      200,
      { burnOrder: 'expiring-first', overdraftLimit: 5, status: 'active' },
    ]);
    expect((await change()).text).toBe(first.text);
    expect((await consume('settings', { amount: 12 }, 'over')).body).toMatchObject({
      debt: 2,
      balance: { available: 0, debt: 2 },
    });
    expect((await grant('settings', 10, {}, 'repay')).body).toMatchObject({
      remaining: 8,
      balance: { available: 8, debt: 0 },
    });
    expect((await api.post('/v1/customers/settings/account/freeze', { reason: 'fraud' })).body['status']).toBe(
      'frozen',
    );
    expect((await consume('settings', { amount: 1 }, 'frozen')).body.code).toBe('account_frozen');
    expect((await api.post('/v1/customers/settings/account/unfreeze', { reason: 'cleared' })).body['status']).toBe(
      'active',
    );
    expect((await api.post('/v1/customers/settings/account/close', { reason: 'left' })).body['status']).toBe('closed');
    expect((await grant('settings', 1, {}, 'too late')).body.code).toBe('account_closed');
  });

  it('runs bulk commands in order, each with its own result', async () => {
    const item = (type: string, key: string, more: object) => ({
      type,
      customerId: 'bulk',
      idempotencyKey: key,
      ...more,
    });
    const commands = [
      item('grant', 'g', { amount: 10, source: 'promotion' }),
      item('consume', 'c1', { amount: 4 }),
      item('consume', 'c2', { amount: 400 }),
      item('consume', 'c3', { amount: 1.5 }),
      item('consume', 'c1', { amount: 4 }),
      item('consume', 'c1', { amount: 5 }),
      item('capture', 'x', { holdId: 'hold_unknown' }),
      { type: 'transfer' },
      'nonsense',
      item('adjust', 'a', { amount: 2, reason: 'why' }),
    ];
    const { status, body } = await api.post('/v1/commands', { commands });
    expect(status).toBe(200);
    expect(body.results.map((result) => result.status)).toEqual([201, 201, 402, 400, 201, 409, 404, 400, 400, 201]);
    expect(body.results.map((result) => result.replayed)).toEqual([
      false,
      false,
      false,
      false,
      true,
      false,
      false,
      false,
      false,
      false,
    ]);
    expect(body.results[4]!.body).toEqual(body.results[1]!.body);
    expect(body.results[9]!.body.balance.available).toBe(8);
  });

  it('tells of each bulk command by itself, also beside an account whose log is spoilt', async () => {
    await grant('sound', 10);
    await other.post('/v1/customers/spoilt/grants', { amount: 10, source: 'purchase' }, 'grant-spoilt');
    await query(scrip.database.url, "update scrip_log.events set data = '{}' where stream = 'account-spoilt'");
    const commands = ['sound', 'spoilt', 'sound'].map((customerId, n) => ({
      type: 'consume',
      customerId,
      idempotencyKey: `beside-${String(n)}`,
      amount: 1,
    }));
    const { status, body } = await api.post('/v1/commands', { commands });
    expect(status).toBe(200);
    expect(body.results.map((result) => result.status)).toEqual([201, 500, 201]);
    expect(body.results[1]!.body.code).toBe('internal_error');
    expect(body.results[2]!.body.balance.available).toBe(8);
  });

  it('runs 1,000 commands of a bulk request on one account in their order', async () => {
    await grant('long', 1_000_000);
    const commands = Array.from({ length: 1_000 }, (_, n) => ({
      type: 'consume',
      customerId: 'long',
      idempotencyKey: `l${String(n)}`,
      amount: 1,
    }));
    const { body } = await api.post('/v1/commands', { commands });
    expect(body.results.map((result) => result.body.balance.available)).toEqual(
      Array.from({ length: 1_000 }, (_, n) => 999_999 - n),
    );
    expect((await api.post('/v1/commands', { commands: [...commands, commands[0]] })).status).toBe(400);
  });

  it('keeps units apart', async () => {
    await grant('units', 5, { unit: 'tokens' });
    expect((await consume('units', { amount: 1 }, 'c')).status).toBe(402);
    expect((await api.post('/v1/customers/units/consumptions?unit=tokens', { amount: 1 }, 'c')).body['unit']).toBe(
      'tokens',
    );
    expect(
      (await api.post('/v1/customers/units/consumptions?unit=tokens', { amount: 1, unit: 'credits' }, 'd')).status,
    ).toBe(400);
  });

  it('finishes what is under way when it is told to stop, and takes nothing new', async () => {
    await grant('drain', 100_000);
    const before = await eventsOf('drain');
    const { client, process } = await scrip.startApi();
    let stopped = false;
    const outcomes: string[] = [];
    const load = Array.from({ length: 20 }, async (_, worker) => {
      for (let n = 0; !stopped && n < 5_000; n += 1) {
        try {
          outcomes.push(
            String((await consume('drain', { amount: 1 }, `d-${String(worker)}-${String(n)}`, client)).status),
          );
        } catch (error) {
          const { cause } = error as { cause?: { code?: string } };
          outcomes.push(cause?.code ?? 'unknown');
          stopped = true;
        }
      }
    });
    await eventually(
      () => Promise.resolve(outcomes.length),
      (answered) => answered >= 100,
    );
    const at = Date.now();
    expect(await process.stop('SIGTERM')).toEqual({ code: 0, signal: null });
    expect(Date.now() - at).toBeLessThan(10_000);
    stopped = true;
    await Promise.all(load);
    // It refuses for a moment before it goes. A connection that it never took may be reset; of what was carried out, every
    // answer has arrived.
    const gone = ['ECONNREFUSED', 'ECONNRESET', 'UND_ERR_SOCKET', '503'];
    expect([...new Set(outcomes)].filter((outcome) => !gone.includes(outcome))).toEqual(['201']);
    expect((await eventsOf('drain')) - before).toBe(outcomes.filter((outcome) => outcome === '201').length);
  });
});

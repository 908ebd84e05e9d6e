import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ApiClient } from '../../support/api/client.js';
import type { NodeProcess } from '../../support/processes/node-process.js';
import { query } from '../../support/databases/postgres.js';
import { adminKey, RunningScrip } from '../../support/processes/running-scrip.js';
const canary = 'canary.person@example.com';
const tooLarge = JSON.stringify({ amount: 1, source: 'purchase', description: 'x'.repeat(1_048_576) });

describe('bad input', () => {
  let scrip: RunningScrip;
  let api: ApiClient;
  let process: NodeProcess;

  beforeAll(async () => {
    scrip = await RunningScrip.prepare();
    ({ client: api, process } = await scrip.startApi());
    await api.post('/v1/customers/c/grants', { amount: 100, source: 'purchase' }, 'first');
  });

  afterAll(async () => {
    await scrip.stop();
  });

  const grants = '/v1/customers/c/grants';
  const consumptions = '/v1/customers/c/consumptions';
  const grant = (more: string): string => `{"amount":1,"source":"purchase"${more}}`;

  /** [what, path, body as text, key, status, code, field] */
  const cases: [string, string, string, string, number, string, string?][] = [
    ...[
      '1.5',
      '"5"',
      '1e400',
      '9007199254740992',
      '9007199254740993',
      '-1',
      '0',
      'null',
      '[]',
      '[1]',
      '{}',
      'true',
      '""',
    ].map((amount): [string, string, string, string, number, string, string] => [
      `amount ${amount}`,
      consumptions,
      `{"amount":${amount},"description":"${canary}"}`,
      'k',
      400,
      'invalid_request',
      'amount',
    ]),
    ['NaN', consumptions, '{"amount":NaN}', 'k', 400, 'invalid_request', ''],
    ['no amount', consumptions, '{}', 'k', 400, 'invalid_request', 'amount'],
    [
      'amount and credit event',
      consumptions,
      '{"amount":1,"creditEvent":"api_call"}',
      'k',
      400,
      'invalid_request',
      'amount',
    ],
    [
      'quantity without credit event',
      consumptions,
      '{"amount":1,"quantity":2}',
      'k',
      400,
      'invalid_request',
      'quantity',
    ],
    ['an unknown field', consumptions, '{"amount":1,"amuont":2}', 'k', 400, 'invalid_request', 'amuont'],
    [
      'an unknown nested field',
      consumptions,
      '{"amount":1,"resource":{"type":"t","id":"i","x":1}}',
      'k',
      400,
      'invalid_request',
      'resource.x',
    ],
    ['__proto__', consumptions, '{"amount":1,"__proto__":{"admin":true}}', 'k', 400, 'invalid_request', '__proto__'],
    ['broken JSON', consumptions, `{"amount":1,"description":"${canary}"`, 'k', 400, 'invalid_request', ''],
    ['no JSON', consumptions, canary, 'k', 400, 'invalid_request', ''],
    ['a list', consumptions, '[]', 'k', 400, 'invalid_request', ''],
    ['null', consumptions, 'null', 'k', 400, 'invalid_request', ''],
    ['a wrong unit', consumptions, '{"amount":1,"unit":"Credits"}', 'k', 400, 'invalid_request', 'unit'],
    ['NUL in text', consumptions, '{"amount":1,"description":"a\\u0000b"}', 'k', 400, 'invalid_request', 'description'],
    [
      'half a character',
      consumptions,
      '{"amount":1,"description":"a\\ud800"}',
      'k',
      400,
      'invalid_request',
      'description',
    ],
    [
      'long text',
      consumptions,
      `{"amount":1,"description":"${'x'.repeat(501)}"}`,
      'k',
      400,
      'invalid_request',
      'description',
    ],
    ['nested metadata', consumptions, '{"amount":1,"metadata":{"a":{"b":1}}}', 'k', 400, 'invalid_request', 'metadata'],
    [
      'much metadata',
      consumptions,
      `{"amount":1,"metadata":{"a":"${'x'.repeat(20_000)}"}}`,
      'k',
      400,
      'invalid_request',
      'metadata',
    ],
    ['an empty key', consumptions, '{"amount":1}', '', 400, 'idempotency_key_required'],
    ['a long key', consumptions, '{"amount":1}', 'k'.repeat(256), 400, 'invalid_request', 'Idempotency-Key'],
    ['a key that is not ASCII', consumptions, '{"amount":1}', 'k\u00e9', 400, 'invalid_request', 'Idempotency-Key'],
    ['a grant already expired', grants, grant(',"expiresAt":"2020-01-01T00:00:00Z"'), 'k', 422, 'grant_expired'],
    [
      'a grant that expires before it starts',
      grants,
      grant(',"effectiveAt":"2099-02-01T00:00:00Z","expiresAt":"2099-01-01T00:00:00Z"'),
      'k',
      422,
      'invalid_expiry',
    ],
    [
      'a day that is none',
      grants,
      grant(',"expiresAt":"2099-02-30T00:00:00Z"'),
      'k',
      400,
      'invalid_request',
      'expiresAt',
    ],
    [
      'a time without offset',
      grants,
      grant(',"expiresAt":"2099-02-01T00:00:00"'),
      'k',
      400,
      'invalid_request',
      'expiresAt',
    ],
    ['an unknown source', grants, `{"amount":1,"source":"${canary}"}`, 'k', 400, 'invalid_request', 'source'],
    [
      'a wrong currency',
      grants,
      grant(',"costBasis":{"amount":1,"currency":"USD"}'),
      'k',
      400,
      'invalid_request',
      'costBasis.currency',
    ],
    ['too many credits', grants, '{"amount":9007199254740991,"source":"purchase"}', 'k', 422, 'balance_limit_exceeded'],
    ['a body over 1 MiB', grants, tooLarge, 'k', 413, 'payload_too_large'],
    ['a customer id that is none', '/v1/customers/a%20b/grants', grant(''), 'k', 400, 'invalid_request', 'customerId'],
    ['an unknown route', '/v1/customers/c/grunts', grant(''), 'k', 404, 'not_found'],
    ['a method that the route does not take', '/v1/events', '{}', 'k', 405, 'method_not_allowed'],
    [
      'an empty adjustment',
      '/v1/customers/c/adjustments',
      '{"amount":0,"reason":"x"}',
      'k',
      400,
      'invalid_request',
      'amount',
    ],
    ['no commands', '/v1/commands', '{"commands":[]}', 'k', 400, 'invalid_request', 'commands'],
    ['commands that are no list', '/v1/commands', '{"commands":{}}', 'k', 400, 'invalid_request', 'commands'],
  ];

  it.each(cases)('%s: the right code, nothing recorded', async (...[, path, body, key, status, code, field]) => {
    const before = await countOfEvents();
    const answer = await api.call('POST', path, { body, key });
    expect([answer.status, answer.body.code]).toEqual([status, code]);
    expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect(answer.body).toMatchObject({
      type: `${api.url}/docs/errors#${code}`,
      status,
      requestId: answer.headers.get('x-request-id'),
    });
    expect(Object.keys(answer.body)).toEqual(expect.arrayContaining(['title', 'detail']));
    if (field !== undefined) expect(answer.body.errors.map((error) => error.field)).toContain(field);
    expect(answer.text).not.toContain(canary);
    expect(await countOfEvents()).toBe(before);
  });

  it('refuses bodies that are not JSON by their type', async () => {
    const answer = await api.call('POST', consumptions, {
      body: 'amount=1',
      key: 'k',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    });
    expect([answer.status, answer.body.code]).toEqual([415, 'unsupported_media_type']);
  });

  it.each([
    { 'content-encoding': 'gzip' },
    { 'content-type': 'application/json; charset=latin1' },
    { 'content-type': 'application/json;charset="utf-16"' },
  ])('refuses a body that says to be something else than UTF-8: %j', async (headers) => {
    const answer = await api.call('POST', consumptions, { body: '{"amount":1}', key: 'k', headers });
    expect([answer.status, answer.body.code]).toEqual([415, 'unsupported_media_type']);
  });

  it('counts characters as its document does', async () => {
    expect(
      (
        await api.call('POST', '/v1/customers/emoji/grants', {
          body: { amount: 1, source: 'trial', description: '😀'.repeat(500) },
          key: 'e',
        })
      ).status,
    ).toBe(201);
    const beyond = await api.call('POST', '/v1/customers/emoji/grants', {
      body: JSON.stringify({ amount: 1, source: 'trial', description: '😀'.repeat(501) }),
      key: 'f',
    });
    expect([beyond.status, beyond.body.errors[0]?.field]).toEqual([400, 'description']);
  });

  it('answers for the first and the last instant there is', async () => {
    await api.post('/v1/customers/ends/grants', { amount: 1, source: 'trial' }, 'ends');
    const [first, again] = [
      await api.get('/v1/customers/ends/balance?position=0'),
      await api.get('/v1/customers/ends/balance?position=0'),
    ];
    expect(first.status).toBe(200);
    expect(again.body).toEqual(first.body);
    const last = await api.get('/v1/customers/ends/balance?at=9999-12-31T23:59:59Z');
    expect(last.body).toMatchObject({ usage: { periodEnd: '9999-12-31T23:59:59.999Z' } });
  });

  it('refuses bytes that are not UTF-8', async () => {
    const answer = await api.call('POST', consumptions, { body: new Uint8Array([0x7b, 0xff, 0x7d]), key: 'k' });
    expect([answer.status, answer.body.code]).toEqual([400, 'invalid_request']);
  });

  it('refuses a key that is sent twice', async () => {
    const text = await exchange(
      'POST /v1/customers/c/consumptions HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer test-admin-key-0123456789\r\n' +
        'Idempotency-Key: a\r\nIdempotency-Key: b\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n{"amount":1}',
    );
    expect(text).toContain('HTTP/1.1 400');
    expect(text).toContain('must be sent once');
  });

  it.each([
    ['broken percent-encoding', 'GET /v1/customers/%zz/balance HTTP/1.1', 'Host: x', 400, 'invalid_request'],
    [
      'a part of the path that is far too long',
      `GET /v1/customers/${'c'.repeat(600)}/balance HTTP/1.1`,
      'Host: x',
      400,
      'invalid_request',
    ],
    ['no host', 'GET /v1/plans HTTP/1.1', 'X-No: host', 400, 'invalid_request'],
    ['an expectation', 'GET /v1/plans HTTP/1.1', 'Host: x\r\nExpect: wonders', 417, 'expectation_failed'],
    ['long headers', 'GET /v1/plans HTTP/1.1', `Host: x\r\nX: ${'x'.repeat(20_000)}`, 431, 'headers_too_large'],
  ])('answers %s with a whole problem', async (_, line, headers, status, code) => {
    const text = await exchange(`${line}\r\n${headers}\r\nConnection: close\r\n\r\n`);
    const [head, body] = [text.slice(0, text.indexOf('\r\n\r\n')), text.slice(text.indexOf('\r\n\r\n') + 4)];
    expect(head).toMatch(new RegExp(`^HTTP/1\\.1 ${String(status)} [^]*content-type: application/problem\\+json`, 'i'));
    const knowsHost = headers.startsWith('Host: x') && status !== 431;
    expect(JSON.parse(body)).toMatchObject({
      type: `${knowsHost ? 'http://x' : ''}/docs/errors#${code}`,
      title: expect.any(String),
      status,
      detail: expect.any(String),
      code,
      requestId: expect.any(String),
    });
    expect(body).not.toContain('ccc');
  });

  it('names the address of the problem as the caller reaches us, also in bulk and behind TLS', async () => {
    const commands = [{ type: 'nonsense' }];
    const headers = { 'x-forwarded-proto': 'https' };
    const { body } = await api.post('/v1/commands', { commands }, undefined, { headers });
    const type = `${api.url.replace('http:', 'https:')}/docs/errors#invalid_request`;
    expect(body.results[0]!.body).toMatchObject({ type });
  });

  it('answers what is not HTTP', async () => {
    expect(await exchange(`${canary}\r\n\r\n`)).toMatch(/^HTTP\/1\.1 400[^]*application\/problem\+json/);
    expect(await exchange(`GET / HTTP/1.1\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`)).toMatch(/^HTTP\/1\.1 431/);
  });

  it('never answers that where a request before would take it for its own answer', async () => {
    const asked = (path: string): string =>
      `GET ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${adminKey}\r\n\r\n`;
    const slow = asked('/v1/customers/c/balance?minPosition=99999999&waitMs=300');
    expect(await exchange(`${slow}${canary}\r\n\r\n`)).toBe('');
  });

  it('tells one whose request never comes in whole that it may be sent again', async () => {
    const text = await exchange('POST /v1/customers/c/grants HTTP/1.1\r\nHost: x\r\n');
    expect(text).toMatch(/^HTTP\/1\.1 408[^]*application\/problem\+json[^]*Connection: close[^]*"request_timeout"/);
  });

  it('refuses bad queries', async () => {
    for (const [path, field] of [
      ['/v1/customers/c/history?limit=0', 'limit'],
      ['/v1/customers/c/history?limit=201', 'limit'],
      ['/v1/customers/c/history?limit=1&limit=2', 'limit'],
      ['/v1/customers/c/history?type=nonsense', 'type'],
      ['/v1/customers/c/history?cursor=nonsense', 'cursor'],
      ['/v1/customers/c/balance?at=yesterday', 'at'],
      ['/v1/customers/c/balance?minPosition=-1', 'minPosition'],
      ['/v1/customers/c/balance?waitMs=10001', 'waitMs'],
      ['/v1/customers/c/balance?unit=', 'unit'],
      ['/v1/customers/c/balance?nonsense=1', 'nonsense'],
      ['/v1/events?after=abc', 'after'],
      ['/v1/billing/config?nonsense=1', 'nonsense'],
      ['/v1/admin/projections?nonsense=1', 'nonsense'],
      ['/v1/admin/api-keys?nonsense=1', 'nonsense'],
      ['/v1/admin/parked-events?nonsense=1', 'nonsense'],
      ['/v1/events?nonsense=1', 'nonsense'],
    ] as const) {
      const answer = await api.get(path);
      expect([path, answer.status, answer.body.errors?.[0]?.field]).toEqual([path, 400, field]);
    }
  });

  it('refuses unknown parameters of commands', async () => {
    for (const [method, path] of [
      ['PUT', '/v1/customers/c?nonsense=1'],
      ['POST', `${grants}?nonsense=1`],
      ['POST', '/v1/commands?nonsense=1'],
    ] as const) {
      const answer = await api.call(method, path, { body: {}, key: 'k' });
      expect([path, answer.status, answer.body.errors?.[0]?.field]).toEqual([path, 400, 'nonsense']);
    }
    const granted = await api.post(`${grants}?unit=points`, { amount: 1, source: 'purchase' }, 'points');
    expect([granted.status, granted.body['unit']]).toEqual([201, 'points']);
  });

  it('answers a problem to what asks for no path', async () => {
    for (const target of ['*', '*livez', 'ftp://scrip.example/livez']) {
      for (const method of ['GET', 'POST', 'QUERY']) {
        const text = await exchange(`${method} ${target} HTTP/1.1\r\nHost: scrip.example\r\nConnection: close\r\n\r\n`);
        const [head = '', body = ''] = text.split('\r\n\r\n');
        expect([method, target, head]).toEqual([method, target, expect.stringMatching(/^HTTP\/1\.1 404 /)]);
        expect([method, target, (JSON.parse(body) as { code: string }).code]).toEqual([method, target, 'not_found']);
      }
    }
  });

  it('takes a client that leaves in the middle of its body for no failure of its own', async () => {
    const { port } = new URL(api.url);
    for (let n = 0; n < 20; n += 1) {
      const socket = connect(Number(port), '127.0.0.1');
      const head = 'POST /v1/webhooks/stripe HTTP/1.1\r\nHost: scrip.example\r\nContent-Length: 100\r\n\r\nhalf';
      await new Promise<void>((sent) => socket.write(head, () => setTimeout(sent, 20)));
      socket.resetAndDestroy();
    }
    expect((await api.get('/readyz')).status).toBe(200);
    expect(process.lines.filter((line) => line.includes('request failed'))).toEqual([]);
  });

  it('has logged nothing of all this that names a person', async () => {
    expect((await api.get('/readyz')).status).toBe(200);
    expect(process.lines.join('\n')).not.toContain('canary');
    const [row] = await query(
      scrip.database.url,
      `select count(*)::int as n from scrip_log.events where data like '%canary%'`,
    );
    expect(row?.['n']).toBe(0);
  });

  async function countOfEvents(): Promise<number> {
    const [row] = await query(scrip.database.url, 'select count(*)::int as n from scrip_log.events');
    return Number(row?.['n']);
  }

  function exchange(request: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const { port } = new URL(api.url);
      const socket = connect(Number(port), '127.0.0.1', () => socket.write(request));
      let text = '';
      socket.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      socket
        .on('close', () => {
          resolve(text);
        })
        .on('error', reject);
    });
  }
});

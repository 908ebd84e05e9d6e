import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFile, spawnSync } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { onSale } from '#stripe/operations/catalog.js';
import { catalog } from '../../support/ledger/catalog.js';
import { Installation, isAlive, pause, place, scrip } from '../../support/processes/installation.js';
import { freshDatabase } from '../../support/databases/postgres.js';
import { migrateScrip } from '../../support/databases/scrip-database.js';
import { Writer } from '../../support/ledger/writer.js';

const run = promisify(execFile);
const hasCurl = spawnSync('curl', ['--version']).status === 0 ? it : it.skip;

describe('scrip up', () => {
  let at: Awaited<ReturnType<typeof place>>;
  let up: Installation;

  beforeAll(async () => {
    at = await place();
    up = await Installation.start(at.variables);
  });

  afterAll(async () => {
    await up.stop();
    await at.remove();
  });

  const grant = async (key: string): Promise<number> =>
    (await up.call('POST', '/customers/acme/grants', { amount: 10, source: 'promotion' }, key)).status;
  const pack = { mode: 'credits', creditProduct: 'pack-50' };
  const granted = async (): Promise<number> => {
    const { body } = await up.call('GET', '/customers/acme/balance?minPosition=0', null, 'x');
    return body['available'] ?? 0;
  };

  hasCurl('prints commands that work when pasted', async () => {
    const lines = up.text.split('\n').filter((line) => line.trimStart().startsWith('curl'));
    expect(lines).toHaveLength(3);
    const { stdout } = await run('bash', ['-c', lines[0]!]);
    expect(JSON.parse(stdout)).toMatchObject({ amount: 1000, balance: { available: 1000 } });
    await pause(500); // whoever reads the first answer takes longer; the read model follows the log
    const { stdout: balance } = await run('bash', ['-c', lines[1]!]);
    expect(JSON.parse(balance)).toMatchObject({ customerId: 'acme', available: 1000 });
    const { stdout: checkout } = await run('bash', ['-c', lines[2]!]);
    const page = await fetch((JSON.parse(checkout) as { url: string }).url);
    expect([page.status, await page.text()]).toEqual([200, expect.stringContaining('Card number')]);
    const health = await fetch(`${up.url}/healthz`);
    expect(await health.json()).toMatchObject({ status: 'ok', stripe: 'configured' });
  });

  it('has the example catalogue', async () => {
    const { body } = await up.call('GET', '/plans', null, 'x');
    expect(JSON.stringify(body)).toContain('Pro Plus');
  });

  it('keeps its secrets from others', async () => {
    for (const file of ['secrets.json', 'running.json'])
      expect((await stat(join(at.dataDir, file))).mode & 0o777).toBe(0o600);
  });

  it('refuses a second one in the same directory', async () => {
    const { code, stderr } = await scrip(['up'], { ...at.variables, PORT: '0' });
    expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringContaining(at.dataDir) });
    expect(stderr).toContain('SCRIP_DATA_DIR');
    expect(await grant('after-refusal')).toBe(201);
  });

  it('starts the api again after a crash, and says so', async () => {
    const before = up.text.length;
    process.kill((await up.running()).children['api']!, 'SIGKILL');
    await up.says('api ended (SIGKILL)', before);
    await up.says('api runs again', before);
    expect(await grant('after-api-crash')).toBe(201);
  });

  it('goes on without the sandbox, whose customers are there again after its crash', async () => {
    const buy = () => up.call('POST', '/customers/acme/checkout-sessions', pack, 'x');
    expect((await buy()).status).toBe(201);
    const before = up.text.length;
    process.kill((await up.running()).children['stripe-sandbox']!, 'SIGKILL');
    expect(await grant('without-sandbox')).toBe(201);
    await up.says('stripe-sandbox runs again', before);
    expect((await buy()).status).toBe(201);
  });

  it('starts PostgreSQL again after a crash', async () => {
    const before = up.text.length;
    const { stdout } = await run('bash', ['-c', `head -1 ${at.dataDir}/postgres/cluster/postmaster.pid`]);
    process.kill(Number(stdout), 'SIGKILL');
    await up.says('PostgreSQL ended', before);
    let status = 0;
    for (let tries = 0; status !== 201 && tries < 200; tries += 1, await pause(100))
      status = await grant('after-database-crash');
    expect(status).toBe(201);
  });

  it('repairs what a killed one left behind, and keeps key and data', async () => {
    const before = { ...(await up.running()), ...(await up.secrets()) };
    await up.stop('SIGKILL');
    expect(isAlive(before.children['api']!)).toBe(true);
    up = await Installation.start(at.variables);
    expect(isAlive(before.children['api']!)).toBe(false);
    expect(isAlive(before.children['worker']!)).toBe(false);
    expect(isAlive(before.children['stripe-sandbox']!)).toBe(false);
    expect((await up.call('POST', '/customers/acme/checkout-sessions', pack, 'x')).status).toBe(201);
    expect((await up.secrets()).adminApiKey).toBe(before.adminApiKey);
    for (let tries = 0; (await granted()) !== 1040 && tries < 100; tries += 1) await pause(100);
    expect(await granted()).toBe(1040);
  });

  it('says which variable to set when its port is taken', async () => {
    const other = await place();
    const taken = createServer().listen(Number(other.variables['PORT']), '127.0.0.1');
    const { code, stderr } = await scrip(['up'], other.variables);
    taken.close();
    await other.remove();
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringMatching(/port \d+ .* set PORT/) });
  });

  it('has the commands find its sandbox', async () => {
    const { code, stdout } = await scrip(['catalog', 'push-stripe', '--json'], at.variables);
    const { pushed, changes } = JSON.parse(stdout) as { pushed: { result: string }[]; changes: object[] };
    expect([code, new Set(pushed.map(({ result }) => result)), changes]).toEqual([0, new Set(['found']), []]);
  });

  it('stops everything on SIGTERM', async () => {
    const { children } = await up.running();
    const { stdout } = await run('bash', ['-c', `head -1 ${at.dataDir}/postgres/cluster/postmaster.pid`]);
    const { code } = await up.stop('SIGTERM');
    expect(code).toBe(0);
    for (const pid of [...Object.values(children), Number(stdout)]) expect(isAlive(pid)).toBe(false);
    await expect(stat(join(at.dataDir, 'running.json'))).rejects.toThrow('ENOENT');
  });
});

describe('scrip up with a Stripe of its own, or none', () => {
  it.each([
    ['a key', { STRIPE_SECRET_KEY: 'sk_test_of_stripe', STRIPE_API_BASE: 'http://127.0.0.1:9' }],
    ['billing switched off', { STRIPE_BILLING_ENABLED: 'false' }],
  ])('starts no sandbox: %s', async (_, variables) => {
    const at = await place();
    const up = await Installation.start({ ...at.variables, ...variables });
    const { children } = await up.running();
    await up.stop();
    await at.remove();
    expect(Object.keys(children).sort()).toEqual(['api', 'worker']);
    expect(up.text).not.toContain('sandbox');
  });
});

describe('scrip up on a log whose catalogue is sold at Stripe', () => {
  it('leaves its prices as they are without a key, and says what to do', async () => {
    const [at, database] = await Promise.all([place(), freshDatabase()]);
    await migrateScrip(database.url);
    const writer = await Writer.open(database.url);
    await writer.applyCatalog();
    const before = await writer.store.head();
    const variables = { ...at.variables, DATABASE_URL: database.url };
    const up = await Installation.start(variables);
    try {
      expect(up.text).toMatch(/Nothing is on sale: .*price_starter_month.* set its STRIPE_SECRET_KEY/);
      expect(up.text).not.toContain('checkout-sessions');
      const { code, stderr } = await scrip(['catalog', 'push-stripe'], variables);
      expect([code, stderr]).toEqual([1, expect.stringContaining('STRIPE_SECRET_KEY')]);
      const { state } = await writer.handlers.catalog.load('catalog');
      expect(onSale(state)).toEqual(catalog);
      const since = await writer.store.readAll(before, 100);
      expect(since.filter(({ stream }) => stream === 'catalog')).toEqual([]);
    } finally {
      await up.stop();
      await writer.store.close();
      await Promise.all([at.remove(), database.drop()]);
    }
  });
});

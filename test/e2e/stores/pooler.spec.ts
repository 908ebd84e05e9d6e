import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { SignJWT } from 'jose';
import type { ApiClient } from '../../support/api/client.js';
import { runCli } from '../../support/processes/cli.js';
import { eventually } from '../../support/eventually.js';
import type { NodeProcess } from '../../support/processes/node-process.js';
import { Pooler } from '../../support/databases/pooler.js';
import { query, SERVER_URL } from '../../support/databases/postgres.js';
import { jwtSecret, RunningScrip } from '../../support/processes/running-scrip.js';

const why = Pooler.whyNot();
const customers = Array.from({ length: 12 }, (_, index) => `customer-${String(index)}`);
const tokenOf = (customer: string): Promise<string> =>
  new SignJWT({ customer, role: 'member' })
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject('user-1')
    .setExpirationTime('1h')
    .sign(new TextEncoder().encode(jwtSecret));

(why === null ? describe : describe.skip)(`behind a transaction pooler${why === null ? '' : `: ${why}`}`, () => {
  let pooler: Pooler;
  let scrip: RunningScrip;
  let api: ApiClient;
  let pooled: { DATABASE_URL: string; DATABASE_DIRECT_URL: string };
  let workers: readonly NodeProcess[];
  let position: string;

  beforeAll(async () => {
    pooler = await Pooler.start(process.env[SERVER_URL] ?? '');
    scrip = await RunningScrip.prepare();
    const { url } = scrip.database;
    pooled = { DATABASE_URL: pooler.urlOf(url), DATABASE_DIRECT_URL: url };
    [{ client: api }, ...workers] = await Promise.all([
      scrip.startApi(pooled),
      scrip.startWorker(pooled),
      scrip.startWorker(pooled),
    ]);
    const answers = await Promise.all(
      customers.map(async (customer, index) => {
        await api.call('PUT', `/v1/customers/${customer}`, { body: { name: `Owner of ${customer}` } });
        await api.post(`/v1/customers/${customer}/grants`, { amount: 100 + index, source: 'purchase' }, 'grant');
        return api.post(`/v1/customers/${customer}/consumptions`, { amount: 1 }, 'consume');
      }),
    );
    position = answers.map(({ body }) => body.position).reduce((last, each) => (each > last ? each : last));
  });

  afterAll(async () => {
    await scrip.stop();
    await pooler.stop();
  });

  it('shares connections, and answers customers at once with nothing of each other', async () => {
    const fresh = `minPosition=${position}&waitMs=10000`;
    const reads = Array.from({ length: 20 }, () => customers).flat();
    await Promise.all(
      reads.map(async (customer, index) => {
        const token = index % 3 === 0 ? {} : { token: await tokenOf(customer) };
        const { status, body } = await api.get(`/v1/customers/${customer}/balance?${fresh}`, token);
        expect([status, body.available]).toEqual([200, 99 + customers.indexOf(customer)]);
        const other = customers[(customers.indexOf(customer) + 1) % customers.length] ?? '';
        if (index % 3 !== 0) expect((await api.get(`/v1/customers/${other}/balance`, token)).status).toBe(404);
      }),
    );
    const [found] = await query(
      scrip.database.url,
      `select count(*)::int as sessions from pg_stat_activity
        where datname = current_database() and (application_name = 'scrip' or application_name = '')
          and backend_type = 'client backend' and pid <> pg_backend_pid()`,
    );
    expect(found?.['sessions']).toBeLessThanOrEqual(12);
  });

  it('rebuilds a read model, and goes on with another worker when one is killed', async () => {
    const [first] = workers;
    expect((await runCli(['projections', 'rebuild', 'history'], pooled)).code).toBe(0);
    await first?.stop('SIGKILL');
    const generations = `select generation, role from scrip_read.projection_checkpoints where name = 'history'`;
    await eventually(
      () => query(scrip.database.url, generations),
      (rows) => rows.length === 1 && rows[0]?.['generation'] === 2,
      30_000,
    );
    const { body } = await api.post(`/v1/customers/${customers[0] ?? ''}/consumptions`, { amount: 1 }, 'after');
    const read = `/v1/customers/${customers[0] ?? ''}/history?minPosition=${body.position}&waitMs=10000`;
    const { status, body: history } = await api.get(read);
    expect([status, history.data.length]).toEqual([200, 3]);
  });

  it('is checked by the command line', async () => {
    const { code, stdout, stderr } = await runCli(['audit', 'verify'], pooled);
    expect([code, stderr, stdout]).toEqual([0, expect.anything(), expect.stringContaining('the log is sound')]);
  });

  it('says what is missing when the address of PostgreSQL itself is', async () => {
    const { code, stderr } = await runCli(['audit', 'verify'], {
      DATABASE_URL: pooled.DATABASE_URL,
      DATABASE_DIRECT_URL: '',
    });
    expect([code, stderr]).toEqual([1, expect.stringContaining('set DATABASE_DIRECT_URL')]);
  });
});

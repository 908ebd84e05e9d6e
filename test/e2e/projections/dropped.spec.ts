import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { ApiClient } from '../../support/api/client.js';
import { query } from '../../support/databases/postgres.js';
import { RunningScrip } from '../../support/processes/running-scrip.js';

const reads = [
  '/v1/customers',
  '/v1/customers/acme',
  '/v1/customers/acme/balance',
  '/v1/customers/acme/history',
  '/v1/customers/acme/grants',
  '/v1/customers/acme/holds',
  '/v1/customers/acme/claims',
  '/v1/plans',
];
const records = [
  'api_keys',
  'customer_contacts',
  'consumer_checkpoints',
  'inbox_links',
  'inbox_parked',
  'billing_answers',
];

let scrip: RunningScrip;
beforeAll(async () => {
  scrip = await RunningScrip.prepare();
});
afterAll(() => scrip.stop());

/** What the reads answer once all of them include the event at `position`; the time of an answer is its own. */
const answers = async (api: ApiClient, position: string): Promise<readonly object[]> => {
  const found: object[] = [];
  for (const path of reads) {
    const { status, body } = await api.get(`${path}?minPosition=${position}&waitMs=10000`);
    expect([path, status]).toEqual([path, 200]);
    const { asOf, ...rest } = body;
    found.push({ path, position: asOf.position, rest });
  }
  return found;
};

const rowsOf = (tables: readonly string[]): Promise<readonly object[]> =>
  Promise.all(tables.map((table) => query(scrip.database.url, `select * from scrip_app.${table} order by 1`)));

it('scrip_read may be dropped: the log brings all of it back, and the records stay', async () => {
  const [{ process, client: api }, worker] = await Promise.all([scrip.startApi(), scrip.startWorker()]);
  await api.call('PUT', '/v1/customers/acme', { body: { name: 'Acme', email: 'acme@example.com' } });
  await api.post('/v1/admin/api-keys', { name: 'kept', scopes: ['credits:read'] }, 'key');
  await api.post('/v1/customers/acme/grants', { amount: 100, source: 'purchase' }, 'grant');
  await api.post('/v1/customers/acme/holds', { amount: 5 }, 'hold');
  const consumption = { amount: 7, resource: { type: 'lead', id: 'l-1' } };
  const { position } = (await api.post('/v1/customers/acme/consumptions', consumption, 'consume')).body;
  const before = await answers(api, position);
  await Promise.all([process.stop('SIGTERM'), worker.stop('SIGTERM')]);
  const kept = await rowsOf(records);
  expect([kept[0], kept[1]]).toEqual([[expect.anything()], [expect.objectContaining({ name: 'Acme' })]]);

  await query(scrip.database.url, 'drop schema scrip_read cascade');
  await scrip.startWorker();
  const { client } = await scrip.startApi();
  expect(await answers(client, position)).toEqual(before);
  expect(await rowsOf(records)).toEqual(kept);
});

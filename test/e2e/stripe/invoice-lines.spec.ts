import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { ApiClient } from '../../support/api/client.js';
import { catalog } from '../../support/ledger/catalog.js';
import { eventually } from '../../support/eventually.js';
import { query } from '../../support/databases/postgres.js';
import { RunningScrip, webhookSecret } from '../../support/processes/running-scrip.js';
import { SandboxProcess } from '../../support/processes/sandbox.js';

let scrip: RunningScrip;
let sandbox: SandboxProcess;
let api: ApiClient;
let price: string;

beforeAll(async () => {
  [scrip, sandbox] = await Promise.all([RunningScrip.prepare(), SandboxProcess.start()]);
  const priced = await sandbox.priced(catalog);
  price = priced.plans.find(({ id }) => id === 'starter')?.monthly?.stripePriceId ?? '';
  await scrip.writer.applyCatalog(priced);
  ({ client: api } = await scrip.startApi());
  await sandbox.control('POST', '/webhook_endpoints', { url: `${api.url}/v1/webhooks/stripe`, secret: webhookSecret });
});

afterAll(async () => {
  await Promise.all([scrip.stop(), sandbox.process.stop()]);
});

/** A subscription whose first invoice has `items` lines besides the plan's. */
async function subscribe(customerId: string, items: number): Promise<void> {
  const metadata = { customer_id: customerId };
  const customer = await sandbox.stripe.customers.create({ payment_method: 'pm_card_visa', metadata });
  await sandbox.stripe.customers.update(customer.id, {
    invoice_settings: {
      default_payment_method: (await sandbox.stripe.customers.listPaymentMethods(customer.id)).data[0]!.id,
    },
  });
  for (let item = 0; item < items; item += 1)
    await sandbox.stripe.invoiceItems.create({ customer: customer.id, amount: 1, currency: 'usd' });
  await sandbox.stripe.subscriptions.create({ customer: customer.id, items: [{ price }], metadata });
}

const parked = async () =>
  (await api.get('/v1/admin/parked-events')).body.data as unknown as readonly { reason: { code: string } }[];
const available = async (customer: string) => (await api.get(`/v1/customers/${customer}/balance`)).body.available;

test('an invoice with more lines than its webhook waits without a key, and is granted once the worker has one', async () => {
  await Promise.all([subscribe('some', 12), subscribe('many', 130), subscribe('few', 2)]);
  const keyless = await scrip.startWorker();
  await eventually(
    () => available('few'),
    (credits) => credits === 500,
  );
  const waiting = await eventually(parked, ({ length }) => length === 2);
  expect(waiting.map(({ reason }) => reason.code)).toEqual(['lines_incomplete', 'lines_incomplete']);
  expect(JSON.stringify(waiting)).toContain('STRIPE_SECRET_KEY');
  await keyless.stop();

  await sandbox.fault('server_error', 2, '/v1/invoices');
  await scrip.startWorker({ STRIPE_SECRET_KEY: 'sk_test_sandbox_key', STRIPE_API_BASE: sandbox.url });
  for (const customer of ['some', 'many'])
    await eventually(
      () => available(customer),
      (credits) => credits === 500,
    );
  expect(await eventually(parked, ({ length }) => length === 0)).toEqual([]);
  const fetched = await query(
    scrip.database.url,
    `select count(*)::int as events, count(distinct stream)::int as invoices from scrip_log.events
      where type = 'StripeInvoiceLinesFetched'`,
  );
  expect(fetched).toEqual([{ events: 3, invoices: 2 }]);
});

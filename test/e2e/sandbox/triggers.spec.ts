import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { MINUTE } from '../../../apps/stripe-sandbox/core/period.js';
import { SandboxWorld } from '../../support/processes/running-sandbox.js';

let world: SandboxWorld;

beforeAll(async () => {
  world = await SandboxWorld.start();
});
afterAll(() => world.close());
beforeEach(() => world.reset());

type Answer = { readonly id: string; readonly error?: { readonly type: string; readonly code?: string } };

/** A request as Stripe's command line sends it: a form, not the client. */
async function send(path: string, form: Record<string, string> | null = {}): Promise<Answer> {
  const init = form === null ? {} : { method: 'POST', body: new URLSearchParams(form) };
  const headers = { authorization: 'Bearer sk_test_1' };
  const response = await fetch(`${world.sandbox.url}/v1/${path}`, { ...init, headers });
  return (await response.json()) as Answer;
}

async function done(path: string, form: Record<string, string> | null = {}): Promise<string> {
  const { id, error } = await send(path, form);
  expect({ path, error }).toEqual({ path, error: undefined });
  return id;
}

const shipping = {
  'payment_intent_data[shipping][name]': 'Jenny Rosen',
  'payment_intent_data[shipping][address][line1]': '510 Townsend St',
  'payment_intent_data[shipping][address][postal_code]': '94103',
  'payment_intent_data[shipping][address][country]': 'US',
};

async function session(currency: string, more: Record<string, string> = {}): Promise<string> {
  const product = await done('products', { name: 'myproduct' });
  const price = await done('prices', { product, unit_amount: '1500', currency });
  const urls = { success_url: 'https://shop.example/post', cancel_url: 'https://shop.example/post' };
  const items = { 'line_items[0][price]': price, 'line_items[0][quantity]': '2' };
  return done('checkout/sessions', { ...urls, ...items, ...shipping, mode: 'payment', ...more });
}

it('pays a session through its payment page, for what the buyer was shown', async () => {
  const id = await session('usd');
  await done(`payment_pages/${id}`, null);
  const card = {
    type: 'card',
    'card[token]': 'tok_visa',
    'billing_details[email]': 'stripe@example.com',
    'billing_details[name]': 'Jenny Rosen',
  };
  const method = await done('payment_methods', card);
  const wrong = await send(`payment_pages/${id}/confirm`, { payment_method: method, expected_amount: '2999' });
  expect(wrong.error).toMatchObject({ type: 'invalid_request_error' });
  await done(`payment_pages/${id}/confirm`, { payment_method: method, expected_amount: '3000' });
  const paid = await world.stripe.checkout.sessions.retrieve(id);
  expect(paid).toMatchObject({ payment_status: 'paid', customer_details: { email: 'stripe@example.com' } });
});

it.each([
  ['AT611904300234573201', 'succeeded'],
  ['IT60X0542811101000000123456', 'failed'],
])('pays a session by a debit of %s, which has %s later', async (iban, outcome) => {
  const id = await session('eur', {
    'payment_method_types[0]': 'sepa_debit',
    'payment_intent_data[setup_future_usage]': 'off_session',
  });
  const method = await done('payment_methods', {
    type: 'sepa_debit',
    'sepa_debit[iban]': iban,
    'billing_details[email]': 'stripe@example.com',
    'billing_details[name]': 'Jenny Rosen',
    'billing_details[phone]': '1234567890',
  });
  await done(`payment_pages/${id}/confirm`, { payment_method: method, expected_amount: '3000' });
  await world.advance(4 * MINUTE);
  expect(world.types()).toContain(`checkout.session.async_payment_${outcome}`);
});

it('gives, changes and takes a coupon by the parameters of older versions', async () => {
  const [first, second] = [await done('coupons', { percent_off: '20' }), await done('coupons', { percent_off: '30' })];
  const customer = await done('customers', { coupon: first });
  await done(`customers/${customer}`, { coupon: second });
  await done(`customers/${customer}`, { coupon: '' });
  await done('promotion_codes', { coupon: first });
  const seen = (await world.since()).filter((type) => /discount|promotion/.test(type));
  expect(seen).toEqual([
    'customer.discount.created',
    'customer.discount.updated',
    'customer.discount.deleted',
    'promotion_code.created',
  ]);
});

it('sets cards up, and tells of one that is declined, by the list of types of older versions', async () => {
  const form = { confirm: 'true', 'payment_method_types[0]': 'card' };
  await done('setup_intents', { ...form, payment_method: 'pm_card_visa' });
  const declined = await send('setup_intents', { ...form, payment_method: 'pm_card_chargeDeclined' });
  expect(declined.error).toMatchObject({ type: 'card_error', code: 'card_declined' });
  await done('setup_intents', { confirm: 'true', payment_method: 'pm_card_authenticationRequired' });
  const seen = await world.since();
  for (const end of ['succeeded', 'setup_failed', 'requires_action']) expect(seen).toContain(`setup_intent.${end}`);
});

it('answers with a card error where an invoice needs its customer', async () => {
  const customer = await done('customers');
  const method = await done('payment_methods/pm_card_threeDSecure2Required/attach', { customer });
  await done('invoiceitems', { amount: '2000', currency: 'usd', customer });
  const invoice = await done('invoices', { customer, pending_invoice_items_behavior: 'include' });
  const { error } = await send(`invoices/${invoice}/pay`, { payment_method: method });
  expect(error).toMatchObject({ type: 'card_error', code: 'invoice_payment_intent_requires_action' });
  expect(await world.since()).toContain('invoice.payment_action_required');
});

import { DAY, HOUR } from '../processes/running-sandbox.js';
import type { Shop } from './shop.js';

/** A flow at Stripe, what Stripe reports about it, and where it must end for the customer. */
export type Scene = {
  /** As in the table of docs/stripe.md. */
  readonly flow: string;
  readonly name: string;
  readonly act: (shop: Shop) => Promise<unknown>;
  readonly ends: Ending;
};

export type Ending = {
  /** `available held debt`. */
  readonly credits: `${number} ${number} ${number}`;
  /** `plan status`, and `entitled` where it is so. */
  readonly subscription?: string;
  /** What was paid for how much and what became of it, newest first. */
  readonly payments?: readonly string[];
  /** Their statuses, newest first. */
  readonly invoices?: readonly string[];
};

const euro = {
  line_items: [{ quantity: 1, price_data: { currency: 'eur', unit_amount: 3000, product_data: { name: 'Pack' } } }],
};
/** What sells 1,000 credits wherever it stands. */
const sells = (shop: Shop) => ({ customer_id: shop.customerId, top_up: 'true', credits: '1000' });
const goodIban = { iban: 'AT611904300234573201' };
const badIban = { iban: 'AT861904300235473202' };

/** Sells 1,000 credits by an invoice of 30.00 and has it paid; `metadata`: what is written at its payment intent before. */
async function payInvoice(
  shop: Shop,
  metadata: Record<string, string>,
): Promise<{ readonly invoice: string; readonly payment_intent: string }> {
  const customer = await shop.customer();
  const { id: invoice } = await shop.stripe.invoices.create({ customer, auto_advance: false, metadata: sells(shop) });
  await shop.stripe.invoiceItems.create({ customer, invoice, amount: 3000, currency: 'usd' });
  await shop.stripe.invoices.finalizeInvoice(invoice);
  const [payment] = (await shop.stripe.invoicePayments.list({ invoice })).data;
  const payment_intent = String(payment?.payment.payment_intent);
  await shop.stripe.paymentIntents.update(payment_intent, { metadata });
  await shop.stripe.invoices.pay(invoice);
  return { invoice, payment_intent };
}

const topUps: readonly Scene[] = [
  {
    flow: 'top-up by Checkout',
    name: 'by card',
    act: (shop) => shop.topUp(),
    ends: { credits: '1000 0 0', payments: ['top_up 3000 usd succeeded visa 4242'] },
  },
  {
    flow: 'top-up by Checkout',
    name: 'with an invoice',
    act: async (shop) => shop.topUp({}, { customer: await shop.customer(), invoice_creation: { enabled: true } }),
    ends: { credits: '1000 0 0', payments: ['top_up 3000 usd succeeded visa 4242'], invoices: ['paid'] },
  },
  {
    flow: 'top-up by Checkout',
    name: 'by card, whose payment intent says the same',
    act: (shop) => shop.topUp({}, { payment_intent_data: { metadata: sells(shop) } }),
    ends: { credits: '1000 0 0', payments: ['top_up 3000 usd succeeded visa 4242'] },
  },
  {
    flow: 'top-up by Checkout',
    name: 'by card, whose payment intent says the same, refunded in part',
    act: async (shop) => {
      const payment_intent = await shop.topUp({}, { payment_intent_data: { metadata: sells(shop) } });
      await shop.stripe.refunds.create({ payment_intent, amount: 1200 });
    },
    ends: { credits: '600 0 0', payments: ['top_up 3000 usd partially_refunded visa 4242'] },
  },
  {
    flow: 'top-up by Checkout',
    name: 'by bank debit, which takes days',
    act: async (shop) => {
      await shop.topUp(goodIban, euro);
      await shop.advance(DAY);
    },
    ends: { credits: '1000 0 0', payments: ['top_up 3000 eur succeeded sepa_debit 3201'] },
  },
  {
    flow: 'top-up by Checkout',
    name: 'by bank debit, whose payment intent says the same',
    act: async (shop) => {
      await shop.topUp(goodIban, { ...euro, payment_intent_data: { metadata: sells(shop) } });
      await shop.advance(DAY);
    },
    ends: { credits: '1000 0 0', payments: ['top_up 3000 eur succeeded sepa_debit 3201'] },
  },
  {
    flow: 'top-up that fails or is left',
    name: 'by a bank debit that fails, a card that is declined, and a page that is left',
    act: async (shop) => {
      await shop.topUp(badIban, euro);
      const { url } = await shop.session();
      await shop.world.post(url!, { card: '4000000000009995', expiry: '12/34', cvc: '123', email: 'b@example.com' });
      await shop.advance(2 * DAY);
    },
    ends: { credits: '0 0 0' },
  },
  {
    flow: 'payment intent of our own',
    name: 'that sells credits',
    act: async (shop) => {
      const customer = await shop.customer();
      const metadata = { customer_id: shop.customerId, top_up: 'true', credits: '250' };
      const sale = { customer, amount: 900, currency: 'usd', metadata };
      await shop.stripe.paymentIntents.create({ ...sale, payment_method: 'pm_card_visa', confirm: true });
      const left = await shop.stripe.paymentIntents.create(sale);
      await shop.stripe.paymentIntents.cancel(left.id);
    },
    ends: { credits: '250 0 0', payments: ['top_up 900 usd cancelled', 'top_up 900 usd succeeded visa 4242'] },
  },
  {
    flow: 'payment intent of our own',
    name: 'of an invoice that sells the same credits',
    act: (shop) => payInvoice(shop, sells(shop)),
    ends: { credits: '1000 0 0', payments: ['top_up 3000 usd succeeded visa 4242'], invoices: ['paid'] },
  },
  {
    flow: 'credit note',
    name: 'for an invoice that sells credits, and a refund of its money',
    act: async (shop) => {
      const { invoice, payment_intent } = await payInvoice(shop, {});
      await shop.stripe.refunds.create({ payment_intent, amount: 300 });
      await shop.stripe.creditNotes.create({ invoice, amount: 600, credit_amount: 600 });
    },
    ends: {
      credits: '700 0 0',
      payments: ['top_up 3000 usd partially_refunded visa 4242'],
      invoices: ['paid'],
    },
  },
];

const beginnings: readonly Scene[] = [
  {
    flow: 'subscription starts',
    name: 'by Checkout',
    act: async (shop) => {
      const { id } = await shop.session({
        mode: 'subscription',
        line_items: [{ price: shop.price('starter.month'), quantity: 2 }],
      });
      await shop.world.control('POST', `/checkout/${id}/complete`, { card: '4242424242424242' });
    },
    ends: {
      credits: '1000 0 0',
      subscription: 'starter active entitled',
      payments: ['subscription_payment 4000 usd succeeded visa 4242'],
      invoices: ['paid'],
    },
  },
  {
    flow: 'subscription starts',
    name: 'with a trial that becomes paid',
    act: async (shop) => {
      await shop.subscribe('starter.month', { trial_period_days: 14 });
      await shop.advance(14 * DAY + 2 * HOUR);
    },
    ends: {
      credits: '500 0 0',
      subscription: 'starter active entitled',
      payments: ['subscription_payment 2000 usd succeeded visa 4242'],
      invoices: ['paid', 'paid'],
    },
  },
  {
    flow: 'subscription starts',
    name: 'with a trial that runs',
    act: (shop) => shop.subscribe('starter.month', { trial_period_days: 14 }),
    ends: { credits: '50 0 0', subscription: 'starter trialing entitled', payments: [], invoices: ['paid'] },
  },
  {
    flow: 'ended',
    name: 'with a trial that ends without a card',
    act: async (shop) => {
      const trial_settings = { end_behavior: { missing_payment_method: 'cancel' } } as const;
      await shop.subscribe('starter.month', { trial_period_days: 7, trial_settings }, null);
      await shop.advance(8 * DAY);
    },
    ends: { credits: '100 0 0', subscription: 'free active entitled' },
  },
  {
    flow: 'paused, resumed',
    name: 'by a trial that ends without a card, until there is one',
    act: async (shop) => {
      const trial_settings = { end_behavior: { missing_payment_method: 'pause' } } as const;
      const made = await shop.subscribe('starter.month', { trial_period_days: 7, trial_settings }, null);
      await shop.advance(8 * DAY);
      await shop.pays(String(made.customer), 'pm_card_visa');
      await shop.stripe.subscriptions.resume(made.id);
    },
    ends: { credits: '500 0 0', subscription: 'starter active entitled', invoices: ['paid', 'paid'] },
  },
  {
    flow: 'ended',
    name: 'before it began: nobody completes the first payment',
    act: async (shop) => {
      await shop.subscribe('starter.month', {}, 'pm_card_chargeCustomerFail');
      await shop.advance(DAY);
    },
    ends: { credits: '100 0 0', subscription: 'free active entitled', invoices: ['void'] },
  },
];

const periods: readonly Scene[] = [
  {
    flow: 'period paid',
    name: 'month after month, unspent credits going on',
    act: async (shop) => {
      const made = await shop.subscribe('starter.month');
      await shop.delivered();
      await shop.consume(430);
      await shop.advance((await shop.untilPeriod(1, made)) + 2 * HOUR);
    },
    ends: {
      credits: '570 0 0',
      subscription: 'starter active entitled',
      payments: Array(2).fill('subscription_payment 2000 usd succeeded visa 4242') as string[],
      invoices: ['paid', 'paid'],
    },
  },
  {
    flow: 'period paid',
    name: 'for a year, whose credits come by the month',
    act: async (shop) => {
      await shop.subscribe('starter.year');
      await shop.delivered();
      await shop.consume(470);
      await shop.advance(40 * DAY);
    },
    ends: {
      credits: '530 0 0',
      subscription: 'starter active entitled',
      payments: ['subscription_payment 24000 usd succeeded visa 4242'],
      invoices: ['paid'],
    },
  },
  {
    flow: 'payment missed, recovered',
    name: 'with another card',
    act: async (shop) => {
      const made = await shop.subscribe('starter.month');
      await shop.pays(String(made.customer), 'pm_card_chargeCustomerFail');
      await shop.advance((await shop.untilPeriod(1, made)) + 2 * HOUR);
      await shop.pays(String(made.customer), 'pm_card_mastercard');
      await shop.advance(DAY);
    },
    ends: {
      credits: '600 0 0',
      subscription: 'starter active entitled',
      payments: [
        'subscription_payment 2000 usd succeeded mastercard 4444',
        'subscription_payment 2000 usd succeeded visa 4242',
      ],
      invoices: ['paid', 'paid'],
    },
  },
  {
    flow: 'payment missed, recovered',
    name: 'not, for longer than the days of grace',
    act: async (shop) => {
      await shop.world.control('POST', '/settings', { dunningDays: [1, 3], afterDunning: 'past_due' });
      const made = await shop.subscribe('starter.month');
      await shop.pays(String(made.customer), 'pm_card_chargeCustomerFail');
      await shop.advance((await shop.untilPeriod(1, made)) + 6 * DAY);
    },
    ends: { credits: '100 0 0', subscription: 'starter past_due', invoices: ['open', 'paid'] },
  },
  {
    flow: 'ended',
    name: 'after the last try to be paid',
    act: async (shop) => {
      await shop.world.control('POST', '/settings', { dunningDays: [1, 3], uncollectibleAfterDunning: true });
      const made = await shop.subscribe('starter.month');
      await shop.pays(String(made.customer), 'pm_card_chargeCustomerFail');
      await shop.advance((await shop.untilPeriod(1, made)) + 6 * DAY);
    },
    ends: { credits: '100 0 0', subscription: 'free active entitled', invoices: ['uncollectible', 'paid'] },
  },
  {
    flow: 'paused, resumed',
    name: 'its collection: invoices are void, nothing is granted',
    act: async (shop) => {
      const made = await shop.subscribe('starter.month');
      await shop.stripe.subscriptions.update(made.id, { pause_collection: { behavior: 'void' } });
      await shop.advance((await shop.untilPeriod(1, made)) + 2 * HOUR);
      await shop.stripe.subscriptions.update(made.id, { pause_collection: '' });
    },
    ends: { credits: '0 0 0', subscription: 'starter active entitled', invoices: ['void', 'paid'] },
  },
  {
    flow: 'paused, resumed',
    name: 'by request, which begins a new period',
    act: async (shop) => {
      const made = await shop.subscribe('starter.month');
      await shop.stripe.subscriptions.pause(made.id);
      await shop.advance(DAY);
      await shop.stripe.subscriptions.resume(made.id);
    },
    ends: { credits: '1000 0 0', subscription: 'starter active entitled', invoices: ['paid', 'paid'] },
  },
];

export const beginningScenes: readonly Scene[] = [...topUps, ...beginnings, ...periods];

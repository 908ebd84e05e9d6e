import { DAY, HOUR } from '../../processes/running-sandbox.js';
import type { Scene } from '../scenes.js';
import { withinOneSecond } from './one-second.js';
import { trialScenes } from './trials.js';

const changes: readonly Scene[] = [
  {
    flow: 'upgrade, more seats',
    name: 'to a greater plan in the midst of a month, paid at once',
    act: async (shop) => {
      const made = await shop.subscribe('starter.month');
      await shop.advance(await shop.untilPeriod(0.5, made));
      await shop.change(made, { price: 'pro.month' });
    },
    ends: {
      credits: '1250 0 0',
      subscription: 'pro active entitled',
      payments: ['upgrade 3000 usd succeeded visa 4242', 'subscription_payment 2000 usd succeeded visa 4242'],
      invoices: ['paid', 'paid'],
    },
  },
  {
    flow: 'upgrade, more seats',
    name: 'three more seats, paid with the next month',
    act: async (shop) => {
      const made = await shop.subscribe('starter.month');
      await shop.advance(await shop.untilPeriod(0.5, made));
      await shop.change(made, { quantity: 4 }, { proration_behavior: 'create_prorations' });
      await shop.advance((await shop.untilPeriod(1, made)) + 2 * HOUR);
    },
    ends: { credits: '2850 0 0', subscription: 'starter active entitled', invoices: ['paid', 'paid'] },
  },
  {
    flow: 'upgrade, more seats',
    name: 'that waits for its payment, and one that never gets it',
    act: async (shop) => {
      const made = await shop.subscribe('starter.month');
      const update = { proration_behavior: 'always_invoice', payment_behavior: 'pending_if_incomplete' } as const;
      await shop.world.control('POST', '/faults', { declineNext: 1 });
      await shop.change(made, { price: 'pro.month' }, update);
      const [open] = (await shop.stripe.invoices.list({ subscription: made.id, status: 'open' })).data;
      await shop.stripe.invoices.pay(open!.id);
      await shop.world.control('POST', '/faults', { declineNext: 1 });
      await shop.change(made, { quantity: 3 }, update);
      await shop.advance(DAY);
    },
    ends: { credits: '2000 0 0', subscription: 'pro active entitled', invoices: ['void', 'paid', 'paid'] },
  },
  {
    flow: 'upgrade, more seats',
    name: 'that is not paid, void, and back',
    act: async (shop) => {
      const made = await shop.subscribe('starter.month');
      await shop.advance(await shop.untilPeriod(0.5, made));
      await shop.world.control('POST', '/faults', { declineNext: 1 });
      await shop.change(made, { price: 'pro.month' });
      const [open] = (await shop.stripe.invoices.list({ subscription: made.id, status: 'open' })).data;
      await shop.stripe.invoices.voidInvoice(open!.id);
      await shop.advance(HOUR);
      await shop.change(made, { price: 'starter.month' });
      await shop.advance(HOUR);
    },
    ends: { credits: '500 0 0', subscription: 'starter active entitled', invoices: ['paid', 'void', 'paid'] },
  },
  {
    flow: 'month to year and back',
    name: 'from a month to a year',
    act: async (shop) => {
      const made = await shop.subscribe('starter.month');
      await shop.advance(await shop.untilPeriod(0.5, made));
      await shop.change(made, { price: 'starter.year' });
    },
    ends: { credits: '750 0 0', subscription: 'starter active entitled', invoices: ['paid', 'paid'] },
  },
  {
    flow: 'month to year and back',
    name: 'from a year to a month',
    act: async (shop) => {
      const made = await shop.subscribe('starter.year');
      await shop.advance(10 * DAY);
      await shop.change(made, { price: 'starter.month' });
      await shop.delivered();
      await shop.advance(35 * DAY);
    },
    ends: { credits: '600 0 0', subscription: 'starter active entitled' },
  },
  {
    flow: 'downgrade',
    name: 'at once, with credit for later invoices',
    act: async (shop) => {
      const made = await shop.subscribe('pro.month');
      await shop.advance(await shop.untilPeriod(0.5, made));
      await shop.change(made, { price: 'starter.month' });
    },
    ends: { credits: '1250 0 0', subscription: 'starter active entitled', invoices: ['paid', 'paid'] },
  },
  {
    flow: 'downgrade',
    name: 'of a yearly plan: its months to come give less',
    act: async (shop) => {
      const made = await shop.subscribe('pro.year');
      await shop.advance(10 * DAY);
      await shop.change(made, { price: 'starter.year' });
      await shop.delivered();
      await shop.advance(35 * DAY);
    },
    ends: { credits: '600 0 0', subscription: 'starter active entitled', invoices: ['paid', 'paid'] },
  },
  {
    flow: 'downgrade',
    name: 'of a yearly plan whose seats had been added to, twice',
    act: async (shop) => {
      const made = await shop.subscribe('starter.year');
      await shop.advance(5 * DAY);
      await shop.change(made, { quantity: 3 });
      await shop.change(made, { quantity: 2 });
      await shop.advance(DAY);
      await shop.change(made, { quantity: 1 });
      await shop.delivered();
      await shop.advance(35 * DAY);
    },
    ends: { credits: '600 0 0', subscription: 'starter active entitled' },
  },
  {
    flow: 'downgrade',
    name: 'at the end of the period',
    act: async (shop) => {
      const made = await shop.subscribe('pro.month');
      const schedule = await shop.stripe.subscriptionSchedules.create({ from_subscription: made.id });
      const { start_date, end_date } = schedule.phases[0]!;
      await shop.stripe.subscriptionSchedules.update(schedule.id, {
        end_behavior: 'release',
        phases: [
          { items: [{ price: shop.price('pro.month'), quantity: 1 }], start_date, end_date },
          {
            items: [{ price: shop.price('starter.month'), quantity: 1 }],
            duration: { interval: 'month', interval_count: 1 },
          },
        ],
      });
      await shop.advance((await shop.untilPeriod(1, made)) + 2 * HOUR);
    },
    ends: { credits: '600 0 0', subscription: 'starter active entitled', invoices: ['paid', 'paid'] },
  },
];

const ends: readonly Scene[] = [
  {
    flow: 'cancellation scheduled, undone',
    name: 'at the end of the period, undone',
    act: async (shop) => {
      const { id } = await shop.subscribe('starter.month');
      await shop.stripe.subscriptions.update(id, { cancel_at_period_end: true });
      await shop.advance(DAY);
      await shop.stripe.subscriptions.update(id, { cancel_at_period_end: false });
    },
    ends: { credits: '500 0 0', subscription: 'starter active entitled' },
  },
  {
    flow: 'cancellation scheduled, undone',
    name: 'at a chosen time',
    act: async (shop) => {
      const { id } = await shop.subscribe('starter.month');
      await shop.stripe.subscriptions.update(id, { cancel_at: shop.now + 10 * DAY });
    },
    ends: { credits: '500 0 0', subscription: 'starter active entitled cancels' },
  },
  {
    flow: 'ended',
    name: 'at the end of its period',
    act: async (shop) => {
      const made = await shop.subscribe('starter.month');
      await shop.stripe.subscriptions.update(made.id, { cancel_at_period_end: true });
      await shop.advance((await shop.untilPeriod(1, made)) + HOUR);
    },
    ends: { credits: '100 0 0', subscription: 'free active entitled' },
  },
  {
    flow: 'ended',
    name: 'at once: what was paid for stays until it expires',
    act: async (shop) => {
      const { id } = await shop.subscribe('starter.month');
      await shop.stripe.subscriptions.cancel(id);
    },
    ends: { credits: '600 0 0', subscription: 'free active entitled' },
  },
];

const moneyBack: readonly Scene[] = [
  {
    flow: 'refund',
    name: 'in two parts, until all is back',
    act: async (shop) => {
      const payment_intent = await shop.topUp();
      await shop.stripe.refunds.create({ payment_intent, amount: 1000 });
      await shop.stripe.refunds.create({ payment_intent, amount: 2000 });
    },
    ends: { credits: '0 0 0', payments: ['top_up 3000 usd refunded visa 4242'] },
  },
  {
    flow: 'refund',
    name: 'of credits that are spent, paid by the next purchase',
    act: async (shop) => {
      const payment_intent = await shop.topUp();
      await shop.delivered();
      await shop.consume(700);
      await shop.stripe.refunds.create({ payment_intent, amount: 2000 });
      await shop.delivered();
      await shop.topUp();
    },
    ends: {
      credits: '633 0 0',
      payments: ['top_up 3000 usd succeeded visa 4242', 'top_up 3000 usd partially_refunded visa 4242'],
    },
  },
  {
    flow: 'refund',
    name: 'under way',
    act: async (shop) => {
      const customer = await shop.customer('pm_card_pendingRefund');
      const metadata = { customer_id: shop.customerId, top_up: 'true', credits: '1000' };
      const paid = { customer, amount: 900, currency: 'usd', metadata, payment_method: 'pm_card_pendingRefund' };
      const { id } = await shop.stripe.paymentIntents.create({ ...paid, confirm: true });
      await shop.stripe.refunds.create({ payment_intent: id, amount: 300 });
    },
    ends: { credits: '667 333 0' },
  },
  {
    flow: 'refund',
    name: 'of half a month, under way for days',
    act: async (shop) => {
      const { customer } = await shop.subscribe('starter.month', {}, 'pm_card_pendingRefund');
      const charges = await shop.stripe.charges.list({ customer: String(customer) });
      await shop.stripe.refunds.create({ charge: charges.data[0]!.id, amount: 1000 });
      await shop.advance(6 * DAY);
    },
    ends: { credits: '250 0 0', payments: ['subscription_payment 2000 usd partially_refunded visa 7726'] },
  },
  {
    flow: 'refund',
    name: 'that the bank sends back',
    act: async (shop) => {
      const customer = await shop.customer('pm_card_refundFail');
      const metadata = { customer_id: shop.customerId, top_up: 'true', credits: '1000' };
      const paid = { customer, amount: 900, currency: 'usd', metadata, payment_method: 'pm_card_refundFail' };
      const { id } = await shop.stripe.paymentIntents.create({ ...paid, confirm: true });
      await shop.stripe.refunds.create({ payment_intent: id });
      await shop.advance(6 * DAY);
    },
    ends: { credits: '1000 0 0' },
  },
  {
    flow: 'credit note',
    name: 'with a refund and a credit to the balance',
    act: async (shop) => {
      const made = await shop.subscribe('starter.month');
      const invoice = await shop.latestInvoice(made);
      await shop.stripe.creditNotes.create({ invoice, amount: 1000, refund_amount: 600, credit_amount: 400 });
    },
    ends: { credits: '250 0 0', payments: ['subscription_payment 2000 usd partially_refunded visa 4242'] },
  },
  {
    flow: 'dispute',
    name: 'under way',
    act: async (shop) => {
      const charge = await shop.charge(await shop.topUp());
      await shop.world.control('POST', '/disputes', { charge });
    },
    ends: { credits: '0 1000 0', payments: ['top_up 3000 usd disputed visa 4242'] },
  },
  {
    flow: 'dispute',
    name: 'lost, and won late',
    act: async (shop) => {
      const charge = await shop.charge(await shop.topUp());
      const { id } = await shop.world.control<{ id: string }>('POST', '/disputes', { charge });
      await shop.world.control('POST', `/disputes/${id}/move`, { status: 'lost' });
      await shop.advance(DAY);
      await shop.world.control('POST', `/disputes/${id}/move`, { status: 'won' });
    },
    ends: { credits: '1000 0 0', payments: ['top_up 3000 usd succeeded visa 4242'] },
  },
  {
    flow: 'dispute',
    name: 'lost of a subscription whose credits are spent',
    act: async (shop) => {
      const made = await shop.subscribe('starter.month');
      await shop.delivered();
      await shop.consume(300);
      const charges = await shop.stripe.charges.list({ customer: String(made.customer) });
      const { id } = await shop.world.control<{ id: string }>('POST', '/disputes', { charge: charges.data[0]!.id });
      await shop.world.control('POST', `/disputes/${id}/move`, { status: 'lost' });
    },
    ends: { credits: '0 0 300' },
  },
  {
    flow: 'dispute',
    name: 'of a bank debit after it was paid',
    act: async (shop) => {
      const price_data = { currency: 'eur', unit_amount: 3000, product_data: { name: 'Pack' } };
      const intent = await shop.topUp({ iban: 'AT611904300234573201' }, { line_items: [{ quantity: 1, price_data }] });
      await shop.advance(DAY);
      const charge = await shop.charge(intent);
      const { id } = await shop.world.control<{ id: string }>('POST', '/disputes', { charge });
      await shop.world.control('POST', `/disputes/${id}/move`, { status: 'lost' });
    },
    ends: { credits: '0 0 0', payments: ['top_up 3000 eur refunded sepa_debit 3201'] },
  },
  {
    flow: 'dispute',
    name: 'only asked about',
    act: async (shop) => {
      const charge = await shop.charge(await shop.topUp());
      const inquiry = await shop.world.control<{ id: string }>('POST', '/disputes', { charge, inquiry: true });
      await shop.stripe.disputes.close(inquiry.id);
    },
    ends: { credits: '1000 0 0', payments: ['top_up 3000 usd succeeded visa 4242'] },
  },
];

export const changingScenes: readonly Scene[] = [...changes, ...ends, ...withinOneSecond, ...moneyBack, ...trialScenes];

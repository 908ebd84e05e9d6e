import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { asCustomer } from '#database/as-customer.js';
import { InMemoryEventStore } from '../../../libs/event-store/in-memory.js';
import { dueAllowances } from '../../../projections/allowances/due-allowances.js';
import { invoicesOf } from '../../../projections/invoices/queries.js';
import { paymentsOf } from '../../../projections/payments/queries.js';
import { lapsedSubscriptions, subscriptionOf } from '../../../projections/subscriptions/queries.js';
import { byTest, InboxWorld } from '../../support/worlds/inbox-world.js';
import { ProjectionWorld } from '../../support/worlds/projection-world.js';
import { stripeEvent, type StripeFixture } from '../../support/stripe/events.js';
let world: ProjectionWorld;
let inbox: InboxWorld;
let eventCount = 0;

/** Delivers recorded events, each under an id of its own, and waits until the read models show them. */
async function deliver(...events: readonly [StripeFixture, Record<string, unknown>?, number?][]): Promise<void> {
  for (const [name, change = {}, later = 0] of events) {
    eventCount += 1;
    const { created } = stripeEvent(name);
    await inbox.deliver(stripeEvent(name, { id: `evt_${String(eventCount)}`, created: created + later }, change));
  }
  await inbox.drain();
  await world.reached(await world.store.head());
}

beforeAll(async () => {
  world = await ProjectionWorld.open();
  inbox = new InboxWorld(new InMemoryEventStore(world.log));
  world.work();
  await inbox.applyCatalog();
  await deliver(
    ['checkout.session.completed.endive'],
    ['charge.succeeded.endive'],
    ['checkout.session.completed.subscription.endive'],
    ['customer.subscription.created.endive'],
    ['invoice.created.endive'],
    ['invoice.paid.endive', { payments: null }],
    ['invoice_payment.paid.endive'],
    ['charge.succeeded.endive', { id: 'ch_sub_1', payment_intent: 'pi_sub_1' }],
    ['refund.updated.endive', { id: 're_7', payment_intent: 'pi_sub_1', amount: 580 }],
  );
});
afterAll(() => world.close());

const october = '2026-10-15T00:00:00.000Z';
const seconds = (after: number): number => Date.parse(october) / 1000 + after;

describe('payments', () => {
  it('are listed newest first in pages, those of invoices with what is known of their money', async () => {
    const { data, next } = await paymentsOf(world.db, 'acme', 10, null);
    expect(next).toBeNull();
    expect(data).toMatchObject([
      {
        id: 'pi_1',
        type: 'top_up',
        status: 'succeeded',
        refunded: { amount: 0 },
        chargeId: 'ch_1',
        sessionId: 'cs_test_1',
      },
      {
        id: 'in_1',
        type: 'subscription_payment',
        status: 'partially_refunded',
        amount: { amount: 2320, currency: 'usd' },
        refunded: { amount: 580, currency: 'usd' },
        method: { type: 'card', brand: 'visa', last4: '4242' },
        paymentIntentId: 'pi_sub_1',
        chargeId: 'ch_sub_1',
        invoiceId: 'in_1',
      },
    ]);
    const first = await paymentsOf(world.db, 'acme', 1, null);
    expect(first.next).not.toBeNull();
    const second = await paymentsOf(world.db, 'acme', 1, first.next);
    expect([...first.data, ...second.data].map(({ id }) => id)).toEqual(['pi_1', 'in_1']);
  });

  it('are shown to their own customer only', async () => {
    expect((await asCustomer(world.db, 'acme', (own) => paymentsOf(own, 'acme', 10, null))).data).toHaveLength(2);
    expect((await asCustomer(world.db, 'other', (own) => paymentsOf(own, 'acme', 10, null))).data).toEqual([]);
  });
});

describe('money of currencies with none, two and three decimals', () => {
  const sold = [
    ['jpy', 500],
    ['kwd', 5120],
    ['isk', 50_000],
    ['huf', 12_345],
    ['twd', 3000],
    ['eur', 999],
  ] as const;
  const session = (currency: string, amount: number) => ({
    id: `cs_${currency}`,
    payment_intent: `pi_${currency}`,
    customer: null,
    client_reference_id: 'coins',
    currency,
    amount_total: amount,
    total_details: { amount_tax: 0 },
    metadata: { credits: '100' },
  });

  it('stays in the minor units that Stripe sent, each payment and each slice in its own currency', async () => {
    for (const [currency, amount] of [...sold, ['ugx', 500_000] as const])
      await deliver(['checkout.session.completed.endive', session(currency, amount)]);
    await deliver(['refund.updated.endive', { id: 're_kwd', payment_intent: 'pi_kwd', amount: 2560, currency: 'kwd' }]);
    const { data } = await paymentsOf(world.db, 'coins', 10, null);
    const paid = data.map(({ amount, refunded, status }) => [amount, refunded?.amount, status] as const);
    expect(paid).toHaveLength(sold.length);
    for (const [currency, amount] of sold) {
      const back = currency === 'kwd' ? 2560 : 0;
      expect(paid).toContainEqual([{ amount, currency }, back, back === 0 ? 'succeeded' : 'partially_refunded']);
    }
    expect([...inbox.state.parked.values()].map(({ code, subject }) => `${code} ${String(subject)}`)).toEqual([
      'unsupported_currency ugx',
    ]);
    const command = { type: 'ConsumeCredits', amount: 550, usage: null, resource: null } as const;
    const used = { ...command, description: null, metadata: {} };
    const outcome = await inbox.handlers.account.execute({ ...byTest, stream: 'account-coins', command: used });
    const events = outcome.kind === 'recorded' ? outcome.events.map(({ event }) => event) : [];
    const slices = events.flatMap((event) => (event.type === 'CreditsConsumed' ? event.allocations : []));
    const costs = slices.map(({ cost }) => `${String(cost?.amount)} ${String(cost?.currency)}`).sort();
    expect(costs).toEqual(['12345 huf', '2560 kwd', '3000 twd', '50000 isk', '500 jpy', '999 eur'].sort());
    await world.reached(await world.store.head());
  });
});

describe('invoices', () => {
  it('show what was due and paid, and where to see them', async () => {
    expect((await invoicesOf(world.db, 'acme', 10, null)).data).toMatchObject([
      {
        id: 'in_1',
        number: 'A1B2C3-0001',
        status: 'paid',
        total: { amount: 2320, currency: 'usd' },
        amountPaid: { amount: 2320 },
        subscriptionId: 'sub_1',
        hostedInvoiceUrl: 'https://invoice.stripe.com/i/acct_1/test_1',
        invoicePdf: 'https://pay.stripe.com/invoice/acct_1/test_1/pdf',
        paidAt: '2026-10-01T00:00:03.000Z',
      },
    ]);
  });
});

describe('a subscription', () => {
  const shown = (now: string, days = 3) => subscriptionOf(world.db, 'acme', now, days);
  const threeDaysBefore = (now: string): string => new Date(Date.parse(now) - 3 * 86_400_000).toISOString();
  const due = async (now: string) =>
    (await dueAllowances(world.db, { now, graceMs: 3 * 86_400_000, credits: new Map([['free', 100]]) }, null, 10)).map(
      ({ id, months }) => [id, ...months.map(({ isFree }) => isFree)],
    );
  const lapsed = async (now: string) =>
    (await lapsedSubscriptions(world.db, threeDaysBefore(now), null, 10)).map(({ id }) => id);

  it('is the one that counts, with grace while a payment is missing', async () => {
    expect(await shown(october)).toMatchObject({ id: 'sub_1', planId: 'starter', status: 'active', entitled: true });
    await deliver(['customer.subscription.updated.endive', { status: 'past_due', cancel_at: null }, 100]);
    expect(await shown('2026-10-02T00:00:00.000Z')).toMatchObject({
      status: 'past_due',
      pastDueSince: '2026-10-01T00:03:25.000Z',
      graceUntil: '2026-10-04T00:03:25.000Z',
      entitled: true,
    });
    expect(await shown(october)).toMatchObject({ entitled: false });
    expect(await shown(october, 30)).toMatchObject({ entitled: true });
    expect(await lapsed('2026-10-04T00:03:24.999Z')).toEqual([]);
    expect(await lapsed('2026-10-04T00:03:25.000Z')).toEqual(['sub_1']);
  });

  it('keeps the free plan away while it runs or its collection is paused, and gives way to it at its end', async () => {
    await deliver(['customer.subscription.updated.endive', { status: 'active', cancel_at: null }, 200]);
    await deliver(['customer.subscription.paused.endive', { status: 'active' }, 300]);
    await deliver(['customer.subscription.resumed.endive', {}, 400]);
    expect(await due('2026-11-02T00:00:00.000Z')).toEqual([]);
    await deliver(['customer.subscription.deleted.endive', { ended_at: seconds(0) }, 500]);
    expect(await due('2026-11-02T00:00:00.000Z')).toEqual([['free:acme', true, true]]);
    expect(await shown(october)).toMatchObject({ id: 'free_acme', planId: 'free', status: 'active', entitled: true });
  });

  it('keeps the free plan away while it runs, also between a paid period and the next, until its grace is over', async () => {
    const second = { id: 'sub_2', status: 'active', cancel_at: null };
    await deliver(['customer.subscription.updated.endive', second, 600]);
    expect(await due('2026-12-02T00:00:00.000Z')).toEqual([]);
    await deliver(['customer.subscription.updated.endive', { ...second, cancel_at: seconds(4_000_000) }, 700]);
    // It ends on 30 November, so December is free, ahead of time.
    expect(await due('2026-11-02T00:00:00.000Z')).toEqual([['free:acme', false, true]]);
    await deliver(['customer.subscription.updated.endive', { ...second, status: 'past_due' }, 5_184_000]);
    // Not paid by the end of the year, it will not be in force.
    expect(await due('2026-12-02T00:00:00.000Z')).toEqual([['free:acme', false, true]]);
    expect(await due('2026-12-04T00:00:00.000Z')).toEqual([['free:acme', true, true]]);
    expect(await lapsed('2026-12-04T00:00:00.000Z')).toEqual([]);
    await deliver(['customer.subscription.updated.endive', { ...second, status: 'unpaid' }, 5_184_001]);
    expect(await due('2026-12-01T00:00:00.000Z')).toEqual([['free:acme', true, true]]);
  });

  it('withdraws the free month to come while it lasts, and is counted with its customer', async () => {
    const counted = async () => {
      const text = `select kind, lasting from scrip_read.allowances where id = 'free:acme'`;
      return world.db.query<{ kind: string; lasting: number }>({ text });
    };
    expect(await counted()).toEqual([{ kind: 'free', lasting: 0 }]);
    const [start, end] = ['2027-02-01T00:00:00.000Z', '2027-03-01T00:00:00.000Z'];
    const months = [{ start, end, amount: 100 }];
    const command = { type: 'KeepFreeMonths', subscriptionId: 'free_acme', planId: 'free', months } as const;
    await inbox.handlers.account.execute({ ...byTest, stream: 'account-acme', command });
    const third = { id: 'sub_3', status: 'active', cancel_at: null };
    await deliver(['customer.subscription.updated.endive', third, 5_184_100]);
    expect(await counted()).toEqual([{ kind: 'free', lasting: 1 }]);
    expect(await due('2027-01-10T00:00:00.000Z')).toEqual([['free:acme', false, false]]);
    await deliver(['customer.subscription.deleted.endive', { id: 'sub_3', ended_at: 1_800_000_000 }, 5_184_200]);
    expect(await counted()).toEqual([{ kind: 'free', lasting: 0 }]);
  });

  it('gives a customer with a closed account nothing to look for', async () => {
    expect(await due('2027-02-02T00:00:00.000Z')).toEqual([['free:acme', true, true]]);
    const command = { type: 'CloseAccount', reason: 'gone' } as const;
    await inbox.handlers.account.execute({ ...byTest, stream: 'account-acme', command });
    await world.reached(await world.store.head());
    expect(await due('2027-02-02T00:00:00.000Z')).toEqual([]);
  });

  it('is in the read models what the log says', async () => {
    expect(await world.differences()).toEqual([]);
  });
});

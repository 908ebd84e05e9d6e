import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type Stripe from 'stripe';
import { DAY, SandboxWorld } from '../../support/processes/running-sandbox.js';

let world: SandboxWorld;

beforeAll(async () => {
  world = await SandboxWorld.start();
});
afterAll(() => world.close());
beforeEach(() => world.reset());

const session = (more: Partial<Stripe.Checkout.SessionCreateParams> = {}): Promise<Stripe.Checkout.Session> =>
  world.stripe.checkout.sessions.create({
    mode: 'payment',
    client_reference_id: 'acc_1',
    metadata: { credits: '500' },
    line_items: [{ quantity: 2, price_data: { currency: 'usd', unit_amount: 1500, product_data: { name: 'Pack' } } }],
    success_url: 'http://127.0.0.1/ok?session_id={CHECKOUT_SESSION_ID}',
    ...more,
  });

const inEuro = {
  line_items: [{ quantity: 1, price_data: { currency: 'eur', unit_amount: 3000, product_data: { name: 'Pack' } } }],
};
const card = { card: '4242 4242 4242 4242', expiry: '12 / 34', cvc: '123', email: 'buyer@example.com', name: 'Buyer' };

async function charged(
  method = 'pm_card_visa',
  amount = 2000,
): Promise<{ intent: Stripe.PaymentIntent; charge: string }> {
  const intent = await world.stripe.paymentIntents.create({
    amount,
    currency: 'usd',
    payment_method: method,
    confirm: true,
  });
  await world.since();
  return { intent, charge: String(intent.latest_charge) };
}

describe('checkout of one payment', () => {
  it('pays by card on the page, without scripts, and sends the customer back', async () => {
    const created = await session();
    expect(created).toMatchObject({
      amount_total: 3000,
      payment_status: 'unpaid',
      status: 'open',
      payment_intent: null,
    });
    await world.since();
    const url = created.url!;
    const page = await fetch(url).then((response) => response.text());
    expect(page).toContain('$30.00');
    expect(page).toContain('Card number');
    const paid = await world.post(url, card);
    expect(paid).toMatchObject({ status: 303, location: `http://127.0.0.1/ok?session_id=${created.id}` });
    expect(world.types()).toEqual([
      'charge.succeeded',
      'payment_intent.succeeded',
      'payment_intent.created',
      'checkout.session.completed',
    ]);
    const complete = await world.stripe.checkout.sessions.retrieve(created.id, {
      expand: ['line_items', 'payment_intent.latest_charge'],
    });
    expect(complete).toMatchObject({
      payment_status: 'paid',
      status: 'complete',
      client_reference_id: 'acc_1',
      url: null,
    });
    expect(complete.line_items?.data[0]).toMatchObject({ quantity: 2, amount_total: 3000 });
    const intent = complete.payment_intent as Stripe.PaymentIntent;
    expect((intent.latest_charge as Stripe.Charge).amount_captured).toBe(3000);
    expect(intent).not.toHaveProperty('sandbox');
    expect((await world.post(url, card)).text).toContain('complete');
    expect(await world.since()).toHaveLength(4);
  });

  it('stays open after a declined card and takes another one', async () => {
    const { url, id } = await session();
    await world.since();
    const declined = await world.post(url!, { ...card, card: '4000 0000 0000 9995' });
    expect(declined.status).toBe(402);
    expect(declined.text).toContain('insufficient funds');
    expect(await world.since()).toEqual(['payment_intent.created', 'charge.failed', 'payment_intent.payment_failed']);
    expect((await world.stripe.checkout.sessions.retrieve(id)).status).toBe('open');
    expect((await world.post(url!, card)).status).toBe(303);
    expect(await world.since()).toEqual(['charge.succeeded', 'payment_intent.succeeded', 'checkout.session.completed']);
  });

  it('asks for 3D Secure where the card wants it', async () => {
    const { url, id } = await session();
    const asked = await world.post(url!, { ...card, card: '4000000000003220' });
    expect(asked.text).toContain('Complete authentication');
    expect((await world.post(url!, { ...card, card: '4000000000003220', authenticated: 'no' })).status).toBe(402);
    expect((await world.post(url!, { ...card, card: '4000000000003220', authenticated: 'yes' })).status).toBe(303);
    expect((await world.stripe.checkout.sessions.retrieve(id)).payment_status).toBe('paid');
  });

  it('refuses numbers that are no test cards, and escapes what people typed', async () => {
    const { url } = await session();
    const refused = await world.post(url!, { ...card, card: '4111111111111111', name: '<script>x</script>' });
    expect(refused.status).toBe(402);
    expect(refused.text).toContain('incorrect');
    expect(refused.text).not.toContain('<script>');
  });

  it('settles a SEPA debit later', async () => {
    const created = await session(inEuro);
    await world.since();
    await world.control('POST', `/checkout/${created.id}/complete`, { iban: 'AT611904300234573201' });
    expect(await world.since()).toEqual([
      'charge.pending',
      'payment_intent.created',
      'payment_intent.processing',
      'checkout.session.completed',
    ]);
    expect(await world.stripe.checkout.sessions.retrieve(created.id)).toMatchObject({
      status: 'complete',
      payment_status: 'unpaid',
    });
    await world.advance(DAY);
    expect(world.types()).toEqual([
      'charge.succeeded',
      'payment_intent.succeeded',
      'checkout.session.async_payment_succeeded',
    ]);
    expect(world.objects<Stripe.Checkout.Session>('checkout.session.async_payment_succeeded')[0]?.payment_status).toBe(
      'paid',
    );
  });

  it('tells when a SEPA debit fails', async () => {
    const created = await session(inEuro);
    await world.control('POST', `/checkout/${created.id}/complete`, { iban: 'AT861904300235473202' });
    await world.since();
    await world.advance(DAY);
    expect(world.types()).toEqual([
      'charge.failed',
      'payment_intent.payment_failed',
      'checkout.session.async_payment_failed',
    ]);
  });

  it('makes an invoice when asked to', async () => {
    const created = await session({
      invoice_creation: { enabled: true, invoice_data: { metadata: { kind: 'top-up' } } },
    });
    await world.since();
    await world.control('POST', `/checkout/${created.id}/complete`);
    const seen = await world.since();
    expect(seen.filter((type) => !type.startsWith('customer') && type !== 'invoiceitem.created')).toEqual([
      'charge.succeeded',
      'payment_intent.succeeded',
      'payment_intent.created',
      'checkout.session.completed',
      'invoice.created',
      'invoice.finalized',
      'invoice.paid',
      'invoice.payment_succeeded',
      'invoice_payment.paid',
    ]);
    const complete = await world.stripe.checkout.sessions.retrieve(created.id, { expand: ['invoice.payments'] });
    expect(complete.invoice).toMatchObject({
      status: 'paid',
      amount_paid: 3000,
      parent: null,
      metadata: { kind: 'top-up' },
    });
  });

  it('expires by its time and on request', async () => {
    const [first, second] = [await session(), await session()];
    await world.stripe.checkout.sessions.expire(first.id);
    await world.advance(DAY);
    expect(world.objects<Stripe.Checkout.Session>('checkout.session.expired').map(({ id }) => id)).toEqual([
      first.id,
      second.id,
    ]);
    await expect(world.control('POST', `/checkout/${second.id}/complete`)).rejects.toThrow(/expired/);
  });

  it('cancels the payment that a declined card has left open when it expires', async () => {
    const { url, id } = await session();
    await world.post(url!, { ...card, card: '4000 0000 0000 9995' });
    const { payment_intent: intent } = await world.stripe.checkout.sessions.retrieve(id);
    expect((await world.stripe.paymentIntents.retrieve(String(intent))).status).toBe('requires_payment_method');
    await world.since();
    await world.advance(DAY);
    expect(await world.since()).toEqual(['payment_intent.canceled', 'checkout.session.expired']);
    expect(await world.stripe.paymentIntents.retrieve(String(intent))).toMatchObject({
      status: 'canceled',
      cancellation_reason: 'automatic',
    });
  });
});

describe('payment intents', () => {
  it('succeeds, is captured later, is cancelled', async () => {
    await charged();
    const held = await world.stripe.paymentIntents.create({
      amount: 900,
      currency: 'usd',
      payment_method: 'pm_card_visa',
      confirm: true,
      capture_method: 'manual',
    });
    expect(held.status).toBe('requires_capture');
    expect((await world.stripe.paymentIntents.capture(held.id)).status).toBe('succeeded');
    const idle = await world.stripe.paymentIntents.create({ amount: 900, currency: 'usd' });
    expect((await world.stripe.paymentIntents.cancel(idle.id)).status).toBe('canceled');
    expect(await world.since()).toEqual([
      'payment_intent.created',
      'charge.succeeded',
      'payment_intent.amount_capturable_updated',
      'charge.captured',
      'payment_intent.succeeded',
      'payment_intent.created',
      'payment_intent.canceled',
    ]);
  });

  it('asks for authentication and goes on with the answer', async () => {
    const params = { amount: 900, currency: 'usd', payment_method: 'pm_card_threeDSecure2Required', confirm: true };
    const asked = await world.stripe.paymentIntents.create(params);
    expect(asked).toMatchObject({ status: 'requires_action', next_action: { type: 'redirect_to_url' } });
    await world.post(asked.next_action!.redirect_to_url!.url!, { authenticated: 'yes' });
    expect((await world.stripe.paymentIntents.retrieve(asked.id)).status).toBe('succeeded');
    const refused = await world.stripe.paymentIntents.create(params);
    await world.control('POST', `/payment_intents/${refused.id}/authenticate`, { passes: false });
    expect(await world.stripe.paymentIntents.retrieve(refused.id)).toMatchObject({
      status: 'requires_payment_method',
      last_payment_error: { code: 'payment_intent_authentication_failure' },
    });
  });
});

describe('money back', () => {
  it('refunds in full with the observed events', async () => {
    const { intent, charge } = await charged();
    const refund = await world.stripe.refunds.create({ payment_intent: intent.id });
    expect(refund).toMatchObject({ status: 'succeeded', amount: 2000, charge });
    expect(await world.since()).toEqual([
      'refund.created',
      'charge.refunded',
      'refund.updated',
      'charge.refund.updated',
    ]);
    expect(await world.stripe.charges.retrieve(charge)).toMatchObject({ refunded: true, amount_refunded: 2000 });
    await expect(world.stripe.refunds.create({ charge })).rejects.toMatchObject({
      code: 'charge_already_refunded',
      statusCode: 400,
    });
  });

  it('refunds in parts that never exceed the charge', async () => {
    const { charge } = await charged();
    await world.stripe.refunds.create({ charge, amount: 700 });
    await world.stripe.refunds.create({ charge, amount: 1299 });
    await world.settle();
    expect(world.objects<Stripe.Charge>('charge.refunded').map((one) => one.amount_refunded)).toEqual([700, 1999]);
    await expect(world.stripe.refunds.create({ charge, amount: 2 })).rejects.toMatchObject({
      type: 'StripeInvalidRequestError',
    });
    const expanded = await world.stripe.charges.retrieve(charge, { expand: ['refunds'] });
    expect(expanded).toMatchObject({ amount_refunded: 1999, refunded: false });
    expect(expanded.refunds?.data.map(({ amount }) => amount)).toEqual([1299, 700]);
  });

  it('has refunds that are pending and refunds that fail', async () => {
    const pending = await charged('pm_card_pendingRefund');
    const failing = await charged('pm_card_refundFail');
    const first = await world.stripe.refunds.create({ charge: pending.charge });
    const second = await world.stripe.refunds.create({ charge: failing.charge });
    expect([first.status, second.status]).toEqual(['pending', 'succeeded']);
    await world.since();
    await world.advance(6 * DAY);
    expect(world.types()).toEqual([
      'refund.updated',
      'charge.refund.updated',
      'refund.failed',
      'refund.updated',
      'charge.refund.updated',
    ]);
    expect((await world.stripe.refunds.retrieve(second.id)).failure_reason).toBe('expired_or_canceled_card');
    expect(await world.stripe.charges.retrieve(failing.charge)).toMatchObject({ amount_refunded: 0, refunded: false });
  });

  it('disputes by test card, and wins by evidence', async () => {
    const { charge } = await charged('pm_card_createDispute');
    const [dispute] = (await world.stripe.disputes.list({ charge })).data;
    expect(dispute).toMatchObject({ status: 'needs_response', amount: 2000, reason: 'fraudulent' });
    await world.stripe.disputes.update(dispute!.id, { evidence: { uncategorized_text: 'winning_evidence' } });
    expect(await world.since()).toEqual([
      'charge.dispute.updated',
      'charge.dispute.closed',
      'charge.dispute.funds_reinstated',
    ]);
    expect((await world.stripe.disputes.retrieve(dispute!.id)).status).toBe('won');
  });

  it('moves a dispute by the control API: lost, then won late', async () => {
    const { charge } = await charged();
    const dispute = await world.control<Stripe.Dispute>('POST', '/disputes', { charge, amount: 1200 });
    expect(await world.since()).toEqual(['charge.dispute.created', 'charge.dispute.funds_withdrawn']);
    await world.control('POST', `/disputes/${dispute.id}/move`, { status: 'lost' });
    expect(await world.since()).toEqual(['charge.dispute.closed']);
    await world.control('POST', `/disputes/${dispute.id}/move`, { status: 'won' });
    expect(await world.since()).toEqual(['charge.dispute.closed', 'charge.dispute.funds_reinstated']);
    await expect(world.stripe.refunds.create({ charge })).rejects.toMatchObject({ code: 'charge_disputed' });
  });

  it('opens inquiries that move no money', async () => {
    const { charge } = await charged('pm_card_createDisputeInquiry');
    const [dispute] = (await world.stripe.disputes.list({ charge })).data;
    expect(dispute).toMatchObject({ status: 'warning_needs_response', balance_transactions: [] });
    expect((await world.stripe.disputes.close(dispute!.id)).status).toBe('warning_closed');
    expect(await world.since()).toEqual(['charge.dispute.closed']);
  });

  it('writes credit notes before and after payment', async () => {
    const customer = await world.customer();
    await world.stripe.invoiceItems.create({ customer: customer.id, amount: 2000, currency: 'usd' });
    const invoice = await world.stripe.invoices.create({
      customer: customer.id,
      pending_invoice_items_behavior: 'include',
    });
    await world.stripe.invoices.finalizeInvoice(invoice.id);
    const before = await world.stripe.creditNotes.create({
      invoice: invoice.id,
      lines: [{ type: 'custom_line_item', unit_amount: 500, quantity: 1, description: 'Sorry' }],
    });
    expect(before).toMatchObject({ type: 'pre_payment', pre_payment_amount: 500, post_payment_amount: 0 });
    expect(await world.stripe.invoices.pay(invoice.id)).toMatchObject({ status: 'paid', amount_paid: 1500 });
    await world.since();
    const after = await world.stripe.creditNotes.create({
      invoice: invoice.id,
      amount: 600,
      refund_amount: 400,
      credit_amount: 200,
    });
    expect(after).toMatchObject({
      type: 'post_payment',
      post_payment_amount: 600,
      refunds: [{ amount_refunded: 400 }],
    });
    expect((await world.stripe.customers.retrieve(customer.id)) as Stripe.Customer).toMatchObject({ balance: -200 });
    expect(await world.since()).toEqual([
      'refund.created',
      'charge.refunded',
      'refund.updated',
      'charge.refund.updated',
      'credit_note.created',
      'invoice.updated',
      'customer.updated',
    ]);
  });
});

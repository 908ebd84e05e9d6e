import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type Stripe from 'stripe';
import { SandboxWorld } from '../../support/processes/running-sandbox.js';

let world: SandboxWorld;

beforeAll(async () => {
  world = await SandboxWorld.start();
});
afterAll(() => world.close());
beforeEach(() => world.reset());

/** An invoice of a fee of 100.00 and a plan of 49.00, of a subscription just begun. */
async function feeAndPlan(
  options: Partial<Stripe.SubscriptionCreateParams> = {},
  balance = 0,
): Promise<Stripe.Invoice> {
  const plan = await world.price(4900);
  const product = await world.stripe.products.create({ name: 'Set-up fee' });
  const fee = await world.stripe.prices.create({ product: product.id, currency: 'usd', unit_amount: 10_000 });
  const customer = await world.customer();
  if (balance !== 0) await world.stripe.customers.update(customer.id, { balance });
  const subscription = await world.stripe.subscriptions.create({
    customer: customer.id,
    items: [{ price: plan.id }],
    add_invoice_items: [{ price: fee.id }],
    ...options,
  });
  return world.latestInvoice(subscription.id);
}

const lineOf = (invoice: Stripe.Invoice, amount: number): string =>
  invoice.lines.data.find((line) => line.amount === amount)!.id;

describe('credit notes', () => {
  it('credit a line, with what is left of it as the bound', async () => {
    const invoice = await feeAndPlan();
    expect(invoice).toMatchObject({ amount_paid: 14_900, lines: { data: [{ amount: 10_000 }, { amount: 4900 }] } });
    const fee = lineOf(invoice, 10_000);
    const note = await world.stripe.creditNotes.create({
      invoice: invoice.id,
      lines: [{ type: 'invoice_line_item', invoice_line_item: fee, amount: 6000 }],
      refund_amount: 6000,
    });
    expect(note).toMatchObject({
      amount: 6000,
      type: 'post_payment',
      post_payment_amount: 6000,
      lines: { data: [{ type: 'invoice_line_item', invoice_line_item: fee, amount: 6000 }] },
      refunds: [{ amount_refunded: 6000 }],
    });
    const more = { type: 'invoice_line_item', invoice_line_item: fee, amount: 4001 } as const;
    await expect(
      world.stripe.creditNotes.create({ invoice: invoice.id, lines: [more], refund_amount: 4001 }),
    ).rejects.toMatchObject({ code: 'amount_too_large', param: 'lines[0][amount]' });
    expect((await world.stripe.invoices.retrieve(invoice.id)).post_payment_credit_notes_amount).toBe(6000);
  });

  it('take the discount and the tax of a line in proportion', async () => {
    const rate = await world.stripe.taxRates.create({ display_name: 'VAT', percentage: 20, inclusive: false });
    const coupon = await world.stripe.coupons.create({ percent_off: 50, duration: 'once' });
    const invoice = await feeAndPlan({ default_tax_rates: [rate.id], discounts: [{ coupon: coupon.id }] });
    expect(invoice.amount_paid).toBe(8940);
    const note = await world.stripe.creditNotes.create({
      invoice: invoice.id,
      lines: [{ type: 'invoice_line_item', invoice_line_item: lineOf(invoice, 10_000), quantity: 1 }],
      credit_amount: 6000,
    });
    expect(note).toMatchObject({
      subtotal: 10_000,
      discount_amount: 5000,
      total_excluding_tax: 5000,
      total: 6000,
      amount: 6000,
    });
    expect(await world.balanceOf(invoice.customer as string)).toBe(-6000);
    const move = await world.stripe.customers.retrieveBalanceTransaction(
      invoice.customer as string,
      note.customer_balance_transaction as string,
    );
    expect(move).toMatchObject({ type: 'credit_note', amount: -6000, ending_balance: -6000, credit_note: note.id });
  });

  it('give back what the balance paid too, but never more than the invoice', async () => {
    const invoice = await feeAndPlan({}, -4900);
    expect(invoice).toMatchObject({ total: 14_900, amount_paid: 10_000, starting_balance: -4900, ending_balance: 0 });
    await world.stripe.refunds.create({ payment_intent: await intentOf(invoice), amount: 1000 });
    const all = { invoice: invoice.id, amount: 14_900, refund_amount: 9000, credit_amount: 5900 };
    await expect(world.stripe.creditNotes.create(all)).rejects.toMatchObject({ code: 'amount_too_large' });
    const note = await world.stripe.creditNotes.create({ ...all, amount: 13_900, credit_amount: 4900 });
    expect(note).toMatchObject({ post_payment_amount: 13_900, pre_payment_amount: 0 });
  });

  it('stand for a refund that was made before, without another', async () => {
    const invoice = await feeAndPlan();
    const refund = await world.stripe.refunds.create({ payment_intent: await intentOf(invoice), amount: 4900 });
    await world.since();
    const note = await world.stripe.creditNotes.create({
      invoice: invoice.id,
      lines: [{ type: 'invoice_line_item', invoice_line_item: lineOf(invoice, 4900), amount: 4900 }],
      refunds: [{ refund: refund.id, amount_refunded: 4900 }],
    });
    expect(note.refunds).toEqual([expect.objectContaining({ refund: refund.id, amount_refunded: 4900 })]);
    expect(await world.since()).toEqual(['credit_note.created', 'invoice.updated']);
  });

  it('make an open invoice smaller before payment, and can be voided then', async () => {
    const invoice = await feeAndPlan({ collection_method: 'send_invoice', days_until_due: 30 });
    await world.stripe.invoices.finalizeInvoice(invoice.id);
    const note = await world.stripe.creditNotes.create({
      invoice: invoice.id,
      lines: [{ type: 'custom_line_item', description: 'Goodwill', unit_amount: 450, quantity: 2 }],
    });
    expect(note).toMatchObject({ type: 'pre_payment', pre_payment_amount: 900, post_payment_amount: 0 });
    expect((await world.stripe.invoices.retrieve(invoice.id)).amount_remaining).toBe(14_000);
    await world.since();
    await world.stripe.creditNotes.voidCreditNote(note.id);
    expect(await world.since()).toEqual(['credit_note.voided', 'invoice.updated']);
    expect((await world.stripe.invoices.retrieve(invoice.id)).amount_remaining).toBe(14_900);
    await world.stripe.invoices.pay(invoice.id, { paid_out_of_band: true });
    const beside = await world.stripe.creditNotes.create({
      invoice: invoice.id,
      amount: 1000,
      out_of_band_amount: 1000,
    });
    expect(beside).toMatchObject({ out_of_band_amount: 1000, refunds: [] });
    await expect(world.stripe.creditNotes.voidCreditNote(beside.id)).rejects.toMatchObject({
      code: 'credit_note_not_voidable',
    });
  });

  it('are shown before they are made', async () => {
    const invoice = await feeAndPlan();
    const preview = await world.stripe.creditNotes.preview({
      invoice: invoice.id,
      lines: [{ type: 'invoice_line_item', invoice_line_item: lineOf(invoice, 4900), amount: 4900 }],
      refund_amount: 4900,
    });
    expect(preview.amount).toBe(4900);
    expect((await world.stripe.creditNotes.list({ invoice: invoice.id })).data).toEqual([]);
  });
});

async function intentOf(invoice: Stripe.Invoice): Promise<string> {
  const payments = await world.stripe.invoicePayments.list({ invoice: invoice.id });
  return payments.data[0]!.payment.payment_intent as string;
}

import { describe, expect, test } from '@jest/globals';
import { catalogState } from '../../../test/support/ledger/catalog.js';
import { received, stripeEvent, type StripeFixture } from '../../../test/support/stripe/events.js';
import { translate } from '../translations/registry.js';

const lookups = {
  ...{
    catalog: catalogState(),
    customerOfStripe: new Map([['cus_1', 'acme']]),
    customerKey: 'customer_id',
    livemode: false,
  },
  now: '2026-10-01T00:00:10.000Z',
};
const detailOf = (name: StripeFixture, change: Record<string, unknown>, envelope = {}): string => {
  const result = translate(received(stripeEvent(name, envelope, change)), lookups);
  if (result.kind !== 'park') throw new Error('it is not parked');
  return result.reason.detail;
};

describe('why a Stripe event is parked', () => {
  test.each<[StripeFixture, Record<string, unknown>, string]>([
    ['refund.updated.endive', { status: 'half_done' }, 'status: expected one of pending, requires_action, succeeded'],
    ['refund.updated.endive', { status: 'half_done' }, ', found "half_done"'],
    ['refund.updated.endive', { amount: -5 }, 'amount: expected a whole number that is not negative, found -5'],
    [
      'refund.updated.endive',
      { amount: 'a lot' },
      'amount: expected a whole number that is not negative, found text of 5',
    ],
    [
      'refund.updated.endive',
      { payment_intent: null, charge: null },
      'payment_intent: expected an id there or in charge',
    ],
    ['charge.dispute.created.endive', { status: undefined }, 'needs_response'],
    ['charge.dispute.created.endive', { status: undefined }, ', found nothing'],
    ['credit_note.created.endive', { status: 'draft' }, 'status: expected one of issued, void, found "draft"'],
    ['credit_note.created.endive', { invoice: 'in 1' }, 'invoice: expected an id, found text of 4 characters'],
    [
      'invoice.finalized.endive',
      { status: 'closed' },
      'status: expected one of draft, open, uncollectible, void, paid',
    ],
    [
      'invoice.paid.endive',
      { amount_paid: 10.5 },
      'amount_paid: expected a whole number that is not negative, found 10.5',
    ],
    ['invoice.paid.endive', { currency: { code: 'usd' } }, 'currency: expected a currency, found an object'],
    ['invoice.paid.endive', { lines: [] }, 'lines: expected an object with a list of data, found a list'],
    ['payment_intent.payment_failed.endive', { amount: true }, 'amount: expected a whole number that is not negative'],
    ['invoice_payment.paid.endive', { invoice: null }, 'invoice: expected an id, found null'],
    ['charge.refunded.endive', { id: 'x'.repeat(256) }, 'id: expected an id, found text of 256 characters'],
    ['customer.created.endive', { id: 7 }, 'id: expected an id, found 7'],
    ['customer.subscription.updated.endive', { status: 'frozen' }, 'incomplete_expired, found "frozen"'],
    [
      'customer.subscription.updated.endive',
      { items: null },
      'items: expected an object with a list of data, found null',
    ],
    [
      'checkout.session.completed.endive',
      { payment_status: 'soon' },
      'expected one of paid, unpaid, no_payment_required',
    ],
    ['checkout.session.completed.endive', { amount_total: 1.5 }, 'amount_total: expected a whole number that is not'],
    ['checkout.session.completed.endive', { currency: null }, 'currency: expected a currency, found null'],
    ['checkout.session.completed.endive', { metadata: { credits: '-5' } }, 'a positive whole number, found "-5"'],
    ['checkout.session.completed.endive', { metadata: { credits: -5 } }, 'a positive whole number, found "-5"'],
    ...[12, -1, {}, [], true, ''].map((payment_intent): [StripeFixture, Record<string, unknown>, string] => [
      'checkout.session.completed.endive',
      { payment_intent, metadata: { credits: '5' } },
      'payment_intent: expected an id, found',
    ]),
    [
      'checkout.session.completed.endive',
      { client_reference_id: 'has space', metadata: {}, customer: null },
      'client_reference_id: expected an id of a customer, found text of 9 characters',
    ],
    [
      'customer.subscription.updated.endive',
      { cancel_at: 'soon' },
      'cancel_at: expected a time in seconds, found "soon"',
    ],
    ['customer.subscription.updated.endive', { trial_end: true }, 'trial_end: expected a time in seconds, found true'],
    ['invoice_payment.paid.endive', { payment: 'pi_1' }, 'payment: expected an object, found "pi_1"'],
    [
      'invoice_payment.paid.endive',
      { payment: { type: 'payment_intent', payment_intent: 5 } },
      'payment_intent: expected an id, found 5',
    ],
    [
      'checkout.session.completed.endive',
      { metadata: { credits: 'Ada <ada@example.com>' } },
      'metadata.credits: expected a positive whole number, found text of 21 characters',
    ],
  ])('%s with %j says field, expectation and finding', (name, change, part) => {
    const detail = detailOf(name, change);
    expect(detail).toContain(part);
    expect(detail).not.toContain('Ada');
    expect(detail.length).toBeLessThan(500);
  });

  test('names the object and the version of its shape, whatever the reason', () => {
    const version = { api_version: '2025-02-24.acacia' };
    expect(detailOf('refund.updated.endive', { id: 're_7', amount: null }, version)).toBe(
      'refund re_7: amount: expected a whole number that is not negative, found null (API version 2025-02-24.acacia)',
    );
    expect(detailOf('invoice.paid.endive', { id: 'in_7', customer: null }, version)).toMatch(
      /^invoice in_7: .*acacia\)$/,
    );
    expect(detailOf('invoice.paid.endive', { id: 'in 7' })).toMatch(/^invoice without a readable id: id: /);
    expect(detailOf('invoice.paid.endive', { id: 'in_7' }, { livemode: true })).toMatch(
      /^invoice in_7: the event is of live/,
    );
  });

  test.each<[unknown, string]>([
    [undefined, 'nothing'],
    [null, 'null'],
    [[], 'a list'],
  ])('says that there is no object: %j', (object, shown) => {
    const event = received(stripeEvent('refund.updated.endive'));
    const payload = { ...(event.payload as object), data: { object: object as never } };
    const result = translate({ ...event, payload }, lookups);
    expect(result).toMatchObject({
      reason: { detail: expect.stringContaining(`data.object: expected an object, found ${shown} (`) },
    });
  });

  test('names the line or item that a plan is of', () => {
    const { lines } = stripeEvent('invoice.paid.endive').data.object as { lines: { data: object[] } };
    const odd = { lines: { ...lines, data: [{ ...lines.data[0], quantity: -1 }] } };
    expect(detailOf('invoice.paid.endive', odd)).toContain('lines: quantity: expected a whole number that is not');
  });
});

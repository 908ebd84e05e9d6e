import { describe, expect, it } from '@jest/globals';
import type Stripe from 'stripe';
import { kinds, type Kind, type Tables, type TaxRate } from './model.js';

/** What the `stripe` package says that each kind is. */
type Published = {
  customer: Stripe.Customer;
  coupon: Stripe.Coupon;
  promotion_code: Stripe.PromotionCode;
  discount: Stripe.Discount;
  product: Stripe.Product;
  price: Stripe.Price;
  payment_method: Stripe.PaymentMethod;
  payment_intent: Stripe.PaymentIntent;
  setup_intent: Stripe.SetupIntent;
  charge: Stripe.Charge;
  balance_transaction: Stripe.BalanceTransaction;
  refund: Stripe.Refund;
  dispute: Stripe.Dispute;
  subscription: Stripe.Subscription;
  subscription_schedule: Stripe.SubscriptionSchedule;
  invoice: Stripe.Invoice;
  invoiceitem: Stripe.InvoiceItem;
  invoice_payment: Stripe.InvoicePayment;
  credit_note: Stripe.CreditNote;
  customer_balance_transaction: Stripe.CustomerBalanceTransaction;
  tax_rate: Stripe.TaxRate;
  'checkout.session': Stripe.Checkout.Session;
  payment_link: Stripe.PaymentLink;
  'billing_portal.session': Stripe.BillingPortal.Session;
  'billing_portal.configuration': Stripe.BillingPortal.Configuration;
  'billing.meter': Stripe.Billing.Meter;
  'billing.meter_event': Stripe.Billing.MeterEvent;
  'billing.credit_grant': Stripe.Billing.CreditGrant;
  'billing.credit_balance_transaction': Stripe.Billing.CreditBalanceTransaction;
  webhook_endpoint: Stripe.WebhookEndpoint;
  'test_helpers.test_clock': Stripe.TestHelpers.TestClock;
};

/** As JSON has it: decimals are strings. */
type OnWire<T> = T extends string | number | boolean | null | undefined
  ? T
  : T extends Stripe.Decimal
    ? string
    : { [Key in keyof T]: OnWire<T[Key]> };

type Demanded<T> = { [Key in keyof T]-?: object extends Pick<T, Key> ? never : Key }[keyof T];

/** `true`, or the names of the members that are missing, optional, or of another type than published. */
type Fits<Ours, Theirs> = [
  {
    [Key in Demanded<Theirs>]: Key extends Demanded<Ours> ? Misfit<Ours[Key], Theirs[Key], Key> : Key;
  }[Demanded<Theirs>],
] extends [infer Wrong]
  ? [Wrong] extends [never]
    ? true
    : Wrong
  : never;
type Misfit<Ours, Theirs, Key> = OnWire<Ours> extends OnWire<Theirs> ? never : Key;

/** The compiler writes the names of what does not fit in place of `true`. */
const asPublished: { [K in Kind]: Fits<Tables[K], Published[K]> } = {
  customer: true,
  coupon: true,
  promotion_code: true,
  discount: true,
  product: true,
  price: true,
  payment_method: true,
  payment_intent: true,
  setup_intent: true,
  charge: true,
  balance_transaction: true,
  refund: true,
  dispute: true,
  subscription: true,
  subscription_schedule: true,
  invoice: true,
  invoiceitem: true,
  invoice_payment: true,
  credit_note: true,
  customer_balance_transaction: true,
  tax_rate: true,
  'checkout.session': true,
  payment_link: true,
  'billing_portal.session': true,
  'billing_portal.configuration': true,
  'billing.meter': true,
  'billing.meter_event': true,
  'billing.credit_grant': true,
  'billing.credit_balance_transaction': true,
  webhook_endpoint: true,
  'test_helpers.test_clock': true,
};

describe('the objects of the sandbox', () => {
  it('are all compared with what the stripe package publishes, by the compiler', () => {
    expect(Object.keys(asPublished).sort()).toEqual([...kinds].sort());
  });

  it('do not compile with a member left out or of another type', () => {
    type Rate = Pick<Stripe.TaxRate, 'id' | 'percentage'>;
    const without: Fits<Pick<Rate, 'id'>, Rate> = 'percentage';
    const otherwise: Fits<{ id: string; percentage: string }, Rate> = 'percentage';
    const optional: Fits<{ id: string; percentage?: number }, Rate> = 'percentage';
    // @ts-expect-error: everything but the percentage
    const rate = (given: Omit<TaxRate, 'percentage'>): TaxRate => given;
    expect([without, otherwise, optional, typeof rate]).toEqual(['percentage', 'percentage', 'percentage', 'function']);
  });
});

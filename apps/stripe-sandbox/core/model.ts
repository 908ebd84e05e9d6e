import type Stripe from 'stripe';

/**
 * The sandbox's objects: the `stripe` package's types, with references as ids and decimals as the strings they are on the
 * wire. What Stripe keeps to itself (a card's behaviour, an invoice's payment) is under `sandbox` and never leaves.
 */
type With<T, Known> = Omit<T, keyof Known> & Known;

/** What a payment method does when it is charged; `test-cards.ts` says which card does what. */
export type Behaviour = {
  readonly charge: 'succeed' | 'decline' | 'async_succeed' | 'async_fail';
  readonly declineCode?: string;
  readonly errorCode?: string;
  /** `always`: every payment asks; `until_set_up`: only payments without the customer present. */
  readonly authentication?: 'always' | 'until_set_up';
  /** Cannot be attached to a customer. */
  readonly refusesAttach?: boolean;
  readonly dispute?: { readonly reason: string; readonly inquiry: boolean; readonly outcome?: 'won' | 'lost' };
  readonly refund?: 'pending' | 'fail';
};

export type Customer = Stripe.Customer & {
  readonly balance: number;
  readonly currency: string | null;
  readonly default_source: null;
  readonly discount: Discount | null;
  readonly invoice_prefix: string;
  readonly next_invoice_sequence: number;
  readonly invoice_settings: { readonly default_payment_method: string | null };
  readonly sandbox: { readonly deleted: boolean };
};
export type Coupon = Stripe.Coupon & {
  /** Shown only when a request expands `applies_to` and `currency_options`: its products, its amounts in other currencies. */
  readonly sandbox: { readonly products: readonly string[]; readonly amounts: Readonly<Record<string, number>> };
};
export type PromotionCode = Stripe.PromotionCode & {
  readonly customer: string | null;
  readonly promotion: { readonly coupon: string; readonly type: 'coupon' };
  readonly sandbox: { readonly coupon: Coupon };
};
export type Discount = Stripe.Discount & {
  readonly customer: string | null;
  readonly promotion_code: string | null;
  readonly source: { readonly coupon: string; readonly type: 'coupon' };
  /** The coupon as it was redeemed. */
  readonly sandbox: { readonly coupon: Coupon };
};
export type Product = Stripe.Product & {
  readonly default_price: string | null;
  readonly sandbox: { readonly deleted: boolean };
};
export type Price = With<
  Omit<Stripe.Price, 'currency_options' | 'tiers'>,
  {
    readonly product: string;
    readonly unit_amount: number | null;
    readonly unit_amount_decimal: string | null;
    /** Shown only when a request expands `tiers`. */
    readonly sandbox: { readonly tiers: readonly PriceTier[] };
  }
>;
/** A tier as it is on the wire: decimals are strings. */
export type PriceTier = With<
  Stripe.Price.Tier,
  { readonly unit_amount_decimal: string | null; readonly flat_amount_decimal: string | null }
>;
export type Plan = With<
  Stripe.Plan,
  { readonly product: string; readonly amount_decimal: string | null; readonly tiers?: never }
>;
export type PaymentMethod = Stripe.PaymentMethod & {
  readonly customer: string | null;
  /** `spent`: it was detached, or used without a customer, and cannot be used again. */
  readonly sandbox: { readonly behaviour: Behaviour; readonly spent?: true };
};
export type PaymentIntent = Stripe.PaymentIntent & {
  readonly customer: string | null;
  readonly latest_charge: string | null;
  readonly payment_method: string | null;
  readonly client_secret: string;
  readonly sandbox: { readonly invoice: string | null; readonly session: string | null; readonly offSession: boolean };
};
export type SetupIntent = Stripe.SetupIntent & {
  readonly client_secret: string;
  readonly customer: string | null;
  readonly latest_attempt: null;
  readonly metadata: Record<string, string>;
  readonly payment_method: string | null;
  readonly sandbox: { readonly session: string | null };
};
export type Charge = Stripe.Charge & {
  readonly customer: string | null;
  readonly payment_intent: string;
  readonly balance_transaction: string | null;
  readonly failure_balance_transaction: null;
  readonly sandbox: { readonly invoice: string | null };
};
export type BalanceTransaction = Stripe.BalanceTransaction & { readonly source: string };
export type Refund = Stripe.Refund & {
  readonly charge: string;
  readonly payment_intent: string;
  readonly customer: string | null;
  readonly balance_transaction: string | null;
  readonly status: 'pending' | 'succeeded' | 'failed' | 'canceled';
};
export type Dispute = Stripe.Dispute & {
  readonly charge: string;
  readonly payment_intent: string;
  readonly sandbox: { readonly withdrawn: boolean; readonly outcome: 'won' | 'lost' | null };
};
export type SubscriptionItem = With<
  Stripe.SubscriptionItem,
  { readonly price: Price; readonly plan: Plan; readonly quantity?: number }
>;
export type Subscription = With<
  Stripe.Subscription,
  {
    readonly items: Stripe.ApiList<SubscriptionItem>;
    readonly pending_update: With<
      Stripe.Subscription.PendingUpdate,
      { readonly subscription_items: SubscriptionItem[] | null }
    > | null;
    readonly customer: string;
    readonly latest_invoice: string | null;
    readonly default_payment_method: string | null;
    readonly schedule: string | null;
    readonly discounts: string[];
    readonly sandbox: {
      /** Those of `discounts`. */
      readonly discounts?: readonly Discount[];
      /** What was off when the present period was billed, which is off what is given back of it. */
      readonly billedWith?: readonly Discount[];
      /** The boundary whose renewal invoice already exists, so that a retry of the work makes no second one. */
      readonly renewedAt: number | null;
      /** The invoice whose payment applies `pending_update`. */
      readonly pendingInvoice: string | null;
      readonly dunningStarted: number | null;
      readonly taxRates: readonly string[];
    };
  }
>;
export type InvoiceLine = With<
  Stripe.InvoiceLineItem,
  {
    readonly invoice: string | null;
    readonly subscription: string | null;
    readonly quantity_decimal: string | null;
    readonly pricing: {
      readonly type: 'price_details';
      readonly unit_amount_decimal: string | null;
      readonly price_details?: { readonly price: string; readonly product: string };
    } | null;
    readonly sandbox: { readonly price: Price | null };
  }
>;
export type InvoiceStatus = 'draft' | 'open' | 'paid' | 'uncollectible' | 'void';
export type Invoice = With<
  Omit<Stripe.Invoice, 'payments'>,
  {
    readonly lines: Stripe.ApiList<InvoiceLine>;
    readonly customer: string;
    readonly status: InvoiceStatus;
    readonly default_payment_method: string | null;
    readonly metadata: Record<string, string>;
    readonly parent: {
      readonly type: 'subscription_details';
      readonly quote_details: null;
      readonly subscription_details: {
        readonly subscription: string;
        readonly metadata: Record<string, string>;
        readonly subscription_proration_date?: number;
      };
    } | null;
    readonly sandbox: {
      readonly paymentIntent: string | null;
      readonly charge: string | null;
      readonly outOfBand: boolean;
      /** Those of `discounts`. */
      readonly discounts?: readonly Discount[];
    };
  }
>;
export type InvoiceItem = With<
  Stripe.InvoiceItem,
  {
    readonly customer: string;
    readonly invoice: string | null;
    readonly quantity_decimal: string;
    readonly metadata: Record<string, string>;
    readonly pricing: InvoiceLine['pricing'];
    readonly sandbox: {
      readonly price: Price | null;
      readonly subscriptionItem: string | null;
      /** The lines that what is given back was paid by. */
      readonly credited?: { readonly invoice: string; readonly invoice_line_items: string[] } | null;
    };
  }
>;
export type InvoicePayment = Stripe.InvoicePayment & {
  readonly invoice: string;
  readonly payment: { readonly payment_intent?: string };
  readonly status: 'open' | 'paid' | 'canceled';
};
export type CreditNoteLine = With<Stripe.CreditNoteLineItem, { readonly unit_amount_decimal: string | null }>;
export type CreditNote = With<
  Stripe.CreditNote,
  { readonly lines: Stripe.ApiList<CreditNoteLine>; readonly invoice: string; readonly customer: string }
>;
export type CustomerBalanceTransaction = Stripe.CustomerBalanceTransaction & {
  readonly customer: string;
  readonly metadata: Record<string, string>;
};
export type SchedulePhaseItem = With<
  Stripe.SubscriptionSchedule.Phase['items'][number],
  { readonly price: string; readonly plan: string }
>;
export type SchedulePhase = With<Stripe.SubscriptionSchedule.Phase, { readonly items: SchedulePhaseItem[] }>;
export type Schedule = With<
  Stripe.SubscriptionSchedule,
  { readonly phases: SchedulePhase[]; readonly customer: string; readonly subscription: string | null }
>;
export type SessionLine = With<
  Omit<Stripe.LineItem, 'adjustable_quantity'>,
  { readonly price: Price; readonly quantity: number | null }
>;
export type CheckoutSession = With<
  Omit<Stripe.Checkout.Session, 'line_items' | 'currency_conversion'>,
  {
    readonly currency_conversion: null;
    readonly customer: string | null;
    readonly subscription: string | null;
    readonly invoice: string | null;
    readonly payment_intent: string | null;
    readonly setup_intent: string | null;
    readonly metadata: Record<string, string>;
    readonly sandbox: {
      readonly lines: readonly SessionLine[];
      readonly taxRates: readonly string[];
      readonly paymentData: {
        readonly metadata: Record<string, string>;
        readonly description: string | null;
        readonly setupFutureUsage: 'off_session' | 'on_session' | null;
      };
      readonly subscriptionData: {
        readonly metadata: Record<string, string>;
        readonly description: string | null;
        readonly trialDays: number | null;
        readonly trialEnd: number | null;
        readonly missingPaymentMethod: 'cancel' | 'create_invoice' | 'pause' | null;
      };
    };
  }
>;
export type PaymentLink = Stripe.PaymentLink & {
  readonly metadata: Record<string, string>;
  /** The parameters of the sessions that it opens, by name as in a form, and what it sells. */
  readonly sandbox: { readonly form: Readonly<Record<string, string>>; readonly lines: readonly SessionLine[] };
};
/** A session that sells something: one in `setup` mode has no amount. */
export type SellingSession = CheckoutSession & { readonly currency: string; readonly amount_total: number };
export type PortalSession = Stripe.BillingPortal.Session;
export type PortalConfiguration = Stripe.BillingPortal.Configuration;
export type Meter = Stripe.Billing.Meter;
export type MeterEvent = Stripe.Billing.MeterEvent & {
  readonly sandbox: { readonly meter: string; readonly customer: string; readonly value: number };
};
export type CreditGrant = With<
  Stripe.Billing.CreditGrant,
  {
    readonly amount: {
      readonly monetary: { readonly currency: string; readonly value: number };
      readonly type: 'monetary';
    };
    readonly customer: string;
    readonly metadata: Record<string, string>;
  }
>;
export type CreditBalanceTransaction = With<Stripe.Billing.CreditBalanceTransaction, { readonly credit_grant: string }>;
export type TaxRate = Stripe.TaxRate;
export type TestClock = Stripe.TestHelpers.TestClock;
export type WebhookEndpoint = Stripe.WebhookEndpoint & {
  readonly secret: string;
  /** An older secret that signs too until `until`, as after a roll. */
  readonly sandbox: { readonly oldSecret: string | null; readonly oldSecretUntil: number };
};

export type Tables = {
  customer: Customer;
  coupon: Coupon;
  promotion_code: PromotionCode;
  discount: Discount;
  product: Product;
  price: Price;
  payment_method: PaymentMethod;
  payment_intent: PaymentIntent;
  setup_intent: SetupIntent;
  charge: Charge;
  balance_transaction: BalanceTransaction;
  refund: Refund;
  dispute: Dispute;
  subscription: Subscription;
  subscription_schedule: Schedule;
  invoice: Invoice;
  invoiceitem: InvoiceItem;
  invoice_payment: InvoicePayment;
  credit_note: CreditNote;
  customer_balance_transaction: CustomerBalanceTransaction;
  tax_rate: TaxRate;
  'checkout.session': CheckoutSession;
  payment_link: PaymentLink;
  'billing_portal.session': PortalSession;
  'billing_portal.configuration': PortalConfiguration;
  'billing.meter': Meter;
  'billing.meter_event': MeterEvent;
  'billing.credit_grant': CreditGrant;
  'billing.credit_balance_transaction': CreditBalanceTransaction;
  webhook_endpoint: WebhookEndpoint;
  'test_helpers.test_clock': TestClock;
};
export type Kind = keyof Tables;
export type Thing = Tables[Kind];
export type EventType = Stripe.Event['type'];

/** The prefix of each kind's ids. */
export const prefixes: Readonly<Record<Kind, string>> = {
  customer: 'cus',
  coupon: 'coupon',
  promotion_code: 'promo',
  discount: 'di',
  product: 'prod',
  price: 'price',
  payment_method: 'pm',
  payment_intent: 'pi',
  setup_intent: 'seti',
  charge: 'ch',
  balance_transaction: 'txn',
  refund: 're',
  dispute: 'du',
  subscription: 'sub',
  subscription_schedule: 'sub_sched',
  invoice: 'in',
  invoiceitem: 'ii',
  invoice_payment: 'inpay',
  credit_note: 'cn',
  customer_balance_transaction: 'cbtxn',
  tax_rate: 'txr',
  'checkout.session': 'cs_test',
  payment_link: 'plink',
  'billing_portal.session': 'bps',
  'billing_portal.configuration': 'bpc',
  'billing.meter': 'mtr',
  'billing.meter_event': 'mev',
  'billing.credit_grant': 'credgr',
  'billing.credit_balance_transaction': 'cbtxn_test',
  webhook_endpoint: 'we',
  'test_helpers.test_clock': 'clock',
};

export const kinds = Object.keys(prefixes) as readonly Kind[];

/** What Stripe calls each kind in `No such …`. */
export const nouns: Readonly<Partial<Record<Kind, string>>> = {
  payment_method: 'PaymentMethod',
  'checkout.session': 'checkout.session',
  webhook_endpoint: 'webhook endpoint',
};

import type { Money } from '#kernel/amount.js';
import type { Instant } from '#kernel/instant.js';
import { NO_MONEY_BACK, type Claim, type MoneyBack } from './claims.js';

/** Money that came in. `paymentId` is the payment intent's id, else the session's or the invoice's. */
export type PaymentFacts = {
  readonly paymentId: string;
  readonly customerId: string;
  readonly kind: 'top_up' | 'subscription' | 'upgrade' | 'downgrade';
  /** What came in by a way that Stripe settles: a card, a bank debit. */
  readonly money: Money;
  /** All that was paid for the thing, in minor units of the same currency: also by a balance, by billing credits, by notes before the payment. */
  readonly total: number;
  /** What came in beyond that, which bought nothing; left out for none. */
  readonly overpaid?: number;
  readonly paidAt: Instant;
  readonly paymentIntentId: string | null;
  readonly invoiceId: string | null;
  readonly sessionId: string | null;
};

/** How far an attempt to pay has come. */
export type Attempt = {
  readonly status: 'processing' | 'failed' | 'canceled' | 'succeeded';
  readonly customerId: string | null;
  readonly money: Money;
  readonly failureReason: string | null;
  readonly at: Instant;
  /** What it pays for, where the attempt itself says so: a payment that a caller had made, or credits. */
  readonly kind?: 'one_time' | 'top_up';
};

/** What was paid with. */
export type Method = {
  readonly chargeId: string;
  readonly type: string;
  readonly brand: string | null;
  readonly last4: string | null;
};

type Unmatched = { readonly toldBy: string; readonly currency: string };

type Linked = { readonly from: string; readonly version: number; readonly claims: readonly Claim[] };

export type PaymentState = {
  /** The revision of the newest event; -1 before the first. */
  readonly version: number;
  readonly paymentId: string;
  readonly payment: PaymentFacts | null;
  readonly attempt: Attempt | null;
  readonly method: Method | null;
  /** The invoice that this payment's money paid, where that one's payment is recorded under its own id. */
  readonly invoiceId: string | null;
  /** Those that it was reported to have paid, too: the one with the smallest id counts. */
  readonly otherInvoiceIds: readonly string[];
  /** Of the money that paid the invoice, as the link reports it. */
  readonly linkedCurrency: string | null;
  readonly moneyBack: MoneyBack;
  /** What reported money that goes back in a currency that is not known to be the payment's; the newest of them. */
  readonly unmatched: readonly Unmatched[];
  readonly linked: readonly Linked[];
};

/** A payment of which nothing is known. */
export const initialPayment: PaymentState = {
  version: -1,
  paymentId: '',
  payment: null,
  attempt: null,
  method: null,
  invoiceId: null,
  otherInvoiceIds: [],
  linkedCurrency: null,
  moneyBack: NO_MONEY_BACK,
  unmatched: [],
  linked: [],
};

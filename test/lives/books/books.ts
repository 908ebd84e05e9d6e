import type { Charge, Invoice, PaymentIntent } from '../../../apps/stripe-sandbox/core/model.js';
import { discountOf } from '../../../apps/stripe-sandbox/resources/catalog/discounts.js';
import type { Life } from '../story/life.js';
import type { Market } from '../story/market.js';
import { textOf } from './calendar.js';
import { paymentOfInvoice, type Claim } from './payment-books.js';
import { changesAsReported } from './reported-books.js';
import { salesOf } from './sales-books.js';
import { trialsOf } from './subscription-books.js';
import { termBooksOf, type ChangedMonth } from './term-books.js';

/**
 * What Scrip must have come to, worked out from the sandbox's objects alone: written without Scrip's code, by the words of
 * libs/ledger/README.md and docs/stripe.md.
 */
export type Books = {
  readonly grants: readonly DueGrant[];
  /** What changes of plan give where invoices were reported in this order of their ids: more than one grant for a month, maybe. */
  readonly changesAsReported: (order: readonly string[]) => readonly DueGrant[];
  readonly trials: readonly DueTrial[];
  readonly payments: ReadonlyMap<string, DuePayment>;
  /** What changes of plan and quantity mean, month by month. */
  readonly changes: readonly ChangedMonth[];
  /** When subscriptions ended, by id. */
  readonly ends: ReadonlyMap<string, number>;
  /** What invoice lines cost before discounts and tax, by id. */
  readonly lineAmounts: ReadonlyMap<string, number>;
  readonly money: readonly Money[];
  /** Where the sandbox contradicts itself. */
  readonly faults: readonly string[];
};

/** Credits that a customer must have been given, or may have been when `optional`. */
export type DueGrant = {
  readonly why: 'pack' | 'intent' | 'period' | 'month of a year' | 'proration';
  readonly source: 'purchase' | 'subscription';
  readonly reference: string | null;
  readonly amount: number;
  /** Null: they cost nothing. */
  readonly cost: number | null;
  /** When they can be used; null: when they are recorded. */
  readonly startsAt: number | null;
  /** When they end if they are recorded before that. Null: never. */
  readonly endsAt: number | null;
  readonly optional: boolean;
  /** The invoice lines that bought them. */
  readonly lines: readonly string[];
  /** What of them is more than was due in the end, by what was reported later; left out for nothing. */
  readonly excess?: number;
  /** What a subscription gives them for. */
  readonly term: DueTerm | null;
};

/** What a subscription gives to try, until its trial ends. */
export type DueTrial = {
  readonly subscription: string;
  readonly amount: number;
  readonly endsAt: number;
  /** Whether it may have been reported too late to give anything, or to be moved. */
  readonly optional: boolean;
};

/** A month of a subscription that credits are for; `invoiceId` of the change that gave them. */
export type DueTerm = {
  readonly subscription: string;
  readonly periodStart: number;
  readonly start: number;
  readonly end: number;
  readonly measuredFrom: number;
  readonly invoiceId?: string;
};

export type DuePayment = {
  readonly id: string;
  readonly currency: string;
  /** What of it is kept as a payment: what was charged, or paid out of band. */
  readonly amount: number;
  /** All that was paid for the thing, from whatever purse. */
  readonly paid: number;
  readonly claims: readonly Claim[];
  /** What went back for good, at most the amount. */
  readonly taken: number;
  readonly disputed: boolean;
  readonly type: 'top_up' | 'subscription_payment' | 'upgrade';
};

/** A part of what was paid or charged, in minor units: what became of it. */
export type Money = { readonly currency: string; readonly amount: number; readonly became: string };

/** The books of one life. */
export function booksOf(life: Life, market: Market): Books {
  const sales = salesOf(life, market);
  const invoices = life.stripe.all('invoice').filter(isOfPaidSubscription);
  const terms = termBooksOf(market, invoices);
  const payments = [...sales.payments, ...invoices.flatMap((invoice) => paymentOfInvoice(life, invoice))];
  return {
    grants: [...sales.grants, ...terms.grants],
    changesAsReported: (order) => changesAsReported(market, invoices, order),
    trials: trialsOf(life, market),
    payments: new Map(payments.map((payment) => [payment.id, payment])),
    changes: terms.changes,
    ends: endsOf(life),
    lineAmounts: new Map(invoices.flatMap(({ lines }) => lines.data.map(({ id, amount }) => [id, amount] as const))),
    money: [...sales.money, ...terms.money],
    faults: [...cashFaults(life), ...invoices.flatMap(invoiceFaults)],
  };
}

const isOfPaidSubscription = ({ status, parent }: Invoice): boolean =>
  status === 'paid' && parent?.subscription_details !== undefined;

/** When subscriptions ended. */
const endsOf = ({ stripe }: Life): ReadonlyMap<string, number> =>
  new Map(stripe.all('subscription').flatMap(({ id, ended_at: at }) => (at === null ? [] : [[id, at] as const])));

/** Every charge must have paid something that the books know, all of it. */
function cashFaults({ stripe }: Life): readonly string[] {
  const charged = stripe.all('charge').filter(({ status }) => status === 'succeeded');
  const intents = new Map(stripe.all('payment_intent').map((intent) => [intent.id, intent]));
  const sessions = new Map(stripe.all('checkout.session').map((session) => [session.payment_intent, session]));
  const invoices = new Map(stripe.all('invoice').map((invoice) => [invoice.sandbox.paymentIntent, invoice]));
  return charged.flatMap((charge: Charge) => {
    const intent: PaymentIntent | undefined = intents.get(charge.payment_intent);
    const session = sessions.get(charge.payment_intent);
    const invoice = invoices.get(charge.payment_intent);
    if (session?.payment_status === 'paid' && session.amount_total === charge.amount) return [];
    if (invoice?.status === 'paid' && invoice.amount_paid === charge.amount) return [];
    if (intent?.metadata['top_up'] === 'true' && intent.amount === charge.amount) return [];
    return [`${charge.id} took ${String(charge.amount)} for nothing that is known (${textOf(charge.created)})`];
  });
}

/** An invoice's lines must add up to its total, and its total to what was paid and what the balance gave. */
function invoiceFaults(invoice: Invoice): readonly string[] {
  const lines = invoice.lines.data.reduce((sum, line) => sum + line.amount - discountOf(line), 0);
  const added = (invoice.total_taxes ?? []).reduce(
    (sum, { amount, tax_behavior: behavior }) => sum + (behavior === 'exclusive' ? amount : 0),
    0,
  );
  const fromBalance = (invoice.ending_balance ?? 0) - invoice.starting_balance;
  const notes = invoice.pre_payment_credit_notes_amount;
  const wrong: string[] = [];
  if (lines + added !== invoice.total) wrong.push(`${invoice.id}: lines add up to ${String(lines + added)}`);
  if (invoice.total - fromBalance !== invoice.amount_paid + notes)
    wrong.push(`${invoice.id}: ${String(invoice.total)} less ${String(fromBalance)} is not what was paid`);
  return wrong;
}

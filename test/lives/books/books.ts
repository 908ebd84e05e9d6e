import type { Charge, Invoice, PaymentIntent } from '../../../apps/stripe-sandbox/core/model.js';
import { sells } from '../../../apps/stripe-sandbox/resources/checkout-content.js';
import { discountOf } from '../../../apps/stripe-sandbox/resources/discounts.js';
import { shareOf, textOf } from './calendar.js';
import type { Life } from '../story/life.js';
import { linesOf } from './invoice-books.js';
import type { Market } from '../story/market.js';
import { trialsOf } from './subscription-books.js';

/**
 * What Scrip must have come to, worked out from the sandbox's objects alone: written without Scrip's code, by the words of
 * docs/stripe.md.
 */
export type Books = {
  readonly grants: readonly DueGrant[];
  readonly payments: ReadonlyMap<string, DuePayment>;
  /** What a smaller plan may take of what is unspent, by the invoice of the change. */
  readonly downgrades: ReadonlyMap<string, number>;
  readonly money: readonly Money[];
  /** Where the sandbox contradicts itself. */
  readonly faults: readonly string[];
};

/** Credits that a customer must have been given, or may have been when `optional`. */
export type DueGrant = {
  readonly why: 'pack' | 'intent' | 'period' | 'month of a year' | 'proration' | 'trial';
  readonly source: 'purchase' | 'subscription' | 'trial';
  readonly reference: string | null;
  readonly amount: number;
  /** Null: they cost nothing. */
  readonly cost: number | null;
  /** When they end if they are recorded before that. Null: never. */
  readonly endsAt: number | null;
  readonly optional: boolean;
};

export type DuePayment = {
  readonly id: string;
  readonly currency: string;
  readonly amount: number;
  /** What went back for good, and what may yet go, at most the amount together. */
  readonly taken: number;
  readonly reserved: number;
  readonly disputed: boolean;
  readonly type: 'top_up' | 'subscription_payment' | 'upgrade';
};

/** A part of what was paid or charged, in minor units: what became of it. */
export type Money = { readonly currency: string; readonly amount: number; readonly became: string };

/** The books of one life. */
export function booksOf(life: Life, market: Market): Books {
  const sales = salesOf(life, market);
  const invoices = life.stripe.all('invoice').filter(isOfPaidSubscription);
  const lines = linesOf(life, market, invoices);
  const payments = [...sales.payments, ...invoices.flatMap((invoice) => paymentOfInvoice(life, invoice))];
  return {
    grants: [...sales.grants, ...lines.grants, ...trialsOf(life, market)],
    payments: new Map(payments.map((payment) => [payment.id, payment])),
    downgrades: lines.downgrades,
    money: [...sales.money, ...lines.money],
    faults: [...cashFaults(life), ...invoices.flatMap(invoiceFaults)],
  };
}

const isOfPaidSubscription = ({ status, parent }: Invoice): boolean =>
  status === 'paid' && parent?.subscription_details !== undefined;

type Sales = { readonly grants: DueGrant[]; readonly payments: DuePayment[]; readonly money: Money[] };

/** What was bought once: by Checkout, or by an intent that says so. */
function salesOf(life: Life, market: Market): Sales {
  const sales: Sales = { grants: [], payments: [], money: [] };
  const sale = { source: 'purchase', optional: false } as const;
  for (const session of life.stripe.all('checkout.session')) {
    if (!sells(session) || session.mode !== 'payment') continue;
    const pack = market.packs.find(({ id }) => id === session.metadata['credit_product']);
    const count = Number(session.metadata['quantity'] ?? 1);
    const amount = pack === undefined ? Number(session.metadata['credits']) : pack.credits * count;
    const days = pack?.expiresAfterDays ?? null;
    const tax = session.total_details?.amount_tax ?? 0;
    const { payment_intent: intent, currency, amount_total: total } = session;
    if (session.status === 'complete' && total === 0) {
      // Whoever completes a session does it at once here.
      const endsAt = days === null ? null : session.created + days * 86_400;
      sales.grants.push({ ...sale, why: 'pack', reference: session.id, amount, cost: null, endsAt });
    }
    if (session.payment_status !== 'paid' || intent === null) continue;
    const reference = intent;
    const endsAt = days === null ? null : cameIn(life, reference) + days * 86_400;
    sales.grants.push({ ...sale, why: 'pack', reference, amount, cost: total - tax, endsAt });
    sales.payments.push(paymentOf(life, { id: reference, currency, amount: total, type: 'top_up' }, session.invoice));
    sales.money.push({ currency, amount: total - tax, became: 'credits bought' });
    if (tax > 0) sales.money.push({ currency, amount: tax, became: 'tax' });
  }
  for (const intent of life.stripe.all('payment_intent')) {
    if (intent.status !== 'succeeded' || intent.metadata['top_up'] !== 'true') continue;
    const { id: reference, currency, amount: cost } = intent;
    const amount = Number(intent.metadata['credits']);
    sales.grants.push({ ...sale, why: 'intent', reference, amount, cost, endsAt: null });
    sales.payments.push(paymentOf(life, { id: reference, currency, amount: cost, type: 'top_up' }, null));
    sales.money.push({ currency, amount: cost, became: 'credits bought' });
  }
  return sales;
}

/** When the money of an intent came in: a bank debit is booked some time after it was charged. */
function cameIn(life: Life, intentId: string): number {
  const charge = life.stripe.all('charge').find((one) => one.payment_intent === intentId && one.paid);
  const booked = life.stripe.all('balance_transaction').find(({ id }) => id === charge?.balance_transaction);
  return booked?.created ?? charge?.created ?? 0;
}

function paymentOfInvoice(life: Life, invoice: Invoice): readonly DuePayment[] {
  const { id, currency, amount_paid: amount, billing_reason: reason } = invoice;
  if (amount === 0) return [];
  const type = reason === 'subscription_update' ? 'upgrade' : 'subscription_payment';
  return [paymentOf(life, { id, currency, amount, type }, id)];
}

/** A payment with what refunds, disputes and credit notes (of `invoiceId`) claim of it. */
function paymentOf(
  life: Life,
  payment: Pick<DuePayment, 'id' | 'currency' | 'amount' | 'type'>,
  invoiceId: string | null,
): DuePayment {
  const { stripe } = life;
  const intent = payment.id.startsWith('pi_')
    ? payment.id
    : (stripe.all('invoice').find(({ id }) => id === payment.id)?.sandbox.paymentIntent ?? null);
  const sum = (amounts: readonly number[]): number => amounts.reduce((total, amount) => total + amount, 0);
  const refunds = stripe.all('refund').filter((refund) => refund.payment_intent === intent);
  const disputes = stripe.all('dispute').filter((dispute) => dispute.payment_intent === intent);
  const notes = stripe.all('credit_note').filter(({ invoice, status }) => invoice === invoiceId && status === 'issued');
  const open = disputes.filter(({ status }) => status === 'needs_response' || status === 'under_review');
  const taken =
    sum(refunds.filter(({ status }) => status === 'succeeded').map(({ amount }) => amount)) +
    sum(disputes.filter(({ status }) => status === 'lost').map(({ amount }) => amount)) +
    sum(notes.map((note) => note.post_payment_amount - sum(note.refunds.map(({ amount_refunded: part }) => part))));
  const reserved =
    sum(refunds.filter(({ status }) => status === 'pending').map(({ amount }) => amount)) +
    sum(open.map(({ amount }) => amount));
  const most = Math.min(taken, payment.amount);
  return {
    ...payment,
    taken: most,
    reserved: Math.min(reserved, payment.amount - most),
    disputed: open.length > 0,
  };
}

/** The credits of a grant that go with a part of the money that bought it. */
export const creditsFor = (granted: number, money: number, payment: DuePayment): number =>
  shareOf(granted, Math.min(money, payment.amount), payment.amount);

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

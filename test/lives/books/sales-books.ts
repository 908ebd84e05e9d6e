import { sells } from '../../../apps/stripe-sandbox/resources/checkout/content.js';
import type { Life } from '../story/life.js';
import type { Market } from '../story/market.js';
import type { DueGrant, DuePayment, Money } from './books.js';
import { DAY } from './calendar.js';
import { paymentOf } from './payment-books.js';

export type Sales = { readonly grants: DueGrant[]; readonly payments: DuePayment[]; readonly money: Money[] };

const sale = { source: 'purchase', optional: false, lines: [], term: null } as const;

/** What was bought once: by Checkout, or by an intent that says so. */
export function salesOf(life: Life, market: Market): Sales {
  const sales: Sales = { grants: [], payments: [], money: [] };
  sessionSales(life, market, sales);
  for (const intent of life.stripe.all('payment_intent')) {
    if (intent.status !== 'succeeded' || intent.metadata['top_up'] !== 'true') continue;
    const { id: reference, currency, amount: cost } = intent;
    const amount = Number(intent.metadata['credits']);
    sales.grants.push({ ...sale, why: 'intent', reference, amount, cost, startsAt: null, endsAt: null });
    sales.payments.push(paymentOf(life, { id: reference, currency, amount: cost, type: 'top_up' }, null));
    sales.money.push({ currency, amount: cost, became: 'credits bought' });
  }
  return sales;
}

function sessionSales(life: Life, market: Market, sales: Sales): void {
  for (const session of life.stripe.all('checkout.session')) {
    if (!sells(session) || session.mode !== 'payment') continue;
    const pack = market.packs.find(({ id }) => id === session.metadata['credit_product']);
    const count = Number(session.metadata['quantity'] ?? 1);
    const amount = pack === undefined ? Number(session.metadata['credits']) : pack.credits * count;
    const days = pack?.expiresAfterDays ?? null;
    const tax = session.total_details?.amount_tax ?? 0;
    const { payment_intent: intent, currency, amount_total: total } = session;
    const bought = { ...sale, why: 'pack', amount, startsAt: null } as const;
    if (session.status === 'complete' && total === 0) {
      // Whoever completes a session does it at once here.
      const endsAt = days === null ? null : session.created + days * DAY;
      sales.grants.push({ ...bought, reference: session.id, cost: null, endsAt });
    }
    if (session.payment_status !== 'paid' || intent === null) continue;
    const reference = intent;
    const endsAt = days === null ? null : cameIn(life, reference) + days * DAY;
    sales.grants.push({ ...bought, reference, cost: total - tax, endsAt });
    sales.payments.push(paymentOf(life, { id: reference, currency, amount: total, type: 'top_up' }, session.invoice));
    sales.money.push({ currency, amount: total - tax, became: 'credits bought' });
    if (tax > 0) sales.money.push({ currency, amount: tax, became: 'tax' });
  }
}

/** When the money of an intent came in: a bank debit is booked some time after it was charged. */
function cameIn(life: Life, intentId: string): number {
  const charge = life.stripe.all('charge').find((one) => one.payment_intent === intentId && one.paid);
  const booked = life.stripe.all('balance_transaction').find(({ id }) => id === charge?.balance_transaction);
  return booked?.created ?? charge?.created ?? 0;
}

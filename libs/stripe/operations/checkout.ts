import type Stripe from 'stripe';
import type { CatalogState, CreditProduct, Plan } from '#ledger/catalog.js';
import type { Money } from '#kernel/amount.js';
import type { Payer } from './operation.js';
import { atRateOf, unchargeable } from './money.js';

/** What a customer wants to buy. */
export type CheckoutOrder =
  | { readonly mode: 'subscription'; readonly plan: string; readonly interval: 'month' | 'year' }
  | { readonly mode: 'credits'; readonly creditProduct: string; readonly quantity: number }
  | { readonly mode: 'credits'; readonly credits: number };

export type SaleRefusal = {
  readonly rejected:
    | 'plan_not_found'
    | 'plan_not_for_sale'
    | 'price_not_at_stripe'
    | 'credit_product_not_found'
    | 'credits_not_for_sale'
    | 'currency_unsupported'
    | 'amount_not_chargeable';
};

/** What is put into a session for the order; `trialDays` only for a plan that has a trial. */
export type Sale =
  | {
      readonly mode: 'subscription';
      readonly priceId: string;
      readonly planId: string;
      readonly trialDays: number | null;
    }
  | {
      readonly mode: 'payment';
      readonly line: Stripe.Checkout.SessionCreateParams.LineItem;
      readonly metadata: { readonly [key: string]: string };
    };

/** Where the buyer comes back to, and how tax is added. */
export type CheckoutSettings = {
  readonly successUrl: string;
  readonly cancelUrl: string;
  readonly automaticTax: boolean;
  readonly taxRates: readonly string[];
};

/** Finds what is on sale for an order. Pure. */
export function saleOf(order: CheckoutOrder, catalog: CatalogState): Sale | SaleRefusal {
  if (order.mode === 'subscription') return planSale(catalog, order.plan, order.interval);
  return 'creditProduct' in order
    ? packSale(catalog, order.creditProduct, order.quantity)
    : amountSale(catalog, order.credits);
}

/** A plan's price at Stripe, for one that is on sale and costs something. */
export function priceOfPlan(
  catalog: CatalogState,
  planId: string,
  interval: 'month' | 'year',
): { readonly plan: Plan; readonly priceId: string } | SaleRefusal {
  const listed = catalog.plans.get(planId);
  if (!listed?.active) return { rejected: 'plan_not_found' };
  const price = interval === 'month' ? listed.item.monthly : listed.item.yearly;
  if (price === null) return { rejected: 'plan_not_for_sale' };
  // Never use inline prices: later webhooks could not be mapped back to the plan.
  if (price.stripePriceId === null) return { rejected: 'price_not_at_stripe' };
  return { plan: listed.item, priceId: price.stripePriceId };
}

function planSale(catalog: CatalogState, planId: string, interval: 'month' | 'year'): Sale | SaleRefusal {
  const found = priceOfPlan(catalog, planId, interval);
  if ('rejected' in found) return found;
  return { mode: 'subscription', priceId: found.priceId, planId, trialDays: found.plan.trialDays };
}

function packSale(catalog: CatalogState, productId: string, quantity: number): Sale | SaleRefusal {
  const listed = catalog.creditProducts.get(productId);
  if (!listed?.active) return { rejected: 'credit_product_not_found' };
  const { name, price, stripePriceId } = listed.item;
  const refusal = refusalOf({ amount: price.amount * quantity, currency: price.currency });
  if (refusal !== null) return refusal;
  const line =
    stripePriceId === null ? { quantity, price_data: priceData(price, name) } : { quantity, price: stripePriceId };
  return { mode: 'payment', line, metadata: { credit_product: productId, quantity: String(quantity) } };
}

/** A free number of credits costs what the smallest pack asks for them, which is the rate without any discount. */
function amountSale(catalog: CatalogState, credits: number): Sale | SaleRefusal {
  const packs = [...catalog.creditProducts.values()].filter(({ active }) => active).map(({ item }) => item);
  const smallest = packs.reduce<CreditProduct | null>(
    (least, pack) => (least === null || pack.credits < least.credits ? pack : least),
    null,
  );
  if (smallest === null || smallest.price.amount === 0) return { rejected: 'credits_not_for_sale' };
  const price = atRateOf(smallest, credits);
  const refusal = refusalOf(price);
  if (refusal !== null) return refusal;
  return {
    mode: 'payment',
    line: { quantity: 1, price_data: priceData(price, `${String(credits)} credits`) },
    metadata: { credits: String(credits) },
  };
}

function refusalOf(money: Money): SaleRefusal | null {
  const reason = unchargeable(money);
  if (reason === null) return null;
  return { rejected: reason === 'currency' ? 'currency_unsupported' : 'amount_not_chargeable' };
}

const priceData = ({ amount, currency }: Money, name: string) => ({
  currency,
  unit_amount: amount,
  product_data: { name },
});

/** The session that Stripe is asked for. What it carries back in its events is what the ledger is found by. */
export function sessionParams(sale: Sale, who: Payer, settings: CheckoutSettings): Stripe.Checkout.SessionCreateParams {
  const { customerId, stripeCustomerId, intentId, customerKey } = who;
  const rates = settings.taxRates.length === 0 ? {} : { tax_rates: [...settings.taxRates] };
  const ours = { [customerKey]: customerId };
  const base = {
    customer: stripeCustomerId,
    client_reference_id: customerId,
    success_url: settings.successUrl,
    cancel_url: settings.cancelUrl,
    ...(settings.automaticTax
      ? { automatic_tax: { enabled: true }, customer_update: { address: 'auto' as const } }
      : {}),
  };
  if (sale.mode === 'payment') {
    return {
      ...base,
      mode: 'payment',
      line_items: [{ ...sale.line, ...rates }],
      metadata: { ...ours, ...sale.metadata, scrip_intent: intentId },
      // Only who: were the credits named here too, the payment could be taken for a second sale.
      payment_intent_data: { metadata: ours },
    };
  }
  return {
    ...base,
    mode: 'subscription',
    line_items: [{ price: sale.priceId, quantity: 1, ...rates }],
    metadata: { ...ours, plan: sale.planId, scrip_intent: intentId },
    subscription_data: {
      metadata: { ...ours, plan: sale.planId },
      ...(sale.trialDays === null ? {} : { trial_period_days: sale.trialDays }),
    },
  };
}

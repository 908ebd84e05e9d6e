import { isAmount } from '#kernel/amount.js';
import type { Instant } from '#kernel/instant.js';
import { isCustomerId, paymentStream, type StreamName } from '#kernel/stream-name.js';
import type { AccountCommand } from '#ledger/account/commands.js';
import type { CatalogState, CreditProduct } from '#ledger/catalog.js';
import type { InvoiceCommand } from '#ledger/invoice.js';
import type { PaymentCommand } from '#ledger/payment/payment.js';
import type { StripeCustomerCommand } from '#ledger/stripe/customer.js';
import type { ParkReason, ReceivedStripeEvent } from '#ledger/stripe/event.js';
import type { SubscriptionCommand } from '#ledger/subscription/subscription.js';
import type { UsageCommand } from '#ledger/usage/usage.js';
import type { Metadata } from '../shapes/billing.js';
import { found } from '../shapes/unreadable.js';

/** A command that a fact at Stripe asks for. `key` names the fact, so that reporting it twice has one effect. */
export type FactCommand = { readonly stream: StreamName; readonly key: string } & (
  | { readonly to: 'account'; readonly command: AccountCommand }
  | { readonly to: 'stripeCustomer'; readonly command: StripeCustomerCommand }
  | { readonly to: 'payment'; readonly command: PaymentCommand }
  | { readonly to: 'invoice'; readonly command: InvoiceCommand }
  | { readonly to: 'subscription'; readonly command: SubscriptionCommand }
  /** Whose usage it is is known by the stream; carried out before all others, so that nobody sees a subscription that does not count yet. */
  | { readonly to: 'usage'; readonly command: UsageCommand }
);

/** What a translation may know besides the event; all of it is data. */
export type Lookups = {
  readonly catalog: CatalogState;
  /** Our customer of a Stripe customer, for those that the event names. */
  readonly customerOfStripe: ReadonlyMap<string, string>;
  /** The key of Stripe's metadata that names our customer. */
  readonly customerKey: string;
  /** Whether this installation works with real money. */
  readonly livemode: boolean;
  readonly now: Instant;
};

/** What a Stripe event means: commands, all of them to be executed in order; or a wait for a person; or nothing. */
export type Translation =
  | { readonly kind: 'commands'; readonly commands: readonly FactCommand[] }
  | { readonly kind: 'park'; readonly reason: ParkReason };

export type Parked = Extract<Translation, { kind: 'park' }>;

/** Translates the Stripe events of some types. Pure: the same event and lookups give the same translation, for ever. */
export type Translate = (event: ReceivedStripeEvent, lookups: Lookups) => Translation;

export const commands = (...list: readonly FactCommand[]): Translation => ({ kind: 'commands', commands: list });

/** The event means nothing to the ledger. */
export const NOTHING: Translation = { kind: 'commands', commands: [] };

export const park = (code: ParkReason['code'], subject: string | null, detail: string): Parked => ({
  kind: 'park',
  reason: { code, subject, detail },
});

/** Why an object that has more lines than its webhook waits. */
export const incompleteLines = (what: 'invoice' | 'credit note'): string =>
  `the ${what} has more lines than its webhook; a worker that has STRIPE_SECRET_KEY fetches them`;

/** Idempotency key of an observation that several Stripe events can report. */
export const observationKey = ({ stripeEventId }: ReceivedStripeEvent): string => `event:${stripeEventId}`;

/** Our customer of a Stripe customer; null when there is none. */
export const customerOf = (lookups: Lookups, stripeCustomerId: string | null): string | null =>
  stripeCustomerId === null ? null : (lookups.customerOfStripe.get(stripeCustomerId) ?? null);

/**
 * Tells an invoice's money and the invoice of each other, if both are known, and of which currency that was, where it says so: refunds
 * name only the money, credit notes only the invoice, and either may be the one that bought something.
 */
export function linkInvoice(
  paymentId: string | null,
  invoiceId: string | null,
  currency: string | undefined,
): readonly FactCommand[] {
  if (paymentId === null || invoiceId === null) return [];
  const pairs = [[paymentId, invoiceId] as const, [invoiceId, paymentId] as const];
  return pairs.map(([from, to]) => ({
    to: 'payment',
    stream: paymentStream(from),
    // A link that says the currency says more than one that does not.
    key: currency === undefined ? `invoice:${to}` : `invoice:${to}:${currency}`,
    command: {
      type: 'LinkInvoice',
      paymentId: from,
      invoiceId: to,
      ...(currency === undefined ? {} : { currency }),
    },
  }));
}

/** The first customer id among what the caller put into Stripe's objects; null when there is none that could be one. */
export const namedCustomer = (...candidates: readonly (string | null | undefined)[]): string | null =>
  candidates.find((candidate): candidate is string => candidate != null && isCustomerId(candidate)) ?? null;

/** Why an object waits whose customer nobody knows; what was written there and can be no id of a customer is shown. */
export function unknownCustomer(
  stripeCustomerId: string | null,
  named: { readonly [field: string]: string | null | undefined },
): Parked {
  const odd = Object.entries(named).find(([, value]) => value != null && !isCustomerId(value));
  const fields = Object.keys(named).join(', ');
  const detail =
    odd === undefined
      ? `neither ${fields} nor a link names a customer`
      : `${odd[0]}: expected an id of a customer, found ${found(odd[1])}; nothing else names one`;
  return park('unknown_customer', stripeCustomerId, detail);
}

/** Credits that were sold by metadata: `credit_product` × `quantity`, or `credits`. */
export type PurchasedCredits =
  | {
      readonly kind: 'credits';
      readonly amount: number;
      readonly expiresAfterDays: number | null;
      /** Which pack of the catalogue and how often; null where only a number of credits is named. */
      readonly packs: { readonly product: CreditProduct; readonly count: number } | null;
    }
  | { readonly kind: 'unsold' }
  | { readonly kind: 'park'; readonly translation: Parked };

/**
 * Reads how many credits a payment bought. `metadata.credit_product` is the id of a credit product of the catalogue (one that
 * has been retired since still counts), `metadata.quantity` how many of it (default 1); else `metadata.credits` is the number.
 */
export function purchasedCredits(metadata: Metadata, catalog: CatalogState): PurchasedCredits {
  const { credit_product: productId, quantity = '1', credits } = metadata;
  if (productId === undefined && credits === undefined) return { kind: 'unsold' };
  const count = positiveInteger(productId === undefined ? (credits ?? '') : quantity);
  if (count === null) {
    const field = productId === undefined ? 'credits' : 'quantity';
    const detail = `metadata.${field}: expected a positive whole number, found ${found(metadata[field])}`;
    return { kind: 'park', translation: park('unknown_shape', null, detail) };
  }
  if (productId === undefined) return { kind: 'credits', amount: count, expiresAfterDays: null, packs: null };
  const product = catalog.creditProducts.get(productId)?.item;
  if (product === undefined) {
    return { kind: 'park', translation: park('unknown_price', productId, 'the catalogue has no such credit product') };
  }
  const amount = product.credits * count;
  if (!isAmount(amount))
    return { kind: 'park', translation: park('unknown_shape', null, 'more credits than an account can hold') };
  return { kind: 'credits', amount, expiresAfterDays: product.expiresAfterDays, packs: { product, count } };
}

function positiveInteger(text: string): number | null {
  if (!/^[1-9]\d{0,15}$/.test(text)) return null;
  const value = Number(text);
  return isAmount(value) ? value : null;
}

import type Stripe from 'stripe';
import type { Money } from '#kernel/amount.js';
import type { Instant } from '#kernel/instant.js';
import type { StripeAnswer, StripeClient } from './client.js';

type Listed = { readonly id: string; readonly metadata?: Readonly<Record<string, string>> | null };

const PAGE = 100;
const MAX_PAGES = 100;
const DAY_S = 86_400;

/** The value of an answer made into another; what is no answer stays as it is. */
export const mapAnswer = <T, U>(answer: StripeAnswer<T>, map: (value: T) => U): StripeAnswer<U> =>
  answer.kind === 'answered' ? { kind: 'answered', value: map(answer.value) } : answer;

/**
 * The first object of a list that matches, page by page; null when there is none. Bounded: after 100 pages nothing is known, and
 * the answer is `unavailable`.
 */
export async function firstOf<T extends Listed>(
  client: StripeClient,
  page: (stripe: Stripe, params: { limit: number; starting_after?: string }) => Promise<Stripe.ApiList<T>>,
  matches: (object: T) => boolean,
): Promise<StripeAnswer<T | null>> {
  let after: string | undefined;
  for (let pages = 0; pages < MAX_PAGES; pages += 1) {
    const params = { limit: PAGE, ...(after === undefined ? {} : { starting_after: after }) };
    const answer = await client.ask('list', (stripe) => page(stripe, params));
    if (answer.kind !== 'answered') return answer;
    const { data, has_more: hasMore } = answer.value;
    const found = data.find(matches);
    if (found !== undefined) return { kind: 'answered', value: found };
    after = data.at(-1)?.id;
    if (!hasMore || after === undefined) return { kind: 'answered', value: null };
  }
  return { kind: 'unavailable', retryAfterSeconds: 60 };
}

/** The time in which an intent can have created its object: Stripe honours a key for a day, and clocks differ a little. */
export function madeAround(intendedAt: Instant): { gte: number; lte: number } {
  const seconds = Math.floor(Date.parse(intendedAt) / 1000);
  return { gte: seconds - 600, lte: seconds + 2 * DAY_S };
}

/** Whether an object belongs to the Stripe customer that it was asked for. */
const isOf =
  (stripeCustomerId: string) =>
  ({ customer }: { readonly customer: string | { readonly id: string } | null }): boolean =>
    (typeof customer === 'string' ? customer : customer?.id) === stripeCustomerId;

const madeFor =
  (intentId: string) =>
  ({ metadata }: Listed): boolean =>
    metadata?.['scrip_intent'] === intentId;

/** Who pays, and for which intent. */
export type Payer = {
  readonly customerId: string;
  readonly stripeCustomerId: string;
  readonly intentId: string;
  /** The key of Stripe's metadata that names our customer. */
  readonly customerKey: string;
};

/** How to find what an intent has created when Stripe's answer was lost. */
export type StripeLookup<T> = {
  readonly objectType: string;
  find(client: StripeClient, intendedAt: Instant): Promise<StripeAnswer<T | null>>;
};

/** What an intent does at Stripe: how to create the object, to read it again, and to find it. */
export type StripeOperation<T> = StripeLookup<T> & {
  create(client: StripeClient, idempotencyKey: string): Promise<StripeAnswer<T>>;
  retrieve(client: StripeClient, id: string): Promise<StripeAnswer<T>>;
};

export const customerLookup = (intentId: string): StripeLookup<Stripe.Customer> => ({
  objectType: 'customer',
  find: (client, intendedAt) =>
    firstOf(
      client,
      (stripe, page) => stripe.customers.list({ ...page, created: madeAround(intendedAt) }),
      madeFor(intentId),
    ),
});

export const sessionLookup = (stripeCustomerId: string, intentId: string): StripeLookup<Stripe.Checkout.Session> => ({
  objectType: 'checkout.session',
  find: (client) =>
    firstOf(
      client,
      (stripe, page) => stripe.checkout.sessions.list({ ...page, customer: stripeCustomerId }),
      madeFor(intentId),
    ),
});

export const paymentIntentLookup = (
  stripeCustomerId: string,
  intentId: string,
): StripeLookup<Stripe.PaymentIntent> => ({
  objectType: 'payment_intent',
  find: (client) =>
    firstOf(
      client,
      (stripe, page) => stripe.paymentIntents.list({ ...page, customer: stripeCustomerId }),
      madeFor(intentId),
    ),
});

/** For operations that leave nothing to be found, and need not be found. */
export const noLookup: StripeLookup<never> = {
  objectType: 'none',
  find: () => Promise.resolve({ kind: 'answered', value: null }),
};

/** A Stripe customer that leads to ours. The parameters never change, so that the same key always asks for the same. */
export const customerOperation = (
  customerId: string,
  intentId: string,
  customerKey: string,
): StripeOperation<Stripe.Customer> => ({
  ...customerLookup(intentId),
  create: (client, idempotencyKey) =>
    client.ask(
      'customer',
      (stripe) =>
        stripe.customers.create(
          { metadata: { [customerKey]: customerId, scrip_intent: intentId } },
          { idempotencyKey },
        ),
      madeFor(intentId),
    ),
  retrieve: async (client, id) => {
    const answer = await client.ask('customer', (stripe) => stripe.customers.retrieve(id));
    return mapAnswer(answer, (customer) => customer as Stripe.Customer);
  },
});

/** Sets name and email at Stripe, for receipts: the given fields only, null empties one. May be repeated. */
export const contactOperation = (
  stripeCustomerId: string,
  contact: { readonly name?: string | null; readonly email?: string | null },
): StripeOperation<Stripe.Customer> => {
  const fields = Object.entries(contact) as ['name' | 'email', string | null][];
  const retrieve = async (client: StripeClient): Promise<StripeAnswer<Stripe.Customer>> => {
    const answer = await client.ask('customer', (stripe) => stripe.customers.retrieve(stripeCustomerId));
    return mapAnswer(answer, (customer) => customer as Stripe.Customer);
  };
  return {
    objectType: 'customer',
    create: (client, idempotencyKey) => {
      // To Stripe the empty text empties a field.
      const params = Object.fromEntries(fields.map(([field, value]) => [field, value ?? '']));
      return client.ask('customer', (stripe) => stripe.customers.update(stripeCustomerId, params, { idempotencyKey }));
    },
    retrieve,
    find: async (client) =>
      mapAnswer(await retrieve(client), (customer) =>
        fields.every(([field, value]) => (customer[field] ?? null) === value) ? customer : null,
      ),
  };
};

export const sessionOperation = (
  params: Stripe.Checkout.SessionCreateParams,
  stripeCustomerId: string,
  intentId: string,
): StripeOperation<Stripe.Checkout.Session> => ({
  ...sessionLookup(stripeCustomerId, intentId),
  create: (client, idempotencyKey) =>
    client.ask(
      'checkout.session',
      (stripe) => stripe.checkout.sessions.create(params, { idempotencyKey }),
      isOf(stripeCustomerId),
    ),
  retrieve: (client, id) => client.ask('checkout.session', (stripe) => stripe.checkout.sessions.retrieve(id)),
});

export const paymentIntentOperation = (
  wanted: { readonly money: Money; readonly description: string | null },
  who: Payer,
): StripeOperation<Stripe.PaymentIntent> => ({
  ...paymentIntentLookup(who.stripeCustomerId, who.intentId),
  create: (client, idempotencyKey) =>
    client.ask(
      'payment_intent',
      (stripe) =>
        stripe.paymentIntents.create(
          {
            amount: wanted.money.amount,
            currency: wanted.money.currency,
            customer: who.stripeCustomerId,
            ...(wanted.description === null ? {} : { description: wanted.description }),
            automatic_payment_methods: { enabled: true },
            metadata: { [who.customerKey]: who.customerId, scrip_intent: who.intentId },
          },
          { idempotencyKey },
        ),
      isOf(who.stripeCustomerId),
    ),
  retrieve: (client, id) => client.ask('payment_intent', (stripe) => stripe.paymentIntents.retrieve(id)),
});

/** A portal session lives for minutes and cannot be read again: every request gets a new one. */
export const portalOperation = (
  stripeCustomerId: string,
  returnUrl: string,
): StripeOperation<Stripe.BillingPortal.Session> => {
  const create: StripeOperation<Stripe.BillingPortal.Session>['create'] = (client, idempotencyKey) =>
    client.ask(
      'billing_portal.session',
      (stripe) =>
        stripe.billingPortal.sessions.create({ customer: stripeCustomerId, return_url: returnUrl }, { idempotencyKey }),
      isOf(stripeCustomerId),
    );
  return {
    ...noLookup,
    objectType: 'billing_portal.session',
    create,
    retrieve: (client, id) => create(client, `scrip.portal.${id}`),
  };
};

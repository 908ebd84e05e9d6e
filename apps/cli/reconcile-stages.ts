import { hash } from 'node:crypto';
import type Stripe from 'stripe';
import { instantOf } from '#kernel/instant.js';
import { canonicalJson } from '#kernel/json.js';
import { invoiceStream, paymentStream, stripeEventStream, subscriptionStream } from '#kernel/stream-name.js';
import type { ReceivedStripeEvent } from '#ledger/stripe-event.js';
import type { StripeAnswer, StripeClient } from '#stripe/client.js';
import { mapAnswer } from '#stripe/outbound.js';
import { fetchedEvent, toldByObject } from '#stripe/outbound-events.js';
import type { StripeLedger } from './cli.module.js';
import {
  compareDispute,
  compareEvent,
  compareInvoice,
  compareRefund,
  compareSession,
  compareSubscription,
  isOfSubscription,
  moneyOf,
  paymentOfSession,
  type Difference,
} from './reconcile-objects.js';

/** A difference, and the event that tells the ledger what Stripe says. */
export type Finding = { readonly difference: Difference; readonly telling: ReceivedStripeEvent };
export type Page = { readonly checked: number; readonly findings: readonly Finding[]; readonly next: string | null };

/** One kind of thing at Stripe, gone through page by page, the newest first. */
export type Stage = { readonly name: string; page(after: string | null): Promise<StripeAnswer<Page>> };

type Source = {
  readonly client: StripeClient;
  readonly ledger: StripeLedger;
  /** Seconds; nothing older is looked at. */
  readonly since: number;
  readonly livemode: boolean;
  readonly now: number;
};
type Params = { limit: number; created: { gte: number }; starting_after?: string };

function stage<T extends { readonly id: string }>(
  name: string,
  source: Source,
  list: (stripe: Stripe, params: Params) => Promise<Stripe.ApiList<T>>,
  compare: (object: T) => Promise<Difference | null>,
  tell: (object: T, difference: Difference) => ReceivedStripeEvent,
): Stage {
  return {
    name,
    page: async (after) => {
      const params: Params = {
        limit: 100,
        created: { gte: source.since },
        ...(after === null ? {} : { starting_after: after }),
      };
      const answer = await source.client.ask('list', (stripe) => list(stripe, params));
      if (answer.kind !== 'answered') return answer;
      const { data, has_more: hasMore } = answer.value;
      const findings: Finding[] = [];
      for (const object of data) {
        const difference = await compare(object);
        if (difference !== null) findings.push({ difference, telling: tell(object, difference) });
      }
      const next = hasMore ? (data.at(-1)?.id ?? null) : null;
      return mapAnswer(answer, () => ({ checked: data.length, findings, next }));
    },
  };
}

/** Everything that is compared, in the order that repairs need: what Stripe still tells, then what only objects say. */
export const stagesOf = (source: Source): readonly Stage[] => [
  stage(
    'events',
    source,
    (stripe, params) => stripe.events.list(params),
    async (event) => compareEvent(event, (await source.ledger.stripeEvent.load(stripeEventStream(event.id))).state),
    (event) => fetchedEvent(event),
  ),
  ...saleStages(source),
  ...moneyBackStages(source),
];

/** Tells an object under an id that is the same for the same state of it, so that a repeated repair tells nothing twice. */
const telling =
  (source: Source, type: string) =>
  (object: { readonly id: string; readonly livemode?: boolean }, { stripe }: Difference): ReceivedStripeEvent => {
    const state = hash('sha256', canonicalJson(stripe), 'hex').slice(0, 16);
    const id = `evt_scrip_${object.id}_${state}`;
    return toldByObject(object, { id, type, at: instantOf(source.now), livemode: source.livemode });
  };

const paymentIn = async ({ ledger }: Source, id: string) => (await ledger.payment.load(paymentStream(id))).state;

const saleStages = (source: Source): readonly Stage[] => [
  stage(
    'sessions',
    source,
    (stripe, params) => stripe.checkout.sessions.list({ ...params, status: 'complete' }),
    async (session) => {
      const id = paymentOfSession(session);
      return id === null ? null : compareSession(session, await paymentIn(source, id));
    },
    telling(source, 'checkout.session.completed'),
  ),
  // Before the invoices: they are the first that name the customer. All of them, because an old one changes too.
  stage(
    'subscriptions',
    source,
    (stripe, { created: _created, ...params }) => stripe.subscriptions.list({ ...params, status: 'all' }),
    async (subscription) =>
      compareSubscription(
        subscription,
        (await source.ledger.subscription.load(subscriptionStream(subscription.id))).state,
      ),
    telling(source, 'customer.subscription.updated'),
  ),
  stage(
    'invoices',
    source,
    (stripe, params) => stripe.invoices.list({ ...params, status: 'paid', expand: ['data.payments'] }),
    async (invoice) =>
      isOfSubscription(invoice)
        ? compareInvoice(invoice, (await source.ledger.invoice.load(invoiceStream(invoice.id))).state)
        : null,
    telling(source, 'invoice.paid'),
  ),
];

const moneyBackStages = (source: Source): readonly Stage[] => [
  stage(
    'refunds',
    source,
    (stripe, params) => stripe.refunds.list(params),
    async (refund) => {
      const id = moneyOf(refund);
      return id === null ? null : compareRefund(refund, await paymentIn(source, id));
    },
    telling(source, 'refund.updated'),
  ),
  stage(
    'disputes',
    source,
    (stripe, params) => stripe.disputes.list(params),
    async (dispute) => {
      const id = moneyOf(dispute);
      return id === null ? null : compareDispute(dispute, await paymentIn(source, id));
    },
    telling(source, 'charge.dispute.updated'),
  ),
];

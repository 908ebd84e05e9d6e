import { expect, test } from '@jest/globals';
import { translatedTypes } from '#stripe/translations/registry.js';
import { playLives, START } from './play.js';
import { openMarket, type Interval } from './story/market.js';
import { running } from './story/parts.js';
import type { StripeAccount } from './story/stripe-account.js';
import { toldLife, type Deed } from './story/told-life.js';

const DAY = 86_400;
const market = openMarket(START - DAY);
const end = START + 500 * DAY;

const price = (name: string, interval: Interval): string =>
  market.offers.find(({ planId, interval: each }) => planId === `${name}-usd` && each === interval)!.priceId;

/** Does something that Stripe must not refuse. */
function post(stripe: StripeAccount, path: string, form: Readonly<Record<string, string | number | boolean>>): void {
  expect(stripe.post(path, form)).toMatchObject({ ok: true });
}

const card: Deed = [
  0,
  (stripe) => {
    post(stripe, `payment_methods/pm_card_visa/attach`, { customer: stripe.customer.id });
    const [method] = stripe.all('payment_method');
    post(stripe, `customers/${stripe.customer.id}`, { 'invoice_settings[default_payment_method]': method!.id });
  },
];
const subscribe = (name: string, interval: Interval, seats = 1, more = {}): Deed => [
  1,
  (stripe) => {
    const items = { 'items[0][price]': price(name, interval), 'items[0][quantity]': seats };
    post(stripe, 'subscriptions', { customer: stripe.customer.id, ...items, ...more });
  },
];
const change =
  (form: Readonly<Record<string, string | number>>, proration: string) =>
  (stripe: StripeAccount): void => {
    const { id, items } = running(stripe)!;
    post(stripe, `subscriptions/${id}`, {
      ...{ 'items[0][id]': items.data[0]!.id, proration_behavior: proration },
      ...Object.fromEntries(Object.entries(form).map(([key, value]) => [`items[0][${key}]`, value])),
    });
  };
const pause: Deed = [5, (stripe) => post(stripe, `subscriptions/${running(stripe)!.id}/pause`, {})];

/** Pays the open invoice of a reason at this place; -1: the newest. */
const payOpen =
  (reason: string, place = 0) =>
  (stripe: StripeAccount): void => {
    const invoice = stripe
      .all('invoice')
      .filter(({ status, billing_reason: of }) => status === 'open' && of === reason)
      .at(place);
    post(stripe, `invoices/${invoice!.id}/pay`, {});
  };

/** Gives so much of the newest payment back. */
const refund =
  (amount: number) =>
  (stripe: StripeAccount): void => {
    const charge = stripe.all('charge').findLast(({ paid }) => paid);
    post(stripe, 'refunds', { charge: charge!.id, amount });
  };

/** A note of so many minor units, of the whole of the first invoice or of its line of a plan. */
const credit =
  (amount: number, priceId: string | null = null) =>
  (stripe: StripeAccount): void => {
    const [invoice] = stripe.all('invoice');
    const line = invoice!.lines.data.find(({ pricing }) => pricing?.price_details?.price === priceId);
    const ofLine = {
      'lines[0][type]': 'invoice_line_item',
      'lines[0][invoice_line_item]': String(line?.id),
      'lines[0][amount]': amount,
    };
    post(stripe, 'credit_notes', {
      ...{ invoice: invoice!.id, credit_amount: amount },
      ...(priceId === null ? { amount } : ofLine),
    });
  };

test.each<readonly [string, readonly Deed[]]>([
  [
    'a change to more, whose plan grants it, and one that grants nothing after the end of the period',
    [
      ...[card, subscribe('small', 'month'), pause],
      [3, change({ quantity: 4 }, 'create_prorations')],
      [45, change({ price: price('strict', 'month'), quantity: 1 }, 'always_invoice')],
    ],
  ],
  [
    'a change to less, whose plan takes nothing back, and one that would after the end of the period',
    [
      ...[card, subscribe('large', 'month'), pause],
      [3, change({ price: price('small', 'month') }, 'create_prorations')],
      [45, change({ price: price('strict', 'month') }, 'always_invoice')],
    ],
  ],
  [
    'a change that is paid before the period that it falls in, and that shows then that it gives more in further months',
    [
      ...[card, subscribe('small', 'year', 1, { collection_method: 'send_invoice', days_until_due: 30 })],
      [2, change({ price: price('kind', 'year') }, 'none')],
      [50, change({ price: price('large', 'year') }, 'create_prorations')],
      [100, change({ price: price('small', 'year'), quantity: 4 }, 'create_prorations')],
      [110, change({ quantity: 5 }, 'always_invoice')],
      [111, payOpen('subscription_update')],
      [150, payOpen('subscription_create')],
    ],
  ],
  ...(['refunded in part', 'kept'] as const).map((end): readonly [string, readonly Deed[]] => [
    `a change that gives less when what it gave back is paid after all; its money is ${end}`,
    [
      ...[card, subscribe('small', 'year', 1, { collection_method: 'send_invoice', days_until_due: 30 })],
      [2, payOpen('subscription_create')],
      [50, change({ price: price('large', 'year') }, 'always_invoice')],
      [60, change({ price: price('kind', 'year') }, 'create_prorations')],
      [70, change({ quantity: 3 }, 'create_prorations')],
      [75, change({ quantity: 4 }, 'always_invoice')],
      [76, payOpen('subscription_update', -1)],
      ...(end === 'kept' ? [] : [[80, refund(1000)] satisfies Deed]),
      [90, payOpen('subscription_update')],
    ],
  ]),
  [
    'a change of a year from 31 January that is never paid, in the month before a short one ends',
    [
      card,
      [214, subscribe('small', 'year', 1, { collection_method: 'send_invoice', days_until_due: 30 })[1]],
      [224, change({ price: price('kind', 'year') }, 'always_invoice')],
      [225, payOpen('subscription_update')],
    ],
  ],
  [
    'money of two plans on one invoice that goes back by no lines, and then of one line',
    [
      ...[card, subscribe('small', 'year', 1, { 'items[1][price]': price('kind', 'year') })],
      [20, credit(10_000)],
      [30, credit(5000, price('small', 'year'))],
    ],
  ],
])('%s', async (_what, deeds) => {
  const inOrder = deeds.toSorted(([a], [b]) => a - b);
  const life = toldLife(market, 1, { start: START, end, types: translatedTypes }, inOrder);
  const { failures, faults } = await playLives(market, [life], end);
  expect([...failures, ...faults]).toEqual([]);
});

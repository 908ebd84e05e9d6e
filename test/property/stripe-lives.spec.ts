import { expect, test } from '@jest/globals';
import { conservationOf } from '#ledger/account/account.js';
import type { Plan } from '#ledger/catalog.js';
import { paymentRecordOf } from '#ledger/payment/record.js';
import { parseForm } from '../../apps/stripe-sandbox/core/api/params.js';
import { Sandbox } from '../../apps/stripe-sandbox/core/sandbox.js';
import { World } from '../../apps/stripe-sandbox/core/world.js';
import { program } from '../../apps/stripe-sandbox/program.js';
import { catalog } from '../support/ledger/catalog.js';
import { InboxWorld } from '../support/worlds/inbox-world.js';
import type { StripeEventBody } from '../support/stripe/events.js';

type Answer = {
  readonly id: string;
  readonly data: readonly StripeEventBody[];
  readonly has_more: boolean;
  readonly items: { readonly data: readonly { readonly id: string }[] };
};
type Random = (below: number) => number;

function call(sandbox: Sandbox, method: string, path: string, form = ''): Answer {
  const request = { method, path, params: parseForm(form), apiKey: 'sk_test_1', idempotencyKey: null, version: null };
  return JSON.parse(sandbox.handle(request).body) as Answer;
}

function randomFrom(seed: number): Random {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % below;
  };
}

/** Adds the events that are not known yet: the sandbox, like Stripe, forgets them after thirty days. */
function collect(sandbox: Sandbox, events: Map<string, StripeEventBody>): void {
  const fresh: StripeEventBody[] = [];
  for (let after = ''; ;) {
    const from = after === '' ? '' : `&starting_after=${after}`;
    const page = call(sandbox, 'GET', '/v1/events', `limit=100${from}`);
    fresh.push(...page.data);
    after = page.data.at(-1)?.id ?? '';
    if (!page.has_more || events.has(after)) break;
  }
  for (const event of fresh.toReversed()) events.set(event.id, event);
}

const prices = [
  { amount: 2000, interval: 'month' },
  { amount: 6000, interval: 'month' },
  { amount: 15_000, interval: 'year' },
] as const;

/** Customers who subscribe, change, cancel, fail to pay, dispute and are refunded for a year: their events, and the plans. */
function lives(seed: number, customers: number): { events: readonly StripeEventBody[]; plans: readonly Plan[] } {
  const random = randomFrom(seed);
  const sandbox = new Sandbox(new World(seed, 1_767_225_600, 'http://sandbox'), program);
  const post = (path: string, form: string): Answer => call(sandbox, 'POST', `/v1/${path}`, form);
  const product = post('products', 'name=Plan').id;
  const ids = prices.map(
    ({ amount, interval }) =>
      post('prices', `product=${product}&currency=usd&unit_amount=${String(amount)}&recurring[interval]=${interval}`)
        .id,
  );
  const cards = ['visa', 'visa', 'chargeCustomerFail', 'createDispute', 'refundFail', 'pendingRefund'];
  const subscriptions = Array.from({ length: customers }, (_, index) => {
    const customer = post('customers', `metadata[customer_id]=c${String(index)}`).id;
    const method = post(`payment_methods/pm_card_${cards[random(6)]!}/attach`, `customer=${customer}`).id;
    post(`customers/${customer}`, `invoice_settings[default_payment_method]=${method}`);
    const trial = random(3) === 0 ? '&trial_period_days=14' : '';
    return post('subscriptions', `customer=${customer}&items[0][price]=${ids[random(3)]!}${trial}`);
  });
  const events = new Map<string, StripeEventBody>();
  for (let week = 0; week < 52; week += 1) {
    sandbox.advanceTo(sandbox.world.now + 7 * 86_400);
    collect(sandbox, events);
    const one = subscriptions[random(customers)]!;
    const item = `items[0][id]=${one.items.data[0]?.id ?? ''}`;
    const behavior = `proration_behavior=${['always_invoice', 'create_prorations', 'none'][random(3)]!}`;
    const charges = [...sandbox.world.tables.charge.keys()];
    const changes: readonly (readonly [string, string])[] = [
      [`subscriptions/${one.id}`, `${item}&items[0][price]=${ids[random(3)]!}&${behavior}`],
      [`subscriptions/${one.id}`, `${item}&items[0][quantity]=${String(1 + random(4))}&${behavior}`],
      [`subscriptions/${one.id}`, `cancel_at_period_end=${String(random(2) === 0)}`],
      ['refunds', `charge=${charges[random(Math.max(1, charges.length))] ?? ''}&amount=${String(1 + random(3000))}`],
    ];
    post(...changes[random(4)]!);
  }
  collect(sandbox, events);
  const plans = prices.map(({ amount, interval }, index): Plan => {
    const price = { money: { amount, currency: 'usd' }, stripePriceId: ids[index]! };
    const own = interval === 'month' ? { monthly: price, yearly: null } : { monthly: null, yearly: price };
    const policy = { trialCredits: 10 };
    return { ...catalog.plans[1]!, id: `plan_${String(index)}`, ...own, creditsPerMonth: 100 * (index + 1), policy };
  });
  return { events: [...events.values()], plans: [catalog.plans[0]!, ...plans] };
}

/** Everything that the ledger says after these events, stream by stream; nothing may be left parked. */
async function booksAfter(events: readonly StripeEventBody[], plans: readonly Plan[]): Promise<Map<string, unknown>> {
  const world = new InboxWorld();
  await world.applyCatalog({ ...catalog, plans });
  for (const event of events) await world.deliver(event);
  await world.drain(500);
  expect([...world.state.parked.values()]).toEqual([]);
  const { account, payment, invoice, subscription } = world.handlers;
  const books = new Map<string, unknown>();
  for (const stream of new Set((await world.store.readAll('', 1_000_000)).map((event) => event.stream))) {
    if (stream.startsWith('account-')) {
      const { state } = await account.load(stream);
      expect(conservationOf(state).violations).toEqual([]);
      const grants = [...state.grants.values()].map(
        ({ source, amount, free, held, revoked, expired, expiresAt, paymentReference }) =>
          [source, amount, free, held, revoked, expired, expiresAt, paymentReference].join(' '),
      );
      books.set(stream, [state.balance, grants.sort()]);
    }
    if (stream.startsWith('payment-')) books.set(stream, paymentRecordOf((await payment.load(stream)).state));
    if (stream.startsWith('invoice-')) books.set(stream, (await invoice.load(stream)).state.snapshot);
    if (stream.startsWith('subscription-')) books.set(stream, (await subscription.load(stream)).state.standing);
  }
  return books;
}

test.each([11, 12])('a year of random lives (seed %i) ends in the same books in any order', async (seed) => {
  const { events, plans } = lives(seed, 10);
  expect(events.length).toBeGreaterThan(500);
  const books = await booksAfter(events, plans);
  expect([...books.keys()].filter((stream) => stream.startsWith('account-')).length).toBeGreaterThan(3);
  const random = randomFrom(seed);
  const shuffled = events
    .map((event) => ({ event, place: random(1_000_000) }))
    .sort((a, b) => a.place - b.place)
    .map(({ event }) => event);
  expect(await booksAfter([...shuffled, ...shuffled.slice(0, 100)], plans)).toEqual(books);
});

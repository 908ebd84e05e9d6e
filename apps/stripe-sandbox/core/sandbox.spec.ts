import { describe, expect, it } from '@jest/globals';
import { program } from '../program.js';
import { parseForm } from './api/params.js';
import { Sandbox } from './sandbox.js';
import { World } from './world.js';

const start = 1_767_225_600;
const year = 365 * 86_400;

type Json = Readonly<Record<string, unknown>>;

function call(sandbox: Sandbox, method: string, path: string, form = ''): Json {
  const answer = sandbox.handle({
    method,
    path,
    params: parseForm(form),
    apiKey: 'sk_test_1',
    idempotencyKey: null,
    version: null,
  });
  return { ...(JSON.parse(answer.body) as Json), http: answer.status };
}

/** Customers with random lives, two years long, made from a seed without any IO. */
function lives(seed: number, customers: number): Sandbox {
  const sandbox = new Sandbox(new World(seed, start, 'http://sandbox'), program);
  let state = seed * 2_654_435_761 + 1;
  const random = (below: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % below;
  };
  const product = call(sandbox, 'POST', '/v1/products', 'name=Plan')['id'];
  const prices = [2000, 6000, 15_000].map(
    (amount, index) =>
      call(
        sandbox,
        'POST',
        '/v1/prices',
        `product=${String(product)}&currency=usd&unit_amount=${amount}&recurring[interval]=${index === 2 ? 'year' : 'month'}`,
      )['id'],
  );
  const cards = [
    'pm_card_visa',
    'pm_card_visa',
    'pm_card_chargeCustomerFail',
    'pm_card_createDispute',
    'pm_card_refundFail',
    'pm_card_pendingRefund',
  ];
  const subscriptions: { id: unknown; item: unknown }[] = [];
  for (let i = 0; i < customers; i += 1) {
    const customer = call(sandbox, 'POST', '/v1/customers', `name=c${i}`)['id'];
    const method = call(
      sandbox,
      'POST',
      `/v1/payment_methods/${cards[random(cards.length)] ?? ''}/attach`,
      `customer=${String(customer)}`,
    )['id'];
    call(
      sandbox,
      'POST',
      `/v1/customers/${String(customer)}`,
      `invoice_settings[default_payment_method]=${String(method)}`,
    );
    const trial = random(3) === 0 ? '&trial_period_days=14' : '';
    const made = call(
      sandbox,
      'POST',
      '/v1/subscriptions',
      `customer=${String(customer)}&items[0][price]=${String(prices[random(3)])}${trial}`,
    );
    const items = made['items'] as { data: { id: string }[] };
    subscriptions.push({ id: made['id'], item: items.data[0]?.id });
  }
  for (let step = 0; step < 100; step += 1) {
    sandbox.advanceTo(sandbox.world.now + Math.floor((2 * year) / 100));
    const one = subscriptions[random(subscriptions.length)];
    const path = `/v1/subscriptions/${String(one?.id)}`;
    const behavior = ['always_invoice', 'create_prorations', 'none'][random(3)] ?? 'none';
    const actions = [
      () =>
        call(
          sandbox,
          'POST',
          path,
          `items[0][id]=${String(one?.item)}&items[0][price]=${String(prices[random(3)])}&proration_behavior=${behavior}`,
        ),
      () =>
        call(
          sandbox,
          'POST',
          path,
          `items[0][id]=${String(one?.item)}&items[0][quantity]=${1 + random(4)}&proration_behavior=${behavior}`,
        ),
      () => call(sandbox, 'POST', path, `cancel_at_period_end=${random(2) === 0 ? 'true' : 'false'}`),
      () => refundSome(sandbox, random),
    ];
    const answer = actions[random(actions.length)]?.();
    expect(Number(answer?.['http'] ?? 200)).toBeLessThan(500);
  }
  return sandbox;
}

function refundSome(sandbox: Sandbox, random: (below: number) => number): Json {
  const charges = [...sandbox.world.tables.charge.values()];
  const charge = charges[random(Math.max(1, charges.length))];
  return call(sandbox, 'POST', '/v1/refunds', `charge=${charge?.id ?? ''}&amount=${1 + random(3000)}`);
}

describe('two years of random lives', () => {
  it.each([1, 2, 3, 4])('keep the books of seed %i', (seed) => {
    const { world } = lives(seed, 25);
    for (const charge of world.tables.charge.values()) {
      const refunds = [...world.tables.refund.values()].filter(
        (one) => one.charge === charge.id && ['succeeded', 'pending'].includes(one.status),
      );
      expect(refunds.reduce((sum, one) => sum + one.amount, 0)).toBe(charge.amount_refunded);
      expect(charge.amount_refunded).toBeLessThanOrEqual(charge.amount);
    }
    for (const invoice of world.tables.invoice.values()) {
      expect(invoice.lines.data.reduce((sum, line) => sum + line.amount, 0)).toBe(invoice.subtotal);
      const charged =
        invoice.sandbox.charge === null ? 0 : (world.tables.charge.get(invoice.sandbox.charge)?.amount ?? 0);
      if (invoice.status === 'paid') expect(invoice.amount_paid).toBe(charged);
      if (invoice.billing_reason === 'subscription_cycle') {
        const ahead = invoice.lines.data.filter((line) => line.parent?.subscription_item_details?.proration === false);
        expect(ahead.map((line) => line.period.start)).toEqual(ahead.map(() => invoice.created));
      }
      if (invoice.ending_balance !== null) {
        expect(invoice.amount_due).toBe(Math.max(0, invoice.starting_balance + invoice.total));
      }
      if (invoice.ending_balance !== null)
        expect(invoice.starting_balance + invoice.total - invoice.amount_due).toBe(invoice.ending_balance);
    }
    for (const customer of world.tables.customer.values()) {
      const invoices = [...world.tables.invoice.values()].filter(
        (one) => one.customer === customer.id && one.ending_balance !== null,
      );
      expect(invoices.at(-1)?.ending_balance ?? 0).toBe(customer.balance);
    }
    const renewals = [...world.tables.invoice.values()].flatMap((invoice) =>
      invoice.lines.data
        .filter((line) => line.parent?.subscription_item_details?.proration === false && line.amount > 0)
        .map(
          (line) =>
            `${line.parent?.subscription_item_details?.subscription_item ?? ''}:${line.period.start}:${line.period.end}`,
        ),
    );
    expect(new Set(renewals).size).toBe(renewals.length);
    expect(renewals.length).toBeGreaterThan(100);
  });

  it('are the same from the same seed', () => {
    const events = (): string => JSON.stringify([...lives(9, 10).world.events.values()]);
    expect(events()).toBe(events());
  });
});

describe('a step', () => {
  it('that refuses has changed nothing', () => {
    const sandbox = new Sandbox(new World(1, start, 'http://sandbox'), program);
    const customer = call(sandbox, 'POST', '/v1/customers', 'name=a')['id'];
    const events = sandbox.world.events.size;
    expect(
      call(sandbox, 'POST', '/v1/payment_intents', `amount=2000&currency=usd&customer=${String(customer)}&nonsense=1`)[
        'http'
      ],
    ).toBe(400);
    expect(sandbox.world.tables.payment_intent.size).toBe(0);
    expect(sandbox.world.events.size).toBe(events);
  });
});

import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { instantOf, type Instant } from '#kernel/instant.js';
import { consume } from '../../../test/support/ledger/account-commands.js';
import { catalog } from '../../../test/support/ledger/catalog.js';
import { InboxWorld } from '../../../test/support/worlds/inbox-world.js';
import { permutations } from '../../../test/support/permutations.js';
import { stripeEvent, type StripeEventBody, type StripeFixture } from '../../../test/support/stripe/events.js';

const second = (date: number, month = 10): number => Date.UTC(2026, month - 1, date) / 1000;
const at = (date: number, month = 10): Instant => instantOf(second(date, month) * 1000);
const yearsEnd = Date.UTC(2027, 9, 1) / 1000;

/** What Stripe reports of a subscription that pays in one currency. `unit`: how many of its smallest units each amount stands for. */
class Reports {
  #last = 0;

  constructor(
    private readonly currency: string,
    private readonly unit: number,
  ) {}

  #report(name: StripeFixture, created: number, change: Record<string, unknown>): StripeEventBody {
    this.#last += 1;
    const id = `evt_${String(this.#last).padStart(3, '0')}`;
    return stripeEvent(name, { id, created }, { currency: this.currency, created, ...change });
  }

  /** Whose the subscription is. */
  customer(): StripeEventBody {
    return stripeEvent('checkout.session.completed.subscription.endive', { id: 'evt_000' });
  }

  invoice(id: string, since: number, lines: readonly Line[], more: Record<string, unknown> = {}): StripeEventBody {
    const total = lines.reduce((sum, { amount }) => sum + amount, 0) * this.unit;
    const paid = {
      total,
      subtotal: total,
      amount_paid: Math.max(0, total),
      amount_due: Math.max(0, total),
      total_taxes: [],
      payments: null,
    };
    const data = lines.map((line) => this.#line(line));
    return this.#report('invoice.paid.endive', since, {
      ...{ id, ...paid, total_discount_amounts: [], total_pretax_credit_amounts: [] },
      ...{ lines: { object: 'list', data, has_more: false }, ...more },
    });
  }

  #line({ id, price, amount, from = second(1), to, proration = false }: Line): object {
    const own = { invoice_item: null, proration, subscription: 'sub_1' };
    return {
      ...{ id, object: 'line_item', amount: amount * this.unit, currency: this.currency, quantity: 1 },
      period: { start: from, end: to },
      parent: { type: 'subscription_item_details', subscription_item_details: { ...own, subscription_item: 'si_1' } },
      pricing: price === null ? null : { price_details: { price, product: 'prod_1' } },
    };
  }

  /** By which intent an invoice was paid. */
  payment(invoice: string, intent: string): StripeEventBody {
    const payment = { type: 'payment_intent', payment_intent: intent };
    return this.#report('invoice_payment.paid.endive', second(1), { id: `inpay_${intent}`, invoice, payment });
  }

  refund(id: string, intent: string, amount: number, created: number, status = 'succeeded'): StripeEventBody {
    const change = { id, payment_intent: intent, charge: `ch_${intent}`, amount: amount * this.unit, status };
    return this.#report('refund.updated.endive', created, change);
  }

  dispute(amount: number, created: number, status: string): StripeEventBody {
    const of = { id: 'du_1', payment_intent: 'pi_1', charge: 'ch_pi_1', balance_transactions: [] };
    return this.#report('charge.dispute.updated.endive', created, { ...of, amount: amount * this.unit, status });
  }

  note(id: string, invoice: string, created: number, line: string, amount: number): StripeEventBody {
    const money = amount * this.unit;
    const own = { id: `${id}_1`, type: 'invoice_line_item', invoice_line_item: line, amount: money };
    return this.#report('credit_note.created.endive', created, {
      ...{ id, invoice, amount: money, total: money, subtotal: money, post_payment_amount: money, refunds: [] },
      lines: { object: 'list', data: [own], has_more: false },
    });
  }

  deleted(ended_at: number): StripeEventBody {
    return this.#report('customer.subscription.deleted.endive', ended_at, { ended_at, created: second(1) });
  }
}

type Line = {
  readonly id: string;
  readonly price: 'price_starter_month' | 'price_starter_year' | 'price_big_month' | null;
  readonly amount: number;
  readonly from?: number;
  readonly to: number;
  readonly proration?: boolean;
};
const month: Line = { id: 'il_1', price: 'price_starter_month', amount: 200, to: second(1, 11) };
const year: Line = { id: 'il_1', price: 'price_starter_year', amount: 2400, to: yearsEnd };
const big: Line = { ...month, price: 'price_big_month', amount: 800 };
/** From the sixteenth on, in the middle of a month of 30 days. */
const november = (line: Line): Line => ({ ...line, from: second(1, 11), to: second(1, 12) });
const rest = (line: Line, id: string, amount: number): Line => ({
  ...november(line),
  ...{ id, amount, from: second(16, 11), proration: true },
});

const [free, starter] = catalog.plans;
const policy = { trialCredits: 0, rolloverCap: 0, downgradeClawback: true } as const;
/** `big` gives 2,000 credits a month, `starter` 500. */
const wanted = (rolloverCap: number) => ({
  ...catalog,
  plans: [
    free!,
    { ...starter!, policy: { ...policy, rolloverCap } },
    {
      ...starter!,
      ...{ id: 'big', creditsPerMonth: 2000, yearly: null, policy: { ...policy, rolloverCap } },
      monthly: { money: { amount: 8000, currency: 'usd' }, stripePriceId: 'price_big_month' },
    },
  ],
});

/** What is used, and when; what is paid; and what is reported of it later, in any order and at any time from `since` on. */
type Scene = {
  readonly paid: readonly StripeEventBody[];
  readonly uses: readonly (readonly [Instant, number])[];
  readonly back: readonly StripeEventBody[];
  readonly since: Instant;
  readonly rolloverCap?: number;
  /** `available held debt`, at `since`, or once all is paid. */
  readonly seen: string;
  /** The same on 20 January. */
  readonly ends: string;
};

const scenes: { readonly [name: string]: (says: Reports) => Scene } = {
  'a year partly refunded before it is cancelled, and after': (says) => ({
    paid: [says.invoice('in_1', second(1), [year]), says.payment('in_1', 'pi_1')],
    uses: [
      [at(2), 500],
      [at(2, 11), 500],
      [at(2, 12), 500],
    ],
    back: [
      says.refund('re_1', 'pi_1', 600, second(19, 12)),
      says.deleted(second(20, 12)),
      says.refund('re_2', 'pi_1', 1200, second(21, 12)),
    ],
    since: at(21, 12),
    seen: '0 0 0',
    ends: '0 0 0',
  }),
  'a dispute after the credits expired, that is won late': (says) => ({
    paid: [says.invoice('in_1', second(1), [month]), says.payment('in_1', 'pi_1')],
    uses: [[at(2), 200]],
    back: [
      says.dispute(200, second(3, 11), 'needs_response'),
      says.dispute(200, second(3, 11), 'lost'),
      says.dispute(200, second(3, 11), 'won'),
    ],
    since: at(3, 11),
    seen: '0 0 0',
    ends: '0 0 0',
  }),
  'a refund, and then a dispute of the same charge': (says) => ({
    paid: [says.invoice('in_1', second(1), [month]), says.payment('in_1', 'pi_1')],
    uses: [[at(2), 200]],
    back: [
      says.refund('re_1', 'pi_1', 50, second(3)),
      says.dispute(150, second(4), 'needs_response'),
      says.dispute(150, second(4), 'lost'),
    ],
    since: at(4),
    seen: '0 0 200',
    ends: '0 0 200',
  }),
  'a refund that fails after another one': (says) => ({
    paid: [says.invoice('in_1', second(1), [month]), says.payment('in_1', 'pi_1')],
    uses: [[at(2), 300]],
    back: [
      says.refund('re_1', 'pi_1', 100, second(3), 'pending'),
      says.refund('re_2', 'pi_1', 50, second(4)),
      says.refund('re_1', 'pi_1', 100, second(3), 'failed'),
    ],
    since: at(4),
    seen: '75 0 0',
    ends: '0 0 0',
  }),
  'a refund of each invoice of an upgrade': (says) => ({
    paid: [
      says.invoice('in_1', second(1, 11), [november(month)]),
      says.payment('in_1', 'pi_1'),
      says.invoice('in_2', second(16, 11), [rest(month, 'il_2', -100), rest(big, 'il_3', 400)]),
      says.payment('in_2', 'pi_2'),
    ],
    uses: [[at(17, 11), 200]],
    back: [says.refund('re_1', 'pi_1', 100, second(18, 11)), says.refund('re_2', 'pi_2', 150, second(18, 11))],
    since: at(18, 11),
    seen: '425 0 0',
    ends: '0 0 0',
  }),
  'a downgrade, and a refund of what was paid': (says) => ({
    paid: [says.invoice('in_1', second(1, 11), [november(big)]), says.payment('in_1', 'pi_1')],
    uses: [[at(2, 11), 700]],
    back: [
      says.invoice('in_2', second(16, 11), [rest(big, 'il_2', -400), rest(month, 'il_3', 100)]),
      says.refund('re_1', 'pi_1', 400, second(18, 11)),
      says.refund('re_2', 'pi_1', 200, second(19, 11)),
    ],
    since: at(19, 11),
    // 1,500 of 2,000 are claimed: 1,300 unspent ones and 200 that were spent.
    seen: '0 0 200',
    ends: '0 0 200',
  }),
  'a part of the balance, and credit notes on a fee and the plan': (says) => ({
    paid: [
      says.invoice('in_1', second(1), [{ ...month, id: 'il_fee', price: null, amount: 100 }, month], {
        starting_balance: -10,
      }),
      says.payment('in_1', 'pi_1'),
    ],
    uses: [[at(2), 450]],
    back: [
      says.note('cn_1', 'in_1', second(3), 'il_fee', 100),
      says.note('cn_2', 'in_1', second(4), 'il_1', 40),
      says.refund('re_1', 'pi_1', 30, second(5)),
    ],
    since: at(5),
    // 100 by the plan's line, and 30 of the 160 that are left for the other 400; 50 are unspent.
    seen: '0 0 125',
    ends: '0 0 125',
  }),
  'a refund of all that a note on another line left': (says) => ({
    paid: [
      says.invoice('in_1', second(1), [month, { ...month, id: 'il_fee', price: null, amount: 100 }]),
      says.payment('in_1', 'pi_1'),
    ],
    uses: [[at(2), 450]],
    back: [
      says.refund('re_1', 'pi_1', 20, second(3)),
      says.note('cn_1', 'in_1', second(4), 'il_fee', 100),
      says.refund('re_2', 'pi_1', 180, second(5)),
    ],
    since: at(5),
    // All the money is back, so all that was used is owed.
    seen: '0 0 450',
    ends: '0 0 450',
  }),
  'an intent that is linked to two invoices, and a refund': (says) => ({
    paid: [
      says.invoice('in_1', second(1), [month]),
      says.invoice('in_2', second(1, 11), [{ ...november(month), to: second(1, 2) + 31_536_000 }]),
    ],
    uses: [[at(2), 100]],
    back: [says.payment('in_1', 'pi_1'), says.payment('in_2', 'pi_1'), says.refund('re_1', 'pi_1', 100, second(2, 11))],
    since: at(2, 11),
    // 250 of the first one's, which had expired.
    seen: '500 0 0',
    ends: '500 0 0',
  }),
  'an invoice paid out of band, and a credit note': (says) => ({
    paid: [says.invoice('in_1', second(1), [month], { paid_out_of_band: true, amount_paid: 200 })],
    uses: [[at(2), 450]],
    back: [says.note('cn_1', 'in_1', second(3), 'il_1', 40), says.deleted(second(20))],
    since: at(20),
    seen: '0 0 50',
    ends: '0 0 50',
  }),
  'a refund of a month whose credits went on': (says) => ({
    paid: [
      says.invoice('in_1', second(1), [month]),
      says.payment('in_1', 'pi_1'),
      says.invoice('in_2', second(1, 11), [{ ...november(month), to: second(1, 2) + 31_536_000 }]),
    ],
    uses: [[at(2), 100]],
    back: [says.refund('re_1', 'pi_1', 100, second(20)), says.refund('re_2', 'pi_1', 20, second(21))],
    since: at(21),
    rolloverCap: 400,
    // 300 of 500 are claimed, 100 used: 100 go on beside 500.
    seen: '600 0 0',
    ends: '600 0 0',
  }),
};

type Report = { readonly when: Instant; readonly body: StripeEventBody };

/** The balance at `until`. */
async function endOf(
  { uses, rolloverCap = 0 }: Scene,
  says: Reports,
  reports: readonly Report[],
  until = at(20, 13),
): Promise<string> {
  const world = new InboxWorld();
  world.clock.set(at(1));
  await world.applyCatalog(wanted(rolloverCap));
  await world.deliver(says.customer());
  const steps = [
    ...reports.map(({ when, body }) => ({ when, act: () => world.deliver(body) })),
    ...uses.map(([when, amount]) => ({ when, act: () => world.run(consume(amount)) })),
    { when: until, act: () => world.run({ type: 'RecordDue' }) },
  ].toSorted((a, b) => (a.when < b.when ? -1 : a.when > b.when ? 1 : 0));
  for (const { when, act } of steps) {
    world.clock.set(when);
    await act();
    await world.drain();
  }
  const { balance, waiting } = await world.ledger();
  expect(waiting).toEqual([]);
  return `${String(balance.available)} ${String(balance.held)} ${String(balance.debt)}`;
}

const timely = (body: StripeEventBody): Report => ({ when: instantOf(body.created * 1000), body });
const later = (since: Instant): readonly Instant[] => [
  since,
  ...[at(25), at(2, 11), at(25, 11), at(3, 12), at(26, 12), at(2, 13)].filter((when) => when > since),
];
const currencies = [
  ['usd', 100],
  ['jpy', 1],
  ['kwd', 1000],
] as const;

describe.each(Object.entries(scenes))('%s', (_name, sceneOf) => {
  test.each(currencies)('ends as it must in %s, in any order, also repeated and late', async (currency, unit) => {
    const says = new Reports(currency, unit);
    const scene = sceneOf(says);
    const { paid, back, since, seen, ends } = scene;
    const inTime = paid.map(timely);
    expect(await endOf(scene, says, [...inTime, ...back.map(timely)])).toBe(ends);
    for (const order of permutations(back)) {
      const reports = [...inTime, ...order.map((body) => ({ when: since, body }))];
      expect(await endOf(scene, says, reports, since)).toBe(seen);
      expect(await endOf(scene, says, reports)).toBe(ends);
    }
    const again = [...back, ...back.map((body) => ({ ...body, id: `${body.id}_again` })), ...paid];
    const times = fc.array(fc.constantFrom(...later(since)), { minLength: again.length, maxLength: again.length });
    for (const each of fc.sample(times, { numRuns: 12, seed: unit })) {
      const late = again.map((body, index) => ({ when: each[index] ?? since, body }));
      expect(await endOf(scene, says, [...inTime, ...late])).toBe(ends);
    }
  });
});

test('a year that ended before its payment is reported, and is refunded, ends the same in any order', async () => {
  const says = new Reports('usd', 100);
  const reports = [
    says.invoice('in_1', second(1), [year]),
    says.payment('in_1', 'pi_1'),
    says.deleted(second(5)),
    says.refund('re_1', 'pi_1', 2300, second(6)),
    says.refund('re_2', 'pi_1', 50, second(7)),
  ];
  const scene = { paid: [], back: [], uses: [], since: at(8), seen: '', ends: '' };
  const ends = new Set<string>();
  for (const order of permutations(reports))
    ends.add(
      await endOf(
        scene,
        says,
        order.map((body) => ({ when: at(8), body })),
      ),
    );
  expect([...ends]).toEqual(['0 0 0']);
});

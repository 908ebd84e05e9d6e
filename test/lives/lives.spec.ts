import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import { catalogDecider } from '#ledger/catalog.js';
import { invoiceDecider } from '#ledger/invoice.js';
import { paymentDecider } from '#ledger/payment/payment.js';
import { stripeEventDecider } from '#ledger/stripe/event.js';
import { subscriptionDecider } from '#ledger/subscription/subscription.js';
import type { KnownToLedger } from '#stripe/reconciliation/stages.js';
import { translatedTypes } from '#stripe/translations/registry.js';
import { audit } from './audit/audit.js';
import { booksOf } from './books/books.js';
import type { LedgerView } from './audit/ledger-view.js';
import { live } from './story/life.js';
import { kinds } from './story/kinds.js';
import { openMarket } from './story/market.js';
import { differencesOf } from './audit/reconciled.js';

const run = promisify(execFile);
const LIVES = 90;

type Figures = {
  readonly lives: number;
  readonly webhooks: number;
  readonly failed: number;
  readonly kinds: Record<string, number>;
};

/** In a process of its own, as `npm run lives` does: jest's modules make every promise dearer. Throws with the output where it fails. */
async function lives(...options: readonly string[]): Promise<Figures> {
  const loader = ['--conditions=source', '--import', './test/support/run-typescript.mjs'];
  const { stdout } = await run(process.execPath, [...loader, 'test/lives/main.ts', '--json', ...options], {
    maxBuffer: 1 << 26,
  }).catch((error: unknown) => {
    // A failing life is named and shrunk in the output; it plays again with: npm run lives -- --seed N
    throw new Error((error as { stdout: string }).stdout, { cause: error });
  });
  return JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as Figures;
}

test(`two years of ${String(LIVES)} random customers: every cent has its credits or its reason`, async () => {
  const figures = await lives('--lives', String(LIVES));
  expect(figures).toMatchObject({ lives: LIVES, failed: 0 });
  expect(figures.webhooks).toBeGreaterThan(100 * LIVES);
  expect(Object.keys(figures.kinds)).toEqual(kinds);
  expect(kinds.filter((kind) => figures.kinds[kind] === 0)).toEqual([]);
}, 900_000);

const start = Date.UTC(2026, 0, 1) / 1000;
const year = { start, end: start + 365 * 86_400, types: translatedTypes };

test('a life follows from its seed alone', () => {
  const printed = (): unknown => {
    const { story, arrivals, lost, consumptions } = live(17, openMarket(start), year);
    return { story, arrivals, lost, consumptions };
  };
  expect(printed()).toEqual(printed());
});

describe('the audit', () => {
  const market = openMarket(start);
  const lived = live(2, market, year);
  const books = booksOf(lived, market);
  const nothing: LedgerView = {
    grants: [],
    payments: [],
    invoices: [],
    subscriptions: [],
    account: null,
    planInForce: null,
    events: [],
    asOf: '2027-01-01T00:00:00.000Z',
  };

  test('misses whatever a ledger without anything has not', () => {
    const faults = audit(lived, market, books, nothing, 0).join('\n');
    for (const { reference } of books.grants.filter(({ optional }) => !optional)) expect(faults).toContain(reference);
    for (const { id } of books.payments.values()) expect(faults).toContain(`payment ${id} is`);
    for (const { id } of lived.stripe.all('invoice')) expect(faults).toContain(`invoice ${id} is`);
    for (const { id } of lived.stripe.all('subscription')) expect(faults).toContain(`subscription ${id} is`);
  });

  test('finds a grant that nobody paid for, and one that is a credit or a cent out', () => {
    const due = books.grants.find(({ why }) => why === 'pack')!;
    const grant = {
      id: 'gr_1',
      source: 'purchase',
      reference: due.reference,
      description: null,
      term: null,
      amount: due.amount,
      cost: due.cost,
      currency: 'jpy',
      ...{ free: due.amount, held: 0, consumed: 0, expired: 0, revoked: 0, repaid: 0 },
      createdAt: new Date((due.endsAt ?? start) * 1000 - 80 * 86_400_000).toISOString(),
      effectiveAt: new Date((due.endsAt ?? start) * 1000 - 80 * 86_400_000).toISOString(),
      expiresAt: due.endsAt === null ? null : new Date(due.endsAt * 1000).toISOString(),
    };
    const reasons = (change: Partial<typeof grant>, times = 1): number =>
      audit(lived, market, books, { ...nothing, grants: Array(times).fill({ ...grant, ...change }) }, 0).filter(
        (text) => text.startsWith('a grant without a reason'),
      ).length;
    expect(reasons({})).toBe(0);
    expect(reasons({}, 2)).toBe(1);
    expect(reasons({ amount: due.amount + 1 })).toBe(1);
    expect(reasons({ cost: (due.cost ?? 0) - 1 })).toBe(1);
    expect(reasons({ reference: 'pi_other' })).toBe(1);
    expect(reasons({ expiresAt: '2030-01-01T00:00:00.000Z' })).toBe(1);
  });
});

test('the comparison with Stripe misses whatever a ledger without anything has not', async () => {
  const market = openMarket(start);
  const lived = live(2, market, year);
  const initial = <State>(decider: { initial(stream: string): State }) => Promise.resolve(decider.initial('x-1'));
  const nothing: KnownToLedger = {
    stripeEvent: () => initial(stripeEventDecider),
    payment: () => initial(paymentDecider),
    invoice: () => initial(invoiceDecider),
    subscription: () => initial(subscriptionDecider),
    catalog: () => initial(catalogDecider),
    isLinked: () => Promise.resolve(true),
  };
  const found = (await differencesOf(lived, nothing)).join('\n');
  for (const kind of ['invoice', 'subscription', 'refund', 'dispute'] as const)
    for (const { id } of lived.stripe.all(kind)) expect(found).toContain(`"${kind}_missing","id":"${id}"`);
});

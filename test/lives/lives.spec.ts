import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import { catalogDecider } from '#ledger/catalog.js';
import { invoiceDecider } from '#ledger/invoice.js';
import { paymentDecider } from '#ledger/payment.js';
import { stripeEventDecider } from '#ledger/stripe-event.js';
import { subscriptionDecider } from '#ledger/subscription.js';
import type { KnownToLedger } from '#stripe/reconcile-stages.js';
import { translatedTypes } from '#stripe/translate.js';
import { audit } from './audit.js';
import { booksOf } from './books.js';
import type { LedgerView } from './ledger-view.js';
import { live } from './life.js';
import { openMarket } from './market.js';
import { differencesOf } from './reconciled.js';

const run = promisify(execFile);
const LIVES = 200;

/** In a process of its own, as `npm run lives` does: jest's modules make every promise dearer. */
async function lives(from: number, count: number): Promise<string> {
  const loader = ['--conditions=source', '--import', './test/support/run-typescript.mjs'];
  const counts = ['--from', String(from), '--lives', String(count), '--together', String(count)];
  const { stdout } = await run(process.execPath, [...loader, 'test/lives/main.ts', ...counts], {
    maxBuffer: 1 << 26,
  }).catch((error: { stdout: string }) => error);
  return stdout;
}

test(`two years of ${String(LIVES)} random customers: every cent has its credits or its reason`, async () => {
  const outputs = await Promise.all([lives(1, LIVES / 2), lives(1 + LIVES / 2, LIVES / 2)]);
  // A failing life is named and shrunk in the output; it plays again with: npm run lives -- --seed N
  for (const output of outputs) expect(output).toMatch(/every cent has its credits or its reason/);
}, 900_000);

const start = Date.UTC(2026, 0, 1) / 1000;
const year = { start, end: start + 365 * 86_400, types: translatedTypes };

test('a life follows from its seed alone', () => {
  const told = (): unknown => {
    const { story, arrivals, lost, consumptions } = live(17, openMarket(start), year);
    return { story, arrivals, lost, consumptions };
  };
  expect(told()).toEqual(told());
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
    events: [],
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
      amount: due.amount,
      cost: due.cost,
      currency: 'jpy',
      ...{ free: due.amount, held: 0, consumed: 0, expired: 0, revoked: 0, repaid: 0 },
      createdAt: new Date((due.endsAt ?? start) * 1000 - 80 * 86_400_000).toISOString(),
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

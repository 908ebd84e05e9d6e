import { describe, expect, test } from '@jest/globals';
import { InMemoryEventStore } from '#event-store/adapters/in-memory.js';
import { StoreUnavailable, type AppendRequest, type AppendResult } from '#event-store/event-store.js';
import type { Instant } from '#kernel/instant.js';
import type { DueAllowance } from '#projections/due-allowances.js';
import type { LapsedSubscription } from '#projections/subscriptions-queries.js';
import type { DueAccount } from '#projections/due-accounts.js';
import { catalog } from '../../test/support/catalog.js';
import { ManualClock } from '../../test/support/manual-clock.js';
import { Agenda } from './agenda.js';
import { ledgerHandlers, TryAgainLater } from './ledger-handlers.js';
import { Scheduler } from './scheduler.js';
import { grant } from '../../test/support/account-commands.js';

const by = {
  origin: 'cli',
  actor: 'cli',
  causationId: null,
  correlationId: 'test',
  fingerprint: null,
  key: null,
} as const;
const signal = new AbortController().signal;

/** An agenda that lags for ever: it lists the same again and again. */
class FixedAgenda extends Agenda {
  dueAccounts: readonly DueAccount[] = [];
  dueAllowances: readonly DueAllowance[] = [];
  lapsedSubscriptions: readonly LapsedSubscription[] = [];

  override accounts(_now: Instant, after: DueAccount | null): Promise<readonly DueAccount[]> {
    return Promise.resolve(after === null ? this.dueAccounts : []);
  }

  override allowances(_now: Instant, after: DueAllowance | null): Promise<readonly DueAllowance[]> {
    return Promise.resolve(after === null ? this.dueAllowances : []);
  }

  override lapsed(_now: Instant, after: LapsedSubscription | null): Promise<readonly LapsedSubscription[]> {
    return Promise.resolve(after === null ? this.lapsedSubscriptions : []);
  }
}

/** A store in which other processes are always first to write some stream, or that does not take it. */
class TroubledStore extends InMemoryEventStore {
  contended = '';
  away = '';

  override append(request: AppendRequest): Promise<AppendResult> {
    const { stream, expectedRevision } = request;
    if (stream === this.contended) return Promise.resolve({ kind: 'conflict', actualRevision: expectedRevision });
    if (stream === this.away) return Promise.reject(new StoreUnavailable('away'));
    return super.append(request);
  }
}

async function world() {
  const store = new TroubledStore();
  const clock = new ManualClock(Date.parse('2026-11-20T00:00:00.000Z'));
  const agenda = new FixedAgenda();
  const reports: string[] = [];
  const make = () => {
    const handlers = ledgerHandlers({ store, snapshots: null, keys: null, clock });
    const report = ({ problem }: { problem: string }) => reports.push(problem);
    return { handlers, scheduler: new Scheduler({ handlers, agenda, clock, report }) };
  };
  const { handlers, scheduler } = make();
  await handlers.catalog.execute({ ...by, stream: 'catalog', command: { type: 'ApplyCatalog', catalog } });
  const grantsOf = async (customer: string) => {
    const { state } = await handlers.account.load(`account-${customer}`);
    return [...state.grants.values()].map(({ amount, source, expiresAt, costBasis }) => ({
      amount,
      source,
      expiresAt,
      cost: costBasis?.amount ?? null,
    }));
  };
  return { store, clock, agenda, handlers, scheduler, second: make().scheduler, grantsOf, reports };
}

const free: DueAllowance = {
  id: 'free:acme',
  nextAt: '2026-09-01T00:00:00.000Z',
  customerId: 'acme',
  planId: 'free',
  subscriptionId: 'free_acme',
  paid: null,
};
const yearly = (index: number): DueAllowance => ({
  id: 'paid:si_1:1',
  nextAt: '2026-02-28T10:30:00.000Z',
  customerId: 'acme',
  planId: 'starter',
  subscriptionId: 'sub_1',
  paid: {
    period: 'si_1:1',
    index,
    periodStart: '2026-01-31T10:30:00.000Z',
    periodEnd: '2027-01-31T10:30:00.000Z',
    fewer: [],
    creditsPerMonth: 500,
    cost: { amount: 20000, currency: 'usd' },
    invoiceId: 'in_1',
    rolloverCap: 0,
  },
});

describe('the scheduler', () => {
  test('gives the present month of a free plan once, however often and by however many, and no month that has passed', async () => {
    const { agenda, scheduler, second, grantsOf, clock } = await world();
    agenda.dueAllowances = [free];
    await Promise.all([scheduler.runOnce(signal), second.runOnce(signal)]);
    await scheduler.runOnce(signal);
    const november = { amount: 100, source: 'free_tier', expiresAt: '2026-12-01T00:00:00.000Z', cost: null };
    expect(await grantsOf('acme')).toEqual([november]);
    clock.set('2026-12-01T00:00:00.000Z');
    await second.runOnce(signal);
    expect(await grantsOf('acme')).toEqual([november, { ...november, expiresAt: '2027-01-01T00:00:00.000Z' }]);
  });

  test('gives nothing for a plan that is not free or not known', async () => {
    const { agenda, scheduler, grantsOf } = await world();
    agenda.dueAllowances = [
      { ...free, planId: 'starter' },
      { ...free, id: 'other', planId: 'gone' },
    ];
    await scheduler.runOnce(signal);
    expect(await grantsOf('acme')).toEqual([]);
  });

  test('gives a month of a yearly period once, with its share of the price; a late one until the next anniversary', async () => {
    const { agenda, scheduler, grantsOf } = await world();
    agenda.dueAllowances = [yearly(9)];
    await scheduler.runOnce(signal);
    await scheduler.runOnce(signal);
    expect(await grantsOf('acme')).toEqual([
      { amount: 500, source: 'subscription', expiresAt: '2026-11-30T10:30:00.000Z', cost: 1667 },
    ]);
    agenda.dueAllowances = [yearly(1)];
    await scheduler.runOnce(signal);
    expect((await grantsOf('acme'))[1]).toEqual({
      amount: 500,
      source: 'subscription',
      expiresAt: '2026-11-30T10:30:00.000Z',
      cost: 1666,
    });
  });

  test('gives all months at once that came due while no worker ran, none before its time', async () => {
    const { agenda, scheduler, grantsOf } = await world();
    agenda.dueAllowances = [yearly(1)];
    await scheduler.runOnce(signal);
    const grants = await grantsOf('acme');
    expect(grants.map(({ cost }) => cost)).toEqual([1666, 1667, 1667, 1666, 1667, 1667, 1666, 1667, 1667]);
    expect(new Set(grants.map(({ expiresAt }) => expiresAt))).toEqual(new Set(['2026-11-30T10:30:00.000Z']));
    await scheduler.runOnce(signal);
    expect(await grantsOf('acme')).toHaveLength(9);
  });

  test('takes along what is unspent of the month before, up to the cap that was agreed', async () => {
    const { agenda, scheduler, grantsOf, clock } = await world();
    const tenth = yearly(9);
    const capped = (due: DueAllowance): DueAllowance => ({
      ...due,
      paid: due.paid && { ...due.paid, rolloverCap: 120 },
    });
    agenda.dueAllowances = [capped(tenth)];
    await scheduler.runOnce(signal);
    clock.set('2026-11-30T10:30:00.000Z');
    agenda.dueAllowances = [capped(yearly(10))];
    await scheduler.runOnce(signal);
    expect(await grantsOf('acme')).toEqual([
      { amount: 500, source: 'subscription', expiresAt: '2026-11-30T10:30:00.000Z', cost: 1667 },
      { amount: 500, source: 'subscription', expiresAt: '2026-12-31T10:30:00.000Z', cost: 1666 },
      { amount: 120, source: 'subscription', expiresAt: '2026-12-31T10:30:00.000Z', cost: null },
    ]);
  });

  test('puts whose days of grace are over on the free plan, once', async () => {
    const { agenda, scheduler, second, handlers } = await world();
    agenda.lapsedSubscriptions = [{ id: 'sub_1', customerId: 'acme', lapsesFrom: '2026-11-01T00:00:00.000Z' }];
    await Promise.all([scheduler.runOnce(signal), second.runOnce(signal)]);
    const { state, revision } = await handlers.subscription.load('subscription-free_acme');
    expect([state.freePlanId, revision]).toEqual(['free', 0]);
  });

  test('records an expiry once, and one account in trouble does not keep the others waiting', async () => {
    const { agenda, scheduler, second, handlers, clock, reports } = await world();
    const lapsing = grant(7, { source: 'promotion', expiresAt: '2026-11-21T00:00:00.000Z' });
    await handlers.account.execute({ ...by, stream: 'account-acme', command: lapsing });
    clock.set('2026-11-21T00:00:00.000Z');
    agenda.dueAccounts = [
      { stream: 'no-account', dueAt: '' },
      { stream: 'account-acme', dueAt: '' },
    ];
    await Promise.all([scheduler.runOnce(signal), second.runOnce(signal)]);
    const { state, revision } = await handlers.account.load('account-acme');
    expect(state.balance.available).toBe(0);
    expect(revision).toBe(2);
    expect(reports).toHaveLength(2);
  });

  test('goes on past an account that others keep writing; ends its pass when the store is away', async () => {
    const { store, agenda, scheduler, grantsOf, reports } = await world();
    const names = Array.from({ length: 40 }, (_, n) => `acme-${String(n)}`);
    agenda.dueAllowances = names.map((customerId) => ({ ...free, id: `free:${customerId}`, customerId }));
    store.contended = 'account-acme-0';
    await scheduler.runOnce(signal);
    const given = await Promise.all(names.map(async (name) => (await grantsOf(name)).length));
    expect(given).toEqual(names.map((_, n) => (n === 0 ? 0 : 1)));
    expect(reports).toEqual([expect.stringContaining('conflict')]);
    store.away = store.contended;
    store.contended = '';
    await expect(scheduler.runOnce(signal)).rejects.toThrow(TryAgainLater);
    store.away = '';
    await scheduler.runOnce(signal);
    expect(await grantsOf('acme-0')).toHaveLength(1);
  });

  test('leaves an account alone for a while that refuses its allowance', async () => {
    const { agenda, scheduler, handlers, grantsOf, clock } = await world();
    await handlers.account.execute({ ...by, stream: 'account-acme', command: grant(1, { source: 'promotion' }) });
    await handlers.account.execute({ ...by, stream: 'account-acme', command: { type: 'FreezeAccount', reason: 'x' } });
    agenda.dueAllowances = [free];
    await scheduler.runOnce(signal);
    const frozen = (await grantsOf('acme')).length;
    await handlers.account.execute({
      ...by,
      stream: 'account-acme',
      command: { type: 'UnfreezeAccount', reason: 'x' },
    });
    await scheduler.runOnce(signal);
    expect((await grantsOf('acme')).length).toBe(frozen);
    await clock.sleep(300_001);
    await scheduler.runOnce(signal);
    expect((await grantsOf('acme')).length).toBe(2);
  });
});

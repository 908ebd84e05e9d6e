import { describe, expect, test } from '@jest/globals';
import { ledgerHandlers } from '#composition/ledger-handlers.js';
import { InMemoryEventStore } from '#event-store/in-memory.js';
import { StoreUnavailable, type AppendRequest, type AppendResult } from '#event-store/port/event-store.js';
import type { Instant } from '#kernel/instant.js';
import type { DueAllowance } from '#projections/allowances/due-allowances.js';
import type { LapsedSubscription } from '#projections/subscriptions/queries.js';
import type { DueAccount } from '#projections/balances/due-accounts.js';
import { accountAt } from '#ledger/account/at.js';
import { catalog } from '../../../test/support/ledger/catalog.js';
import { ManualClock } from '../../../test/support/worlds/manual-clock.js';
import { DueWork } from './due-work.js';
import { TryAgainLater } from '../outcomes.js';
import { Scheduler } from './scheduler.js';
import { grant } from '../../../test/support/ledger/account-commands.js';

const by = {
  origin: 'cli',
  actor: 'cli',
  causationId: null,
  correlationId: 'test',
  fingerprint: null,
  key: null,
} as const;
const signal = new AbortController().signal;

/** A list of due work that lags for ever: it names the same again and again. */
class FixedDueWork extends DueWork {
  dueAccounts: readonly DueAccount[] = [];
  dueAllowances: readonly DueAllowance[] = [];
  lapsedSubscriptions: readonly LapsedSubscription[] = [];

  override accounts(_now: Instant, after: DueAccount | null): Promise<readonly DueAccount[]> {
    return Promise.resolve(after === null ? this.dueAccounts : []);
  }

  override allowances(_now: Instant, _credits: unknown, after: DueAllowance | null): Promise<readonly DueAllowance[]> {
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
  const dueWork = new FixedDueWork();
  const reports: string[] = [];
  const make = () => {
    const handlers = ledgerHandlers({ store, snapshots: null, keys: null, clock });
    const report = ({ problem }: { problem: string }) => reports.push(problem);
    return { handlers, scheduler: new Scheduler({ handlers, dueWork, clock, report }) };
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
  return { store, clock, dueWork, handlers, scheduler, second: make().scheduler, grantsOf, reports };
}

const [october, november, december, january] = [
  '2026-10-01T00:00:00.000Z',
  '2026-11-01T00:00:00.000Z',
  '2026-12-01T00:00:00.000Z',
  '2027-01-01T00:00:00.000Z',
];
const month = (start: Instant, end: Instant, isFree = true) => ({ start, end, isFree });
const free: DueAllowance = {
  id: 'free:acme',
  customerId: 'acme',
  planId: 'free',
  subscriptionId: 'free_acme',
  months: [month(november, december), month(december, january)],
};
const given = (expiresAt: Instant, amount = 100) => ({ amount, source: 'free_tier', expiresAt, cost: null });

describe('the scheduler', () => {
  test('gives the present month of a free plan and the next, once, however often and by however many, and none that has passed', async () => {
    const { dueWork, scheduler, second, grantsOf, handlers } = await world();
    dueWork.dueAllowances = [{ ...free, months: [month(october, november), ...free.months] }];
    await Promise.all([scheduler.runOnce(signal), second.runOnce(signal)]);
    await scheduler.runOnce(signal);
    expect(await grantsOf('acme')).toEqual([given(december), given(january)]);
    const { state } = await handlers.account.load('account-acme');
    expect(accountAt(state, '2026-11-30T23:59:59.999Z').balance.available).toBe(100);
    // The turn of the month, whatever the worker does.
    expect(accountAt(state, december).balance.available).toBe(100);
  });

  test('gives nothing for a plan that is not free or not known', async () => {
    const { dueWork, scheduler, grantsOf } = await world();
    dueWork.dueAllowances = [
      { ...free, planId: 'starter' },
      { ...free, id: 'other', planId: 'gone' },
    ];
    await scheduler.runOnce(signal);
    expect(await grantsOf('acme')).toEqual([]);
  });

  test('withdraws a month that a subscription will be in force for, and gives it again; never one that has begun', async () => {
    const { dueWork, scheduler, second, handlers, clock } = await world();
    const availableAt = async (at: Instant) => {
      const { state } = await handlers.account.load('account-acme');
      return accountAt(state, at).balance.available;
    };
    dueWork.dueAllowances = [free];
    await scheduler.runOnce(signal);
    dueWork.dueAllowances = [{ ...free, months: [month(november, december, false), month(december, january, false)] }];
    await Promise.all([scheduler.runOnce(signal), second.runOnce(signal)]);
    expect([await availableAt('2026-11-20T00:00:00.000Z'), await availableAt(december)]).toEqual([100, 0]);
    clock.set('2026-12-10T00:00:00.000Z');
    dueWork.dueAllowances = [
      { ...free, months: [month(december, january), month(january, '2027-02-01T00:00:00.000Z')] },
    ];
    await Promise.all([scheduler.runOnce(signal), second.runOnce(signal)]);
    await scheduler.runOnce(signal);
    expect([await availableAt('2026-12-10T00:00:00.000Z'), await availableAt(january)]).toEqual([100, 100]);
    const { state } = await handlers.account.load('account-acme');
    expect(state.grants.size).toBe(3);
  });

  test('gives the next month with what the catalogue says by then, the present one as it began', async () => {
    const { dueWork, scheduler, handlers, grantsOf } = await world();
    dueWork.dueAllowances = [free];
    await scheduler.runOnce(signal);
    const plans = catalog.plans.map((plan) => (plan.free ? { ...plan, creditsPerMonth: 250 } : plan));
    await handlers.catalog.execute({
      ...by,
      stream: 'catalog',
      command: { type: 'ApplyCatalog', catalog: { ...catalog, plans } },
    });
    await scheduler.runOnce(signal);
    await scheduler.runOnce(signal);
    expect(await grantsOf('acme')).toEqual([given(december), given(january), given(january, 250)]);
    const { state } = await handlers.account.load('account-acme');
    expect(accountAt(state, december).balance.available).toBe(250);
  });

  test('puts whose days of grace are over on the free plan, once', async () => {
    const { dueWork, scheduler, second, handlers } = await world();
    dueWork.lapsedSubscriptions = [{ id: 'sub_1', customerId: 'acme', lapsesFrom: '2026-11-01T00:00:00.000Z' }];
    await Promise.all([scheduler.runOnce(signal), second.runOnce(signal)]);
    const { state, revision } = await handlers.subscription.load('subscription-free_acme');
    expect([state.freePlanId, revision]).toEqual(['free', 0]);
  });

  test('records an expiry once, and one account in trouble does not keep the others waiting', async () => {
    const { dueWork, scheduler, second, handlers, clock, reports } = await world();
    const lapsing = grant(7, { source: 'promotion', expiresAt: '2026-11-21T00:00:00.000Z' });
    await handlers.account.execute({ ...by, stream: 'account-acme', command: lapsing });
    clock.set('2026-11-21T00:00:00.000Z');
    dueWork.dueAccounts = [
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
    const { store, dueWork, scheduler, grantsOf, reports } = await world();
    const names = Array.from({ length: 40 }, (_, n) => `acme-${String(n)}`);
    dueWork.dueAllowances = names.map((customerId) => ({ ...free, id: `free:${customerId}`, customerId }));
    store.contended = 'account-acme-0';
    await scheduler.runOnce(signal);
    const had = await Promise.all(names.map(async (name) => (await grantsOf(name)).length));
    expect(had).toEqual(names.map((_, n) => (n === 0 ? 0 : 2)));
    expect(reports).toEqual([expect.stringContaining('conflict')]);
    store.away = store.contended;
    store.contended = '';
    await expect(scheduler.runOnce(signal)).rejects.toThrow(TryAgainLater);
    store.away = '';
    await scheduler.runOnce(signal);
    expect(await grantsOf('acme-0')).toHaveLength(2);
  });

  test('leaves an account alone for a while that refuses its allowance', async () => {
    const { dueWork, scheduler, handlers, grantsOf, clock } = await world();
    await handlers.account.execute({ ...by, stream: 'account-acme', command: grant(1, { source: 'promotion' }) });
    await handlers.account.execute({ ...by, stream: 'account-acme', command: { type: 'FreezeAccount', reason: 'x' } });
    dueWork.dueAllowances = [free];
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
    expect((await grantsOf('acme')).length).toBe(3);
  });
});

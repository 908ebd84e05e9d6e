import { describe, expect, test } from '@jest/globals';
import { isRefused } from '#kernel/decider.js';
import { plusMs } from '#kernel/instant.js';
import type { AccountCommand } from '../commands.js';
import { accountDecider } from '../account.js';
import { consume, grant, hold } from '../../../../test/support/ledger/account-commands.js';
import { ended, period } from '../../../../test/support/ledger/term-commands.js';
import { LedgerAccount } from '../../../../test/support/ledger/ledger-account.js';
import { MAX_BUDGETS } from './budgets.js';
import type { BudgetTerms } from './facts.js';
import { pathOf } from './scope.js';

const NOON = '2026-06-10T12:00:00.000Z';
const minutes = (count: number): string => plusMs(NOON, count * 60_000);
const hours = (count: number): string => minutes(count * 60);
const LEAF = 'team:growth/member:ada';

const cap = (scope: string, limit: number, more: Partial<BudgetTerms> = {}): AccountCommand => ({
  type: 'SetBudget',
  scope,
  limit,
  window: 'day',
  timeZone: 'UTC',
  mode: 'hard',
  ...more,
});
const spend = (amount: number, scope = LEAF) => consume(amount, { scope });
const reserve = (amount: number, scope = LEAF, seconds = 900) => ({ ...hold(amount, seconds), scope });

/** An account of 10,000 credits with budgets. */
const given = (...budgets: readonly AccountCommand[]): LedgerAccount =>
  new LedgerAccount(NOON).given(grant(10_000), ...budgets) as LedgerAccount;

/** What counts in the budget of a scope: used and held. */
const counted = (account: LedgerAccount, scope: string): readonly number[] => {
  const count = account.state.budgets.get(scope)?.count;
  return [count?.used ?? NaN, count?.held ?? NaN];
};
const idIn = (account: LedgerAccount, field: 'holdId' | 'consumptionId'): string => {
  const event = account.log.findLast((each) => field in each);
  return (event as unknown as Record<string, string>)[field] ?? '';
};

describe('scopes', () => {
  test('the path begins with the whole', () => {
    expect(pathOf('org')).toEqual(['org']);
    expect(pathOf('team:growth/member:ada/key:k1')).toEqual([
      'org',
      'team:growth',
      'team:growth/member:ada',
      'team:growth/member:ada/key:k1',
    ]);
    expect(pathOf('a:1/b:2/c:3/d:4/e:A.b_c@d-9')).toHaveLength(6);
  });

  test.each([
    '',
    'team',
    'Team:a',
    'team:',
    'team:a/',
    '/team:a',
    'team:a//key:b',
    'org/team:a',
    'team:a b',
    'a:1/b:2/c:3/d:4/e:5/f:6',
  ])('%j is none', (text) => {
    expect(pathOf(text)).toBeNull();
    const account = given();
    expect(account.run(spend(1, text))).toBe('scope_invalid');
    expect(account.run({ ...hold(1), scope: text })).toBe('scope_invalid');
    expect(account.run(cap(text, 5))).toBe('scope_invalid');
    expect(account.run({ type: 'RemoveBudget', scope: text })).toBe('scope_invalid');
  });

  test('one that is too long is none', () => {
    expect(pathOf(`${'a'.repeat(400)}:1`)).toBeNull();
    expect(pathOf(`a:${'1'.repeat(65)}`)).toBeNull();
  });
});

describe('spending', () => {
  test('every budget on the path has to allow it; the refusal names that with the least left', () => {
    const account = given(cap('org', 100), cap('team:growth', 60), cap(LEAF, 80));
    account.given(spend(50));
    expect(account.when(spend(11))).toEqual({
      rejected: 'budget_exceeded',
      scope: 'team:growth',
      limit: 60,
      used: 50,
      requested: 11,
      window: 'day',
      resetsAt: '2026-06-11T00:00:00.000Z',
    });
    account.given(spend(10), spend(40, 'team:other'));
    expect(account.when(spend(1, 'org'))).toMatchObject({ rejected: 'budget_exceeded', scope: 'org', used: 100 });
    expect(account.available).toBe(9_900);
  });

  test('what names no scope counts in no budget, and says nothing of any', () => {
    const account = given(cap('org', 5));
    const [event] = account.events(consume(50));
    expect(event).not.toHaveProperty('scope');
    expect(event).not.toHaveProperty('charges');
    expect(counted(account, 'org')).toEqual([0, 0]);
  });

  test('a scope without a budget leaves nothing in the state', () => {
    const account = given();
    for (let number = 0; number < 50; number += 1) account.given(spend(1, `agent:a${String(number)}`));
    expect(account.log.at(-1)).toMatchObject({ scope: 'agent:a49' });
    expect(account.log.at(-1)).not.toHaveProperty('charges');
    expect(account.state.budgets.size).toBe(0);
  });

  test('the balance is asked first', () => {
    expect(given(cap('org', 5)).run(spend(10_001))).toBe('insufficient_credits');
  });

  test('an overdraft counts, too', () => {
    const account = given({ type: 'ChangeSettings', overdraftLimit: 100 }, cap('org', 10_050));
    account.given(spend(10_050));
    expect(account.run(spend(1))).toBe('budget_exceeded');
    expect(counted(account, 'org')).toEqual([10_050, 0]);
  });

  test('a part is as much as balance and budgets allow', () => {
    const account = given(cap('team:growth', 30), cap(LEAF, 20));
    expect(account.events(consume(100, { scope: LEAF, partial: true }))[0]).toMatchObject({
      amount: 20,
      requested: 100,
    });
    expect(account.events({ ...reserve(100, 'team:growth'), partial: true })[0]).toMatchObject({ amount: 10 });
    expect(account.when(consume(5, { scope: LEAF, partial: true }))).toMatchObject({
      rejected: 'insufficient_credits',
      required: 5,
      budget: { scope: 'team:growth', limit: 30, used: 30 },
    });
  });

  test('a soft budget lets it pass and tells of it', () => {
    const account = given(cap('org', 1_000), cap(LEAF, 10, { mode: 'soft' }));
    expect(JSON.stringify(account.events(spend(10)))).not.toContain('over');
    expect(account.events(spend(1))[0]).toMatchObject({
      charges: [{ amount: 1, budgets: [{ scope: 'org' }, { scope: LEAF, over: true }] }],
    });
    expect(counted(account, LEAF)).toEqual([11, 0]);
  });
});

describe('reversals', () => {
  test('return to the window in which it was used', () => {
    const account = given(cap('org', 100));
    account.given(spend(60));
    const consumptionId = idIn(account, 'consumptionId');
    account.events({ type: 'ReverseConsumption', consumptionId, amount: 10, reason: null });
    expect(counted(account, 'org')).toEqual([50, 0]);
    account.events(spend(1), hours(13));
    expect(counted(account, 'org')).toEqual([1, 0]);
    account.events({ type: 'ReverseConsumption', consumptionId, amount: null, reason: null }, hours(14));
    expect(counted(account, 'org')).toEqual([1, 0]);
    expect(account.log.at(-1)).toMatchObject({
      charges: [{ amount: 50, budgets: [{ scope: 'org', windowStart: '2026-06-10T00:00:00.000Z' }] }],
    });
  });

  test('of a use under a budget that was removed do not touch the one that came after', () => {
    const account = given(cap('org', 100));
    account.given(spend(60));
    const consumptionId = idIn(account, 'consumptionId');
    account.given({ type: 'RemoveBudget', scope: 'org' }, cap('org', 100), spend(5));
    account.given({ type: 'ReverseConsumption', consumptionId, amount: null, reason: null });
    expect(counted(account, 'org')).toEqual([5, 0]);
  });
});

describe('holds', () => {
  test('count until they are settled', () => {
    const account = given(cap('org', 100));
    account.given(reserve(70));
    const holdId = idIn(account, 'holdId');
    expect(account.run(spend(31))).toBe('budget_exceeded');
    account.given({ type: 'CaptureHold', holdId, amount: 20, final: false });
    expect(counted(account, 'org')).toEqual([20, 50]);
    expect(account.run({ type: 'RaiseHold', holdId, amount: 31 })).toBe('budget_exceeded');
    account.given({ type: 'RaiseHold', holdId, amount: 30 });
    expect(counted(account, 'org')).toEqual([20, 80]);
    account.given({ type: 'CaptureHold', holdId, amount: 5, final: true });
    expect(counted(account, 'org')).toEqual([25, 0]);
  });

  test('that are released or time out give it back', () => {
    const account = given(cap('org', 100));
    account.given(reserve(40), reserve(50, LEAF, 60));
    account.events({ type: 'RecordDue' }, minutes(1));
    expect(counted(account, 'org')).toEqual([0, 40]);
    account.given({ type: 'ReleaseHold', holdId: firstHold(account) });
    expect(counted(account, 'org')).toEqual([0, 0]);
  });

  test('belong to the window in which they were placed; what is raised later to the later one', () => {
    const account = given(cap('org', 100));
    account.given(reserve(80, LEAF, 100_000));
    const holdId = idIn(account, 'holdId');
    account.events({ type: 'RaiseHold', holdId, amount: 30 }, hours(13));
    expect(counted(account, 'org')).toEqual([0, 30]);
    account.given({ type: 'CaptureHold', holdId, amount: 90, final: false });
    expect(counted(account, 'org')).toEqual([10, 20]);
    const consumptionId = idIn(account, 'consumptionId');
    account.given({ type: 'ReverseConsumption', consumptionId, amount: 4, reason: null });
    expect(counted(account, 'org')).toEqual([6, 20]);
    account.given({ type: 'ReverseConsumption', consumptionId, amount: null, reason: null });
    expect(counted(account, 'org')).toEqual([0, 20]);
    account.given({ type: 'ReleaseHold', holdId });
    expect(counted(account, 'org')).toEqual([0, 0]);
  });

  test('that were placed before a budget was set do not count in it, what they are raised by does', () => {
    const account = given();
    account.given(reserve(40));
    const holdId = idIn(account, 'holdId');
    account.given(cap('org', 10));
    expect(account.run({ type: 'RaiseHold', holdId, amount: 11 })).toBe('budget_exceeded');
    account.given({ type: 'RaiseHold', holdId, amount: 10 });
    account.given({ type: 'CaptureHold', holdId, amount: 45, final: true });
    expect(counted(account, 'org')).toEqual([5, 0]);
  });

  test('stay small however often they are raised', () => {
    const account = given(cap('org', 100));
    account.given(reserve(1));
    const holdId = idIn(account, 'holdId');
    for (let raise = 0; raise < 20; raise += 1) account.given({ type: 'RaiseHold', holdId, amount: 1 });
    expect(account.state.holds.get(holdId)?.charges).toHaveLength(1);
  });
});

const firstHold = (account: LedgerAccount): string => [...account.state.holds.values()][0]?.id ?? '';

describe('windows', () => {
  test('begin anew at midnight of the time zone, also on the day when its clocks are changed', () => {
    const account = new LedgerAccount('2026-03-28T12:00:00.000Z').given(
      grant(10_000),
      cap('team:growth', 100, { timeZone: 'Europe/Berlin' }),
    ) as LedgerAccount;
    account.events(spend(60), '2026-03-28T22:59:59.999Z');
    account.events(spend(60), '2026-03-28T23:00:00.000Z');
    account.events(reserve(40, LEAF, 100_000), '2026-03-29T21:59:59.999Z');
    expect(account.when(spend(1))).toMatchObject({ scope: 'team:growth', resetsAt: '2026-03-29T22:00:00.000Z' });
    account.events(spend(100), '2026-03-29T22:00:00.000Z');
    account.given({ type: 'ReleaseHold', holdId: idIn(account, 'holdId') });
    expect(counted(account, 'team:growth')).toEqual([100, 0]);
  });

  test('stand in the event, so that folding it asks for no time zone', () => {
    const account = given(cap('org', 100));
    const [event] = account.events(spend(60));
    if (event?.type !== 'CreditsConsumed') throw new Error('nothing was consumed');
    const window = { windowStart: '2026-06-10T02:30:00.000Z', windowEnd: '2026-06-11T03:45:00.000Z' };
    const charges = [{ amount: 60, budgets: [{ scope: 'org', since: 7, ...window }] }];
    const folded = accountDecider.evolve(account.state, { ...event, charges }, 7);
    expect(folded.budgets.get('org')?.count).toEqual({ since: 7, ...window, used: 60, held: 0 });
  });

  test('of a period follow the subscription, paid or not yet, and are months of the calendar without one', () => {
    const [october, november, december] = [
      '2026-10-14T10:00:00.000Z',
      '2026-11-14T10:00:00.000Z',
      '2026-12-14T10:00:00.000Z',
    ];
    const account = new LedgerAccount('2026-10-05T10:00:00.000Z').given(
      grant(10_000),
      cap('org', 100, { window: 'period' }),
    ) as LedgerAccount;
    const resetsAt = (at: string): unknown => (account.when(spend(101), at) as { resetsAt?: string }).resetsAt;
    account.given(spend(90));
    expect(resetsAt('2026-10-05T10:00:00.000Z')).toBe('2026-11-01T00:00:00.000Z');
    account.events(period(october, november), october);
    account.given(spend(80));
    expect(counted(account, 'org')).toEqual([80, 0]);
    expect(resetsAt(plusMs(november, -1))).toBe(november);
    account.events(spend(70), november);
    expect(counted(account, 'org')).toEqual([70, 0]);
    expect(resetsAt(november)).toBe(december);
    account.events(period(november, december), plusMs(november, 3_600_000));
    account.given(spend(30));
    expect(counted(account, 'org')).toEqual([100, 0]);
    account.events(ended(december), december);
    expect(resetsAt(december)).toBe('2027-01-01T00:00:00.000Z');
  });

  test('that turn out to have begun earlier begin no count anew', () => {
    const account = given(cap('org', 100, { window: 'period' }));
    account.events(period('2026-06-08T00:00:00.000Z', '2026-07-08T00:00:00.000Z'));
    account.given(spend(60));
    const late = period('2026-06-02T00:00:00.000Z', '2026-07-02T00:00:00.000Z', {
      subscriptionId: 'sub_2',
      creditsPerMonth: 9_000,
    });
    account.given(late);
    expect(account.run(spend(41))).toBe('budget_exceeded');
    account.given(spend(40));
    expect(counted(account, 'org')).toEqual([100, 0]);
  });
});

describe('setting budgets', () => {
  test('a new limit keeps what counts, another window or time zone begins anew', () => {
    const account = given(cap('org', 100));
    account.given(spend(60), cap('org', 70));
    expect(account.log.at(-1)).toMatchObject({ type: 'BudgetSet', limit: 70, used: 60, heldAmount: 0 });
    expect(account.run(spend(11))).toBe('budget_exceeded');
    account.given(cap('org', 10, { window: 'month' }));
    expect(counted(account, 'org')).toEqual([0, 0]);
    account.given(spend(10), cap('org', 10, { window: 'month', timeZone: 'Asia/Tokyo' }));
    expect(counted(account, 'org')).toEqual([0, 0]);
  });

  test('a hard limit below what counts is refused, a soft one is not', () => {
    const account = given(cap('org', 100));
    account.given(spend(40), reserve(20));
    expect(account.when(cap('org', 59))).toEqual({ rejected: 'budget_below_used', scope: 'org', limit: 59, used: 60 });
    expect(account.run(cap('org', 60))).toBe('BudgetSet');
    expect(account.run(cap('org', 1, { mode: 'soft' }))).toBe('BudgetSet');
    expect(account.run(cap('org', 1))).toBe('budget_below_used');
    expect(account.run(cap('org', 1), hours(13))).toBe('HoldReleased BudgetSet');
  });

  test('a budget that is removed caps nothing, and there is none to remove twice', () => {
    const account = given(cap('org', 5));
    account.given({ type: 'RemoveBudget', scope: 'org' }, spend(50));
    expect(account.run({ type: 'RemoveBudget', scope: 'org' })).toBe('budget_not_found');
    expect(account.state.budgetCount).toBe(0);
  });

  test('opens an account that has none; a frozen one takes them, a closed one does not', () => {
    const account = new LedgerAccount(NOON);
    expect(account.run(cap('org', 5))).toBe('AccountOpened BudgetSet');
    account.given({ type: 'FreezeAccount', reason: 'x' });
    expect(account.run(cap('org', 6))).toBe('BudgetSet');
    account.given({ type: 'CloseAccount', reason: 'x' });
    expect(account.run(cap('org', 7))).toBe('account_closed');
  });

  test('an account has so many at most', () => {
    let state = given().state;
    const set = (scope: string) =>
      accountDecider.decide(state, cap(scope, 1), { at: NOON, revision: 2, commandId: '', past: null });
    for (let number = 0; number < MAX_BUDGETS; number += 1) {
      const decision = set(`a:${String(number)}`);
      if (isRefused(decision)) throw new Error(decision.rejected);
      for (const event of decision) state = accountDecider.evolve(state, event, 2);
    }
    expect(set('a:new')).toEqual({ rejected: 'too_many_budgets' });
    expect(Array.isArray(set('a:7'))).toBe(true);
    const bytes = JSON.stringify(accountDecider.snapshot?.encode(state)).length;
    expect(bytes / MAX_BUDGETS).toBeLessThan(25);
  });
});

import { describe, expect, test } from '@jest/globals';
import { isRefused } from '#kernel/decider.js';
import type { AccountCommand } from './commands.js';
import type { AccountEvent } from './events.js';
import { accountDecider, conservationOf } from './account.js';
import { accountAt } from './at.js';
import type { AccountState } from './state.js';
import { consume, grant, hold } from '../../../test/support/ledger/account-commands.js';

const grantOf = (amount: number, more: Parameters<typeof grant>[1] = {}): AccountCommand =>
  grant(amount, { source: 'promotion', ...more });
const day = (number: number): string => `2026-01-${String(number).padStart(2, '0')}T00:00:00.000Z`;

/** Gives commands to one account, as the write path would. */
class Account {
  state: AccountState = accountDecider.initial('account-ada');
  readonly log: AccountEvent[] = [];

  run(at: string, command: AccountCommand): readonly AccountEvent[] {
    const events = this.try(at, command);
    if (isRefused(events)) throw new Error(`refused: ${events.rejected}`);
    return events;
  }

  try(at: string, command: AccountCommand): ReturnType<typeof accountDecider.decide> {
    const needed = accountDecider.needs?.(this.state, command) ?? null;
    const decision = accountDecider.decide(this.state, command, {
      at,
      revision: this.log.length,
      commandId: `00000000-0000-5000-8000-${String(this.log.length).padStart(12, '0')}`,
      past: needed === null ? null : (this.log[needed] ?? null),
    });
    if (isRefused(decision)) return decision;
    for (const event of decision) {
      this.state = accountDecider.evolve(this.state, event, this.log.length);
      this.log.push(event);
    }
    expect(conservationOf(this.state).violations).toEqual([]);
    return decision;
  }
}

const given = (...steps: [string, AccountCommand][]): Account => {
  const account = new Account();
  for (const [at, command] of steps) account.run(at, command);
  return account;
};
const types = (events: readonly AccountEvent[]): string[] => events.map(({ type }) => type);
const idOf = (events: readonly AccountEvent[], field: 'consumptionId' | 'holdId' | 'grantId'): string => {
  for (const event of events) if (field in event) return (event as unknown as Record<string, string>)[field] ?? '';
  throw new Error(`no ${field}`);
};

describe('granting and spending', () => {
  test('the first grant opens the account', () => {
    const account = given();
    expect(types(account.run(day(1), grantOf(100)))).toEqual(['AccountOpened', 'CreditsGranted']);
    expect(account.state.balance).toEqual({ available: 100, held: 0, debt: 0 });
  });

  test('purchased credits burn first, then by priority, then the soonest to expire', () => {
    const account = given(
      [day(1), grantOf(10, { expiresAt: day(20) })],
      [day(1), grantOf(10, { expiresAt: day(10) })],
      [day(1), grantOf(10, { priority: 1 })],
      [day(1), grantOf(10, { source: 'purchase', costBasis: { amount: 7, currency: 'usd' } })],
    );
    const [event] = account.run(day(2), consume(35));
    expect(event).toMatchObject({
      burnOrder: { name: 'purchased-first', version: 1 },
      allocations: [
        { source: 'purchase', amount: 10, cost: { amount: 7, currency: 'usd' } },
        { amount: 10, cost: null },
        { amount: 10 },
        { amount: 5 },
      ],
    });
    const grants = account.log.filter((logged) => logged.type === 'CreditsGranted').map((logged) => logged.grantId);
    expect(event?.type === 'CreditsConsumed' && event.allocations.map(({ grantId }) => grantId)).toEqual([
      grants[3],
      grants[2],
      grants[1],
      grants[0],
    ]);
  });

  test('a changed burn order rules from then on', () => {
    const account = given(
      [day(1), grantOf(10, { source: 'purchase' })],
      [day(1), grantOf(10, { expiresAt: day(20) })],
      [day(1), { type: 'ChangeSettings', burnOrder: 'expiring-first' }],
    );
    expect(account.run(day(2), consume(1))[0]).toMatchObject({ allocations: [{ source: 'promotion', amount: 1 }] });
  });

  test('too little is refused and changes nothing', () => {
    const account = given([day(1), grantOf(5)]);
    const before = JSON.stringify(accountDecider.snapshot?.encode(account.state));
    expect(account.try(day(2), consume(6))).toEqual({ rejected: 'insufficient_credits', available: 5, required: 6 });
    expect(JSON.stringify(accountDecider.snapshot?.encode(account.state))).toBe(before);
  });

  test('costs of all parts of a grant sum up to its cost basis', () => {
    const account = given([day(1), grantOf(3, { costBasis: { amount: 100, currency: 'usd' } })]);
    const costs = [1, 1, 1].map((amount) => {
      const [event] = account.run(day(2), consume(amount));
      return event?.type === 'CreditsConsumed' ? event.allocations[0]?.cost?.amount : undefined;
    });
    expect(costs).toEqual([33, 34, 33]);
  });

  test('an overdraft becomes debt that the next grant repays first', () => {
    const account = given([day(1), grantOf(10)], [day(1), { type: 'ChangeSettings', overdraftLimit: 5 }]);
    expect(account.try(day(2), consume(16))).toMatchObject({ rejected: 'insufficient_credits' });
    expect(types(account.run(day(2), consume(15)))).toEqual(['CreditsConsumed', 'DebtIncurred']);
    expect(account.state.balance).toEqual({ available: 0, held: 0, debt: 5 });
    expect(types(account.run(day(3), grantOf(8)))).toEqual(['CreditsGranted', 'DebtRepaid']);
    expect(account.state.balance).toEqual({ available: 3, held: 0, debt: 0 });
  });
});

describe('time', () => {
  test('an expired grant is not spent, and its expiry is recorded before the next command', () => {
    const account = given([day(1), grantOf(10, { expiresAt: day(5) })], [day(1), grantOf(10)]);
    expect(accountAt(account.state, day(5)).balance.available).toBe(10);
    expect(account.state.balance.available).toBe(20);
    const events = account.run(day(6), consume(10));
    expect(events.map(({ type, at }) => [type, at])).toEqual([
      ['CreditsExpired', day(5)],
      ['CreditsConsumed', day(6)],
    ]);
  });

  test('a scheduled grant counts from its instant on, and repays debt then', () => {
    const account = given(
      [day(1), { type: 'ChangeSettings', overdraftLimit: 5 }],
      [day(1), consume(5)],
      [day(1), grantOf(10, { effectiveAt: day(4) })],
    );
    expect(account.state.balance).toEqual({ available: 0, held: 0, debt: 5 });
    expect(types(account.run(day(4), { type: 'RecordDue' }))).toEqual(['CreditsActivated', 'DebtRepaid']);
    expect(account.state.balance).toEqual({ available: 5, held: 0, debt: 0 });
    expect(account.run(day(4), { type: 'RecordDue' })).toEqual([]);
  });

  test('a grant that is over or ends before it begins is refused', () => {
    const account = given();
    expect(account.try(day(2), grantOf(1, { expiresAt: day(2) }))).toEqual({ rejected: 'grant_expired' });
    expect(account.try(day(2), grantOf(1, { effectiveAt: day(9), expiresAt: day(9) }))).toEqual({
      rejected: 'invalid_expiry',
    });
  });
});

describe('holds', () => {
  test('pin their slices: captured also after the grant expired, and what is released of it expires at once', () => {
    const account = given([day(1), grantOf(10, { expiresAt: day(3) })]);
    const holdId = idOf(account.run(day(2), hold(6, 604_800)), 'holdId');
    expect(types(account.run(day(4), { type: 'CaptureHold', holdId, amount: 4, final: true }))).toEqual([
      'CreditsExpired',
      'HoldCaptured',
      'HoldReleased',
      'CreditsExpired',
    ]);
    expect(account.state.balance).toEqual({ available: 0, held: 0, debt: 0 });
    expect(account.try(day(4), { type: 'CaptureHold', holdId, amount: 1, final: true })).toEqual({
      rejected: 'hold_not_open',
    });
  });

  test('time out by themselves, at their instant', () => {
    const account = given([day(1), grantOf(10)]);
    const holdId = idOf(account.run(day(1), hold(10, 60)), 'holdId');
    expect(account.try(day(1), consume(1))).toMatchObject({ rejected: 'insufficient_credits' });
    expect(account.try(day(2), { type: 'CaptureHold', holdId, amount: null, final: true })).toEqual({
      rejected: 'hold_not_open',
    });
    expect(account.run(day(2), consume(1))[0]).toMatchObject({
      type: 'HoldReleased',
      reason: 'expired',
      at: '2026-01-01T00:01:00.000Z',
    });
  });

  test('are captured in parts while not final', () => {
    const account = given([day(1), grantOf(10)]);
    const holdId = idOf(account.run(day(1), hold(10)), 'holdId');
    account.run(day(1), { type: 'CaptureHold', holdId, amount: 3, final: false });
    expect(account.state.balance).toEqual({ available: 0, held: 7, debt: 0 });
    expect(account.try(day(1), { type: 'CaptureHold', holdId, amount: 8, final: true })).toEqual({
      rejected: 'amount_exceeds_hold',
    });
    account.run(day(1), { type: 'ReleaseHold', holdId });
    expect(account.state.balance).toEqual({ available: 7, held: 0, debt: 0 });
    expect(account.try(day(1), { type: 'ReleaseHold', holdId: 'hold_nonsense' })).toEqual({
      rejected: 'hold_not_found',
    });
  });
});

describe('reversals', () => {
  test('give back the newest slice first and the recorded cost', () => {
    const account = given(
      [day(1), grantOf(10, { source: 'purchase', costBasis: { amount: 99, currency: 'usd' } })],
      [day(1), grantOf(10)],
    );
    const consumptionId = idOf(account.run(day(2), consume(15)), 'consumptionId');
    expect(
      account.run(day(3), { type: 'ReverseConsumption', consumptionId, amount: 7, reason: null })[0],
    ).toMatchObject({
      restored: [
        { amount: 5, cost: null },
        { amount: 2, cost: { amount: 20 } },
      ],
    });
    expect(
      account.run(day(3), { type: 'ReverseConsumption', consumptionId, amount: null, reason: null })[0],
    ).toMatchObject({
      restored: [{ amount: 8, cost: { amount: 79 } }],
    });
    expect(account.try(day(3), { type: 'ReverseConsumption', consumptionId, amount: null, reason: null })).toEqual({
      rejected: 'already_reversed',
    });
    expect(account.state.balance.available).toBe(20);
  });

  test('undo an overdraft first, and give back what repaid it', () => {
    const account = given([day(1), { type: 'ChangeSettings', overdraftLimit: 10 }]);
    const consumptionId = idOf(account.run(day(2), consume(10)), 'consumptionId');
    account.run(day(3), grantOf(6));
    expect(account.state.balance).toEqual({ available: 0, held: 0, debt: 4 });
    account.run(day(4), { type: 'ReverseConsumption', consumptionId, amount: null, reason: null });
    expect(account.state.balance).toEqual({ available: 6, held: 0, debt: 0 });
  });
});

describe('taking back', () => {
  test('takes what is free and makes debt of what is spent; reinstating undoes both', () => {
    const account = given();
    const cause = { kind: 'dispute', id: 'dp_1' } as const;
    const grantId = idOf(account.run(day(1), grantOf(10)), 'grantId');
    account.run(day(1), consume(6));
    expect(types(account.run(day(2), { type: 'RevokeCredits', grantId, amount: 99, cause, reason: null }))).toEqual([
      'CreditsRevoked',
      'DebtIncurred',
    ]);
    expect(account.state.balance).toEqual({ available: 0, held: 0, debt: 6 });
    expect(account.run(day(2), { type: 'RevokeCredits', grantId, amount: 1, cause, reason: null })).toEqual([]);
    account.run(day(3), grantOf(2));
    account.run(day(4), { type: 'ReinstateCredits', grantId, amount: 10, cause });
    expect(account.state.balance).toEqual({ available: 6, held: 0, debt: 0 });
  });

  test('leaves nothing to spend while it is owed: refund and release end alike in either order', () => {
    const cause = { kind: 'refund', id: 're_1' } as const;
    const end = (refundFirst: boolean): unknown => {
      const account = given();
      const grantId = idOf(account.run(day(1), grantOf(100)), 'grantId');
      const holdId = idOf(account.run(day(1), hold(100)), 'holdId');
      const refund = (): unknown =>
        account.run(day(1), { type: 'RevokeCredits', grantId, amount: 100, cause, reason: null });
      if (refundFirst) refund();
      account.run(day(1), { type: 'ReleaseHold', holdId });
      if (!refundFirst) refund();
      return account.state.balance;
    };
    expect(end(true)).toEqual({ available: 0, held: 0, debt: 0 });
    expect(end(false)).toEqual({ available: 0, held: 0, debt: 0 });
  });

  test('an adjustment never takes more than there is', () => {
    const account = given([day(1), { type: 'AdjustCredits', amount: 5, reason: 'goodwill' }]);
    expect(account.try(day(1), { type: 'AdjustCredits', amount: -6, reason: 'slip' })).toMatchObject({
      rejected: 'insufficient_credits',
    });
    account.run(day(1), { type: 'AdjustCredits', amount: -5, reason: 'slip' });
    expect(account.state.balance.available).toBe(0);
  });

  test('a frozen account does not spend, a closed one does nothing', () => {
    const account = given([day(1), grantOf(5)], [day(1), { type: 'FreezeAccount', reason: 'review' }]);
    expect(account.try(day(1), consume(1))).toEqual({ rejected: 'account_frozen' });
    account.run(day(1), { type: 'UnfreezeAccount', reason: 'fine' });
    account.run(day(1), consume(1));
    account.run(day(1), { type: 'CloseAccount', reason: 'gone' });
    expect(account.try(day(1), grantOf(1))).toEqual({ rejected: 'account_closed' });
  });
});

import { describe, expect, test } from '@jest/globals';
import type { AccountCommand } from './commands.js';
import type { AccountEvent } from './events.js';
import type { Claim } from '../payment/claims.js';
import { accountDecider } from './account.js';
import { accountAt } from './at.js';
import { consume, grant, hold } from '../../../test/support/ledger/account-commands.js';
import { LedgerAccount } from '../../../test/support/ledger/ledger-account.js';

const grantOf = (amount: number, more: Parameters<typeof grant>[1] = {}): AccountCommand =>
  grant(amount, { source: 'promotion', ...more });
const day = (number: number): string => `2026-01-${String(number).padStart(2, '0')}T00:00:00.000Z`;

/** An account after commands at their times. */
const given = (...steps: readonly (readonly [string, AccountCommand])[]): LedgerAccount => {
  const account = new LedgerAccount(day(1));
  for (const [at, command] of steps) account.events(command, at);
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
    expect(types(account.events(grantOf(100), day(1)))).toEqual(['AccountOpened', 'CreditsGranted']);
    expect(account.state.balance).toEqual({ available: 100, held: 0, debt: 0 });
  });

  test('purchased credits burn first, then by priority, then the soonest to expire', () => {
    const account = given(
      [day(1), grantOf(10, { expiresAt: day(20) })],
      [day(1), grantOf(10, { expiresAt: day(10) })],
      [day(1), grantOf(10, { priority: 1 })],
      [day(1), grantOf(10, { source: 'purchase', costBasis: { amount: 7, currency: 'usd' } })],
    );
    const [event] = account.events(consume(35), day(2));
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
    expect(account.events(consume(1), day(2))[0]).toMatchObject({ allocations: [{ source: 'promotion', amount: 1 }] });
  });

  test('too little is refused and changes nothing', () => {
    const account = given([day(1), grantOf(5)]);
    const before = JSON.stringify(accountDecider.snapshot?.encode(account.state));
    expect(account.when(consume(6), day(2))).toEqual({ rejected: 'insufficient_credits', available: 5, required: 6 });
    expect(JSON.stringify(accountDecider.snapshot?.encode(account.state))).toBe(before);
  });

  test('costs of all parts of a grant sum up to its cost basis', () => {
    const account = given([day(1), grantOf(3, { costBasis: { amount: 100, currency: 'usd' } })]);
    const costs = [1, 1, 1].map((amount) => {
      const [event] = account.events(consume(amount), day(2));
      return event?.type === 'CreditsConsumed' ? event.allocations[0]?.cost?.amount : undefined;
    });
    expect(costs).toEqual([33, 34, 33]);
  });

  test('an overdraft becomes debt that the next grant repays first', () => {
    const account = given([day(1), grantOf(10)], [day(1), { type: 'ChangeSettings', overdraftLimit: 5 }]);
    expect(account.when(consume(16), day(2))).toMatchObject({ rejected: 'insufficient_credits' });
    expect(types(account.events(consume(15), day(2)))).toEqual(['CreditsConsumed', 'DebtIncurred']);
    expect(account.state.balance).toEqual({ available: 0, held: 0, debt: 5 });
    expect(types(account.events(grantOf(8), day(3)))).toEqual(['CreditsGranted', 'DebtRepaid']);
    expect(account.state.balance).toEqual({ available: 3, held: 0, debt: 0 });
  });
});

describe('time', () => {
  test('an expired grant is not spent, and its expiry is recorded before the next command', () => {
    const account = given([day(1), grantOf(10, { expiresAt: day(5) })], [day(1), grantOf(10)]);
    expect(accountAt(account.state, day(5)).balance.available).toBe(10);
    expect(account.state.balance.available).toBe(20);
    const events = account.events(consume(10), day(6));
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
    expect(types(account.events({ type: 'RecordDue' }, day(4)))).toEqual(['CreditsActivated', 'DebtRepaid']);
    expect(account.state.balance).toEqual({ available: 5, held: 0, debt: 0 });
    expect(account.events({ type: 'RecordDue' }, day(4))).toEqual([]);
  });

  test('a grant that is over or ends before it begins is refused', () => {
    const account = given();
    expect(account.when(grantOf(1, { expiresAt: day(2) }), day(2))).toEqual({ rejected: 'grant_expired' });
    expect(account.when(grantOf(1, { effectiveAt: day(9), expiresAt: day(9) }), day(2))).toEqual({
      rejected: 'invalid_expiry',
    });
  });
});

describe('holds', () => {
  test('pin their slices: captured also after the grant expired, and what is released of it expires at once', () => {
    const account = given([day(1), grantOf(10, { expiresAt: day(3) })]);
    const holdId = idOf(account.events(hold(6, 604_800), day(2)), 'holdId');
    expect(types(account.events({ type: 'CaptureHold', holdId, amount: 4, final: true }, day(4)))).toEqual([
      'CreditsExpired',
      'HoldCaptured',
      'HoldReleased',
      'CreditsExpired',
    ]);
    expect(account.state.balance).toEqual({ available: 0, held: 0, debt: 0 });
    expect(account.when({ type: 'CaptureHold', holdId, amount: 1, final: true }, day(4))).toEqual({
      rejected: 'hold_not_open',
    });
  });

  test('time out by themselves, at their instant', () => {
    const account = given([day(1), grantOf(10)]);
    const holdId = idOf(account.events(hold(10, 60), day(1)), 'holdId');
    expect(account.when(consume(1), day(1))).toMatchObject({ rejected: 'insufficient_credits' });
    expect(account.when({ type: 'CaptureHold', holdId, amount: null, final: true }, day(2))).toEqual({
      rejected: 'hold_not_open',
    });
    expect(account.events(consume(1), day(2))[0]).toMatchObject({
      type: 'HoldReleased',
      reason: 'expired',
      at: '2026-01-01T00:01:00.000Z',
    });
  });

  test('are captured in parts while not final', () => {
    const account = given([day(1), grantOf(10)]);
    const holdId = idOf(account.events(hold(10), day(1)), 'holdId');
    account.events({ type: 'CaptureHold', holdId, amount: 3, final: false }, day(1));
    expect(account.state.balance).toEqual({ available: 0, held: 7, debt: 0 });
    expect(account.when({ type: 'CaptureHold', holdId, amount: 8, final: true }, day(1))).toEqual({
      rejected: 'amount_exceeds_hold',
    });
    account.events({ type: 'ReleaseHold', holdId }, day(1));
    expect(account.state.balance).toEqual({ available: 7, held: 0, debt: 0 });
    expect(account.when({ type: 'ReleaseHold', holdId: 'hold_nonsense' }, day(1))).toEqual({
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
    const consumptionId = idOf(account.events(consume(15), day(2)), 'consumptionId');
    expect(
      account.events({ type: 'ReverseConsumption', consumptionId, amount: 7, reason: null }, day(3))[0],
    ).toMatchObject({
      restored: [
        { amount: 5, cost: null },
        { amount: 2, cost: { amount: 20 } },
      ],
    });
    expect(
      account.events({ type: 'ReverseConsumption', consumptionId, amount: null, reason: null }, day(3))[0],
    ).toMatchObject({
      restored: [{ amount: 8, cost: { amount: 79 } }],
    });
    expect(account.when({ type: 'ReverseConsumption', consumptionId, amount: null, reason: null }, day(3))).toEqual({
      rejected: 'already_reversed',
    });
    expect(account.state.balance.available).toBe(20);
  });

  test('undo an overdraft first, and give back what repaid it', () => {
    const account = given([day(1), { type: 'ChangeSettings', overdraftLimit: 10 }]);
    const consumptionId = idOf(account.events(consume(10), day(2)), 'consumptionId');
    account.events(grantOf(6), day(3));
    expect(account.state.balance).toEqual({ available: 0, held: 0, debt: 4 });
    account.events({ type: 'ReverseConsumption', consumptionId, amount: null, reason: null }, day(4));
    expect(account.state.balance).toEqual({ available: 6, held: 0, debt: 0 });
  });
});

describe('taking back', () => {
  test('an adjustment never takes more than there is', () => {
    const account = given([day(1), { type: 'AdjustCredits', amount: 5, reason: 'goodwill' }]);
    expect(account.when({ type: 'AdjustCredits', amount: -6, reason: 'slip' }, day(1))).toMatchObject({
      rejected: 'insufficient_credits',
    });
    account.events({ type: 'AdjustCredits', amount: -5, reason: 'slip' }, day(1));
    expect(account.state.balance.available).toBe(0);
  });

  test('a frozen account does not spend, a closed one does nothing', () => {
    const account = given([day(1), grantOf(5)], [day(1), { type: 'FreezeAccount', reason: 'review' }]);
    expect(account.when(consume(1), day(1))).toEqual({ rejected: 'account_frozen' });
    account.events({ type: 'UnfreezeAccount', reason: 'fine' }, day(1));
    account.events(consume(1), day(1));
    account.events({ type: 'CloseAccount', reason: 'gone' }, day(1));
    expect(account.when(grantOf(1), day(1))).toEqual({ rejected: 'account_closed' });
  });
});

describe('spending options', () => {
  test('a partial consumption takes what balance and overdraft allow, and is refused only where that is nothing', () => {
    const account = given([day(1), grantOf(10)], [day(1), { type: 'ChangeSettings', overdraftLimit: 5 }]);
    expect(account.events(consume(40, { partial: true }), day(2))[0]).toMatchObject({
      amount: 15,
      requested: 40,
      debt: 5,
    });
    expect(account.state.balance).toEqual({ available: 0, held: 0, debt: 5 });
    expect(account.when(consume(1, { partial: true }), day(2))).toEqual({
      rejected: 'insufficient_credits',
      available: 0,
      required: 1,
    });
    account.events(grantOf(100), day(3));
    expect(account.events(consume(40, { partial: true }), day(3))[0]).not.toHaveProperty('requested');
  });

  test('a partial hold reserves what is available, without an overdraft', () => {
    const account = given([day(1), grantOf(10)], [day(1), { type: 'ChangeSettings', overdraftLimit: 5 }]);
    expect(account.events({ ...hold(40), partial: true }, day(2))[0]).toMatchObject({ amount: 10, requested: 40 });
    expect(account.when({ ...hold(1), partial: true }, day(2))).toMatchObject({ rejected: 'insufficient_credits' });
  });

  test('a raised hold pins more of the same grants, keeps its time-out, and captures all of it', () => {
    const account = given([day(1), grantOf(10, { expiresAt: day(3) })], [day(1), grantOf(10)]);
    const resource = { type: 'job', id: 'job-1' };
    const holdId = idOf(account.events({ ...hold(5), resource }, day(2)), 'holdId');
    const [raised] = account.events({ type: 'RaiseHold', holdId, amount: 10 }, day(2));
    expect(raised).toMatchObject({ heldAmount: 15, remaining: 15, expiresAt: '2026-01-02T00:15:00.000Z' });
    expect(raised?.type === 'HoldRaised' && raised.heldAllocations.map(({ amount }) => amount)).toEqual([10, 5]);
    expect(account.when({ type: 'RaiseHold', holdId, amount: 6 })).toMatchObject({ rejected: 'insufficient_credits' });
    expect(account.events({ type: 'CaptureHold', holdId, amount: null, final: true })[0]).toMatchObject({
      amount: 15,
      resource,
    });
    expect(account.when({ type: 'RaiseHold', holdId, amount: 1 })).toEqual({ rejected: 'hold_not_open' });
    account.events({ type: 'FreezeAccount', reason: 'review' });
    expect(account.when({ type: 'RaiseHold', holdId, amount: 1 })).toEqual({ rejected: 'account_frozen' });
  });

  test('a revoked grant gives no more, keeps what is spent or held, and a later refund asks nothing back twice', () => {
    const account = given();
    const bought = grantOf(100, {
      source: 'purchase',
      paymentReference: 'pi_1',
      costBasis: { amount: 1000, currency: 'usd' },
    });
    const grantId = idOf(account.events(bought, day(1)), 'grantId');
    account.events(consume(20), day(1));
    account.events(hold(10), day(1));
    const revoke = (amount: number | null): AccountCommand => ({
      type: 'RevokeGrant',
      grantId,
      amount,
      reason: 'fraud',
    });
    expect(account.when(revoke(71))).toEqual({ rejected: 'amount_exceeds_grant', unspent: 70 });
    expect(account.run(revoke(30))).toBe('CreditsRevoked');
    expect(account.events(revoke(null))[0]).toMatchObject({ amount: 40, cause: { kind: 'operator' }, reason: 'fraud' });
    expect(account.when(revoke(null))).toEqual({ rejected: 'amount_exceeds_grant', unspent: 0 });
    expect(account.state.balance).toEqual({ available: 0, held: 10, debt: 0 });
    expect(account.when({ ...revoke(1), grantId: 'gr_0' } as AccountCommand)).toEqual({ rejected: 'grant_not_found' });
    const refund = (amount: number): Claim => ({
      cause: { kind: 'refund', id: 're_1' },
      state: 'taken',
      amount,
      since: day(1),
    });
    const settle = (version: number, amount: number): AccountCommand => {
      return { type: 'SettlePayment', paymentReference: 'pi_1', version, paid: 1000, claims: [refund(amount)] };
    };
    account.run(settle(1, 700));
    expect(account.state.balance).toEqual({ available: 0, held: 10, debt: 0 });
    account.run(settle(2, 900));
    expect(account.state.balance).toEqual({ available: 0, held: 10, debt: 20 });
  });
});

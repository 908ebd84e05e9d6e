import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Instant } from '#kernel/instant.js';
import type { AccountCommand } from '../commands.js';
import { allocate } from './allocation.js';
import type { Claim } from '../../payment/claims.js';
import { consume, grant, hold } from '../../../../test/support/ledger/account-commands.js';
import { LedgerAccount } from '../../../../test/support/ledger/ledger-account.js';

const october = '2026-10-01T00:00:00.000Z';
const november = '2026-11-01T00:00:00.000Z';
const december = '2026-12-01T00:00:00.000Z';

/** What a settlement must leave alike in any order: without ids and revisions, which follow the order. */
const booksOf = ({ state }: LedgerAccount) => {
  const grants = [...state.grants.values()].map(
    ({ id: _id, revision: _revision, effectiveAt: _at, costLeft: _cost, revocations, ...rest }) =>
      JSON.stringify({
        ...rest,
        taken: revocations.map(({ cause, amount }) => `${cause.id} ${String(amount)}`).sort(),
      }),
  );
  return { balance: state.balance, grants: grants.sort() };
};

const bought = (amount: number, paymentReference: string | null, more: object = {}): AccountCommand =>
  grant(amount, { paymentReference, ...more });
const claim = (id: string, amount: number, state: Claim['state'] = 'taken'): Claim => ({
  cause: { kind: id.startsWith('du') ? 'dispute' : 'refund', id },
  state,
  amount,
  since: october,
});
const settle = (version: number, ...claims: readonly Claim[]): AccountCommand => ({
  type: 'SettlePayment',
  paymentReference: 'pi_1',
  version,
  paid: 1000,
  claims,
});

describe('what is claimed of a payment', () => {
  test('takes its share of the grants, whichever is heard of first', () => {
    const after = new LedgerAccount(october);
    after.run(bought(300, 'pi_1'));
    after.run(settle(1, claim('re_1', 333)));
    const before = new LedgerAccount(october);
    before.run(settle(1, claim('re_1', 333)));
    before.run(bought(300, 'pi_1'));
    expect(after.state.balance).toEqual({ available: 200, held: 0, debt: 0 });
    expect(booksOf(before)).toEqual(booksOf(after));
  });

  test('is settled once for each version, and an older version changes nothing', () => {
    const account = new LedgerAccount(october);
    account.run(bought(300, 'pi_1'));
    expect(account.run(settle(2, claim('re_1', 500)))).toContain('CreditsRevoked');
    expect(account.run(settle(2, claim('re_1', 500)))).toBe('');
    expect(account.run(settle(1))).toBe('');
    expect(account.run(settle(3, claim('re_1', 500)))).toBe('PaymentClaimed');
    expect(account.state.balance.available).toBe(150);
  });

  test('takes what is free and makes debt of what is spent; the failure of the claim undoes both', () => {
    const account = new LedgerAccount(october);
    account.run(bought(10, 'pi_1'));
    account.run(consume(6));
    expect(account.run(settle(1, claim('du_1', 1000)))).toBe('PaymentClaimed CreditsRevoked DebtIncurred');
    expect(account.state.balance).toEqual({ available: 0, held: 0, debt: 6 });
    account.run(bought(2, null));
    expect(account.state.balance).toEqual({ available: 0, held: 0, debt: 4 });
    account.run(settle(2));
    expect(account.state.balance).toEqual({ available: 6, held: 0, debt: 0 });
  });

  test.each(['refund', 'release'])('leaves nothing to spend while it is owed, with the %s first', (first) => {
    const account = new LedgerAccount(october);
    account.run(bought(100, 'pi_1'));
    account.run(hold(100));
    const [callers] = [...account.state.holds.values()];
    const release: AccountCommand = { type: 'ReleaseHold', holdId: callers?.id ?? '' };
    const refund = settle(1, claim('re_1', 1000));
    for (const command of first === 'refund' ? [refund, release] : [release, refund]) account.run(command);
    expect(account.state.balance).toEqual({ available: 0, held: 0, debt: 0 });
  });

  test('touches no other payment’s grants', () => {
    const account = new LedgerAccount(october);
    account.run(bought(300, 'pi_2'));
    account.run(bought(300, null));
    expect(account.run(settle(1, claim('re_1', 1000)))).toBe('PaymentClaimed');
    expect(account.state.balance.available).toBe(600);
  });

  test('of credits to come by the month is taken as each comes', () => {
    const account = new LedgerAccount(october);
    account.run(bought(100, 'pi_1'));
    account.run(settle(1, claim('re_1', 500)));
    account.run(bought(100, 'pi_1'), november);
    expect(account.state.balance.available).toBe(100);
  });

  test('becomes debt where it is spent, paid at once by what else there is, and given back when it is undone', () => {
    const account = new LedgerAccount(october);
    account.run(bought(300, 'pi_1'));
    account.run(consume(300));
    account.run(bought(100, 'pi_2'));
    account.run(settle(1, claim('du_1', 1000)));
    expect(account.state.balance).toEqual({ available: 0, held: 0, debt: 200 });
    account.run(bought(500, 'pi_3'));
    expect(account.state.balance).toEqual({ available: 300, held: 0, debt: 0 });
    account.run(settle(2));
    expect(account.state.balance).toEqual({ available: 600, held: 0, debt: 0 });
  });

  test('is written off once where the account’s policy says so', () => {
    const account = new LedgerAccount(october);
    account.run({ type: 'ChangeSettings', debtPolicy: 'write_off' });
    account.run(bought(300, 'pi_1'));
    account.run(consume(300));
    account.run(settle(1, claim('re_1', 500)));
    account.run(settle(2, claim('re_1', 500), claim('re_2', 100)));
    expect(account.state.balance).toEqual({ available: 0, held: 0, debt: 0 });
    expect([...account.state.grants.values()].map(({ clawedBack }) => clawedBack)).toEqual([180]);
  });

  test('is accounted for in a frozen and in a closed account', () => {
    const account = new LedgerAccount(october);
    account.run(bought(300, 'pi_1'));
    account.run({ type: 'FreezeAccount', reason: 'x' });
    expect(account.run(settle(1, claim('re_1', 100)))).toContain('CreditsRevoked');
    account.run({ type: 'CloseAccount', reason: 'x' });
    expect(account.run(settle(2, claim('re_1', 100), claim('re_2', 100)))).toContain('CreditsRevoked');
  });
});

describe('what may be claimed', () => {
  test('is reserved without a time-out, and free again when it is given up', () => {
    const account = new LedgerAccount(october);
    account.run(bought(300, 'pi_1'));
    account.run(settle(1, claim('du_1', 1000, 'reserved')));
    expect(account.state.balance).toEqual({ available: 0, held: 300, debt: 0 });
    account.run({ type: 'RecordDue' }, '2036-01-01T00:00:00.000Z');
    expect(account.state.balance.held).toBe(300);
    account.run(settle(2), '2036-01-01T00:00:00.000Z');
    expect(account.state.balance).toEqual({ available: 300, held: 0, debt: 0 });
  });

  test('is only what is left; what is spent is asked back when the money is gone', () => {
    const account = new LedgerAccount(october);
    account.run(bought(300, 'pi_1'));
    account.run(consume(200));
    account.run(settle(1, claim('du_1', 1000, 'reserved')));
    expect(account.state.balance).toEqual({ available: 0, held: 100, debt: 0 });
    account.run(settle(2, claim('du_1', 1000)));
    expect(account.state.balance).toEqual({ available: 0, held: 0, debt: 200 });
  });
});

const claims = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 900 }), fc.constantFrom('taken' as const, 'reserved' as const)), {
    maxLength: 5,
  })
  .map((list) => list.map(([amount, state], index) => claim(`re_${String(index)}`, amount, state)));

test('all claims together take no more than the grant, and all of the money all of the grant', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 10_000 }),
      fc.integer({ min: 1, max: 1000 }),
      claims,
      (granted, paid, list) => {
        const times = { effectiveAt: october, expiresAt: null };
        const lot = {
          id: 'gr',
          amount: granted,
          ...times,
          lines: null,
          cost: 0,
          unspent: granted,
          withdrawn: 0,
          given: 0,
          spent: 0,
        };
        const met = allocate([lot], { paid }, list).flatMap(({ unspent }) => unspent);
        const sum = met.reduce((total, { amount }) => total + amount, 0);
        expect(sum).toBeLessThanOrEqual(granted);
        const money = list.reduce((total, { amount }) => total + amount, 0);
        if (money >= paid) expect(sum).toBe(granted);
      },
    ),
  );
});

test('whatever versions are told in whatever order around the grant, the newest decides', () => {
  fc.assert(
    fc.property(
      fc.array(claims, { minLength: 1, maxLength: 5 }),
      fc.array(fc.nat({ max: 5 }), { maxLength: 8 }),
      fc.nat({ max: 8 }),
      (versions, order, place) => {
        const reported = [...order.map((index) => index % versions.length), versions.length - 1];
        const steps = reported.map((index) => settle(index + 1, ...(versions[index] ?? [])));
        const account = new LedgerAccount(october);
        for (const step of steps.toSpliced(place % (steps.length + 1), 0, bought(777, 'pi_1'))) account.run(step);
        const once = new LedgerAccount(october);
        once.run(bought(777, 'pi_1'));
        once.run(settle(versions.length, ...(versions.at(-1) ?? [])));
        expect(booksOf(account)).toEqual(booksOf(once));
      },
    ),
    { numRuns: 300 },
  );
});

describe('what was written off', () => {
  const cost = { amount: 1000, currency: 'usd' };
  const spentAndRefunded = (...rest: readonly AccountCommand[]): LedgerAccount => {
    const account = new LedgerAccount(october);
    account.run({ type: 'ChangeSettings', debtPolicy: 'write_off' });
    account.run(bought(1000, 'pi_1', { costBasis: cost }));
    account.run(consume(600));
    for (const command of rest) account.run(command);
    return account;
  };

  test('is not any more when the refund fails, so that another one takes all that is its own', () => {
    const account = spentAndRefunded(settle(1, claim('re_1', 1000)), settle(2));
    expect(account.state.balance).toEqual({ available: 400, held: 0, debt: 0 });
    const [before] = [...account.state.grants.values()];
    expect(before).toMatchObject({ clawedBack: 0, revocations: [] });
    account.run(settle(3, claim('re_2', 1000)));
    expect(account.state.balance).toEqual({ available: 0, held: 0, debt: 0 });
    const [after] = [...account.state.grants.values()];
    expect(after).toMatchObject({ revoked: 400, clawedBack: 600 });
    expect(after?.revocations).toEqual([
      { cause: { kind: 'refund', id: 're_2' }, amount: 400, cost: 400, writtenOff: 600 },
    ]);
  });

  test('is what is spent only, also when the refund before it fails', () => {
    const direct = spentAndRefunded(settle(3, claim('re_2', 500)));
    const around = spentAndRefunded(
      settle(1, claim('re_1', 500)),
      settle(2, claim('re_1', 500), claim('re_2', 500)),
      settle(3, claim('re_2', 500)),
    );
    expect(around.books).toEqual(direct.books);
    expect(direct.state.balance.available).toBe(0);
  });
});

describe('the examples of the README', () => {
  const year = Array.from({ length: 12 }, (_, index) => ({
    effectiveAt: `${index < 3 ? '2026-1' + String(index) : '2027-0' + String(index - 2)}-01T00:00:00.000Z`,
    expiresAt: `${index < 2 ? '2026-1' + String(index + 1) : '2027-' + (index === 11 ? '10' : '0' + String(index - 1))}-01T00:00:00.000Z`,
  }));
  const refund = (
    version: number,
    paid: number,
    ...amounts: readonly (readonly [number, Instant])[]
  ): AccountCommand => ({
    type: 'SettlePayment',
    paymentReference: 'in_1',
    version,
    paid,
    claims: amounts.map(([amount, since], index) => ({ ...claim(`re_${String(index)}`, amount), since })),
  });

  test('a year of which three months were used, and the rest refunded, owes nothing', () => {
    const account = new LedgerAccount(october);
    for (const month of year) account.run(bought(5000, 'in_1', month));
    for (const { effectiveAt } of year.slice(0, 3)) account.run(consume(5000), effectiveAt);
    account.run(refund(1, 49_000, [36_750, '2026-12-15T00:00:00.000Z']), '2026-12-15T00:00:00.000Z');
    const revoked = [...account.state.grants.values()].map((each) => each.revoked);
    expect(revoked).toEqual([0, 0, 0, ...Array.from({ length: 9 }, () => 5000)]);
    expect(account.state.balance).toEqual({ available: 0, held: 0, debt: 0 });
  });

  test.each([october, december])('half of a month, of which the rest had expired or not, owes nothing', (heardAt) => {
    const account = new LedgerAccount(october);
    account.run(bought(5000, 'in_1', { expiresAt: november, costBasis: { amount: 4900, currency: 'usd' } }));
    account.run(consume(2000));
    account.run(refund(1, 4900, [2450, october]), heardAt);
    account.run({ type: 'RecordDue' }, december);
    expect([...account.state.grants.values()]).toMatchObject([{ consumed: 2000, revoked: 2500, expired: 500 }]);
    expect([...account.state.grants.values()]).toMatchObject([{ costLeft: 0, costExpired: 490 }]);
    expect(account.state.balance).toEqual({ available: 0, held: 0, debt: 0 });
  });

  test('a pack of which 40 of 100 were used owes 40 when all of it is refunded after it expired', () => {
    const account = new LedgerAccount(october);
    account.run(bought(100, 'in_1', { expiresAt: november }));
    account.run(consume(40));
    account.run(refund(1, 1000, [500, december]), december);
    expect([...account.state.grants.values()]).toMatchObject([{ revoked: 50, expired: 10 }]);
    expect(account.state.balance.debt).toBe(0);
    account.run(refund(2, 1000, [500, december], [500, december]), december);
    expect([...account.state.grants.values()]).toMatchObject([{ revoked: 60, expired: 0 }]);
    expect(account.state.balance.debt).toBe(40);
  });
});

describe('what claims reserve', () => {
  const reserved = settle(1, claim('du_1', 1000, 'reserved'));

  test('ends with its grant, and is no caller’s to settle', () => {
    const account = new LedgerAccount(october);
    account.run(bought(300, 'pi_1', { expiresAt: november }));
    account.run(reserved);
    const [reservation] = [...account.state.holds.values()];
    expect(reservation).toMatchObject({ owner: { payment: 'pi_1' }, expiresAt: november, remaining: 300 });
    expect(account.run({ type: 'ReleaseHold', holdId: reservation?.id ?? '' })).toBe('hold_not_found');
    expect(account.run({ type: 'RecordDue' }, november)).toBe('HoldReleased CreditsExpired');
    expect(account.run({ type: 'ReleaseHold', holdId: reservation?.id ?? '' }, november)).toBe('hold_not_found');
    expect(account.state.balance).toEqual({ available: 0, held: 0, debt: 0 });
    account.run(settle(2), december);
    expect([...account.state.grants.values()]).toMatchObject([{ expired: 300, revoked: 0 }]);
  });

  test('is reserved of credits to come at the instant at which they begin', () => {
    const account = new LedgerAccount(october);
    account.run(bought(300, 'pi_1', { effectiveAt: november }));
    account.run(reserved);
    expect(account.state.balance).toEqual({ available: 0, held: 0, debt: 0 });
    account.run({ type: 'RecordDue' }, '2026-11-01T00:00:00.001Z');
    expect(account.state.balance).toEqual({ available: 0, held: 300, debt: 0 });
    expect(account.run(consume(1), december)).toBe('insufficient_credits');
  });

  test('looks at the owner, not at how long it lasts', () => {
    const account = new LedgerAccount(october);
    account.run(bought(300, 'pi_1'));
    account.run(consume(100));
    account.run(reserved);
    account.run(bought(100, 'caller'));
    account.run(hold(100));
    const callers = [...account.state.holds.values()].find(({ owner }) => owner === 'caller');
    expect(account.run({ type: 'ReleaseHold', holdId: callers?.id ?? '' })).toBe('HoldReleased');
    expect(account.state.balance).toEqual({ available: 100, held: 200, debt: 0 });
  });
});

test('a reversal of what was spent undoes the debt of a claim, also after the grant expired', () => {
  const account = new LedgerAccount(october);
  account.run(bought(100, 'pi_1', { expiresAt: november }));
  account.run(hold(100, 40 * 86_400));
  account.run(settle(1, claim('re_1', 1000)));
  expect(account.state.balance).toEqual({ available: 0, held: 100, debt: 100 });
  expect(account.run({ type: 'RecordDue' }, december)).toBe('HoldReleased CreditsExpired DebtForgiven CreditsRevoked');
  expect(account.state.balance).toEqual({ available: 0, held: 0, debt: 0 });
  expect([...account.state.grants.values()]).toMatchObject([{ revoked: 100, expired: 0 }]);
});

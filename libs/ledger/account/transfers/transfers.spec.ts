import fc from 'fast-check';
import { describe, expect, test } from '@jest/globals';
import { isRefused } from '#kernel/decider.js';
import { proportion } from '#kernel/amount.js';
import type { Claim } from '../../payment/claims.js';
import { conservationOf } from '../account.js';
import type { AccountCommand } from '../commands.js';
import type { AccountEvent, TransferObstacle } from '../events.js';
import { consume, grant } from '../../../../test/support/ledger/account-commands.js';
import { LedgerAccount } from '../../../../test/support/ledger/ledger-account.js';
import { askedBy } from './asking.js';

const day = (number: number): string => new Date(Date.UTC(2026, 0, number)).toISOString();
const usd = (amount: number) => ({ amount, currency: 'usd' });
const pack = (amount: number, cents: number, more: Parameters<typeof grant>[1] = {}): AccountCommand =>
  grant(amount, { costBasis: usd(cents), paymentReference: 'pi_1', ...more });
const transfer = (amount: number, toCustomerId: string): AccountCommand => ({
  type: 'TransferCredits',
  toCustomerId,
  amount,
  reason: null,
  receiver: 'ready',
});
const refund = (amount: number, state: Claim['state'] = 'taken', id = 're_1'): Claim => ({
  cause: { kind: 'refund', id },
  state,
  amount,
  since: day(5),
});

/** Accounts of several customers, and what the worker does between them. Every command has a time of its own. */
class Customers {
  readonly accounts = new Map<string, LedgerAccount>();
  readonly #done = new Map<string, number>();
  #version = 0;
  #seconds = 0;

  of(customerId: string): LedgerAccount {
    const known = this.accounts.get(customerId) ?? new LedgerAccount(day(1));
    this.accounts.set(customerId, known);
    return known;
  }

  run(customerId: string, command: AccountCommand, at = day(2)): readonly AccountEvent[] | string {
    this.#seconds += 1;
    const time = new Date(Date.parse(at) + this.#seconds * 1000).toISOString();
    const decision = this.of(customerId).when(command, time);
    return isRefused(decision) ? decision.rejected : decision;
  }

  settle(customerId: string, paid: number, claims: readonly Claim[]): void {
    this.#version += 1;
    const settled = { paymentReference: 'pi_1', version: this.#version, paid, claims };
    this.run(customerId, { type: 'SettlePayment', ...settled });
  }

  /** What the worker does with events that it has not seen; of the first `accounts` customers only. */
  deliver(at = day(2)): void {
    for (let isIdle = false; !isIdle;) {
      isIdle = true;
      for (const [customerId, { log }] of [...this.accounts]) {
        const revision = this.#done.get(customerId) ?? 0;
        const event = log[revision];
        if (event === undefined) continue;
        isIdle = false;
        this.#done.set(customerId, revision + 1);
        const asked = askedBy(event, { customerId, revision }, false);
        if (asked === null) continue;
        const ended = this.run(asked.of, asked.command, at);
        if (typeof ended !== 'string') continue;
        const back = { transferId: asked.transferId, because: ended as TransferObstacle };
        expect(this.run(customerId, { type: 'ReturnTransfer', ...back }, at)).toEqual(expect.any(Array));
      }
    }
  }

  grants(customerId: string) {
    return [...this.of(customerId).state.grants.values()];
  }

  balance(customerId: string) {
    return this.of(customerId).state.balance;
  }
}

describe('credits given to another customer', () => {
  test('keep source, priority, expiry, payment and their share of the cost', () => {
    const customers = new Customers();
    customers.run('ada', pack(100, 1000, { priority: 7, expiresAt: day(30) }));
    customers.run('ada', consume(20));
    customers.run('ada', transfer(50, 'bob'));
    expect([customers.balance('ada').available, customers.balance('bob').available]).toEqual([30, 0]);
    customers.deliver();
    expect(customers.grants('bob')).toMatchObject([
      {
        ...{ amount: 50, source: 'purchase', priority: 7, expiresAt: day(30), paymentReference: 'pi_1' },
        ...{ costBasis: usd(500), received: { fromCustomerId: 'ada', grantId: customers.grants('ada')[0]?.id } },
      },
    ]);
    expect(customers.grants('ada')).toMatchObject([{ consumed: 20, transferred: 50, free: 30, costLeft: 300 }]);
  });

  test('leave in burn order, and pay first what the receiver owes', () => {
    const customers = new Customers();
    customers.run('ada', grant(10, { source: 'promotion' }));
    customers.run('ada', pack(10, 100));
    customers.run('bob', grant(1));
    customers.run('bob', { type: 'ChangeSettings', overdraftLimit: 5 });
    customers.run('bob', consume(6));
    customers.run('ada', transfer(15, 'bob'));
    customers.deliver();
    expect(customers.grants('bob').map(({ source, amount }) => [source, amount])).toEqual([
      ['purchase', 1],
      ['purchase', 10],
      ['promotion', 5],
    ]);
    expect(customers.balance('bob')).toEqual({ available: 10, held: 0, debt: 0 });
  });

  test('are refused beyond what is available, from a frozen account, and to nobody or a closed account', () => {
    const customers = new Customers();
    customers.run('ada', grant(10));
    customers.run('ada', { type: 'ChangeSettings', overdraftLimit: 5 });
    const before = customers.of('ada').log.length;
    const to = transfer(1, 'bob');
    expect(customers.run('ada', transfer(11, 'bob'))).toBe('insufficient_credits');
    expect(customers.run('ada', { ...to, receiver: 'unknown' } as AccountCommand)).toBe('customer_not_found');
    expect(customers.run('ada', { ...to, receiver: 'closed' } as AccountCommand)).toBe('account_closed');
    expect(customers.of('ada').log).toHaveLength(before);
    customers.run('ada', { type: 'FreezeAccount', reason: 'check' });
    expect(customers.run('ada', to)).toBe('account_frozen');
  });

  test('come back to the very grants that they came from when the receiver is closed, with their cost', () => {
    const customers = new Customers();
    customers.run('ada', pack(100, 999));
    customers.run('ada', grant(10));
    const before = customers.of('ada').books;
    customers.run('ada', transfer(105, 'bob'));
    customers.run('bob', { type: 'CloseAccount', reason: 'left' });
    customers.deliver();
    expect(customers.of('ada').books).toEqual(before);
    expect(customers.of('ada').log.at(-1)).toMatchObject({ type: 'TransferReturned', because: 'account_closed' });
    expect(customers.grants('bob')).toEqual([]);
  });

  test('expire at once when their grant has expired by the time they come back, or arrive', () => {
    const customers = new Customers();
    customers.run('ada', pack(100, 1000, { expiresAt: day(10) }));
    customers.run('ada', transfer(40, 'bob'));
    customers.run('ada', transfer(30, 'carl'));
    customers.run('bob', { type: 'CloseAccount', reason: 'left' });
    customers.deliver(day(20));
    expect(customers.grants('ada')).toMatchObject([{ expired: 70, transferred: 30, costExpired: 700 }]);
    expect(customers.grants('carl')).toMatchObject([{ expired: 30, costExpired: 300 }]);
  });

  test('come back to a closed account, too, and once only', () => {
    const customers = new Customers();
    customers.run('ada', grant(10));
    const sent = customers.run('ada', transfer(4, 'bob')) as readonly AccountEvent[];
    const [{ transferId }] = sent as unknown as readonly [{ readonly transferId: string }];
    customers.run('ada', { type: 'CloseAccount', reason: 'left' });
    const back = { type: 'ReturnTransfer', transferId, because: 'account_closed' } as const;
    expect(customers.run('ada', back)).toMatchObject([{ type: 'TransferReturned', amount: 4 }]);
    expect(customers.run('ada', back)).toEqual([]);
  });

  test('of more grants than one append takes are refused', () => {
    const customers = new Customers();
    for (let index = 0; index <= 300; index += 1) customers.run('ada', grant(1));
    expect(customers.run('ada', transfer(301, 'bob'))).toBe('too_many_grants');
    expect(customers.run('ada', transfer(300, 'bob'))).toMatchObject([{ type: 'TransferSent' }]);
  });
});

describe('a refund of what bought credits that were given away', () => {
  test('meets what the sender has unspent, then what was given, then what the sender used', () => {
    const customers = new Customers();
    customers.run('ada', pack(100, 1000));
    customers.run('ada', consume(20));
    customers.run('ada', transfer(50, 'bob'));
    customers.deliver();
    const left = (cents: number): unknown => {
      customers.settle('ada', 1000, [refund(cents)]);
      customers.deliver();
      return [customers.balance('ada'), customers.balance('bob')];
    };
    const nothing = { available: 0, held: 0, debt: 0 };
    expect(left(300)).toEqual([nothing, { ...nothing, available: 50 }]);
    expect(left(700)).toEqual([nothing, { ...nothing, available: 10 }]);
    expect(left(900)).toEqual([{ ...nothing, debt: 10 }, nothing]);
    expect(left(0)).toEqual([
      { ...nothing, available: 30 },
      { ...nothing, available: 50 },
    ]);
  });

  test('makes the receiver owe what it has used, follows a chain, and is held while it is not decided', () => {
    const customers = new Customers();
    customers.run('ada', pack(100, 1000));
    customers.run('ada', transfer(100, 'bob'));
    customers.deliver();
    customers.run('bob', consume(10));
    customers.run('bob', transfer(60, 'carl'));
    customers.deliver();
    customers.settle('ada', 1000, [refund(1000, 'reserved')]);
    customers.deliver();
    expect(customers.balance('bob')).toEqual({ available: 0, held: 30, debt: 0 });
    expect(customers.balance('carl')).toEqual({ available: 0, held: 60, debt: 0 });
    customers.settle('ada', 1000, [refund(1000)]);
    customers.deliver();
    expect(customers.balance('ada')).toEqual({ available: 0, held: 0, debt: 0 });
    expect(customers.balance('bob')).toEqual({ available: 0, held: 0, debt: 10 });
    expect(customers.balance('carl')).toEqual({ available: 0, held: 0, debt: 0 });
  });

  test('follows credits to a closed account, and those that come back to the sender as a gift', () => {
    const customers = new Customers();
    customers.run('ada', pack(100, 1000));
    customers.run('ada', transfer(100, 'bob'));
    customers.deliver();
    customers.run('bob', transfer(30, 'ada'));
    customers.deliver();
    customers.run('bob', { type: 'CloseAccount', reason: 'left' });
    customers.settle('ada', 1000, [refund(1000)]);
    customers.deliver();
    expect([customers.balance('ada'), customers.balance('bob')].map(({ available }) => available)).toEqual([0, 0]);
  });

  test('waits with the credits, and is the sender’s again when they come back', () => {
    const customers = new Customers();
    customers.run('ada', pack(100, 1000));
    customers.run('bob', { type: 'CloseAccount', reason: 'left' });
    customers.run('ada', transfer(100, 'bob'));
    customers.settle('ada', 1000, [refund(400)]);
    expect(customers.balance('ada')).toEqual({ available: 0, held: 0, debt: 0 });
    customers.deliver();
    expect(customers.balance('ada')).toEqual({ available: 60, held: 0, debt: 0 });
    expect(customers.of('bob').log.map(({ type }) => type)).toEqual(['AccountOpened', 'AccountClosed']);
  });
});

const names = ['ada', 'bob', 'carl'];
const step = fc.oneof(
  fc.record({
    type: fc.constant('give' as const),
    of: fc.nat(2),
    to: fc.integer({ min: 1, max: 2 }),
    amount: fc.nat(60),
  }),
  fc.record({ type: fc.constant('use' as const), of: fc.nat(2), amount: fc.integer({ min: 1, max: 40 }) }),
  fc.record({ type: fc.constant('reverse' as const), of: fc.nat(2) }),
  fc.record({ type: fc.constant('refund' as const), cents: fc.nat(1000), reserved: fc.boolean() }),
  fc.record({ type: fc.constant('deliver' as const), day: fc.integer({ min: 2, max: 12 }) }),
  fc.record({ type: fc.constant('close' as const), of: fc.integer({ min: 1, max: 40 }) }),
);

/** What refunds have of all accounts: taken, owed (repaid or not), or written off. */
function askedOf(customers: Customers): number {
  return [...customers.accounts.values()].reduce((all, { state }) => {
    const revoked = [...state.grants.values()]
      .flatMap(({ revocations }) => revocations)
      .filter(({ cause }) => cause.kind === 'refund')
      .reduce((sum, { amount, writtenOff }) => sum + amount + writtenOff, 0);
    const owed = [...state.debts.values()]
      .filter(({ cause }) => cause.kind === 'refund')
      .flatMap(({ outstanding, repayments }) => [outstanding, ...repayments.map(({ amount }) => amount)]);
    return all + revoked + owed.reduce((sum, amount) => sum + amount, 0);
  }, 0);
}

test('wherever credits go, none is lost or made, and a refund takes its share of them, no more and no less', () => {
  const seen = new Set<string>();
  fc.assert(
    fc.property(fc.array(step, { minLength: 5, maxLength: 30, size: 'max' }), (steps) => {
      const customers = new Customers();
      customers.run('ada', pack(97, 1000, { expiresAt: day(8) }));
      customers.run('ada', pack(100, 1000));
      let [now, refunded] = [2, 0];
      for (const one of steps) {
        const customerId = 'of' in one ? (names[one.of] ?? 'nobody') : 'ada';
        if (one.type === 'give')
          customers.run(customerId, transfer(Math.max(1, one.amount), names[(one.of + one.to) % 3] ?? ''), day(now));
        if (one.type === 'use') customers.run(customerId, consume(one.amount), day(now));
        if (one.type === 'reverse') {
          const used = customers.of(customerId).log.findLast((event) => event.type === 'CreditsConsumed');
          const consumptionId = used?.type === 'CreditsConsumed' ? used.consumptionId : '';
          customers.run(
            customerId,
            { type: 'ReverseConsumption', consumptionId, amount: null, reason: null },
            day(now),
          );
        }
        if (one.type === 'refund') {
          customers.settle('ada', 1000, [refund(one.cents, one.reserved ? 'reserved' : 'taken')]);
          refunded = one.reserved ? 0 : one.cents;
        }
        if (one.type === 'close' && customerId !== 'nobody')
          customers.run(customerId, { type: 'CloseAccount', reason: 'left' }, day(now));
        if (one.type === 'deliver') {
          now = Math.max(now, one.day);
          customers.deliver(day(now));
        }
      }
      customers.deliver(day(now));
      expect(askedOf(customers)).toBe(proportion(197, refunded, 1000));
      const sums = [...customers.accounts.values()].map(({ state }) => conservationOf(state));
      const all = (name: 'granted' | 'transferred'): number => sums.reduce((sum, of) => sum + of[name], 0);
      expect(all('granted') - all('transferred')).toBe(197);
      for (const { log } of customers.accounts.values()) for (const { type } of log) seen.add(type);
    }),
    { numRuns: 400 },
  );
  expect([...seen]).toEqual(
    expect.arrayContaining(['TransferReturned', 'TransferClaimed', 'PaymentClaimed', 'DebtIncurred']),
  );
});

import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { isRefused } from '#kernel/decider.js';
import type { Instant } from '#kernel/instant.js';
import { accountDecider, conservationOf } from './account.js';
import type { AccountCommand } from './account-commands.js';
import type { AccountEvent } from './account-events.js';
import { claimedOf } from './payment-claims.js';
import type { Claim } from './payment-claims.js';

const stream = 'account-acme';
const october = '2026-10-01T00:00:00.000Z';
const november = '2026-11-01T00:00:00.000Z';
const december = '2026-12-01T00:00:00.000Z';

/** An account that is told commands one after the other; the books are checked after each. */
class Account {
  state = accountDecider.initial(stream);
  readonly log: AccountEvent[] = [];
  #commands = 0;

  run(command: AccountCommand, at: Instant = october): string {
    this.#commands += 1;
    const commandId = `00000000-0000-5000-8000-${String(this.#commands).padStart(12, '0')}`;
    const moment = { at, revision: this.log.length, commandId, past: null };
    const decision = accountDecider.decide(this.state, command, moment);
    if (isRefused(decision)) return decision.rejected;
    for (const event of decision) {
      this.state = accountDecider.evolve(this.state, event, this.log.length);
      this.log.push(event);
    }
    expect(conservationOf(this.state).violations).toEqual([]);
    const snapshot = JSON.stringify(accountDecider.snapshot?.encode(this.state));
    this.state = accountDecider.snapshot?.decode(JSON.parse(snapshot), stream) ?? this.state;
    return decision.map(({ type }) => type).join(' ');
  }

  get balance() {
    return this.state.balance;
  }

  /** Without ids and revisions, which tell of the order. */
  get books() {
    const grants = [...this.state.grants.values()].map(
      ({ id: _id, revision: _revision, effectiveAt: _at, costLeft: _cost, revocations, ...grant }) =>
        JSON.stringify({
          ...grant,
          taken: revocations.map(({ cause, amount }) => `${cause.id} ${String(amount)}`).sort(),
        }),
    );
    return { balance: this.balance, grants: grants.sort() };
  }
}

const grant = (amount: number, paymentReference: string | null, more: object = {}): AccountCommand => ({
  type: 'GrantCredits',
  amount,
  source: 'purchase',
  priority: 50,
  effectiveAt: null,
  expiresAt: null,
  costBasis: null,
  paymentReference,
  description: null,
  metadata: {},
  ...more,
});
const consume = (amount: number): AccountCommand => ({
  type: 'ConsumeCredits',
  amount,
  usage: null,
  resource: null,
  description: null,
  metadata: {},
});
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
    const after = new Account();
    after.run(grant(300, 'pi_1'));
    after.run(settle(1, claim('re_1', 333)));
    const before = new Account();
    before.run(settle(1, claim('re_1', 333)));
    before.run(grant(300, 'pi_1'));
    expect(after.balance).toEqual({ available: 200, held: 0, debt: 0 });
    expect(before.books).toEqual(after.books);
  });

  test('is settled once for each version, and an older version changes nothing', () => {
    const account = new Account();
    account.run(grant(300, 'pi_1'));
    expect(account.run(settle(2, claim('re_1', 500)))).toContain('CreditsRevoked');
    expect(account.run(settle(2, claim('re_1', 500)))).toBe('');
    expect(account.run(settle(1))).toBe('');
    expect(account.run(settle(3, claim('re_1', 500)))).toBe('PaymentClaimed');
    expect(account.balance.available).toBe(150);
  });

  test('touches no other payment’s grants', () => {
    const account = new Account();
    account.run(grant(300, 'pi_2'));
    account.run(grant(300, null));
    expect(account.run(settle(1, claim('re_1', 1000)))).toBe('PaymentClaimed');
    expect(account.balance.available).toBe(600);
  });

  test('of credits to come by the month is taken as each comes', () => {
    const account = new Account();
    account.run(grant(100, 'pi_1'));
    account.run(settle(1, claim('re_1', 500)));
    account.run(grant(100, 'pi_1'), november);
    expect(account.balance.available).toBe(100);
  });

  test('becomes debt where it is spent, paid at once by what else there is, and given back when it is undone', () => {
    const account = new Account();
    account.run(grant(300, 'pi_1'));
    account.run(consume(300));
    account.run(grant(100, 'pi_2'));
    account.run(settle(1, claim('du_1', 1000)));
    expect(account.balance).toEqual({ available: 0, held: 0, debt: 200 });
    account.run(grant(500, 'pi_3'));
    expect(account.balance).toEqual({ available: 300, held: 0, debt: 0 });
    account.run(settle(2));
    expect(account.balance).toEqual({ available: 600, held: 0, debt: 0 });
  });

  test('is written off once where the account’s policy says so', () => {
    const account = new Account();
    account.run({ type: 'ChangeSettings', debtPolicy: 'write_off' });
    account.run(grant(300, 'pi_1'));
    account.run(consume(300));
    account.run(settle(1, claim('re_1', 500)));
    account.run(settle(2, claim('re_1', 500), claim('re_2', 100)));
    expect(account.balance).toEqual({ available: 0, held: 0, debt: 0 });
    expect([...account.state.grants.values()].map(({ clawedBack }) => clawedBack)).toEqual([180]);
  });

  test('is accounted for in a frozen and in a closed account', () => {
    const account = new Account();
    account.run(grant(300, 'pi_1'));
    account.run({ type: 'FreezeAccount', reason: 'x' });
    expect(account.run(settle(1, claim('re_1', 100)))).toContain('CreditsRevoked');
    account.run({ type: 'CloseAccount', reason: 'x' });
    expect(account.run(settle(2, claim('re_1', 100), claim('re_2', 100)))).toContain('CreditsRevoked');
  });
});

describe('what may be claimed', () => {
  test('is reserved without a time-out, and free again when it is given up', () => {
    const account = new Account();
    account.run(grant(300, 'pi_1'));
    account.run(settle(1, claim('du_1', 1000, 'reserved')));
    expect(account.balance).toEqual({ available: 0, held: 300, debt: 0 });
    account.run({ type: 'RecordDue' }, '2036-01-01T00:00:00.000Z');
    expect(account.balance.held).toBe(300);
    account.run(settle(2), '2036-01-01T00:00:00.000Z');
    expect(account.balance).toEqual({ available: 300, held: 0, debt: 0 });
  });

  test('is only what is left; what is spent is asked back when the money is gone', () => {
    const account = new Account();
    account.run(grant(300, 'pi_1'));
    account.run(consume(200));
    account.run(settle(1, claim('du_1', 1000, 'reserved')));
    expect(account.balance).toEqual({ available: 0, held: 100, debt: 0 });
    account.run(settle(2, claim('du_1', 1000)));
    expect(account.balance).toEqual({ available: 0, held: 0, debt: 200 });
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
        const { taken, reserved } = claimedOf(granted, paid, list);
        const sum = taken.reduce((total, { amount }) => total + amount, 0);
        expect(sum + reserved).toBeLessThanOrEqual(granted);
        const money = list.reduce((total, { amount }) => total + amount, 0);
        if (money >= paid) expect(sum + reserved).toBe(granted);
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
        const told = [...order.map((index) => index % versions.length), versions.length - 1];
        const steps = told.map((index) => settle(index + 1, ...(versions[index] ?? [])));
        const account = new Account();
        for (const step of steps.toSpliced(place % (steps.length + 1), 0, grant(777, 'pi_1'))) account.run(step);
        const once = new Account();
        once.run(grant(777, 'pi_1'));
        once.run(settle(versions.length, ...(versions.at(-1) ?? [])));
        expect(account.books).toEqual(once.books);
      },
    ),
    { numRuns: 300 },
  );
});

describe('a new period', () => {
  const ending = { source: 'subscription', expiresAt: november } as const;
  const next = { source: 'subscription', expiresAt: december, rollover: { cap: 200, endedAt: november } } as const;

  test('takes along what is unspent of the one before, up to the cap', () => {
    const account = new Account();
    account.run(grant(500, 'in_1', ending));
    account.run(consume(350));
    account.run(grant(500, 'in_2', next), november);
    expect(account.balance.available).toBe(650);
    expect(
      account.run(
        grant(500, 'in_3', {
          ...ending,
          expiresAt: '2027-01-01T00:00:00.000Z',
          rollover: { cap: 200, endedAt: december },
        }),
        december,
      ),
    ).toBe('CreditsExpired CreditsExpired CreditsGranted CreditsGranted');
    expect(account.balance.available).toBe(700);
  });

  test('takes nothing along of what was bought, or spent', () => {
    const account = new Account();
    account.run(grant(500, 'pi_1', { expiresAt: november }));
    account.run(grant(500, 'in_1', ending));
    account.run(consume(1000));
    account.run(grant(500, 'in_2', next), november);
    expect(account.balance.available).toBe(500);
  });
});

test('a smaller plan takes unspent credits of its period only', () => {
  const account = new Account();
  account.run(grant(500, 'in_1', { source: 'subscription', expiresAt: november }));
  account.run(grant(500, 'pi_1'));
  const cause = { kind: 'downgrade', id: 'in_2' } as const;
  account.run({ type: 'TakeUnspent', endsAt: november, amount: 300, cause });
  expect(account.balance).toEqual({ available: 700, held: 0, debt: 0 });
  account.run({ type: 'TakeUnspent', endsAt: november, amount: 300, cause });
  expect(account.balance).toEqual({ available: 500, held: 0, debt: 0 });
  expect(account.run({ type: 'TakeUnspent', endsAt: november, amount: 300, cause })).toBe('');
});

import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { isRefused } from '#kernel/decider.js';
import { instantOf, msOf, type Instant } from '#kernel/instant.js';
import { AccountBooks } from '#audit/account-books.js';
import { consume, grant, hold } from '../../../../test/support/ledger/account-commands.js';
import { LedgerAccount } from '../../../../test/support/ledger/ledger-account.js';
import type { AccountCommand } from '../commands.js';
import type { AccountState } from '../state.js';
import { sortedClaims, type Claim } from '../../payment/claims.js';

const HOUR = 3_600_000;
const start = msOf('2026-10-01T00:00:00.000Z');
const hour = (hours: number): Instant => instantOf(start + hours * HOUR);

/** An account that compares its books and its claims with the audit's and with the README after each command. */
class AuditedAccount extends LedgerAccount {
  readonly #books = new AccountBooks();

  override when(command: AccountCommand, at: Instant) {
    const decision = super.when(command, at);
    if (isRefused(decision)) return decision;
    for (const event of decision) expect(this.#books.enter(event)).toBeNull();
    expect(this.#books.close().problem).toBeNull();
    for (const [reference, { paid, claims }] of this.state.claims.entries())
      expect(claimedNow(this.state, reference)).toEqual(
        claimedBy(this.state, reference, paid, claims as readonly Claim[], at),
      );
    return decision;
  }
}

/** Credits that something has of each grant, by the place of the grant among those of the payment. */
type Table = { readonly [name: string]: number };

const byExpiry = ({ expiresAt, effectiveAt }: { expiresAt: string | null; effectiveAt: string }): string =>
  `${expiresAt ?? '~'} ${effectiveAt}`;

const plus = (table: Record<string, number>, name: string, amount: number): void => {
  if (amount > 0) table[name] = (table[name] ?? 0) + amount;
};

const grantsOf = (state: AccountState, reference: string) =>
  [...state.grants.values()].filter(({ paymentReference }) => paymentReference === reference);

/** What claims have, as the account's own records tell it. */
function claimedNow(state: AccountState, reference: string): Table {
  const table: Record<string, number> = {};
  for (const [index, each] of grantsOf(state, reference).entries()) {
    for (const { cause, amount, writtenOff } of each.revocations) {
      plus(table, `taken ${cause.id} of ${String(index)}`, amount);
      plus(table, `spent ${cause.id}`, writtenOff);
    }
    for (const { owner, allocations } of state.holds.values())
      for (const slice of allocations)
        if (owner !== 'caller' && slice.grantId === each.id) plus(table, `held of ${String(index)}`, slice.amount);
    for (const { cause, outstanding, repayments } of state.debts.values())
      if (cause.grantId === each.id)
        plus(table, `spent ${cause.id}`, outstanding + repayments.reduce((sum, { amount }) => sum + amount, 0));
  }
  return table;
}

/** What the README says that they have: credit by credit, each of the first grant in the order that has one left. */
function claimedBy(state: AccountState, reference: string, paid: number, claims: readonly Claim[], at: Instant): Table {
  const grants = grantsOf(state, reference).map((each, index) => {
    const held = [...state.holds.values()]
      .filter(({ owner }) => owner === 'caller')
      .flatMap(({ allocations }) => allocations)
      .reduce((sum, { grantId, amount }) => sum + (grantId === each.id ? amount : 0), 0);
    const spent = each.consumed + each.repaid + held;
    return { index, grant: each, unspent: each.amount - spent, spent };
  });
  const all = grants.reduce((sum, { grant: { amount } }) => sum + amount, 0);
  const upTo = (money: number): number => Math.floor((2 * all * Math.min(money, paid) + paid) / (2 * paid));
  const table: Record<string, number> = {};
  let money = 0;
  for (const state of ['taken', 'reserved'] as const)
    for (const claim of claims.filter((each) => each.state === state)) {
      const scheduled = grants
        .filter(({ grant: { effectiveAt } }) => effectiveAt > claim.since)
        .sort((a, b) => (a.grant.effectiveAt < b.grant.effectiveAt ? 1 : -1));
      const begun = grants
        .filter((each) => !scheduled.includes(each))
        .sort((a, b) => (byExpiry(a.grant) < byExpiry(b.grant) ? -1 : 1));
      const order = [...scheduled, ...begun];
      for (let missing = upTo(money + claim.amount) - upTo(money); missing > 0; missing -= 1) {
        const one = order.find(({ unspent }) => unspent > 0);
        if (one !== undefined) one.unspent -= 1;
        const over = one !== undefined && one.grant.expiresAt !== null && one.grant.expiresAt <= at;
        if (state === 'reserved') {
          if (one !== undefined && !over && one.grant.effectiveAt <= at) plus(table, `held of ${String(one.index)}`, 1);
          continue;
        }
        if (one !== undefined) plus(table, `taken ${claim.cause.id} of ${String(one.index)}`, 1);
        const used = one === undefined ? order.find(({ spent }) => spent > 0) : undefined;
        if (used !== undefined) {
          used.spent -= 1;
          plus(table, `spent ${claim.cause.id}`, 1);
        }
      }
      money += claim.amount;
    }
  return table;
}

const PAID = 97;
/** Each starts and ends at an hour of its own, so that the order is never in doubt. */
const lots = fc
  .array(fc.record({ amount: fc.integer({ min: 1, max: 30 }), begins: fc.nat(3), lasts: fc.option(fc.nat(3)) }), {
    minLength: 1,
    maxLength: 4,
  })
  .map((list) =>
    list.map(({ amount, begins, lasts }, index) => ({
      amount,
      effectiveAt: hour(begins * 10 + index),
      expiresAt: lasts === null ? null : hour(begins * 10 + 5 + lasts * 10 + index),
    })),
  );

type Refund = {
  readonly id: string;
  readonly amount: number;
  readonly since: number;
  readonly steps: readonly string[];
};
const facts = fc
  .array(
    fc.record({
      amount: fc.integer({ min: 1, max: 90 }),
      since: fc.nat(40),
      steps: fc.constantFrom(
        ['reserved', 'taken'],
        ['reserved', ''],
        ['taken'],
        ['reserved', 'taken', ''],
        ['taken', ''],
      ),
    }),
    { minLength: 1, maxLength: 4 },
  )
  .map((list) => list.map((fact, index): Refund => ({ ...fact, id: `re_${String(index)}` })));

/** The claims when each fact has come as far as `reached` says. */
const claimsAt = (list: readonly Refund[], reached: readonly number[]): readonly Claim[] =>
  sortedClaims(
    list.flatMap(({ id, amount, since, steps }, index): readonly Claim[] => {
      const state = steps[Math.min(reached[index] ?? -1, steps.length - 1)] ?? '';
      if (state === '') return [];
      return [{ cause: { kind: 'refund', id }, state: state as Claim['state'], amount, since: hour(since) }];
    }),
  );

const settle = (version: number, claims: readonly Claim[], reference = 'pi_1'): AccountCommand => ({
  type: 'SettlePayment',
  paymentReference: reference,
  version,
  paid: PAID,
  claims,
});

const holdFor = (amount: number, hours: number): AccountCommand => hold(amount, hours * 3600);
const due: AccountCommand = { type: 'RecordDue' };

/** Works on an account: each step an hour later. */
const steps = fc.array(
  fc.oneof(
    fc.record({ do: fc.constant('consume' as const), amount: fc.integer({ min: 1, max: 25 }) }),
    fc.record({ do: fc.constant('hold' as const), amount: fc.integer({ min: 1, max: 25 }) }),
    fc.record({ do: fc.constantFrom('release' as const, 'capture' as const, 'reverse' as const), amount: fc.nat(9) }),
    fc.record({ do: fc.constantFrom('progress' as const, 'progressOther' as const), amount: fc.nat(9) }),
    fc.record({ do: fc.constantFrom('grant' as const, 'other' as const, 'policy' as const), amount: fc.nat(9) }),
  ),
  { maxLength: 30 },
);

test('after every decision claims have what the rules give them, and no more', () => {
  fc.assert(
    fc.property(
      lots,
      lots,
      facts,
      facts,
      steps,
      fc.integer({ min: 1, max: 6 }),
      (mine, others, one, two, todo, pace) => {
        const account = new AuditedAccount(hour(0));
        account.run({ type: 'ChangeSettings', overdraftLimit: 20 }, hour(0));
        const waiting = [...mine.map((lot) => ['pi_1', lot] as const), ...others.map((lot) => ['pi_2', lot] as const)];
        const reached = { pi_1: one.map(() => -1), pi_2: two.map(() => -1) };
        let [version, now] = [0, 0];
        const ids = (type: 'hold' | 'con'): readonly string[] =>
          account.log.flatMap((event) => {
            if (event.type === 'CreditsHeld' && event.owner === 'caller' && type === 'hold') return [event.holdId];
            if (event.type === 'CreditsConsumed' && type === 'con') return [event.consumptionId];
            return event.type === 'HoldCaptured' && type === 'con' ? [event.consumptionId] : [];
          });
        for (const step of todo) {
          const at = hour((now += pace));
          const at0 = ids('hold').at(-1 - (step.amount % 3)) ?? 'hold_none';
          if (step.do === 'consume') account.run(consume(step.amount), at);
          if (step.do === 'hold') account.run(holdFor(step.amount, 1 + (step.amount % 20)), at);
          if (step.do === 'release') account.run({ type: 'ReleaseHold', holdId: at0 }, at);
          if (step.do === 'capture') account.run({ type: 'CaptureHold', holdId: at0, amount: null, final: true }, at);
          if (step.do === 'reverse') {
            const consumptionId = ids('con').at(-1 - (step.amount % 3)) ?? 'con_none';
            account.run({ type: 'ReverseConsumption', consumptionId, amount: null, reason: null }, at);
          }
          if (step.do === 'progress' || step.do === 'progressOther') {
            const [reference, list] = step.do === 'progress' ? (['pi_1', one] as const) : (['pi_2', two] as const);
            const index = step.amount % list.length;
            reached[reference][index] = (reached[reference][index] ?? -1) + 1;
            account.run(settle((version += 1), claimsAt(list, reached[reference]), reference), at);
          }
          if (step.do === 'policy')
            account.run({ type: 'ChangeSettings', debtPolicy: step.amount % 2 === 0 ? 'debt' : 'write_off' }, at);
          if (step.do === 'grant' || step.do === 'other') {
            const [reference, lot] = waiting.shift() ?? [];
            if (reference === undefined || lot === undefined) continue;
            account.run(
              grant(lot.amount, { ...lot, paymentReference: reference, costBasis: { amount: 613, currency: 'usd' } }),
              at,
            );
          }
        }
        account.run(due, hour(now + 200));
      },
    ),
    { numRuns: 200 },
  );
});

/** What is known of an account at the end, whatever order it was reported in. */
function endOf({ state }: AuditedAccount): unknown {
  const grants = [...state.grants.values()].map(
    ({ id: _id, revision: _revision, revocations, costLeft: _left, costExpired: _expired, ...rest }) => ({
      ...rest,
      // One that was taken whole before it began never begins.
      scheduled: rest.scheduled && rest.free > 0,
      taken: revocations.map(({ cause, amount }) => `${cause.id} ${String(amount)}`).sort(),
    }),
  );
  return { balance: state.balance, grants: grants.map((each) => JSON.stringify(each)).sort() };
}

test('refund, dispute, expiry, release and reversal end the same in whatever order they are reported', () => {
  fc.assert(
    fc.property(
      lots,
      facts,
      fc.array(fc.integer({ min: 1, max: 20 }), { maxLength: 4 }),
      fc.nat(60),
      fc.array(fc.nat(90), { minLength: 12, maxLength: 12 }),
      fc.array(fc.nat(90), { minLength: 12, maxLength: 12 }),
      fc.boolean(),
      (mine, list, uses, spare, early, late, spareFirst) => {
        const play = (times: readonly number[], spareAt: number): unknown => {
          const account = new AuditedAccount(hour(0));
          for (const lot of mine) account.run(grant(lot.amount, { ...lot, paymentReference: 'pi_1' }), hour(0));
          const todo: (readonly [number, () => AccountCommand])[] = [];
          for (const [index, amount] of uses.entries()) {
            const at = hour(index);
            if (index % 2 === 0) {
              account.run(holdFor(amount, 24 * 6), at);
              const placed = account.log.findLast((event) => event.type === 'CreditsHeld');
              if (placed?.type === 'CreditsHeld')
                todo.push([times[index] ?? 0, () => ({ type: 'ReleaseHold', holdId: placed.holdId })]);
              continue;
            }
            account.run(consume(amount), at);
            const used = account.log.findLast((event) => event.type === 'CreditsConsumed');
            if (used?.type === 'CreditsConsumed') {
              const { consumptionId } = used;
              todo.push([
                times[index] ?? 0,
                () => ({ type: 'ReverseConsumption', consumptionId, amount: Math.ceil(used.amount / 2), reason: null }),
              ]);
            }
          }
          const reached = list.map(() => -1);
          let version = 0;
          for (const [index, { steps: all }] of list.entries())
            for (const [step] of all.entries())
              todo.push([
                times[4 + index * 2 + Math.min(step, 1)] ?? 0,
                () => {
                  reached[index] = Math.max(reached[index] ?? -1, step);
                  return settle((version += 1), claimsAt(list, reached));
                },
              ]);
          todo.push([spareAt, () => grant(spare + 1, { paymentReference: 'pi_9', effectiveAt: hour(0) })]);
          const inTime = todo
            .map((each, index) => [...each, index] as const)
            .sort((a, b) => a[0] - b[0] || a[2] - b[2]);
          for (const [at, command] of inTime) account.run(command(), hour(10 + at));
          account.run(
            settle(
              99,
              claimsAt(
                list,
                list.map(() => 9),
              ),
            ),
            hour(150),
          );
          account.run(due, hour(200));
          return endOf(account);
        };
        expect(play(late, spareFirst ? 0 : 95)).toEqual(play(early, spareFirst ? 95 : 0));
      },
    ),
    { numRuns: 200 },
  );
});

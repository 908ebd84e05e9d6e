import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { instantOf, msOf, plusMs, type Instant } from '#kernel/instant.js';
import { accountAt } from '#ledger/account/at.js';
import { compareForBurn } from '#ledger/account/grants/burn-order.js';
import { basisFrom, basisOf, forecastOf, type Forecast, type ForecastBasis } from '#ledger/account/reading/forecast.js';
import type { AccountState } from '#ledger/account/state.js';
import { consume, grant, hold } from '../support/ledger/account-commands.js';
import { LedgerAccount } from '../support/ledger/ledger-account.js';

const day = 86_400_000;
const start = '2026-03-01T00:00:00.000Z';

/**
 * The same in the slowest way: day after day, every credit by itself at its own time, each time looking at all grants anew. Grants are
 * taken from the account, and nothing else of the forecast.
 */
function slowForecast(state: AccountState, basis: ForecastBasis, days: number): Omit<Forecast, 'perDay'> {
  const begin = msOf(basis.to);
  const span = msOf(basis.to) - msOf(basis.from);
  const lots = [...state.grants.values()].map((lot) => ({ lot, left: lot.free, ended: false }));
  const order = compareForBurn(state.settings.burnOrder);
  const instants = new Set(
    lots.flatMap(({ lot }) => [lot.effectiveAt, ...(lot.expiresAt === null ? [] : [lot.expiresAt])]),
  );
  const expiringUnused: { grantId: string; at: Instant; amount: number }[] = [];
  let owed = state.balance.debt;
  let runsOutAt: number | null = null;
  let k = 1;
  const usable = (now: number) =>
    lots.filter(
      ({ lot, left }) =>
        left > 0 && msOf(lot.effectiveAt) <= now && (lot.expiresAt === null || now < msOf(lot.expiresAt)),
    );
  const look = (now: number): void => {
    for (const one of lots) {
      const { expiresAt } = one.lot;
      if (expiresAt === null || msOf(expiresAt) > now || one.ended) continue;
      one.ended = true;
      if (one.left > 0) expiringUnused.push({ grantId: one.lot.id, at: expiresAt, amount: one.left });
      one.left = 0;
    }
    for (const one of usable(now).sort((a, b) => a.lot.revision - b.lot.revision)) {
      const paid = Math.min(owed, one.left);
      one.left -= paid;
      owed -= paid;
    }
    if (usable(now).length === 0) runsOutAt ??= Math.ceil(now);
  };
  look(begin);
  const turns = [...instants].map(msOf).filter((at) => at > begin);
  for (let today = 0; today < days; today += 1) {
    const until = begin + (today + 1) * day;
    const wanted: number[] = [];
    for (; basis.consumed > 0 && begin + (k * span) / basis.consumed < until; k += 1)
      wanted.push(begin + (k * span) / basis.consumed);
    const due = turns.filter((at) => until - day <= at && at < until);
    const moments = [...due.map((at) => ({ at, turn: true })), ...wanted.map((at) => ({ at, turn: false }))].sort(
      (a, b) => a.at - b.at || Number(b.turn) - Number(a.turn),
    );
    for (const { at, turn } of moments) {
      const [next] = turn ? [] : usable(at).sort((a, b) => order(a.lot, b.lot));
      if (next !== undefined) next.left -= 1;
      look(at);
    }
  }
  const known = basis.consumed > 0 ? (runsOutAt as number | null) : null;
  return {
    runsOutAt: known === null ? null : instantOf(known),
    daysLeft: known === null ? null : Math.round(((known - begin) / day) * 100) / 100,
    expiringUnused: expiringUnused.sort((a, b) => (a.at + a.grantId < b.at + b.grantId ? -1 : 1)),
  };
}

const lengths = fc.constantFrom(day / 2, day, 3 * day, 7 * day, 11 * day);
const step = fc.record({
  wait: fc.oneof(fc.constant(0), fc.constantFrom(3_600_000, day, 2 * day)),
  act: fc.oneof(
    fc.record({
      do: fc.constant('grant' as const),
      amount: fc.integer({ min: 1, max: 60 }),
      source: fc.constantFrom('purchase' as const, 'promotion' as const),
      delay: fc.option(lengths),
      life: fc.option(lengths),
    }),
    fc.record({ do: fc.constant('consume' as const), amount: fc.integer({ min: 1, max: 30 }) }),
    fc.record({ do: fc.constant('hold' as const), amount: fc.integer({ min: 1, max: 20 }) }),
    fc.record({ do: fc.constant('overdraft' as const), limit: fc.constantFrom(0, 25) }),
    fc.record({ do: fc.constant('order' as const), name: fc.constantFrom('purchased-first', 'expiring-first') }),
  ),
});
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

function lived(steps: readonly Step[]): { account: LedgerAccount; now: Instant } {
  const account = new LedgerAccount(start);
  let now = start;
  for (const { wait, act } of steps) {
    now = plusMs(now, wait);
    if (act.do === 'grant') {
      const begins = act.delay === null ? null : plusMs(now, act.delay);
      const expiresAt = act.life === null ? null : plusMs(begins ?? now, act.life);
      account.when(grant(act.amount, { source: act.source, effectiveAt: begins, expiresAt }), now);
    } else if (act.do === 'consume') account.when(consume(act.amount), now);
    else if (act.do === 'hold') account.when(hold(act.amount, 604_800), now);
    else if (act.do === 'overdraft') account.when({ type: 'ChangeSettings', overdraftLimit: act.limit }, now);
    else account.when({ type: 'ChangeSettings', burnOrder: act.name as 'purchased-first' }, now);
  }
  return { account, now };
}

describe('a forecast', () => {
  test('is what every credit by itself comes to', () => {
    fc.assert(
      fc.property(
        fc.array(step, { minLength: 1, maxLength: 14 }),
        fc.constantFrom(0, 1, 3, 7, 14, 28, 56, 280),
        (steps, consumed) => {
          const { account, now } = lived(steps);
          const state = accountAt(account.state, now);
          const basis = { from: plusMs(now, -28 * day), to: now, consumed };
          const { perDay, ...forecast } = forecastOf(state, basis);
          expect(Number(perDay)).toBeCloseTo(consumed / 28, 5);
          // Long enough for every grant to end; what never ends runs out later, which the next test looks at.
          const slow = slowForecast(state, basis, 40);
          expect(forecast.expiringUnused).toEqual(slow.expiringUnused);
          const isNear = forecast.runsOutAt !== null && forecast.runsOutAt < plusMs(now, 39 * day);
          if (isNear || slow.runsOutAt !== null)
            expect(forecast).toMatchObject({ runsOutAt: slow.runsOutAt, daysLeft: slow.daysLeft });
        },
      ),
    );
  });

  test('divides what never expires by the rate', () => {
    const account = new LedgerAccount(start);
    account.run(grant(1_000));
    const basis = { from: plusMs(start, -28 * day), to: start, consumed: 70 };
    expect(forecastOf(account.state, basis)).toEqual({
      perDay: '2.5',
      daysLeft: 400,
      runsOutAt: plusMs(start, 400 * day),
      expiringUnused: [],
    });
  });

  test('of an unused account tells what expires, and no end', () => {
    const account = new LedgerAccount(start);
    account.run(grant(100, { expiresAt: plusMs(start, 10 * day) }));
    account.run(grant(40, { effectiveAt: plusMs(start, 3 * day), expiresAt: plusMs(start, 20 * day) }));
    const basis = { from: plusMs(start, -day), to: start, consumed: 0 };
    const [first, second] = [...account.state.grants.values()].map(({ id }) => id);
    expect(forecastOf(account.state, basis)).toEqual({
      perDay: '0',
      daysLeft: null,
      runsOutAt: null,
      expiringUnused: [
        { grantId: first, at: plusMs(start, 10 * day), amount: 100 },
        { grantId: second, at: plusMs(start, 20 * day), amount: 40 },
      ],
    });
  });

  test('goes on from one month to the next without an end between them', () => {
    const account = new LedgerAccount(start);
    const turn = plusMs(start, 10 * day);
    account.run(grant(100, { expiresAt: turn }));
    account.run(grant(20, { effectiveAt: turn, expiresAt: plusMs(turn, 30 * day) }));
    const basis = { from: plusMs(start, -28 * day), to: start, consumed: 56 };
    // Until the turn come 19 credits: the twentieth is wanted at that very instant, and paid by the new month.
    expect(forecastOf(account.state, basis)).toMatchObject({
      runsOutAt: plusMs(start, 19.5 * day),
      expiringUnused: [{ at: turn, amount: 81 }],
    });
  });

  test('is of no use beyond a hundred years', () => {
    const account = new LedgerAccount(start);
    account.run(grant(2 ** 53 - 1));
    const basis = { from: plusMs(start, -28 * day), to: start, consumed: 1 };
    expect(forecastOf(account.state, basis)).toMatchObject({ perDay: '0.035714', runsOutAt: null, daysLeft: null });
  });
});

describe('the basis of a forecast', () => {
  test('is 28 days, or the life of the account, or a day', () => {
    const now = '2026-06-30T12:00:00.000Z';
    expect(basisFrom('2026-01-01T00:00:00.000Z', now)).toBe('2026-06-02T12:00:00.000Z');
    expect(basisFrom('2026-06-20T12:00:00.000Z', now)).toBe('2026-06-20T12:00:00.000Z');
    expect(basisFrom('2026-06-30T11:59:00.000Z', now)).toBe('2026-06-29T12:00:00.000Z');
    expect(basisFrom(null, now)).toBe('2026-06-29T12:00:00.000Z');
  });

  test('counts what was consumed less what was given back, also on credit', () => {
    const began = (): LedgerAccount => {
      const account = new LedgerAccount(start);
      account.run(grant(100));
      account.run({ type: 'ChangeSettings', overdraftLimit: 50 });
      account.run(consume(30), start);
      return account;
    };
    const later = plusMs(start, 5 * day);
    const account = began();
    const before = began().state;
    const [used] = account.events(consume(90), later);
    account.run(
      {
        type: 'ReverseConsumption',
        consumptionId: (used as { consumptionId: string }).consumptionId,
        amount: 25,
        reason: null,
      },
      later,
    );
    const period = { from: start, to: later };
    expect(basisOf(before, account.state, period)).toEqual({ ...period, consumed: 65 });
    expect(basisOf(null, account.state, period)).toEqual({ ...period, consumed: 95 });
    // What an earlier consumption gave back can be more than what was consumed since.
    expect(basisOf(account.state, before, period).consumed).toBe(0);
  });
});

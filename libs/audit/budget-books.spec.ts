import { expect, test } from '@jest/globals';
import type { AccountEvent } from '#ledger/account/events.js';
import { consume, grant, hold } from '../../test/support/ledger/account-commands.js';
import { LedgerAccount } from '../../test/support/ledger/ledger-account.js';
import { BudgetBooks } from './budget-books.js';

const scope = 'team:growth/member:ada';
type Charged = Extract<AccountEvent, { readonly charges?: unknown }>;

/** An account with budgets of which something is used, reserved, captured, and given back. */
function events(): readonly AccountEvent[] {
  const account = new LedgerAccount('2026-06-10T12:00:00.000Z');
  const cap = (limit: number, of: string) =>
    ({ type: 'SetBudget', scope: of, limit, window: 'day', timeZone: 'UTC', mode: 'hard' }) as const;
  account.given(grant(1_000), cap(100, 'org'), cap(60, scope), consume(40, { scope }), { ...hold(20), scope });
  const idOf = (field: 'holdId' | 'consumptionId'): string => {
    const event = account.log.findLast((each) => field in each);
    return (event as unknown as Record<string, string>)[field]!;
  };
  account.given({ type: 'CaptureHold', holdId: idOf('holdId'), amount: 5, final: true });
  account.given({ type: 'ReverseConsumption', consumptionId: idOf('consumptionId'), amount: 2, reason: null });
  account.given(cap(70, scope), { type: 'RemoveBudget', scope: 'org' });
  return account.log;
}

/** The first contradiction in a log in which events of a type were changed; null when there is none. */
function found<Type extends AccountEvent['type']>(
  type: Type,
  change: (event: Extract<AccountEvent, { type: Type }>) => object,
): string | null {
  const books = new BudgetBooks();
  for (const event of events()) {
    const isMeant = event.type === type;
    const entered = isMeant ? { ...event, ...change(event as Extract<AccountEvent, { type: Type }>) } : event;
    const problem = books.enter(entered as AccountEvent);
    if (problem !== null) return problem;
  }
  return null;
}

/** The charges of an event with each of their budgets changed. */
const charged = (event: Charged, change: object) => ({
  charges: (event.charges ?? []).map((charge) => ({
    ...charge,
    budgets: charge.budgets.map((counted) => ({ ...counted, ...change })),
  })),
});

test('a sound log is sound', () => {
  expect(found('AccountOpened', () => ({}))).toBeNull();
});

test('what is wrong with budgets is found', () => {
  const outermost = (event: Charged) => ({
    charges: event.charges?.map((charge) => ({ ...charge, budgets: charge.budgets.slice(0, 1) })),
  });
  expect(found('CreditsConsumed', () => ({ charges: undefined }))).toMatch(/does not count in the budgets on the path/);
  expect(found('CreditsConsumed', outermost)).toMatch(/which are org, team:growth/);
  expect(found('CreditsConsumed', () => ({ scope: undefined }))).toMatch(/names no scope/);
  expect(found('CreditsConsumed', () => ({ amount: 41 }))).toMatch(/is not its amount/);
  expect(found('BudgetSet', () => ({ limit: 50 }))).toMatch(/more is spent than the budget/);
  expect(found('BudgetSet', () => ({ used: 7 }))).toMatch(/said to have 7 used/);
  expect(found('BudgetSet', ({ windowStart }) => ({ windowEnd: windowStart }))).toMatch(/another time/);
  expect(found('CreditsHeld', (event) => charged(event, { windowEnd: event.at }))).toMatch(/window .* that is over/);
  expect(found('CreditsHeld', (event) => charged(event, { over: true }))).toMatch(/wrongly whether/);
  expect(found('HoldCaptured', () => ({ charges: undefined }))).toMatch(/is closed, and still counts/);
  expect(found('HoldReleased', (event) => charged(event, { since: 0 }))).toMatch(/more is settled/);
  expect(
    found('ConsumptionReversed', (event) => ({
      charges: event.charges?.map((charge) => ({ ...charge, amount: 500 })),
    })),
  ).toMatch(/more is given back/);
  expect(found('BudgetRemoved', () => ({ scope: 'team:none' }))).toMatch(/there is no budget/);
});

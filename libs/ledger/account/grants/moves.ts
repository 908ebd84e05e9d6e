import type { Amount } from '#kernel/amount.js';
import type { Instant } from '#kernel/instant.js';
import { moneyOf, type AccountEventType, type AccountFact, type Slice } from '../events.js';

/**
 * Where a credit can be. `counter`: which of a grant's counters has it there; `free` is scheduled until the grant is effective, and
 * available from then on. `cost`: which of a grant's sums has the money that was paid for it; null where no rule asks for that.
 * Credits come from `outside` when they are granted.
 */
export const buckets = {
  outside: { counter: null, cost: null },
  scheduled: { counter: 'free', cost: 'costLeft' },
  available: { counter: 'free', cost: 'costLeft' },
  held: { counter: 'held', cost: 'costLeft' },
  consumed: { counter: 'consumed', cost: null },
  expired: { counter: 'expired', cost: 'costExpired' },
  revoked: { counter: 'revoked', cost: null },
  /** Used to repay debt. */
  repaid: { counter: 'repaid', cost: null },
  /** Given to another customer. */
  transferred: { counter: 'transferred', cost: null },
} as const;
export type Bucket = keyof typeof buckets;
/** Where the credits of a grant can be. */
export type Place = Exclude<Bucket, 'outside'>;
export type Counter = NonNullable<(typeof buckets)[Bucket]['counter']>;

export const places = Object.keys(buckets).filter((bucket): bucket is Place => bucket !== 'outside');

/** The counters of a grant. Together they are always its amount. */
export const counters: readonly Counter[] = [
  ...new Set(Object.values(buckets).flatMap(({ counter }) => counter ?? [])),
];

/** What a grant has before its credits come from outside. */
export const NO_CREDITS = Object.fromEntries(counters.map((counter) => [counter, 0])) as {
  readonly [Name in Counter]: Amount;
};

/** Credits of a grant that go from one bucket to another, with so many minor units of the grant's cost basis. */
export type Move = {
  readonly grantId: string;
  readonly from: Bucket;
  readonly to: Bucket;
  readonly amount: Amount;
  readonly cost: number;
};

/** A fact with its time: an event, perhaps before its balance is known. */
type Dated<Type extends AccountEventType = AccountEventType> = Extract<AccountFact, { readonly type: Type }> & {
  readonly at: Instant;
};
type Moved = Pick<Slice, 'grantId' | 'amount'> & { readonly cost?: Slice['cost'] };

const move = ({ grantId, amount, cost = null }: Moved, from: Bucket, to: Bucket): Move => ({
  grantId,
  from,
  to,
  amount,
  cost: moneyOf({ cost }),
});
const moveAll = (slices: readonly Moved[], from: Bucket, to: Bucket): readonly Move[] =>
  slices.map((slice) => move(slice, from, to));

/** What each event moves; null where it moves no credits. */
const table: { readonly [Type in AccountEventType]: null | ((event: Dated<Type>) => readonly Move[]) } = {
  CreditsGranted: ({ grantId, amount, costBasis: cost, effectiveAt, at }) => [
    move({ grantId, amount, cost }, 'outside', effectiveAt > at ? 'scheduled' : 'available'),
  ],
  CreditsActivated: (event) => [move(event, 'scheduled', 'available')],
  CreditsConsumed: ({ allocations }) => moveAll(allocations, 'available', 'consumed'),
  CreditsHeld: ({ allocations }) => moveAll(allocations, 'available', 'held'),
  HoldRaised: ({ allocations }) => moveAll(allocations, 'available', 'held'),
  HoldCaptured: ({ allocations }) => moveAll(allocations, 'held', 'consumed'),
  HoldReleased: ({ allocations }) => moveAll(allocations, 'held', 'available'),
  CreditsExpired: (event) => [move(event, 'available', 'expired')],
  CreditsRevoked: (event) => {
    let available = event.amount - event.scheduled;
    return event.allocations.map((slice) => {
      const from = unspent(available <= 0, event.expired > 0);
      available -= slice.amount;
      return move(slice, from, 'revoked');
    });
  },
  CreditsReinstated: (event) => [move(event, 'revoked', unspent(event.scheduled, event.expired))],
  ConsumptionReversed: ({ restored }) => moveAll(restored, 'consumed', 'available'),
  DebtRepaid: (event) => [move(event, 'available', 'repaid')],
  DebtForgiven: ({ restored }) => moveAll(restored, 'repaid', 'available'),
  TransferSent: ({ lots }) => moveAll(lots, 'available', 'transferred'),
  TransferReturned: ({ restored }) => moveAll(restored, 'transferred', 'available'),
  TransferReceived: null,
  TransferClaimed: null,
  AccountOpened: null,
  HoldExtended: null,
  DebtIncurred: null,
  PaymentClaimed: null,
  PeriodChanged: null,
  TrialChanged: null,
  TermsEnded: null,
  BillingRequested: null,
  BudgetSet: null,
  BudgetRemoved: null,
  BurnOrderChanged: null,
  OverdraftLimitChanged: null,
  DebtPolicyChanged: null,
  LowBalanceThresholdChanged: null,
  AccountFrozen: null,
  AccountUnfrozen: null,
  AccountClosed: null,
};

/** Where what nobody used of a grant is. One that expired before it became effective counts as expired. */
const unspent = (scheduled: boolean, expired: boolean): Bucket =>
  expired ? 'expired' : scheduled ? 'scheduled' : 'available';

const NONE: readonly Move[] = [];

/** The credits that an event moves, in order. All that follows the credits of a grant follows this. */
export const moves = (event: Dated): readonly Move[] =>
  (table[event.type] as ((event: Dated) => readonly Move[]) | null)?.(event) ?? NONE;

/** The signed change of the balance that an event means. `available` of it is the amount that the history shows. */
export function balanceChange(event: Dated): {
  readonly available: number;
  readonly held: number;
  readonly debt: number;
} {
  const change = { available: 0, held: 0, debt: debtChange(event) };
  for (const { from, to, amount } of moves(event)) {
    if (from === 'available' || from === 'held') change[from] -= amount;
    if (to === 'available' || to === 'held') change[to] += amount;
  }
  return change;
}

function debtChange(event: Dated): number {
  if (event.type === 'DebtIncurred') return event.amount;
  return event.type === 'DebtRepaid' || event.type === 'DebtForgiven' ? -event.amount : 0;
}

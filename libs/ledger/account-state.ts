import { assert, assertNever } from '#kernel/assert.js';
import { proportion, type Amount, type Money } from '#kernel/amount.js';
import type { Instant } from '#kernel/instant.js';
import { LayeredMap } from '#kernel/layered-map.js';
import { accountOf, type StreamName } from '#kernel/stream-name.js';
import { compareForBurn } from './account-burn-order.js';
import {
  NOTHING,
  type AccountEvent,
  type AccountEventOf,
  type Balance,
  type HeldSlice,
  type RevocationCause,
  type Settings,
  type Slice,
  type Source,
} from './account-events.js';
import type { Claim } from './payment-claims.js';
import { insertSorted, removeSorted } from './sorted.js';

/**
 * A lot of credits. Always: amount = free + held + consumed + expired + revoked + repaid, where `free` is scheduled before
 * the grant is effective and available from then on. Records are replaced, never changed.
 */
export type Grant = {
  readonly id: string;
  readonly revision: number;
  readonly source: Source;
  readonly priority: number;
  readonly amount: Amount;
  readonly effectiveAt: Instant;
  readonly expiresAt: Instant | null;
  readonly paymentReference: string | null;
  readonly costBasis: Money | null;
  /** Minor units of the cost basis not yet used up by consumption, expiry or revocation. */
  readonly costLeft: number;
  readonly scheduled: boolean;
  readonly free: Amount;
  readonly held: Amount;
  readonly consumed: Amount;
  readonly expired: Amount;
  readonly revoked: Amount;
  /** What each cause has revoked; adjustments are left out, an opposite adjustment undoes them. */
  readonly revocations: readonly Revocation[];
  /** Used to repay debt. */
  readonly repaid: Amount;
  /** Asked back after it was spent or reserved: became debt or was written off. */
  readonly clawedBack: Amount;
};

/** `cost`: the minor units of the cost basis that went with the credits. */
export type Revocation = { readonly cause: RevocationCause; readonly amount: Amount; readonly cost: number };

/** The time-out of what claims reserve: none that will come. Callers' holds end within days. */
export const NO_TIMEOUT: Instant = '9999-12-31T23:59:59.999Z';

/** What is claimed of a payment of `paid` minor units, as told last. */
export type PaymentClaims = {
  readonly version: number;
  readonly paid: number;
  readonly claims: readonly Claim[];
};

export type Hold = {
  readonly id: string;
  readonly amount: Amount;
  readonly remaining: Amount;
  readonly allocations: readonly HeldSlice[];
  readonly expiresAt: Instant;
};

export type Debt = {
  readonly id: string;
  readonly revision: number;
  readonly cause: AccountEventOf<'DebtIncurred'>['cause'];
  readonly outstanding: Amount;
  /** What grants paid of it, oldest first, less what was given back. */
  readonly repayments: readonly Slice[];
};

/** What time will do by itself: `order` settles which comes first at one instant. */
export type Due = {
  readonly at: Instant;
  readonly order: 0 | 1 | 2;
  readonly kind: 'activate' | 'timeout' | 'expire';
  readonly id: string;
};

/** An account folded from its events. Owned by one writer; fork it to try something. */
export type AccountState = {
  customerId: string;
  unit: string;
  opened: boolean;
  settings: Settings;
  balance: Balance;
  /** The time of the newest event; empty before the first. */
  lastAt: Instant;
  /** The sum of all grants ever, capped so that no sum overflows. */
  granted: Amount;
  grants: LayeredMap<string, Grant>;
  /** Effective grants with free credits, in burn order. */
  spendable: readonly Grant[];
  /** Open holds only. */
  holds: LayeredMap<string, Hold>;
  debts: LayeredMap<string, Debt>;
  /** Debts with something outstanding, oldest first. */
  owed: readonly Debt[];
  /** By payment reference; of payments that something is or was claimed of. */
  claims: LayeredMap<string, PaymentClaims>;
  /** How much of the consumption at a revision has been reversed. */
  reversed: LayeredMap<number, Amount>;
  /** What time will do, soonest first. */
  timeline: readonly Due[];
};

export const defaultSettings: Settings = {
  status: 'active',
  burnOrder: 'purchased-first',
  overdraftLimit: 0,
  debtPolicy: 'debt',
  lowBalanceThreshold: null,
};

export function initialAccount(stream: StreamName): AccountState {
  const account = accountOf(stream);
  assert(account !== null, `not an account's stream: ${stream}`);
  return {
    ...account,
    opened: false,
    settings: defaultSettings,
    balance: NOTHING,
    lastAt: '',
    granted: 0,
    grants: LayeredMap.empty(),
    spendable: [],
    holds: LayeredMap.empty(),
    debts: LayeredMap.empty(),
    owed: [],
    claims: LayeredMap.empty(),
    reversed: LayeredMap.empty(),
    timeline: [],
  };
}

export const forkAccount = (state: AccountState): AccountState => ({
  ...state,
  grants: state.grants.fork(),
  holds: state.holds.fork(),
  debts: state.debts.fork(),
  claims: state.claims.fork(),
  reversed: state.reversed.fork(),
});

export const mergeAccount = (fork: AccountState): AccountState => ({
  ...fork,
  grants: fork.grants.merge(),
  holds: fork.holds.merge(),
  debts: fork.debts.merge(),
  claims: fork.claims.merge(),
  reversed: fork.reversed.merge(),
});

/** True from the instant of expiry on, recorded or not. */
export const hasExpired = (grant: Grant, at: Instant): boolean => grant.expiresAt !== null && grant.expiresAt <= at;

/**
 * The share of the grant's cost basis that `amount` of its unspent credits takes along: round-half-up(R·x/r) of the R minor
 * units and r credits that are left; the last credit takes the rest. Null for a grant that cost nothing.
 */
export function costOf(grant: Grant, amount: Amount): Money | null {
  if (grant.costBasis === null) return null;
  const left = grant.free + grant.held;
  return { amount: left === 0 ? 0 : proportion(grant.costLeft, amount, left), currency: grant.costBasis.currency };
}

export const compareDue = (a: Due, b: Due): number => {
  if (a.at !== b.at) return a.at < b.at ? -1 : 1;
  if (a.order !== b.order) return a.order - b.order;
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
};
export const compareDebts = (a: Debt, b: Debt): number => a.revision - b.revision;

export const dueOf = (grant: Grant): Due | null => {
  if (grant.free === 0) return null;
  if (grant.scheduled) return { at: grant.effectiveAt, order: 0, kind: 'activate', id: grant.id };
  return grant.expiresAt === null ? null : { at: grant.expiresAt, order: 2, kind: 'expire', id: grant.id };
};
export const timeoutOf = (hold: Hold): Due => ({ at: hold.expiresAt, order: 1, kind: 'timeout', id: hold.id });

/** The grant that must exist: an event named it. */
export function grantOf(state: AccountState, id: string): Grant {
  const grant = state.grants.get(id);
  assert(grant !== undefined, `an event names grant ${id}, which the account does not have`);
  return grant;
}

export const isSpendable = (grant: Grant): boolean => !grant.scheduled && grant.free > 0;

function putGrant(state: AccountState, before: Grant | null, after: Grant): void {
  assert(
    after.free >= 0 &&
      after.held >= 0 &&
      after.consumed >= 0 &&
      after.revoked >= 0 &&
      after.repaid >= 0 &&
      after.costLeft >= 0,
    `grant ${after.id} would hold less than nothing`,
  );
  state.grants.set(after.id, after);
  const compare = compareForBurn(state.settings.burnOrder);
  if (before !== null && isSpendable(before)) {
    // The order looks at nothing that changes while a grant lives, so the new record takes the old one's place.
    state.spendable = isSpendable(after)
      ? replaced(state.spendable, before, after, compare)
      : removeSorted(state.spendable, before, compare);
  } else if (isSpendable(after)) {
    state.spendable = insertSorted(state.spendable, after, compare);
  }
  const [due, next] = [before === null ? null : dueOf(before), dueOf(after)];
  if (due?.kind === next?.kind) return;
  if (due !== null) state.timeline = removeSorted(state.timeline, due, compareDue);
  if (next !== null) state.timeline = insertSorted(state.timeline, next, compareDue);
}

function replaced(
  list: readonly Grant[],
  before: Grant,
  after: Grant,
  compare: (a: Grant, b: Grant) => number,
): readonly Grant[] {
  if (list[0]?.id === before.id) return list.length === 1 ? [after] : list.with(0, after);
  return insertSorted(removeSorted(list, before, compare), after, compare);
}

type Counters = Partial<
  Pick<
    Grant,
    | 'free'
    | 'held'
    | 'consumed'
    | 'expired'
    | 'revoked'
    | 'repaid'
    | 'clawedBack'
    | 'costLeft'
    | 'revocations'
    | 'scheduled'
  >
>;

const changeGrant = (state: AccountState, grant: Grant, change: Counters): void => {
  putGrant(state, grant, { ...grant, ...change });
};

type Counter = 'free' | 'held' | 'consumed' | 'expired' | 'revoked' | 'repaid';
const moneyOf = (slice: { readonly cost: Money | null }): number => slice.cost?.amount ?? 0;

/** Moves credits of a grant from one counter to another; their cost leaves the grant when they are used up, and comes back. */
function move(
  state: AccountState,
  slice: { grantId: string; amount: Amount; cost: Money | null },
  from: Counter,
  to: Counter,
): void {
  const grant = grantOf(state, slice.grantId);
  const cost = to === 'free' ? moneyOf(slice) : -moneyOf(slice);
  changeGrant(state, grant, {
    [from]: grant[from] - slice.amount,
    [to]: grant[to] + slice.amount,
    costLeft: grant.costLeft + cost,
  });
}

export const sameCause = (a: { kind: string; id: string }, b: { kind: string; id: string }): boolean =>
  a.kind === b.kind && a.id === b.id;

/** Notes what `cause` has revoked of a grant, all in all; a negative slice was given back. */
function noteRevocation(
  state: AccountState,
  grantId: string,
  cause: RevocationCause,
  { amount, cost }: { amount: number; cost: number },
): void {
  if (cause.kind === 'adjustment') return;
  const grant = grantOf(state, grantId);
  const before = grant.revocations.find((revocation) => sameCause(revocation.cause, cause));
  const after = { cause, amount: (before?.amount ?? 0) + amount, cost: (before?.cost ?? 0) + cost };
  assert(after.amount >= 0 && after.cost >= 0, `grant ${grantId} gets back more than was revoked`);
  const others = grant.revocations.filter((revocation) => revocation !== before);
  changeGrant(state, grant, { revocations: after.amount === 0 ? others : [...others, after] });
}

const free = (slice: HeldSlice): Slice => ({ ...slice, cost: null });

function putHold(state: AccountState, hold: Hold): void {
  const before = state.holds.get(hold.id);
  if (before !== undefined) state.timeline = removeSorted(state.timeline, timeoutOf(before), compareDue);
  if (hold.remaining === 0) {
    state.holds.delete(hold.id);
    return;
  }
  state.holds.set(hold.id, hold);
  state.timeline = insertSorted(state.timeline, timeoutOf(hold), compareDue);
}

function putDebt(state: AccountState, debt: Debt): void {
  const before = state.debts.get(debt.id);
  if (before !== undefined && before.outstanding > 0) state.owed = removeSorted(state.owed, before, compareDebts);
  state.debts.set(debt.id, debt);
  if (debt.outstanding > 0) state.owed = insertSorted(state.owed, debt, compareDebts);
}

/** The debt that must exist: an event named it. */
function debtOf(state: AccountState, id: string): Debt {
  const debt = state.debts.get(id);
  assert(debt !== undefined, `an event names debt ${id}, which the account does not have`);
  return debt;
}

/** Takes over `state` and returns it as the event leaves it. Asserts what the rules exclude. */
export function evolveAccount(state: AccountState, event: AccountEvent, revision: number): AccountState {
  const { available, held, debt } = event.balance;
  assert(
    available >= 0 && held >= 0 && debt >= 0,
    `${event.type} at revision ${String(revision)} leaves a balance below nothing`,
  );
  state.balance = event.balance;
  state.lastAt = event.at;
  switch (event.type) {
    case 'AccountOpened':
      state.opened = true;
      return state;
    case 'CreditsGranted':
    case 'CreditsActivated':
    case 'CreditsExpired':
    case 'CreditsRevoked':
    case 'CreditsReinstated':
      return evolveGrants(state, event, revision);
    case 'CreditsConsumed':
    case 'ConsumptionReversed':
      return evolveSpending(state, event);
    case 'CreditsHeld':
    case 'HoldExtended':
    case 'HoldCaptured':
    case 'HoldReleased':
      return evolveHolds(state, event);
    case 'DebtIncurred':
    case 'DebtRepaid':
    case 'DebtForgiven':
      return evolveDebts(state, event, revision);
    case 'PaymentClaimed':
      state.claims.set(event.paymentReference, { version: event.version, paid: event.paid, claims: event.claims });
      return state;
    case 'BurnOrderChanged':
    case 'OverdraftLimitChanged':
    case 'DebtPolicyChanged':
    case 'LowBalanceThresholdChanged':
    case 'AccountFrozen':
    case 'AccountUnfrozen':
    case 'AccountClosed':
      state.settings = event.settings;
      if (event.type === 'BurnOrderChanged')
        state.spendable = state.spendable.toSorted(compareForBurn(event.settings.burnOrder));
      return state;
    default:
      return assertNever(event);
  }
}

type GrantEvent = AccountEventOf<
  'CreditsGranted' | 'CreditsActivated' | 'CreditsExpired' | 'CreditsRevoked' | 'CreditsReinstated'
>;

function evolveGrants(state: AccountState, event: GrantEvent & AccountEvent, revision: number): AccountState {
  switch (event.type) {
    case 'CreditsGranted':
      state.granted += event.amount;
      putGrant(state, null, {
        id: event.grantId,
        revision,
        source: event.source,
        priority: event.priority,
        amount: event.amount,
        effectiveAt: event.effectiveAt,
        expiresAt: event.expiresAt,
        paymentReference: event.paymentReference,
        costBasis: event.costBasis,
        costLeft: event.costBasis?.amount ?? 0,
        scheduled: event.effectiveAt > event.at,
        free: event.amount,
        held: 0,
        consumed: 0,
        expired: 0,
        revoked: 0,
        revocations: [],
        repaid: 0,
        clawedBack: 0,
      });
      return state;
    case 'CreditsActivated':
      changeGrant(state, grantOf(state, event.grantId), { scheduled: false });
      return state;
    case 'CreditsExpired':
      move(state, event, 'free', 'expired');
      return state;
    case 'CreditsRevoked':
      for (const slice of event.allocations) {
        move(state, slice, 'free', 'revoked');
        noteRevocation(state, slice.grantId, event.cause, { amount: slice.amount, cost: moneyOf(slice) });
      }
      if (event.grantId !== null && event.writtenOff > 0) clawBack(state, event.grantId, event.writtenOff);
      return state;
    case 'CreditsReinstated':
      move(state, event, 'revoked', 'free');
      noteRevocation(state, event.grantId, event.cause, { amount: -event.amount, cost: -moneyOf(event) });
      return state;
    default:
      return assertNever(event);
  }
}

function clawBack(state: AccountState, grantId: string, amount: number): void {
  const grant = grantOf(state, grantId);
  changeGrant(state, grant, { clawedBack: grant.clawedBack + amount });
}

function evolveSpending(
  state: AccountState,
  event: AccountEventOf<'CreditsConsumed'> | AccountEventOf<'ConsumptionReversed'>,
): AccountState {
  if (event.type === 'CreditsConsumed') {
    for (const slice of event.allocations) move(state, slice, 'free', 'consumed');
    return state;
  }
  for (const slice of event.restored) move(state, slice, 'consumed', 'free');
  state.reversed.set(event.consumptionRevision, event.reversedTotal);
  return state;
}

type HoldEvent =
  | AccountEventOf<'CreditsHeld'>
  | AccountEventOf<'HoldExtended'>
  | AccountEventOf<'HoldCaptured'>
  | AccountEventOf<'HoldReleased'>;

function evolveHolds(state: AccountState, event: HoldEvent): AccountState {
  switch (event.type) {
    case 'CreditsHeld':
      for (const slice of event.allocations) move(state, free(slice), 'free', 'held');
      putHold(state, {
        id: event.holdId,
        amount: event.amount,
        remaining: event.amount,
        allocations: event.allocations,
        expiresAt: event.expiresAt,
      });
      return state;
    case 'HoldExtended':
    case 'HoldCaptured':
      if (event.type === 'HoldCaptured') for (const slice of event.allocations) move(state, slice, 'held', 'consumed');
      putHold(state, {
        id: event.holdId,
        amount: event.heldAmount,
        remaining: event.remaining,
        allocations: event.heldAllocations,
        expiresAt: event.expiresAt,
      });
      return state;
    case 'HoldReleased':
      for (const slice of event.allocations) move(state, free(slice), 'held', 'free');
      putHold(state, {
        id: event.holdId,
        amount: event.heldAmount,
        remaining: 0,
        allocations: [],
        expiresAt: event.expiresAt,
      });
      return state;
    default:
      return assertNever(event);
  }
}

type DebtEvent = AccountEventOf<'DebtIncurred'> | AccountEventOf<'DebtRepaid'> | AccountEventOf<'DebtForgiven'>;

function evolveDebts(state: AccountState, event: DebtEvent, revision: number): AccountState {
  switch (event.type) {
    case 'DebtIncurred':
      putDebt(state, { id: event.debtId, revision, cause: event.cause, outstanding: event.amount, repayments: [] });
      if (event.cause.grantId !== null) clawBack(state, event.cause.grantId, event.amount);
      return state;
    case 'DebtRepaid': {
      const debt = debtOf(state, event.debtId);
      const { source } = grantOf(state, event.grantId);
      move(state, event, 'free', 'repaid');
      const repayment: Slice = { grantId: event.grantId, source, amount: event.amount, cost: event.cost };
      putDebt(state, {
        ...debt,
        outstanding: debt.outstanding - event.amount,
        repayments: [...debt.repayments, repayment],
      });
      return state;
    }
    case 'DebtForgiven': {
      const debt = debtOf(state, event.debtId);
      for (const slice of event.restored) move(state, slice, 'repaid', 'free');
      putDebt(state, {
        ...debt,
        outstanding: debt.outstanding - event.amount,
        repayments: event.restored.reduce(withoutNewest, debt.repayments),
      });
      const { grantId } = debt.cause;
      if (grantId !== null)
        clawBack(state, grantId, -(event.amount + event.restored.reduce((sum, slice) => sum + slice.amount, 0)));
      return state;
    }
    default:
      return assertNever(event);
  }
}

/** The repayments less a slice of the newest of them. */
function withoutNewest(repayments: readonly Slice[], slice: Slice): readonly Slice[] {
  const newest = repayments.at(-1);
  assert(
    newest !== undefined && newest.grantId === slice.grantId && newest.amount >= slice.amount,
    'a repayment given back was never made',
  );
  const rest = repayments.slice(0, -1);
  if (newest.amount === slice.amount) return rest;
  const cost = newest.cost === null ? null : { ...newest.cost, amount: newest.cost.amount - moneyOf(slice) };
  return [...rest, { ...newest, amount: newest.amount - slice.amount, cost }];
}

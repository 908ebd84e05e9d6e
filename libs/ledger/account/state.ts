import type { Amount, Money } from '#kernel/amount.js';
import { assert } from '#kernel/assert.js';
import type { Instant } from '#kernel/instant.js';
import type { Json } from '#kernel/json.js';
import { LayeredMap } from '#kernel/layered-map.js';
import { accountOf, type StreamName } from '#kernel/stream-name.js';
import {
  NOTHING,
  type AccountEventOf,
  type Balance,
  type FollowingClaim,
  type HeldSlice,
  type HoldOwner,
  type Received,
  type Resource,
  type RevocationCause,
  type Sale,
  type Settings,
  type Slice,
  type PlanChange,
  type Source,
  type Term,
  type Trial,
} from './events.js';
import type { Counter } from './grants/moves.js';
import { NO_USAGE, type Usage } from './usage.js';
import type { Budget, Charge } from './budgets/facts.js';
import type { BoughtLine, Claim, Paid } from '../payment/claims.js';

/** A lot of credits. Its counters always add up to its amount. Records are replaced, never changed. */
export type Grant = { readonly [Name in Counter]: Amount } & {
  readonly id: string;
  readonly revision: number;
  readonly source: Source;
  readonly priority: number;
  readonly amount: Amount;
  readonly effectiveAt: Instant;
  readonly expiresAt: Instant | null;
  readonly paymentReference: string | null;
  /** What a subscription gives it for; null for all else. */
  readonly term: Term | null;
  /** What was bought at Stripe; null for all else. */
  readonly sale: Sale | null;
  /** The lines of the invoice that bought it; null where it is not known. */
  readonly lines: readonly BoughtLine[] | null;
  /** What another customer gave; null for all else. */
  readonly received: Received | null;
  readonly costBasis: Money | null;
  /** Minor units of the cost basis not yet used up by consumption, expiry or revocation. */
  readonly costLeft: number;
  /** Minor units of the cost basis that the expired credits took along: breakage. */
  readonly costExpired: number;
  /** Whether what is free of it is scheduled: it is not effective yet. */
  readonly scheduled: boolean;
  /** What each cause has revoked; adjustments are left out, an opposite adjustment undoes them. */
  readonly revocations: readonly Revocation[];
  /** Asked back after it was spent or reserved: became debt or was written off. */
  readonly clawedBack: Amount;
};

/** What one cause took of a grant. */
export type Revocation = {
  readonly cause: RevocationCause;
  readonly amount: Amount;
  /** The minor units of the cost basis that went with the credits. */
  readonly cost: number;
  /** What was spent or reserved and not asked back; beyond `amount`. */
  readonly writtenOff: Amount;
};

/** What is claimed of a payment, as reported last. */
export type PaymentClaims = Paid & { readonly version: number; readonly claims: readonly (Claim | FollowingClaim)[] };

/** Credits given to another customer, as they would come back. */
export type Transfer = { readonly id: string; readonly toCustomerId: string; readonly lots: readonly SentLot[] };
/** A lot of them, and what claims on what bought it ask the receiver for. */
export type SentLot = Slice & { readonly claims: readonly FollowingClaim[] };

/** What is known of a subscription's terms. All of it is forgotten long after it ended. */
export type SubscriptionTerms = {
  /** The ids of its grants. */
  readonly grants: readonly string[];
  readonly changes: readonly PlanChange[];
  readonly trial: Trial | null;
  /** When it ended; null while it has not. */
  readonly endedAt: Instant | null;
};

/** What expires unused of a subscription's month that ended goes on with the grant that it was agreed with: at most `cap` credits. */
export type Rollover = {
  readonly subscriptionId: string;
  /** The end of the month. */
  readonly endedAt: Instant;
  readonly grantId: string;
  readonly cap: Amount;
  readonly expiresAt: Instant;
  readonly priority: number;
  readonly metadata: Json;
};

export type Hold = {
  readonly id: string;
  readonly amount: Amount;
  readonly remaining: Amount;
  readonly allocations: readonly HeldSlice[];
  /** Null: when its owner releases it. */
  readonly expiresAt: Instant | null;
  readonly owner: HoldOwner;
  /** What it is to pay for; null where it was not named. */
  readonly resource: Resource | null;
  /** Under which it was placed; left out where it named none. */
  readonly scope?: string;
  /** Which budgets the remaining amount counts in, in the order of its captures; left out where no budget ever did. */
  readonly charges?: readonly Charge[];
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
  /** Sent and not returned: what bought a lot may be claimed back at any time. */
  transfers: LayeredMap<string, Transfer>;
  /** By payment reference, or the name of a lot that was received; of what something is or was claimed of. */
  claims: LayeredMap<string, PaymentClaims>;
  /** By subscription. */
  terms: LayeredMap<string, SubscriptionTerms>;
  /** By subscription and the end of the period whose unused credits go on; forgotten long after it. */
  rollovers: LayeredMap<string, Rollover>;
  /** How much of the consumption at a revision has been reversed. */
  reversed: LayeredMap<number, Amount>;
  /** By scope. */
  budgets: LayeredMap<string, Budget>;
  budgetCount: number;
  /** What was consumed when, and the periods that it is shown by. */
  usage: Usage;
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

/** An account before its first event. */
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
    transfers: LayeredMap.empty(),
    claims: LayeredMap.empty(),
    terms: LayeredMap.empty(),
    rollovers: LayeredMap.empty(),
    reversed: LayeredMap.empty(),
    budgets: LayeredMap.empty(),
    budgetCount: 0,
    usage: NO_USAGE,
    timeline: [],
  };
}

/** A state that can be evolved while the given one stays as it is. */
export const forkAccount = (state: AccountState): AccountState => ({
  ...state,
  grants: state.grants.fork(),
  holds: state.holds.fork(),
  debts: state.debts.fork(),
  transfers: state.transfers.fork(),
  claims: state.claims.fork(),
  terms: state.terms.fork(),
  rollovers: state.rollovers.fork(),
  reversed: state.reversed.fork(),
  budgets: state.budgets.fork(),
});

/** Ends a fork: it takes the place of the state that it came from, with that one's maps as the fork has changed them. */
export function mergeAccount(fork: AccountState): AccountState {
  fork.grants = fork.grants.merge();
  fork.holds = fork.holds.merge();
  fork.debts = fork.debts.merge();
  fork.transfers = fork.transfers.merge();
  fork.claims = fork.claims.merge();
  fork.terms = fork.terms.merge();
  fork.rollovers = fork.rollovers.merge();
  fork.reversed = fork.reversed.merge();
  fork.budgets = fork.budgets.merge();
  return fork;
}

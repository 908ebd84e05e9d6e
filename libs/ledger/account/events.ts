import type { Amount, Money } from '#kernel/amount.js';
import type { Instant } from '#kernel/instant.js';
import type { Json } from '#kernel/json.js';
import type { BoughtLine, Claim, Paid } from '../payment/claims.js';
import type { BudgetFacts, Charged, Scoped } from './budgets/facts.js';

export const sources = [
  'purchase',
  'subscription',
  'trial',
  'free_tier',
  'promotion',
  'adjustment',
  'transfer',
] as const;
export type Source = (typeof sources)[number];

/**
 * A sale of credits as one of Stripe's objects tells it: the ids of the Checkout session, the payment intent and the invoice that are
 * known to report it too, and what was paid, with tax. Null for what is not known; `paid` also where no intent can have paid it.
 */
export type Sale = {
  readonly session: string | null;
  readonly intent: string | null;
  readonly invoice: string | null;
  readonly paid: Money | null;
};

export const burnOrders = ['purchased-first', 'expiring-first'] as const;
export type BurnOrderName = (typeof burnOrders)[number];
/** The rule that chose the slices, by name and version, so that a changed rule never re-interprets the past. */
export type BurnOrder = { readonly name: BurnOrderName; readonly version: 1 };

export type DebtPolicy = 'debt' | 'write_off';

/** The account after an event: what can be spent, what is reserved, what is owed. All ≥ 0. */
export type Balance = { readonly available: Amount; readonly held: Amount; readonly debt: Amount };

/** A part of a grant; `cost` is the share of the grant's cost basis that it used up, null for a grant that cost nothing. */
export type Slice = {
  readonly grantId: string;
  readonly source: Source;
  readonly amount: Amount;
  readonly cost: Money | null;
};
/** A reserved part of a grant. Its cost is known when it is captured. */
export type HeldSlice = { readonly grantId: string; readonly source: Source; readonly amount: Amount };

/** Credits of a grant that were given to another customer, and all that goes with them. */
export type TransferredLot = Slice & {
  readonly priority: number;
  readonly effectiveAt: Instant;
  readonly expiresAt: Instant | null;
  readonly paymentReference: string | null;
};

/** Where a grant came from that another customer gave: `grantId` is the grant of that one's account. */
export type Received = { readonly transferId: string; readonly fromCustomerId: string; readonly grantId: string };

/** Why a receiver cannot take a transfer. Each holds for ever: who asks again is refused again. */
export type TransferObstacle = 'account_closed' | 'customer_erased' | 'balance_limit_exceeded';

/** Whose a hold is: of the caller that placed it, or of the claims on a payment, which alone change it. */
export type HoldOwner = 'caller' | { readonly payment: string };

export type Resource = { readonly type: string; readonly id: string };
export type Settings = {
  readonly status: 'active' | 'frozen' | 'closed';
  readonly burnOrder: BurnOrderName;
  readonly overdraftLimit: Amount;
  readonly debtPolicy: DebtPolicy;
  readonly lowBalanceThreshold: Amount | null;
};

/** What a caller may ask of billing for a customer. */
export type BillingOperation =
  | 'create_checkout_session'
  | 'create_payment_intent'
  | 'create_portal_session'
  | 'cancel_subscription'
  | 'resume_subscription'
  | 'change_subscription'
  | 'start_free_plan';

/** What a credit event was used for, and at which price. */
export type Usage = { readonly creditEvent: string; readonly quantity: number };
type Annotations = { readonly description: string | null; readonly metadata: Json };

/** What took credits away by decision: money that went back, an operator, or what became of a subscription. */
export type RevocationCause = {
  readonly kind:
    | 'refund'
    | 'dispute'
    | 'adjustment'
    | 'operator'
    /** Less, by a change of plan; what an earlier change to less had left; more than the true length of a period gives. */
    | 'downgrade'
    | 'kept'
    | 'correction'
    /** The end of the subscription, before the grant began. */
    | 'ended'
    /** The trial ends at another time than the grant: what is unspent is granted again until then, if that is still to come. */
    | 'trial'
    /** What had gone on of a month of which less is left since. */
    | 'rollover'
    /** A free month for which a subscription, or another amount, came. */
    | 'superseded';
  readonly id: string;
};

/** What was agreed when a plan was paid for: the credits of each seat and month. A later catalogue does not change it. */
export type AgreedPlan = { readonly id: string; readonly credits: Amount };

/** So many seats of a plan; given back where negative. */
export type AgreedSeats = AgreedPlan & { readonly quantity: number };

/** What a grant of a subscription is for. Only this makes it one: its source and its expiry do not. */
export type Term = {
  /** A paid period's month; more by a change within one; what goes on of the month before; a trial; a month of a free plan. */
  readonly kind: 'period' | 'change' | 'rollover' | 'trial' | 'free';
  readonly subscriptionId: string;
  readonly itemId: string | null;
  /** The paid period; of a change, from the time at which it counts. */
  readonly periodStart: Instant;
  readonly periodEnd: Instant;
  /** The month of it that the grant is for, whenever the grant was recorded and however long it lasts. */
  readonly start: Instant;
  readonly end: Instant;
  /** When the month began of which this is the rest; left out for a whole one. */
  readonly measuredFrom?: Instant;
  /** Of a change: which one. */
  readonly changeId?: string;
  /** Of a paid period; left out where it is not known. */
  readonly plan?: AgreedSeats;
};

/** How many credits a month there are more (less where negative) from a time on. */
export type ChangedPart = {
  readonly since: Instant;
  /** By the catalogue at the time of the payment. */
  readonly credits: number;
  /** Of which plans that is, with their seats (given back where negative), by the same catalogue; left out where it is not known. */
  readonly plans?: readonly AgreedSeats[];
};

/** What a change of plan or quantity means for the periods that end at one time. */
export type ChangedPeriod = {
  readonly end: Instant;
  /** Whether the credits of the periods come at once or by the month. */
  readonly interval: 'month' | 'year';
  /** Oldest first. */
  readonly parts: readonly ChangedPart[];
  /** What was paid for more, without tax; null where nothing was. */
  readonly cost: Money | null;
  /** The lines of the invoice that charge it or give it back. */
  readonly lines: readonly BoughtLine[];
  /** Whether more is granted, and less is taken back, of the month under way. Months that begin later follow in any case. */
  readonly grants: boolean;
  readonly takesBack: boolean;
};

/** A change of plan or quantity that one invoice charges or gives back. */
export type PlanChange = {
  readonly changeId: string;
  readonly periods: readonly ChangedPeriod[];
  readonly paymentReference: string | null;
  readonly metadata: Json;
};

/** A subscription's trial: what it gives, and from when to when it lasts by what is known. */
export type Trial = {
  readonly itemId: string;
  readonly amount: Amount;
  readonly start: Instant;
  readonly end: Instant;
  /** Which report of its end is newer: the revision of the subscription's stream. */
  readonly version: number;
  readonly metadata: Json;
};

/** Credits that a claim asks for of a lot that was given to another customer. */
export type FollowingClaim = Omit<Claim, 'cause' | 'byLines'> & { readonly cause: RevocationCause };

/** How changes of plan are settled, by name and version. */
export const planChangeRule = { name: 'kept-first', version: 1 } as const;

type Facts = BudgetFacts & {
  AccountOpened: { readonly customerId: string; readonly unit: string };
  /** A grant. While `effectiveAt` is after `at` it is scheduled and counts nowhere in the balance. */
  CreditsGranted: Annotations & {
    readonly grantId: string;
    readonly amount: Amount;
    readonly source: Source;
    readonly priority: number;
    readonly effectiveAt: Instant;
    readonly expiresAt: Instant | null;
    readonly costBasis: Money | null;
    readonly paymentReference: string | null;
    /** Set when an operator's adjustment made the grant. */
    readonly adjustmentId: string | null;
    /** Set on what a subscription gives. */
    readonly term?: Term;
    /** What expires unused of the subscription's period that ends at `endedAt` goes on until this grant expires, at most `cap`. */
    readonly rollover?: { readonly cap: Amount; readonly endedAt: Instant };
    /** Set on a grant of what went on of the subscription's period that ended then. */
    readonly rolledOverFrom?: Instant;
    /** Set on what was bought at Stripe. */
    readonly sale?: Sale;
    /** The lines of the invoice that bought it; left out where it is not known, so that it is a share of the whole payment. */
    readonly lines?: readonly BoughtLine[];
    /** Set on what another customer gave. */
    readonly received?: Received;
  };
  /** A scheduled grant became effective: `amount` of it can be spent from now on. */
  CreditsActivated: { readonly grantId: string; readonly amount: Amount };
  CreditsConsumed: Annotations &
    Scoped & {
      readonly consumptionId: string;
      /** What was taken: the sum of the slices and of `debt`. */
      readonly amount: Amount;
      /** What was asked; left out where it is what was taken. */
      readonly requested?: Amount;
      readonly allocations: readonly Slice[];
      /** The part beyond the available credits, within the overdraft limit; a DebtIncurred follows. */
      readonly debt: Amount;
      readonly burnOrder: BurnOrder;
      readonly usage: Usage | null;
      readonly resource: Resource | null;
    };
  CreditsHeld: Annotations &
    Scoped & {
      readonly holdId: string;
      readonly amount: Amount;
      /** What was asked; left out where it is what was reserved. */
      readonly requested?: Amount;
      readonly allocations: readonly HeldSlice[];
      /** What it is to pay for; left out where it was not named. */
      readonly resource?: Resource;
      /** Null for claims on a grant that never expires. */
      readonly expiresAt: Instant | null;
      readonly owner: HoldOwner;
      /** By which the slices were chosen; null for claims, whose order is their own. */
      readonly burnOrder: BurnOrder | null;
    };
  HoldExtended: HoldAfter & { readonly holdId: string };
  /** `amount` more credits were reserved by an open hold. */
  HoldRaised: HoldAfter &
    Charged & {
      readonly holdId: string;
      readonly amount: Amount;
      readonly allocations: readonly HeldSlice[];
      /** By which the slices were chosen. */
      readonly burnOrder: BurnOrder;
    };
  HoldCaptured: HoldAfter &
    Scoped & {
      readonly holdId: string;
      readonly consumptionId: string;
      readonly amount: Amount;
      readonly allocations: readonly Slice[];
      /** What the hold named; left out where it named nothing. */
      readonly resource?: Resource;
      /** True when the rest, if any, is released with it. */
      readonly final: boolean;
    };
  HoldReleased: Charged & {
    readonly holdId: string;
    readonly amount: Amount;
    readonly allocations: readonly HeldSlice[];
    readonly reason: 'released' | 'captured' | 'expired';
    readonly heldAmount: Amount;
    readonly expiresAt: Instant | null;
  };
  /** Breakage: `cost` is the money that was paid for the credits that nobody used. */
  CreditsExpired: { readonly grantId: string; readonly amount: Amount; readonly cost: Money | null };
  CreditsRevoked: {
    readonly revocationId: string;
    readonly amount: Amount;
    readonly allocations: readonly Slice[];
    /** The part of `amount` that came from scheduled grants and so was not in the balance: the last of the slices. */
    readonly scheduled: Amount;
    /** The part of `amount` that had expired unused: its breakage is turned back. All of `amount`, or nothing. */
    readonly expired: Amount;
    /** Spent or reserved credits that were not asked back, by the account's policy. Beyond `amount`. */
    readonly writtenOff: Amount;
    readonly grantId: string | null;
    readonly cause: RevocationCause;
    readonly reason: string | null;
  };
  CreditsReinstated: {
    readonly reinstatementId: string;
    readonly grantId: string;
    readonly amount: Amount;
    readonly cost: Money | null;
    /** What had been written off of the grant and is not any more. Beyond `amount`. */
    readonly writtenOff: Amount;
    /** True when the grant is still scheduled, so the balance does not change. */
    readonly scheduled: boolean;
    /** True when the grant has expired, so the credits are expired ones again: breakage, and none for the balance. */
    readonly expired: boolean;
    readonly cause: RevocationCause;
  };
  ConsumptionReversed: Charged & {
    readonly reversalId: string;
    readonly consumptionId: string;
    /** The revision of the consumption in this stream. */
    readonly consumptionRevision: number;
    /** The sum of `restored` and `debtReversed`. */
    readonly amount: Amount;
    /** All of this consumption that has been reversed, this reversal included. */
    readonly reversedTotal: Amount;
    readonly restored: readonly Slice[];
    /** The part that had been an overdraft; the DebtForgiven that follows says what became of it. */
    readonly debtReversed: Amount;
    readonly reason: string | null;
  };
  DebtIncurred: {
    readonly debtId: string;
    readonly amount: Amount;
    /** An overdraft's consumption; or what took back credits of `grantId` that were spent already. */
    readonly cause: {
      readonly kind: 'overdraft' | RevocationCause['kind'];
      readonly id: string;
      readonly grantId: string | null;
    };
  };
  DebtRepaid: {
    readonly debtId: string;
    readonly grantId: string;
    readonly amount: Amount;
    readonly cost: Money | null;
  };
  /**
   * A debt undone: its consumption was reversed, its dispute won, its refund failed. `amount` was still owed; what had been
   * repaid goes back to the grants that repaid it (`restored`).
   */
  DebtForgiven: {
    readonly debtId: string;
    readonly amount: Amount;
    readonly restored: readonly Slice[];
    readonly cause: { readonly kind: 'reversal' | RevocationCause['kind']; readonly id: string };
  };
  /**
   * What is claimed of a payment now: `version` says which telling is newer. What it changes of its grants follows. Of a lot that
   * another customer gave, amounts are credits, and `paymentReference` names the lot.
   */
  PaymentClaimed: Paid & {
    readonly paymentReference: string;
    readonly version: number;
    readonly claims: readonly (Claim | FollowingClaim)[];
  };
  /** Credits left for another customer's account of the same unit. They wait until that one has received them or cannot. */
  TransferSent: {
    readonly transferId: string;
    readonly toCustomerId: string;
    readonly amount: Amount;
    readonly lots: readonly TransferredLot[];
    readonly burnOrder: BurnOrder;
    readonly reason: string | null;
  };
  /** Another customer's credits arrived; the grants that they are here follow. */
  TransferReceived: {
    readonly transferId: string;
    readonly fromCustomerId: string;
    readonly amount: Amount;
    readonly reason: string | null;
  };
  /** The receiver could not take them: the credits are back in the grants that they came from. */
  TransferReturned: {
    readonly transferId: string;
    readonly toCustomerId: string;
    readonly amount: Amount;
    readonly restored: readonly Slice[];
    readonly because: TransferObstacle;
  };
  /** All that claims on what bought it ask by now of a lot that was sent: the receiver gives it. */
  TransferClaimed: {
    readonly transferId: string;
    readonly toCustomerId: string;
    /** The grant that the lot came from. */
    readonly grantId: string;
    readonly claims: readonly FollowingClaim[];
  };
  /** A change of plan or quantity within paid periods; what it changes of the grants follows. */
  PeriodChanged: PlanChange & { readonly subscriptionId: string; readonly rule: typeof planChangeRule };
  /** A subscription's trial as it is known now: agreed, or with another end. What it grants and takes follows. */
  TrialChanged: Trial & { readonly subscriptionId: string };
  /** A subscription ended: what of its grants begins then or later is revoked, in events that follow. */
  TermsEnded: { readonly subscriptionId: string; readonly endedAt: Instant };
  /** A caller asked for something of billing: the event holds the request's key, so that no other command has it, too. */
  BillingRequested: { readonly operation: BillingOperation };
  BurnOrderChanged: { readonly settings: Settings };
  OverdraftLimitChanged: { readonly settings: Settings };
  DebtPolicyChanged: { readonly settings: Settings };
  LowBalanceThresholdChanged: { readonly settings: Settings };
  AccountFrozen: { readonly settings: Settings; readonly reason: string };
  AccountUnfrozen: { readonly settings: Settings; readonly reason: string };
  AccountClosed: { readonly settings: Settings; readonly reason: string };
};
/** The hold as the event leaves it. */
type HoldAfter = {
  readonly heldAmount: Amount;
  readonly remaining: Amount;
  readonly expiresAt: Instant;
  readonly heldAllocations: readonly HeldSlice[];
};

export type AccountEventType = keyof Facts;
/** Every event of an account carries its time and the balance after it. */
export type AccountEventOf<Type extends AccountEventType> = {
  readonly type: Type;
  readonly at: Instant;
  readonly balance: Balance;
} & Facts[Type];
export type AccountEvent = { [Type in AccountEventType]: AccountEventOf<Type> }[AccountEventType];
/** An event before its balance is known. */
export type AccountFact = { [Type in AccountEventType]: { readonly type: Type } & Facts[Type] }[AccountEventType];

/** The balance of an account that has not been opened. */
export const NOTHING: Balance = { available: 0, held: 0, debt: 0 };

/** The sum of slices of one account: never beyond 2^53−1. */
export const total = (slices: readonly { readonly amount: Amount }[]): Amount =>
  slices.reduce((sum, slice) => sum + slice.amount, 0);

/** The minor units of a slice's cost; 0 for one that cost nothing. */
export const moneyOf = (slice: { readonly cost: Money | null }): number => slice.cost?.amount ?? 0;

import type { Amount, Money } from '#kernel/amount.js';
import type { Instant } from '#kernel/instant.js';
import type { Json } from '#kernel/json.js';
import type { BudgetCommand, BudgetRefusal, Exceeded } from './budgets/facts.js';
import type { BoughtLine, Claim, Paid } from '../payment/claims.js';
import type {
  AgreedSeats,
  BillingOperation,
  BurnOrderName,
  DebtPolicy,
  FollowingClaim,
  PlanChange,
  Resource,
  Sale,
  Source,
  TransferObstacle,
  TransferredLot,
  Trial,
  Usage,
} from './events.js';

type Annotations = { readonly description: string | null; readonly metadata: Json };

/** A paid period as it is granted. */
export type PaidTerm = {
  readonly periodStart: Instant;
  readonly periodEnd: Instant;
  /** `month`: all credits at once; `year`: by the month. */
  readonly interval: 'month' | 'year';
  /** All seats together. */
  readonly creditsPerMonth: Amount;
  /** Whether less was paid because the period is shorter: then its first month gives its share. */
  readonly prorated: boolean;
  /** What the whole period cost, without tax; null when it cost nothing. */
  readonly cost: Money | null;
  readonly rolloverCap: Amount;
  /** The lines of the invoice that bought it. */
  readonly lines: readonly BoughtLine[];
};

/** A month of a free plan. `amount`: null where it should not be granted. */
export type FreeMonth = { readonly start: Instant; readonly end: Instant; readonly amount: Amount | null };

/** What can be asked of an account. Prices are already resolved; times come with the decision. */
export type AccountCommand =
  | BudgetCommand
  | (Annotations & {
      readonly type: 'GrantCredits';
      readonly amount: Amount;
      readonly source: Source;
      readonly priority: number;
      /** Null: at once. */
      readonly effectiveAt: Instant | null;
      /** Null: never. */
      readonly expiresAt: Instant | null;
      readonly costBasis: Money | null;
      readonly paymentReference: string | null;
      /** Grants only if this sale has not granted yet, whatever reported it. `knownDistinct`: ids of sales that it is known not to be. */
      readonly sale?: Sale;
      readonly knownDistinct?: readonly string[];
      /** The lines of an invoice that buy it, so that a credit note on them claims it. */
      readonly lines?: readonly BoughtLine[];
    })
  | (Annotations & {
      readonly type: 'ConsumeCredits';
      readonly amount: Amount;
      /** Takes as much of it as the account allows. */
      readonly partial?: true;
      readonly usage: Usage | null;
      readonly resource: Resource | null;
      /** Whose budgets have to allow it. */
      readonly scope?: string;
    })
  | {
      readonly type: 'ReverseConsumption';
      readonly consumptionId: string;
      readonly amount: Amount | null;
      readonly reason: string | null;
    }
  | (Annotations & {
      readonly type: 'HoldCredits';
      readonly amount: Amount;
      /** Reserves as much of it as there is. */
      readonly partial?: true;
      readonly resource: Resource | null;
      /** Whose budgets have to allow it. */
      readonly scope?: string;
      readonly expiresInSeconds: number;
    })
  | { readonly type: 'RaiseHold'; readonly holdId: string; readonly amount: Amount }
  | { readonly type: 'ExtendHold'; readonly holdId: string; readonly expiresInSeconds: number }
  | { readonly type: 'CaptureHold'; readonly holdId: string; readonly amount: Amount | null; readonly final: boolean }
  | { readonly type: 'ReleaseHold'; readonly holdId: string }
  /** `amount` ≠ 0: positive grants, negative takes away by the burn order. */
  | { readonly type: 'AdjustCredits'; readonly amount: number; readonly reason: string }
  /** An operator ends a grant, or takes `amount` of it: only what is unspent and not reserved. */
  | {
      readonly type: 'RevokeGrant';
      readonly grantId: string;
      readonly amount: Amount | null;
      readonly reason: string;
    }
  /**
   * Grants all months of a paid period at once, those to come scheduled for their start, and agrees for each that what is unspent of
   * the one before goes on, at most `rolloverCap`. A month that is over already is given whole, until the month ends that it is given in.
   */
  | (PaidTerm & {
      readonly type: 'GrantPeriod';
      readonly subscriptionId: string;
      readonly itemId: string;
      readonly paymentReference: string;
      /** What each seat gives, and how many there are; left out where it is not known. */
      readonly plan?: AgreedSeats;
      readonly metadata: Json;
    })
  /** A change of plan or quantity within paid periods, whose payment was reported before or will be. Known by its id. */
  | (PlanChange & { readonly type: 'ChangePeriod'; readonly subscriptionId: string })
  /** A trial began: its credits are granted once in the life of a subscription, until `end` as it is known by now. */
  | (Trial & { readonly type: 'AgreeTrial'; readonly subscriptionId: string })
  /** When a trial ends, as its subscription shows it now. Changes nothing where no trial was agreed, or for an older version. */
  | (Pick<Trial, 'start' | 'end' | 'version'> & { readonly type: 'MoveTrial'; readonly subscriptionId: string })
  /** The subscription ended: what of its grants begins then or later is revoked, reported by now or later. */
  | { readonly type: 'EndSubscription'; readonly subscriptionId: string; readonly endedAt: Instant }
  /**
   * Makes months of a free plan what they should be: granted with this amount, or not. One that has begun is only ever granted, one to
   * come also withdrawn. The same again changes nothing, whoever asks.
   */
  | {
      readonly type: 'KeepFreeMonths';
      readonly subscriptionId: string;
      readonly planId: string;
      readonly months: readonly FreeMonth[];
    }
  /**
   * All that is claimed of a payment (refunds, disputes), of which `paid` minor units came in: its grants follow. The newest
   * version counts, whatever order they come in; the same version again changes nothing.
   */
  | ({
      readonly type: 'SettlePayment';
      readonly paymentReference: string;
      readonly version: number;
      readonly claims: readonly Claim[];
    } & Paid)
  /** Gives credits to another customer, in burn order. `receiver`: what is known of that one, where it cannot receive any. */
  | {
      readonly type: 'TransferCredits';
      readonly toCustomerId: string;
      readonly amount: Amount;
      readonly reason: string | null;
      readonly receiver: 'ready' | 'unknown' | 'closed';
    }
  /** Takes what another customer sent. `erased`: this customer was. */
  | {
      readonly type: 'ReceiveTransfer';
      readonly transferId: string;
      readonly fromCustomerId: string;
      readonly reason: string | null;
      readonly lots: readonly TransferredLot[];
      readonly erased: boolean;
    }
  /** Takes back what the receiver could not take. */
  | { readonly type: 'ReturnTransfer'; readonly transferId: string; readonly because: TransferObstacle }
  /** All that is claimed of a lot that another customer's grant `grantId` gave, in credits. The newest version counts. */
  | {
      readonly type: 'FollowClaims';
      readonly transferId: string;
      readonly grantId: string;
      readonly version: number;
      readonly claims: readonly FollowingClaim[];
    }
  /** Notes a request for something that is not the account's own doing: its key then belongs to it, as to every command. */
  | { readonly type: 'RequestBilling'; readonly operation: BillingOperation }
  /** Records what time alone has done by now: activations, expiries, holds timed out. */
  | { readonly type: 'RecordDue' }
  | {
      readonly type: 'ChangeSettings';
      readonly burnOrder?: BurnOrderName;
      readonly overdraftLimit?: Amount;
      readonly debtPolicy?: DebtPolicy;
      readonly lowBalanceThreshold?: Amount | null;
      /** Recorded even where it changes nothing, so that its key is found again: a late repeat must not have an effect then. */
      readonly noted?: boolean;
    }
  | { readonly type: 'FreezeAccount'; readonly reason: string; readonly noted?: boolean }
  | { readonly type: 'UnfreezeAccount'; readonly reason: string; readonly noted?: boolean }
  | { readonly type: 'CloseAccount'; readonly reason: string; readonly noted?: boolean };

/** Why a purchase that Stripe reports grants nothing. Callers' commands are never refused so. */
export type PurchaseRefusal =
  /** `paymentReference`: under which payment its grant stands. */
  | { readonly rejected: 'sold_already'; readonly paymentReference: string }
  /** `other`: the id of the intent or invoice that may be of the same money. */
  | { readonly rejected: 'sale_in_doubt'; readonly other: string };

export type AccountRefusal =
  | PurchaseRefusal
  | BudgetRefusal
  | {
      readonly rejected: 'insufficient_credits';
      readonly available: Amount;
      readonly required: Amount;
      /** Where a budget has nothing left that could be taken in part. */
      readonly budget?: Exceeded;
    }
  | { readonly rejected: 'amount_exceeds_grant'; readonly unspent: Amount }
  /** Of the customer who was to receive credits. */
  | { readonly rejected: 'customer_not_found' | 'account_closed' | 'customer_erased'; readonly customerId: string }
  | {
      readonly rejected:
        | 'account_frozen'
        | 'account_closed'
        | 'grant_expired'
        | 'grant_not_found'
        | 'hold_not_found'
        | 'hold_not_open'
        | 'consumption_not_found'
        | 'already_reversed'
        | 'amount_exceeds_hold'
        | 'amount_exceeds_consumption'
        | 'balance_limit_exceeded'
        | 'too_many_grants'
        | 'invalid_expiry';
    };

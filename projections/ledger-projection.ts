import { assert } from '#kernel/assert.js';
import { accountOf } from '#kernel/stream-name.js';
import type { LedgerEvent } from '#ledger/events.js';
import type { RecordedEvent } from '#event-store/port/event-store.js';
import type { ProjectedEvent, Projection } from '#projecting/projection.js';

export type LedgerProjection = Projection<LedgerEvent>;
export type Projected = ProjectedEvent<LedgerEvent>;

/** What a projection does with each event type of its categories: a new event type without an entry fails to compile. */
export type Handlers<Fold, Event extends LedgerEvent> = {
  readonly [Type in Event['type']]:
    'ignored' | ((fold: Fold, event: Extract<Event, { readonly type: Type }>, projected: Projected) => void);
};

/**
 * Account events that several projections pass over, in groups: those that move lots of credits without a consumption, and those
 * that change how an account is kept. A new event type belongs to neither, so that each projection has to say what it does with it.
 */
export const lotsIgnored = {
  CreditsActivated: 'ignored',
  CreditsHeld: 'ignored',
  HoldExtended: 'ignored',
  HoldRaised: 'ignored',
  HoldCaptured: 'ignored',
  HoldReleased: 'ignored',
  CreditsExpired: 'ignored',
  CreditsRevoked: 'ignored',
  CreditsReinstated: 'ignored',
  DebtIncurred: 'ignored',
  DebtRepaid: 'ignored',
  DebtForgiven: 'ignored',
  TransferSent: 'ignored',
  TransferReceived: 'ignored',
  TransferReturned: 'ignored',
  TransferClaimed: 'ignored',
  PaymentClaimed: 'ignored',
  PeriodChanged: 'ignored',
  TrialChanged: 'ignored',
  TermsEnded: 'ignored',
  BillingRequested: 'ignored',
} as const;
export const settingsIgnored = {
  BudgetSet: 'ignored',
  BudgetRemoved: 'ignored',
  BurnOrderChanged: 'ignored',
  OverdraftLimitChanged: 'ignored',
  DebtPolicyChanged: 'ignored',
  LowBalanceThresholdChanged: 'ignored',
  AccountFrozen: 'ignored',
  AccountUnfrozen: 'ignored',
  AccountClosed: 'ignored',
} as const;

/** Gives the event to its handler. A type that the projection does not know is a bug or a foreign event: it must not pass. */
export function dispatch<Fold, Event extends LedgerEvent>(
  handlers: Handlers<Fold, Event>,
  fold: Fold,
  projected: Projected,
): void {
  const event = projected.event;
  const handler = (handlers as { readonly [type: string]: unknown })[event.type];
  assert(handler !== undefined, `no handler for ${event.type} in stream ${projected.recorded.stream}`);
  if (handler !== 'ignored')
    (handler as (fold: Fold, event: LedgerEvent, projected: Projected) => void)(fold, event, projected);
}

/** The customer and unit of an account's event. */
export function ownerOf(recorded: Pick<RecordedEvent, 'stream'>): {
  readonly customer_id: string;
  readonly unit: string;
} {
  const account = accountOf(recorded.stream);
  assert(account !== null, `${recorded.stream} is not an account's stream`);
  return { customer_id: account.customerId, unit: account.unit };
}

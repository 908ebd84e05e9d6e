import type { AccountEvent } from './account/events.js';
import type { CatalogEvent } from './catalog.js';
import type { CustomerEvent } from './customer.js';
import type { InvoiceEvent } from './invoice.js';
import type { PaymentEvent } from './payment/payment.js';
import type { StripeCustomerEvent } from './stripe/customer.js';
import type { StripeEventEvent } from './stripe/event.js';
import type { StripeIntentEvent } from './stripe/intent.js';
import type { SubscriptionEvent } from './subscription/subscription.js';
import type { UsageEvent } from './usage/usage.js';
import type { Json } from '#kernel/json.js';

/** Every event that Scrip records. */
export type LedgerEvent =
  | AccountEvent
  | CustomerEvent
  | CatalogEvent
  | StripeCustomerEvent
  | StripeEventEvent
  | StripeIntentEvent
  | SubscriptionEvent
  | PaymentEvent
  | InvoiceEvent
  | UsageEvent;
export type LedgerEventType = LedgerEvent['type'];

/** Turns the stored data of one schema version into that of the next. */
type Upcaster = (data: { [key: string]: Json }) => { [key: string]: Json };

/**
 * Every event type with one upcaster per step between schema versions: `[]` means version 1 is current, `[f]` that f makes
 * version 2 out of 1. This table is the one place where a stored shape changes; the golden fixtures hold the old shapes.
 */
const upcasters: { readonly [Type in LedgerEventType]: readonly Upcaster[] } = {
  AccountOpened: [],
  CreditsGranted: [],
  CreditsActivated: [],
  CreditsConsumed: [],
  CreditsHeld: [],
  HoldExtended: [],
  HoldRaised: [],
  HoldCaptured: [],
  HoldReleased: [],
  CreditsExpired: [],
  CreditsRevoked: [],
  CreditsReinstated: [],
  ConsumptionReversed: [],
  DebtIncurred: [],
  DebtRepaid: [],
  DebtForgiven: [],
  PaymentClaimed: [],
  PeriodChanged: [],
  TrialChanged: [],
  TermsEnded: [],
  BillingRequested: [],
  BudgetSet: [],
  BudgetRemoved: [],
  TransferSent: [],
  TransferReceived: [],
  TransferReturned: [],
  TransferClaimed: [],
  BurnOrderChanged: [],
  OverdraftLimitChanged: [],
  DebtPolicyChanged: [],
  LowBalanceThresholdChanged: [],
  AccountFrozen: [],
  AccountUnfrozen: [],
  AccountClosed: [],
  CustomerRegistered: [],
  StripeCustomerLinked: [],
  StripeCustomerUnlinked: [],
  StripeCustomerNamed: [],
  StripeCustomerDeleted: [],
  CustomerContactChanged: [],
  CustomerErased: [],
  PlanPublished: [],
  PlanRetired: [],
  CreditProductPublished: [],
  CreditProductRetired: [],
  CreditEventPriced: [],
  CreditEventDisabled: [],
  IgnoreRulesChanged: [],
  StripeEventReceived: [],
  StripeEventTranslated: [],
  StripeEventParked: [],
  StripeInvoiceLinesFetched: [],
  StripeEventSetAside: [],
  StripeEventRetryRequested: [],
  StripeCallIntended: [],
  StripeCallAnswered: [],
  StripeCallRefused: [],
  StripeCallLapsed: [],
  SubscriptionStarted: [],
  SubscriptionActivated: [],
  SubscriptionRenewed: [],
  TrialStarted: [],
  PaymentPastDue: [],
  SubscriptionRecovered: [],
  PlanChanged: [],
  CancellationScheduled: [],
  CancellationUnscheduled: [],
  SubscriptionPaused: [],
  SubscriptionResumed: [],
  SubscriptionCanceled: [],
  SubscriptionExpired: [],
  SubscriptionObserved: [],
  PaymentSucceeded: [],
  PaymentFailed: [],
  PaymentProgressed: [],
  PaymentMethodSeen: [],
  PaymentRefunded: [],
  RefundFailed: [],
  ChargeRefunded: [],
  DisputeOpened: [],
  DisputeWon: [],
  DisputeLost: [],
  PaymentCredited: [],
  PaymentLinked: [],
  ClaimsTakenOver: [],
  InvoicePaid: [],
  InvoiceCreated: [],
  InvoiceFinalized: [],
  InvoicePaymentFailed: [],
  InvoiceActionRequired: [],
  InvoiceVoided: [],
  InvoiceMarkedUncollectible: [],
  UsageRecorded: [],
  PlanObserved: [],
  FreePlanEntered: [],
};

export const eventTypes = Object.keys(upcasters) as readonly LedgerEventType[];

/** The schema version that new events of a type are written in. */
export const schemaVersionOf = (type: LedgerEventType): number => upcasters[type].length + 1;

/** Why stored bytes are not an event that this version of Scrip knows. */
export type UndecodableEvent = { readonly undecodable: string };

/** True for the reason why an event cannot be read. */
export const isUndecodable = (decoded: LedgerEvent | UndecodableEvent): decoded is UndecodableEvent =>
  'undecodable' in decoded;

type StoredEvent = { readonly type: string; readonly schemaVersion: number; readonly data: string };

/** A stored event in today's shape, or the reason why it cannot be read. Never skips: the caller must halt on a reason. */
export const decodeEvent = (stored: StoredEvent): LedgerEvent | UndecodableEvent => decodeWith(upcasters, stored);

/** `decodeEvent` by another table of upcasters, so that the mechanism can be tried with steps that do not exist yet. */
export function decodeWith(
  table: { readonly [type: string]: readonly Upcaster[] },
  stored: StoredEvent,
): LedgerEvent | UndecodableEvent {
  const steps = Object.hasOwn(table, stored.type) ? table[stored.type] : undefined;
  if (steps === undefined) return { undecodable: `unknown event type ${stored.type}` };
  const current = steps.length + 1;
  if (!Number.isInteger(stored.schemaVersion) || stored.schemaVersion < 1 || stored.schemaVersion > current) {
    return {
      undecodable: `${stored.type} has schema version ${String(stored.schemaVersion)}; this version of Scrip knows up to ${String(current)}`,
    };
  }
  const data = parseObject(stored.data);
  if (data === null) return { undecodable: `the data of a ${stored.type} is not a JSON object` };
  let event = data;
  for (let step = stored.schemaVersion - 1; step < steps.length; step += 1) event = steps[step]?.(event) ?? event;
  event['type'] = stored.type; // into the object that was parsed: a copy of each event would cost as much as parsing it
  return event as unknown as LedgerEvent;
}

function parseObject(text: string): { [key: string]: Json } | null {
  try {
    const value = JSON.parse(text) as Json;
    return value !== null && typeof value === 'object' && !Array.isArray(value)
      ? (value as { [key: string]: Json })
      : null;
  } catch {
    return null;
  }
}

/** The data of an event as it is stored: all fields but the type, which has its own place. */
export function dataToStore(event: LedgerEvent): object {
  const { type: _type, ...data } = event;
  return data;
}

/**
 * How events become bytes and come back. `decode` takes the caller's word for which events its stream holds: a stream has
 * only the events of its own category.
 */
export const ledgerCodec = {
  decode: <Event extends LedgerEvent>(stored: StoredEvent): Event | UndecodableEvent =>
    decodeEvent(stored) as Event | UndecodableEvent,
  schemaVersionOf,
  dataToStore,
};

import { metadataOf, type RecordedEvent } from '#event-store/port/event-store.js';
import { assert } from '#kernel/assert.js';
import { categoryOf, type StreamName } from '#kernel/stream-name.js';
import type { PaymentEvent } from '#ledger/payment/payment.js';
import { mismatchedIn, settlementOf, type Settlement } from '#ledger/payment/settlement.js';
import type { PaymentState } from '#ledger/payment/state.js';
import { streamOfEffect } from '#ledger/stripe/event.js';
import { decoded } from '../decoded.js';

/** What follows from a payment: what is claimed of it, where somebody is known to act on that, and what does not fit it. */
export type Consequences = { readonly settlement: Settlement | null; readonly mismatched: readonly string[] };

/** A payment to settle. */
export type Due = {
  /** As its newest event of the batch says; null where a retry asks for what it says by now. */
  readonly consequences: Consequences | null;
  /** The Stripe events that caused it, the newest last. */
  readonly causes: readonly Cause[];
};

/** `eventId`: the event of the log that says so; keys of what becomes of the Stripe event are made from it. */
export type Cause = { readonly stripeEventId: string; readonly eventId: string };

/**
 * The payments that a batch of the log asks to settle. Each event of a payment says what follows from all before it, so the newest
 * counts. A Stripe event that is translated after it was parked may have waited for its settlement: its payments are settled
 * again. Throws ConsumerHalted when an event cannot be read.
 */
export function scan(batch: readonly RecordedEvent[]): ReadonlyMap<StreamName, Due> {
  const due = new Map<StreamName, Due>();
  const add = (stream: StreamName, cause: Cause, consequences: Consequences | null): void => {
    const before = due.get(stream);
    const others = before?.causes.filter(({ stripeEventId }) => stripeEventId !== cause.stripeEventId) ?? [];
    const asksState = consequences === null || before?.consequences === null;
    due.set(stream, { consequences: asksState ? null : consequences, causes: [...others, cause] });
  };
  for (const recorded of batch) {
    const { stream, id: eventId } = recorded;
    if (categoryOf(stream) === 'payment') {
      const consequences = consequencesOf(decoded(recorded) as PaymentEvent);
      if (consequences === null) continue;
      const { causationId: stripeEventId } = metadataOf(recorded);
      assert(stripeEventId !== null, `${stream} says what goes back, and no Stripe event that told it`);
      add(stream, { stripeEventId, eventId }, consequences);
    }
    if (!isTranslatedLater(recorded)) continue;
    const event = decoded(recorded);
    if (event.type !== 'StripeEventTranslated') continue;
    const payments = event.effects.map(streamOfEffect).filter((each) => categoryOf(each) === 'payment');
    for (const payment of payments) add(payment, { stripeEventId: event.stripeEventId, eventId }, null);
  }
  return due;
}

/** The first translation follows what was received, and what it recorded of payments has passed by. */
const isTranslatedLater = ({ type, revision }: RecordedEvent): boolean =>
  type === 'StripeEventTranslated' && revision > 1;

function consequencesOf(event: PaymentEvent): Consequences | null {
  const { settlement = null, mismatched = [] } = event;
  // One step is as far as claims go from payment to payment: the two may know of each other.
  const isPassedOn = event.type === 'ClaimsTakenOver' && settlement?.to === 'payment';
  if (isPassedOn || (settlement === null && mismatched.length === 0)) return null;
  return { settlement, mismatched };
}

/** What follows from a payment as it stands. */
export const consequencesIn = (state: PaymentState): Consequences => ({
  settlement: settlementOf(state),
  mismatched: mismatchedIn(state),
});

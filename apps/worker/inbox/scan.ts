import type { RecordedEvent } from '#event-store/port/event-store.js';
import type { Instant } from '#kernel/instant.js';
import { categoryOf } from '#kernel/stream-name.js';
import type { LedgerEvent } from '#ledger/events.js';
import type { OwnerSince } from '#ledger/stripe/customer-owner.js';
import type { ParkReason, ReceivedStripeEvent } from '#ledger/stripe/event.js';
import { decoded } from '../decoded.js';

/** Whose Stripe customers are and were. */
export type Links = ReadonlyMap<string, readonly OwnerSince[]>;

/** Stripe events to try: id → its content, where the batch has it. */
export type Due = Map<string, (ReceivedStripeEvent & { readonly at: Instant }) | null>;

/** What a batch of the log means for the inbox. */
export type Seen = {
  readonly due: Due;
  readonly links: Map<string, readonly OwnerSince[]>;
  readonly parked: Map<string, ParkReason | null>;
  /** Payments and invoices that a link names. */
  readonly linked: Set<string>;
  catalogChanged: boolean;
  rulesChanged: boolean;
};

export const hasNews = ({ due, links, parked, linked, catalogChanged }: Seen): boolean =>
  due.size > 0 || links.size > 0 || parked.size > 0 || linked.size > 0 || catalogChanged;

/** Events outside of Stripe's own that matter to the inbox. */
const linkingTypes: ReadonlySet<string> = new Set(['StripeCustomerNamed', 'PaymentLinked']);

/** What a batch means for the inbox. Throws ConsumerHalted when an event cannot be read. */
export function scan(batch: readonly RecordedEvent[]): Seen {
  const seen: Seen = {
    due: new Map(),
    links: new Map(),
    parked: new Map(),
    linked: new Set(),
    catalogChanged: false,
    rulesChanged: false,
  };
  for (const recorded of batch) {
    const category = categoryOf(recorded.stream);
    if (category === 'catalog') seen.catalogChanged = true;
    if (recorded.type === 'IgnoreRulesChanged') seen.rulesChanged = true;
    if (category !== 'stripeEvent' && !linkingTypes.has(recorded.type)) continue;
    note(seen, decoded(recorded));
  }
  return seen;
}

function note({ due, links, parked, linked }: Seen, event: LedgerEvent): void {
  switch (event.type) {
    case 'StripeCustomerNamed':
      links.set(event.stripeCustomerId, event.owners);
      return;
    case 'PaymentLinked':
      linked.add(event.paymentId).add(event.invoiceId);
      return;
    case 'StripeEventReceived':
      due.set(event.stripeEventId, event);
      return;
    case 'StripeInvoiceLinesFetched':
      // What the batch holds of it has only the webhook's own lines.
      due.set(event.stripeEventId, null);
      return;
    case 'StripeEventRetryRequested':
      due.set(event.stripeEventId, due.get(event.stripeEventId) ?? null);
      return;
    case 'StripeEventParked':
      parked.set(event.stripeEventId, event.reason);
      // What it waits for may have passed by before it was parked.
      due.set(event.stripeEventId, due.get(event.stripeEventId) ?? null);
      return;
    case 'StripeEventTranslated':
    case 'StripeEventSetAside':
      parked.set(event.stripeEventId, null);
      due.delete(event.stripeEventId);
      return;
    default:
      return;
  }
}

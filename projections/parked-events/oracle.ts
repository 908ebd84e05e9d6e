import type { StripeEventEvent } from '#ledger/stripe/event.js';
import { perStream } from '../per-stream.js';

type Why = { readonly code: string; readonly subject: string | null; readonly detail: string };
type Folded = {
  readonly id: string;
  readonly stripeType: string;
  readonly why: Why;
  readonly since: string;
  readonly position: string;
  readonly retriedAt: string | null;
  readonly setAside: { readonly at: string; readonly by: string; readonly reason: string } | null;
};

/** Null for an event that waits for nobody. */
export const parkedEventsOracle = perStream<Folded | null>({
  table: 'parked_events',
  initial: null,
  after: (folded, projected) => {
    const { type, position } = projected.recorded;
    // Most of the log's bytes, and nobody has to wait for them: not even decoded.
    if (type === 'StripeEventReceived' || type === 'StripeInvoiceLinesFetched') return folded;
    const event = projected.event as StripeEventEvent;
    switch (event.type) {
      case 'StripeEventTranslated':
        return null;
      case 'StripeEventParked': {
        const { stripeEventId: id, stripeType, reason: why, at: since } = event;
        return { id, stripeType, why, since, position, retriedAt: null, setAside: null };
      }
      case 'StripeEventRetryRequested':
        return folded === null ? null : { ...folded, retriedAt: event.at, setAside: null };
      case 'StripeEventSetAside': {
        const { stripeEventId: id, stripeType, at, actor, reason } = event;
        // A rule of the catalogue may take one that nothing was found wrong with.
        const why = { code: 'ignored', subject: null, detail: reason };
        const before = folded ?? { id, stripeType, why, since: at, position };
        return { ...before, retriedAt: null, setAside: { at, by: actor, reason } };
      }
      default:
        return folded;
    }
  },
  row: (folded) =>
    folded === null
      ? null
      : {
          stripe_event_id: folded.id,
          stripe_type: folded.stripeType,
          reason_code: folded.why.code,
          subject: folded.why.subject,
          detail: folded.why.detail,
          parked_at: folded.since,
          retry_requested_at: folded.retriedAt,
          status: folded.setAside === null ? 'parked' : 'set_aside',
          set_aside_at: folded.setAside?.at ?? null,
          set_aside_by: folded.setAside?.by ?? null,
          set_aside_reason: folded.setAside?.reason ?? null,
          position: folded.position,
        },
});

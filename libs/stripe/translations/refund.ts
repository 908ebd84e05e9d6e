import { paymentStream } from '#kernel/stream-name.js';
import type { ReceivedStripeEvent } from '#ledger/stripe/event.js';
import { normaliseCharge, normaliseCreditNote, normaliseDispute, normaliseRefund } from '../shapes/money.js';
import { subjectOf } from '../shapes/billing.js';
import {
  commands,
  incompleteLines,
  linkInvoice,
  park,
  observationKey,
  type FactCommand,
  type Translate,
} from './translation.js';

/**
 * Money that goes back is recorded on the payment that brought it in, known or not: the payment keeps what is claimed of it until it
 * is known what it bought. So these translations need no customer and never wait for one.
 */
const toPayment = (
  event: ReceivedStripeEvent,
  command: Extract<FactCommand, { to: 'payment' }>['command'],
): FactCommand => ({ to: 'payment', stream: paymentStream(command.paymentId), key: observationKey(event), command });

/** `refund.*` and `charge.refund.updated`: the refund as it is now. */
export const translateRefund: Translate = (event) => {
  const read = normaliseRefund(subjectOf(event.payload), event.created);
  if ('unreadable' in read) return park('unknown_shape', null, read.unreadable);
  const { paymentId, refund } = read.ok;
  const { stripeEventId: toldBy } = event;
  return commands(toPayment(event, { type: 'RecordRefund', paymentId, refund, toldBy }));
};

/** `charge.refunded`: the sum of all refunds of the charge, for endpoints that get no event of the refunds themselves. */
export const translateChargeRefunded: Translate = (event) => {
  const read = normaliseCharge(subjectOf(event.payload), event.created);
  if ('unreadable' in read) return park('unknown_shape', null, read.unreadable);
  const { paymentId, invoiceId, refunded, refunds } = read.ok;
  const { stripeEventId: toldBy } = event;
  const reported = refunds.map((refund) => ({
    ...toPayment(event, { type: 'RecordRefund', paymentId, refund, toldBy }),
    key: `${observationKey(event)}:${refund.refundId}`,
  }));
  const sum = toPayment(event, { type: 'RecordChargeRefunds', paymentId, charge: refunded, toldBy });
  return commands(...reported, sum, ...linkInvoice(paymentId, invoiceId, refunded.currency));
};

/** `charge.succeeded`: what was paid with. */
export const translateCharge: Translate = (event) => {
  const read = normaliseCharge(subjectOf(event.payload), event.created);
  if ('unreadable' in read) return park('unknown_shape', null, read.unreadable);
  const { paymentId, invoiceId, refunded, method } = read.ok;
  const seen = method === null ? [] : [toPayment(event, { type: 'RecordMethod', paymentId, method })];
  return commands(...seen, ...linkInvoice(paymentId, invoiceId, refunded.currency));
};

/** `charge.dispute.*`: opened reserves, lost takes, won gives back. An inquiry moves nothing. */
export const translateDispute: Translate = (event) => {
  const reinstated = event.stripeType === 'charge.dispute.funds_reinstated';
  const read = normaliseDispute(subjectOf(event.payload), event.created, reinstated);
  if ('unreadable' in read) return park('unknown_shape', null, read.unreadable);
  const { paymentId, dispute } = read.ok;
  const { stripeEventId: toldBy } = event;
  return commands(toPayment(event, { type: 'RecordDispute', paymentId, dispute, toldBy }));
};

/** `credit_note.*`: what it gives back of the paid invoice beyond refunds, and of which lines. */
export const translateCreditNote: Translate = (event) => {
  const read = normaliseCreditNote(subjectOf(event.payload), event.created);
  if ('unreadable' in read) return park('unknown_shape', null, read.unreadable);
  const { invoiceId, creditNote, hasMoreLines } = read.ok;
  if (hasMoreLines) return park('lines_incomplete', creditNote.creditNoteId, incompleteLines('credit note'));
  const { stripeEventId: toldBy } = event;
  return commands(toPayment(event, { type: 'RecordCreditNote', paymentId: invoiceId, creditNote, toldBy }));
};

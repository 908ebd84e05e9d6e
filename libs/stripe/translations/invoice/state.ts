import { invoiceStream } from '#kernel/stream-name.js';
import type { InvoiceNews } from '#ledger/invoice.js';
import { isSupportedCurrency } from '#kernel/currency.js';
import { normaliseInvoiceState } from '../../shapes/invoice-state.js';
import { subjectOf } from '../../shapes/billing.js';
import {
  commands,
  customerOf,
  namedCustomer,
  unknownCustomer,
  park,
  observationKey,
  type Translate,
} from '../translation.js';

/** Events of an invoice that move no credits: how it stands is recorded, whatever order they come in. */
const translateInvoiceState =
  (what: InvoiceNews): Translate =>
  (event, lookups) => {
    const read = normaliseInvoiceState(subjectOf(event.payload), event.created);
    if ('unreadable' in read) return park('unknown_shape', null, read.unreadable);
    const { stripeCustomerId, metadata, subscriptionMetadata, snapshot } = read.ok;
    if (!isSupportedCurrency(snapshot.currency)) {
      return park('unsupported_currency', snapshot.currency.slice(0, 16), 'the ledger cannot keep this currency');
    }
    const customerId =
      namedCustomer(subscriptionMetadata[lookups.customerKey], metadata[lookups.customerKey]) ??
      customerOf(lookups, stripeCustomerId);
    if (customerId === null) {
      return unknownCustomer(stripeCustomerId, {
        [`metadata.${lookups.customerKey}`]: subscriptionMetadata[lookups.customerKey] ?? metadata[lookups.customerKey],
      });
    }
    return commands({
      to: 'invoice',
      stream: invoiceStream(snapshot.invoiceId),
      key: observationKey(event),
      command: { type: 'ObserveInvoice', what, snapshot: { ...snapshot, customerId } },
    });
  };

export const translateInvoiceCreated = translateInvoiceState('created');
export const translateInvoiceFinalized = translateInvoiceState('finalized');
export const translateInvoicePaymentFailed = translateInvoiceState('payment_failed');
export const translateInvoiceActionRequired = translateInvoiceState('action_required');
export const translateInvoiceVoided = translateInvoiceState('voided');
export const translateInvoiceUncollectible = translateInvoiceState('uncollectible');

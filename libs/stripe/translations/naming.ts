import type { ReceivedStripeEvent } from '#ledger/stripe/event.js';
import { stripeCustomerStream } from '#ledger/stripe/customer.js';
import type { StatementSource } from '#ledger/stripe/customer-owner.js';
import { idAt, objectAt, objectIn, textAt, type Fields } from '../shapes/fields.js';
import { metadataAt, subjectOf } from '../shapes/billing.js';
import {
  commands,
  namedCustomer,
  NOTHING,
  park,
  observationKey,
  type FactCommand,
  type Lookups,
  type Translate,
} from './translation.js';
import { unreadable } from '../shapes/unreadable.js';

/** What an event says about whose a Stripe customer is; nothing where it names nobody, or no Stripe customer. */
export function naming(
  event: ReceivedStripeEvent,
  source: StatementSource,
  { stripeCustomerId, customerId }: { readonly stripeCustomerId: string | null; readonly customerId: string | null },
  step: { readonly before?: string | null } = {},
): readonly FactCommand[] {
  if (stripeCustomerId === null || customerId === null) return [];
  const { stripeEventId, created: at } = event;
  const statement = { customerId, source, at, ...step, stripeEventId };
  return [
    {
      to: 'stripeCustomer',
      stream: stripeCustomerStream(stripeCustomerId),
      key: observationKey(event),
      command: { type: 'NameStripeCustomer', stripeCustomerId, statement },
    },
  ];
}

/** The same of an object that names both itself. */
export function namingOfSubject(event: ReceivedStripeEvent, { customerKey }: Lookups): readonly FactCommand[] {
  const subject = subjectOf(event.payload);
  const customerId = namedCustomer(metadataAt(subject, 'metadata')[customerKey]);
  return naming(event, 'object', { stripeCustomerId: idAt(subject, 'customer'), customerId });
}

/** `customer.created` and `.updated`: a Stripe customer whose metadata names ours. One that names nobody says nothing. */
export const translateCustomer: Translate = (event, { customerKey }) => {
  const customer = subjectOf(event.payload);
  const stripeCustomerId = idAt(customer, 'id');
  if (stripeCustomerId === null) return park('unknown_shape', null, unreadable(customer, 'id').unreadable);
  const customerId = namedCustomer(metadataAt(customer, 'metadata')[customerKey]);
  if (customerId === null) return NOTHING;
  const step = stepIn(objectAt(objectIn(event.payload), 'data', 'previous_attributes'), customerKey, customerId);
  return commands(...naming(event, 'customer', { stripeCustomerId, customerId }, step));
};

/** Whom the Stripe customer named before the change that the event reports; nothing where it does not say what changed. */
function stepIn(previous: Fields | null, key: string, customerId: string): { readonly before?: string | null } {
  if (previous === null) return {};
  const changed = objectAt(previous, 'metadata');
  const isChanged = changed !== null && Object.hasOwn(changed, key);
  return { before: isChanged ? namedCustomer(textAt(changed, key)) : customerId };
}

/** `customer.deleted`: nothing can be bought under it any more. It stays whose it is: refunds and disputes still come for years. */
export const translateCustomerDeleted: Translate = (event) => {
  const customer = subjectOf(event.payload);
  const stripeCustomerId = idAt(customer, 'id');
  if (stripeCustomerId === null) return park('unknown_shape', null, unreadable(customer, 'id').unreadable);
  return commands({
    to: 'stripeCustomer',
    stream: stripeCustomerStream(stripeCustomerId),
    key: observationKey(event),
    command: { type: 'RecordStripeCustomerDeleted', stripeCustomerId },
  });
};

import { accountOf } from '#kernel/stream-name.js';
import type { LedgerEvent } from '#ledger/events.js';
import type { ExpectedRow, Oracle, OracleFold } from '#projecting/projection.js';
import type { Projected } from '../ledger-projection.js';

const customerIdOf = (stream: string): string => accountOf(stream)?.customerId ?? stream.slice('customer-'.length);

/** The events that say something of a customer. */
const types = [
  'CustomerRegistered',
  'AccountOpened',
  'StripeCustomerLinked',
  'StripeCustomerUnlinked',
  'CustomerErased',
];

class CustomersOracle implements OracleFold<LedgerEvent> {
  readonly #rows = new Map<string, ExpectedRow['row']>();

  add(projected: Projected): readonly ExpectedRow[] {
    const { stream, position, type } = projected.recorded;
    if (!types.includes(type)) return []; // not even decoded
    const { event } = projected;
    const change = changeBy(event);
    const customer_id = customerIdOf(stream);
    const first = { customer_id, registered_at: event.at, stripe_customer_id: null, erased_at: null, position };
    this.#rows.set(customer_id, { ...(this.#rows.get(customer_id) ?? first), ...change });
    return [];
  }

  *rest(): Iterable<ExpectedRow> {
    for (const row of this.#rows.values()) yield { table: 'customers', row };
  }
}

/** What an event changes of its customer's row. */
function changeBy(event: LedgerEvent): ExpectedRow['row'] {
  switch (event.type) {
    case 'StripeCustomerLinked':
    case 'StripeCustomerUnlinked':
      return { stripe_customer_id: event.primary };
    case 'CustomerErased':
      return { erased_at: event.at };
    default:
      return {};
  }
}

/** A customer is there from whatever was heard of first. */
export const customersOracle: Oracle<LedgerEvent> = {
  keyOf: ({ stream }) => customerIdOf(stream),
  fold: () => new CustomersOracle(),
};

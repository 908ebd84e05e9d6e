import { Injectable } from '@nestjs/common';
import { customerStream } from '#kernel/stream-name.js';
import { stripeCustomersOf } from '#ledger/customer.js';
import { contactIntentId } from '#ledger/stripe/intent.js';
import { stripeContactOf } from '#records/contacts.js';
import { Database } from '#database/database.js';
import type { StripeClient } from '#stripe/operations/client.js';
import { contactOperation } from '#stripe/operations/operation.js';
import { CustomerWriter } from '../../writes/ledger-writers.js';
import { StripeConnection } from './connection.js';
import { StripeOutbox, type CallIdentity, type OnBehalfOf } from './outbox.js';

/** A contact is written to so many Stripe customers of one customer, the first ones. */
const MAX_STRIPE_CUSTOMERS = 20;
/** So often a contact that changes while it is sent is sent again at once. */
const MAX_ROUNDS = 3;

/** Names and addresses at Stripe, for receipts: what waits on nothing, and what nothing waits on. */
@Injectable()
export class StripeContacts {
  constructor(
    private readonly outbox: StripeOutbox,
    private readonly connection: StripeConnection,
    private readonly customers: CustomerWriter,
    private readonly database: Database,
  ) {}

  /** Intends that the contact as it is now is written at Stripe; the worker does it. May be repeated. Throws Problem. */
  async intend(behalf: OnBehalfOf): Promise<void> {
    if (!this.connection.isOpen) return;
    const { state } = await this.customers.load(customerStream(behalf.customerId));
    const stripeCustomerIds = state.erased ? [] : stripeCustomersOf(state).slice(0, MAX_STRIPE_CUSTOMERS);
    if (stripeCustomerIds.length === 0) return;
    const contact = await stripeContactOf(this.database, behalf.customerId);
    if (contact === null) return;
    for (const id of stripeCustomerIds) await this.outbox.intend(identityOf(behalf, id, contact.version));
  }

  /** Writes the contact to a Stripe customer that was just made, whatever Stripe says. Throws Problem only where the log fails. */
  async send(behalf: OnBehalfOf, stripeCustomerId: string, client: StripeClient): Promise<void> {
    for (let round = 0, sent = 0; round < MAX_ROUNDS; round += 1) {
      const contact = await stripeContactOf(this.database, behalf.customerId);
      if (contact === null || contact.version === sent) return;
      const operation = contactOperation(stripeCustomerId, contact.fields);
      // The worker may have written a newer one while ours was under way.
      const force = round > 0;
      await this.outbox.attempt({ ...identityOf(behalf, stripeCustomerId, contact.version), operation, client, force });
      sent = contact.version;
    }
  }
}

const identityOf = (
  { customerId, actor, requestId }: OnBehalfOf,
  stripeCustomerId: string,
  version: number,
): CallIdentity => ({
  intent: {
    intentId: contactIntentId(stripeCustomerId, version),
    customerId,
    operation: 'update_customer',
    subject: { stripeCustomerId },
  },
  key: null, // there is one for each version
  actor,
  requestId,
});

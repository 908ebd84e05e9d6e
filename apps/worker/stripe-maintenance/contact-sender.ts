import type { LedgerHandlers } from '#composition/ledger-handlers.js';
import type { Clock } from '#kernel/clock.js';
import { customerStream } from '#kernel/stream-name.js';
import { stripeCustomersOf } from '#ledger/customer.js';
import { contactIntentId } from '#ledger/stripe/intent.js';
import type { StripeContact } from '#records/contacts.js';
import type { StripeClient } from '#stripe/operations/client.js';
import { contactOperation } from '#stripe/operations/operation.js';
import { runStripeCall, type IntentLog } from '#stripe/operations/run.js';
import { intentLogOf } from './intent-log.js';

const PAGE = 100;

type Parts = {
  readonly client: StripeClient;
  readonly handlers: LedgerHandlers;
  readonly clock: Clock;
  /** The ids of the oldest intents to write a contact at Stripe; may lag behind the log. */
  readonly pending: (limit: number) => Promise<readonly string[]>;
  readonly contactOf: (customerId: string) => Promise<StripeContact | null>;
};

/**
 * Writes changed names and addresses of customers at Stripe, one call after the other. Of several changes of one contact only the
 * newest is written; an intent for a customer who was erased, or for a Stripe customer that is not theirs any more, lapses.
 */
export class ContactSender {
  readonly #log: IntentLog;

  constructor(private readonly parts: Parts) {
    this.#log = intentLogOf(parts.handlers);
  }

  /** Goes once through the oldest hundred. False when Stripe does not answer, or not to our key. Throws TryAgainLater. */
  async runOnce(signal: AbortSignal): Promise<boolean> {
    for (const intentId of await this.parts.pending(PAGE))
      if (!signal.aborted && !(await this.#finish(intentId))) return false;
    return true;
  }

  async #finish(intentId: string): Promise<boolean> {
    const { intent, status, attempt } = await this.#log.load(intentId);
    const customerId = intent?.customerId ?? null;
    const stripeCustomerId = intent?.subject['stripeCustomerId'];
    if (status !== 'pending' || customerId === null || typeof stripeCustomerId !== 'string') return true;
    const contact = await this.#contactFor(customerId, stripeCustomerId);
    const newest = contact === null ? null : contactIntentId(stripeCustomerId, contact.version);
    if (contact !== null && newest !== null && !(await this.#send(newest, customerId, stripeCustomerId, contact)))
      return false;
    if (newest !== intentId) await this.#log.record(intentId, { type: 'RecordStripeLapse', attempt });
    return true;
  }

  /** Null where nothing is to be written. */
  async #contactFor(customerId: string, stripeCustomerId: string): Promise<StripeContact | null> {
    const { state } = await this.parts.handlers.customer.load(customerStream(customerId));
    if (state.erased || !stripeCustomersOf(state).includes(stripeCustomerId)) return null;
    return this.parts.contactOf(customerId);
  }

  async #send(
    intentId: string,
    customerId: string,
    stripeCustomerId: string,
    { fields }: StripeContact,
  ): Promise<boolean> {
    const { status: before } = await this.#log.load(intentId);
    if (before === 'answered' || before === 'refused') return true;
    const { client, clock } = this.parts;
    const log = this.#log;
    const intent = { intentId, customerId, operation: 'update_customer', subject: { stripeCustomerId } } as const;
    const answer = await runStripeCall(
      { intent, operation: contactOperation(stripeCustomerId, fields) },
      { client, log, clock },
    );
    if (answer.kind === 'unavailable') return false;
    if (answer.kind === 'answered' || (answer.status !== 401 && answer.status !== 403)) return true;
    // A key that Stripe does not accept ends with a new key, and says nothing of the contact.
    await this.#log.record(intentId, {
      type: 'AttemptStripeCallAgain',
      after: (await this.#log.load(intentId)).attempt,
    });
    return false;
  }
}

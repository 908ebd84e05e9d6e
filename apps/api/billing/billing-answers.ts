import { Injectable } from '@nestjs/common';
import { EventStore } from '#event-store/event-store.js';
import { assert } from '#kernel/assert.js';
import { stripeIntentStream } from '#ledger/stripe-intent.js';
import { billingAnswer, keepBillingAnswer } from '#read-store/billing-answers.js';
import { ReadDatabase } from '#read-store/read-database.js';
import { StripeIntentWriter } from '../writes/ledger-writers.js';
import { Problem } from '../http/problems.js';
import { newestPosition } from '../writes/newest-position.js';
import { BillingAccounts } from './billing-accounts.js';
import { StripeOutbox, type CallersErrand, type ErrandIdentity } from './stripe-outbox.js';

/** What a billing command is answered with. `replayed`: it was done before, and this is the first answer again. */
export type BillingAnswer = { readonly body: object; readonly replayed: boolean };

/** Answers callers' errands to Stripe: a repeated key gets the first answer, whatever has become of the object at Stripe since. */
@Injectable()
export class BillingAnswers {
  readonly #underWay = new Map<string, Promise<BillingAnswer>>();

  constructor(
    private readonly outbox: StripeOutbox,
    private readonly intents: StripeIntentWriter,
    private readonly store: EventStore,
    private readonly database: ReadDatabase,
    private readonly accounts: BillingAccounts,
  ) {}

  /**
   * The first answer to the same request, else what `make` gives, which runs once for all that come together in this process.
   * Throws the problem `idempotency_key_reused`.
   */
  async once(identity: ErrandIdentity, make: () => Promise<BillingAnswer>): Promise<BillingAnswer> {
    const { key, intent } = identity;
    if (key === null) return make();
    const name = `${intent.intentId} ${key.fingerprint}`;
    const underWay = this.#underWay.get(name);
    if (underWay !== undefined) return { ...(await underWay), replayed: true };
    const answer = this.#before(identity)
      .then((before) => before ?? make())
      .finally(() => this.#underWay.delete(name));
    this.#underWay.set(name, answer);
    return answer;
  }

  /** Runs an errand; the answer is what `bodyOf` makes of Stripe's object, with its place in the log. Throws Problem. */
  async after<T extends { readonly id: string }>(
    errand: CallersErrand<T>,
    customerId: string,
    bodyOf: (made: T) => object,
  ): Promise<BillingAnswer> {
    const { intentId } = errand.intent;
    const wasMade = errand.key !== null && (await this.outbox.objectOf(intentId)) !== null;
    const made = bodyOf(await this.outbox.run(errand));
    const stream = stripeIntentStream(intentId);
    const { revision } = await this.intents.load(stream);
    const answer = { ...made, position: await newestPosition(this.store, stream, revision) };
    if (errand.key === null) return { body: answer, replayed: false };
    const { body, first } = await keepBillingAnswer(this.database, intentId, customerId, answer);
    return { body, replayed: wasMade || !first };
  }

  /**
   * The first answer to the same command, else what `make` gives; for commands that ask nothing of Stripe. `isSame` says whether an
   * answer is to the same command. Throws the problem `idempotency_key_reused`.
   */
  async onceHere(
    identity: ErrandIdentity,
    isSame: (before: object) => boolean,
    make: () => Promise<object>,
  ): Promise<BillingAnswer> {
    const { key, intent } = identity;
    if (key === null) return { body: await make(), replayed: false };
    const { intentId, customerId } = intent;
    assert(customerId !== null, 'a command of a customer names it');
    if (await this.outbox.wasIntended(identity)) throw new Problem('idempotency_key_reused');
    const before = await billingAnswer(this.database, intentId);
    if (before !== null) {
      if (!isSame(before)) throw new Problem('idempotency_key_reused');
      return { body: before, replayed: true };
    }
    await this.accounts.checkKey(identity);
    const { body, first } = await keepBillingAnswer(this.database, intentId, customerId, await make());
    return { body, replayed: !first };
  }

  async #before(identity: ErrandIdentity): Promise<BillingAnswer | null> {
    const intended = await this.outbox.wasIntended(identity);
    const body = await billingAnswer(this.database, identity.intent.intentId);
    // An answer without an intent is one to a command that asked nothing of Stripe.
    if (!intended && body !== null) throw new Problem('idempotency_key_reused');
    if (!intended) await this.accounts.checkKey(identity);
    return body === null ? null : { body, replayed: true };
  }
}

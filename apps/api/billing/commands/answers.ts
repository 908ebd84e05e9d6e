import { Injectable } from '@nestjs/common';
import { stripeIntentStream } from '#ledger/stripe/intent.js';
import { billingAnswer, keepBillingAnswer } from '#records/billing-answers.js';
import { Database } from '#database/database.js';
import { StripeIntentWriter } from '../../writes/ledger-writers.js';
import { AccountKeys } from './account-keys.js';
import type { BillingRequest } from './request.js';
import { StripeOutbox, type CallerStripeCall } from '../stripe/outbox.js';

/** What a billing command is answered with. `replayed`: it was done before, and this is the first answer again. */
export type BillingAnswer = { readonly body: object; readonly replayed: boolean };

/** Answers callers' requests: a repeated key gets the first answer, whatever has become of the object at Stripe since. */
@Injectable()
export class BillingAnswers {
  readonly #underWay = new Map<string, Promise<BillingAnswer>>();

  constructor(
    private readonly outbox: StripeOutbox,
    private readonly intents: StripeIntentWriter,
    private readonly database: Database,
    private readonly keys: AccountKeys,
  ) {}

  /**
   * The first answer to the same request, else what `make` gives, which runs once for all that come together in this process.
   * Throws the problem `idempotency_key_reused`.
   */
  async once(request: BillingRequest, make: () => Promise<BillingAnswer>): Promise<BillingAnswer> {
    const { id, key } = request;
    if (key === null) return make();
    const name = `${id} ${key.fingerprint}`;
    const underWay = this.#underWay.get(name);
    if (underWay !== undefined) return { ...(await underWay), replayed: true };
    const answer = this.#before(request)
      .then((before) => before ?? make())
      .finally(() => this.#underWay.delete(name));
    this.#underWay.set(name, answer);
    return answer;
  }

  /**
   * Makes a request's call to Stripe. The answer is what `bodyOf` makes of Stripe's object, with its position. Throws Problem.
   */
  async after<T extends { readonly id: string }>(
    request: BillingRequest,
    call: CallerStripeCall<T>,
    bodyOf: (made: T) => object,
  ): Promise<BillingAnswer> {
    const { intentId } = call.intent;
    const wasMade = call.key !== null && (await this.outbox.objectOf(intentId)) !== null;
    await this.note(request);
    const made = bodyOf(await this.outbox.run(call));
    const { position } = await this.intents.load(stripeIntentStream(intentId));
    return this.kept(request, { ...made, position }, wasMade);
  }

  /** The object at Stripe that a request has led to; null while it has not. */
  objectOf({ id }: BillingRequest): Promise<string | null> {
    return this.outbox.objectOf(id);
  }

  /** Makes a request's key its own. To be done when nothing speaks against the request any more. Throws Problem. */
  note(request: BillingRequest): Promise<void> {
    return this.keys.note(request);
  }

  /** An answer as it is given, and given again from now on. */
  async kept({ id, key, customerId }: BillingRequest, answer: object, wasMade = false): Promise<BillingAnswer> {
    if (key === null) return { body: answer, replayed: false };
    const { body, first } = await keepBillingAnswer(this.database, id, customerId, answer);
    return { body, replayed: wasMade || !first };
  }

  async #before(request: BillingRequest): Promise<BillingAnswer | null> {
    if (!(await this.keys.knows(request))) return null;
    const body = await billingAnswer(this.database, request.id);
    return body === null ? null : { body, replayed: true };
  }
}

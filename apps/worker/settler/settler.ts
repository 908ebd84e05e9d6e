import type { LedgerHandlers } from '#composition/ledger-handlers.js';
import { eachBounded } from '#consuming/bounded.js';
import type { Checkpoint } from '#consuming/checkpoint.js';
import type { LogConsumer } from '#consuming/follow-log.js';
import type { Position, RecordedEvent } from '#event-store/port/event-store.js';
import { assert } from '#kernel/assert.js';
import { accountStream, DEFAULT_UNIT, paymentStream, stripeEventStream, type StreamName } from '#kernel/stream-name.js';
import type { Settlement } from '#ledger/payment/settlement.js';
import type { ParkReason } from '#ledger/stripe/event.js';
import { withObject } from '#stripe/translations/registry.js';
import { refusalOf } from '../outcomes.js';
import { reasonOfFailure, refusedBy } from '../reasons.js';
import { requestBy } from '../requests.js';
import { consequencesIn, scan, type Cause, type Due } from './scan.js';

const CONCURRENCY = 64;
/** How many events without meaning for the settler may pass before the checkpoint is moved for them. */
const SAVE_EVERY = 10_000;

type SettlerParts = { readonly handlers: LedgerHandlers; readonly checkpoint: Checkpoint };

/**
 * Carries out what payments ask for: what is claimed of one goes to the account that it paid, or to the payment whose invoice
 * its money paid. Driven by the events of payments alone, whoever recorded them.
 *
 * Everything may be repeated: commands carry a key that is made from the event that asks for them, and the checkpoint moves only after
 * the whole batch is in the log. What cannot be settled parks the Stripe events that caused it; another try of these settles again.
 */
export class Settler implements LogConsumer {
  readonly #handlers: LedgerHandlers;
  readonly #checkpoint: Checkpoint;
  /** Events read since the checkpoint was moved. */
  #unsaved = 0;

  constructor({ handlers, checkpoint }: SettlerParts) {
    this.#handlers = handlers;
    this.#checkpoint = checkpoint;
  }

  checkpoint(): Promise<Position> {
    return this.#checkpoint.read();
  }

  /**
   * Settles what the next batch of the log after `checkpoint` (and after batches that were not saved since) asks for, and returns the
   * checkpoint as it is then. Throws without moving it when the store fails (TryAgainLater), another worker has taken over
   * (CheckpointMoved) or an event cannot be read (ConsumerHalted).
   */
  async process(checkpoint: Position, batch: readonly RecordedEvent[]): Promise<Position> {
    const last = batch.at(-1);
    if (last === undefined) return checkpoint;
    const due = scan(batch);
    this.#unsaved += batch.length;
    if (due.size === 0 && this.#unsaved < SAVE_EVERY) return checkpoint;
    await eachBounded(due, CONCURRENCY, ([payment, each]) => this.#settle(payment, each));
    await this.#checkpoint.move(checkpoint, last.position);
    this.#unsaved = 0;
    return last.position;
  }

  async #settle(payment: StreamName, { consequences, causes }: Due): Promise<void> {
    const cause = causes.at(-1);
    assert(cause !== undefined, `nothing caused the settlement of ${payment}`);
    const { settlement, mismatched } =
      consequences ?? consequencesIn((await this.#handlers.payment.load(payment)).state);
    const failure = settlement === null ? null : await this.#carryOut(payment, settlement, cause);
    if (failure !== null) {
      const reason = { ...failure, subject: payment };
      const concerned = causes.filter(({ stripeEventId }) => !mismatched.includes(stripeEventId));
      for (const each of concerned) await this.#park(each, reason, each.stripeEventId);
    }
    for (const stripeEventId of mismatched)
      await this.#park({ ...cause, stripeEventId }, mismatchOn(payment), cause.stripeEventId);
  }

  /** Why it could not be done, or null. Throws what passes by itself. */
  async #carryOut(payment: StreamName, settlement: Settlement, cause: Cause): Promise<ParkReason | null> {
    try {
      if (settlement.to === 'account') return await this.#toAccount(payment, settlement, cause);
      await this.#toPayments(settlement, cause);
      return null;
    } catch (error) {
      const reason = reasonOfFailure(error);
      if (reason === null) throw error;
      return reason;
    }
  }

  async #toAccount(
    payment: StreamName,
    settlement: Extract<Settlement, { to: 'account' }>,
    { stripeEventId }: Cause,
  ): Promise<ParkReason | null> {
    const { to: _, customerId, ...claimed } = settlement;
    const stream = accountStream(customerId, DEFAULT_UNIT);
    const refusal = await refusalOf(
      this.#handlers.account.execute({
        stream,
        key: `settlement:${payment}@${String(claimed.version)}`,
        command: { type: 'SettlePayment', ...claimed },
        ...requestBy(stripeEventId),
      }),
    );
    return refusal === null ? null : refusedBy(stream, refusal.rejected);
  }

  /** The newest version of the claims counts wherever they arrive; who may have had them by mistake has none from now on. */
  async #toPayments(
    { from, version, claims, paymentId: heir, notOf = [] }: Extract<Settlement, { to: 'payment' }>,
    { stripeEventId }: Cause,
  ): Promise<void> {
    const takeOver = (paymentId: string, claimed: typeof claims): Promise<unknown> =>
      refusalOf(
        this.#handlers.payment.execute({
          stream: paymentStream(paymentId),
          key: `claims:${from}@${String(version)}`,
          command: { type: 'TakeOverClaims', paymentId, from, version, claims: claimed },
          ...requestBy(stripeEventId),
        }),
      );
    for (const other of notOf) await takeOver(other, []);
    await takeOver(heir, claims);
  }

  async #park({ stripeEventId, eventId }: Cause, reason: ParkReason, by: string): Promise<void> {
    const stream = stripeEventStream(stripeEventId);
    const { received } = (await this.#handlers.stripeEvent.load(stream)).state;
    assert(received !== null, `${stripeEventId} is to be parked, and was never received`);
    const command = { type: 'ParkStripeEvent', reason: withObject(reason, received) } as const;
    const key = `settlement:${eventId}`;
    await refusalOf(this.#handlers.stripeEvent.execute({ stream, key, command, ...requestBy(by) }));
  }
}

/** Why an event waits that reports money of another currency than the payment's. */
const mismatchOn = (payment: StreamName): ParkReason => ({
  code: 'currency_mismatch',
  subject: payment,
  detail:
    'the money that goes back is of another currency than its payment; compare both at Stripe, then adjust by hand',
});

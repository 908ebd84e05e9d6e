import type { CommandOutcome } from '#event-store/writing/command.js';
import { CommandHandler } from '#event-store/writing/command-handler.js';
import type { EventStore } from '#event-store/port/event-store.js';
import type { KeyIndex } from '#event-store/port/key-index.js';
import type { SnapshotStore } from '#event-store/port/snapshots.js';
import type { Clock } from '#kernel/clock.js';
import type { Refused } from '#kernel/decider.js';
import { accountDecider } from '#ledger/account/account.js';
import { catalogDecider } from '#ledger/catalog.js';
import { customerDecider } from '#ledger/customer.js';
import { ledgerCodec } from '#ledger/events.js';
import { invoiceDecider } from '#ledger/invoice.js';
import { paymentDecider } from '#ledger/payment/payment.js';
import { stripeCustomerDecider } from '#ledger/stripe/customer.js';
import { stripeEventDecider } from '#ledger/stripe/event.js';
import { stripeIntentDecider } from '#ledger/stripe/intent.js';
import { subscriptionDecider } from '#ledger/subscription/subscription.js';

export type HandlerParts = {
  readonly store: EventStore;
  readonly snapshots: SnapshotStore | null;
  readonly keys: KeyIndex | null;
  readonly clock: Clock;
};

/** The write path of every category that the worker writes, over one store. */
export function ledgerHandlers(parts: HandlerParts) {
  const withCodec = { ...parts, codec: ledgerCodec };
  // Streams that are written once or twice need not stay in memory.
  const usedOnce = { ...withCodec, limits: { cachedStreams: 500 } };
  return {
    account: new CommandHandler(accountDecider, withCodec),
    customer: new CommandHandler(customerDecider, withCodec),
    catalog: new CommandHandler(catalogDecider, withCodec),
    stripeCustomer: new CommandHandler(stripeCustomerDecider, usedOnce),
    stripeEvent: new CommandHandler(stripeEventDecider, usedOnce),
    stripeIntent: new CommandHandler(stripeIntentDecider, usedOnce),
    subscription: new CommandHandler(subscriptionDecider, usedOnce),
    payment: new CommandHandler(paymentDecider, usedOnce),
    invoice: new CommandHandler(invoiceDecider, usedOnce),
  };
}

export type LedgerHandlers = ReturnType<typeof ledgerHandlers>;

/** Resolves when no command is under way any more. */
export async function drainHandlers(handlers: LedgerHandlers): Promise<void> {
  await Promise.all(Object.values(handlers).map((handler) => handler.drain()));
}

/** The store could not take a command, or it is not known whether it did; the same command again settles it. */
export class TryAgainLater extends Error {
  override readonly name = 'TryAgainLater';

  constructor(readonly outcome: 'conflict' | 'key_reused' | 'overloaded' | 'unavailable' | 'outcome_unknown') {
    super(`a command ended with ${outcome}`);
  }

  /** Whether only this command's stream is in trouble. Else the store is, and other commands would fare no better. */
  get ofOneStream(): boolean {
    return this.outcome === 'conflict' || this.outcome === 'key_reused';
  }
}

/** A command would record more than the log takes in one append. The same again would too: it is for a person to see to. */
export class CommandTooLarge extends Error {
  override readonly name = 'CommandTooLarge';

  constructor() {
    super('a command would record more than the log takes at once');
  }
}

/** What to throw for a command that ended without effect. */
export const failureOf = (outcome: TryAgainLater['outcome'] | 'too_large'): TryAgainLater | CommandTooLarge =>
  outcome === 'too_large' ? new CommandTooLarge() : new TryAgainLater(outcome);

/**
 * The refusal of a command; null when its effect is in the log or there was nothing to do.
 * Throws TryAgainLater when the command has to be repeated, CommandTooLarge when that would not help.
 */
export async function refusalOf<Event, State, Refusal extends Refused>(
  execution: Promise<CommandOutcome<Event, State, Refusal>>,
): Promise<Refusal | null> {
  const outcome = await execution;
  if (outcome.kind === 'refused') return outcome.refusal;
  if (outcome.kind === 'recorded' || outcome.kind === 'unchanged') return null;
  throw failureOf(outcome.kind);
}

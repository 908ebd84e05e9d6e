import type { EventStore } from '#event-store/port/event-store.js';
import type { KeyIndex } from '#event-store/port/key-index.js';
import type { SnapshotStore } from '#event-store/port/snapshots.js';
import { CommandHandler } from '#event-store/writing/command-handler.js';
import type { Clock } from '#kernel/clock.js';
import type { Decider, Refused } from '#kernel/decider.js';
import { accountDecider } from '#ledger/account/account.js';
import type { AccountEvent } from '#ledger/account/events.js';
import type { AccountState } from '#ledger/account/state.js';
import { catalogDecider } from '#ledger/catalog.js';
import { customerDecider } from '#ledger/customer.js';
import { ledgerCodec } from '#ledger/events.js';
import { invoiceDecider } from '#ledger/invoice.js';
import { paymentDecider } from '#ledger/payment/payment.js';
import { stripeCustomerDecider } from '#ledger/stripe/customer.js';
import { stripeEventDecider } from '#ledger/stripe/event.js';
import { stripeIntentDecider } from '#ledger/stripe/intent.js';
import { subscriptionDecider } from '#ledger/subscription/subscription.js';
import { usageDecider } from '#ledger/usage/usage.js';

/** What the write paths of a process stand on. `snapshots`: null where none are kept; `keys`: null where the store knows every id. */
export type WriteParts = {
  readonly store: EventStore;
  readonly snapshots: SnapshotStore | null;
  readonly keys: KeyIndex | null;
  readonly clock: Clock;
  /** Accounts kept folded in memory, some 10 kB each; default 20,000. */
  readonly cachedAccounts?: number;
};

/** Accounts and usage are written again and again and stay in memory longest; the others are written a few times each. */
const cachedStreams = { customer: 2_000, other: 500 } as const;

/** Of every stream category its write path. */
export type LedgerHandlersWith<Command, Refusal extends Refused> = ReturnType<
  typeof ledgerHandlersWith<Command, Refusal>
>;
export type LedgerHandlers = ReturnType<typeof ledgerHandlers>;

/** The write path of every stream category, over one store; those of accounts decide by the rules given. */
export function ledgerHandlersWith<Command, Refusal extends Refused>(
  account: Decider<Command, AccountEvent, AccountState, Refusal>,
  { cachedAccounts, ...parts }: WriteParts,
) {
  const all = { ...parts, codec: ledgerCodec };
  const ofAccounts = cachedAccounts === undefined ? all : { ...all, limits: { cachedStreams: cachedAccounts } };
  const ofCustomers = { ...all, limits: { cachedStreams: cachedStreams.customer } };
  const ofOthers = { ...all, limits: { cachedStreams: cachedStreams.other } };
  return {
    account: new CommandHandler(account, ofAccounts),
    customer: new CommandHandler(customerDecider, ofCustomers),
    catalog: new CommandHandler(catalogDecider, ofOthers),
    stripeCustomer: new CommandHandler(stripeCustomerDecider, ofOthers),
    stripeEvent: new CommandHandler(stripeEventDecider, ofOthers),
    stripeIntent: new CommandHandler(stripeIntentDecider, ofOthers),
    subscription: new CommandHandler(subscriptionDecider, ofOthers),
    payment: new CommandHandler(paymentDecider, ofOthers),
    invoice: new CommandHandler(invoiceDecider, ofOthers),
    usage: new CommandHandler(usageDecider, all),
  };
}

/** The write path of every stream category, over one store. */
export const ledgerHandlers = (parts: WriteParts) => ledgerHandlersWith(accountDecider, parts);

/** Resolves when no command of any of the write paths is waiting or under way. */
export async function drainHandlers(handlers: {
  readonly [category: string]: { drain(): Promise<void> };
}): Promise<void> {
  await Promise.all(Object.values(handlers).map((handler) => handler.drain()));
}

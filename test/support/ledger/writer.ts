import { ledgerHandlers, type LedgerHandlers } from '#composition/ledger-handlers.js';
import { SystemClock } from '#config/system-clock.js';
import { openEventStore } from '#event-store/event-store.module.js';
import type { EventStore } from '#event-store/port/event-store.js';
import { stripeEventStream, usageStream } from '#kernel/stream-name.js';
import type { AccountCommand } from '#ledger/account/commands.js';
import { freeSubscriptionId } from '#ledger/subscription/subscription.js';
import { catalog } from './catalog.js';
import { received, type StripeEventBody } from '../stripe/events.js';

/** Repeats a command while the store has too much to do; throws when it ends in any other way than recorded or unchanged. */
async function done(execute: () => Promise<{ readonly kind: string }>): Promise<void> {
  for (;;) {
    const { kind } = await execute();
    if (kind === 'recorded' || kind === 'unchanged') return;
    if (kind !== 'overloaded') throw new Error(`a command ended with ${kind}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const by = {
  origin: 'cli',
  actor: 'test',
  causationId: null,
  correlationId: 'test',
  fingerprint: null,
  key: null,
} as const;

/** Writes to a database's log as another process of Scrip would. */
export class Writer {
  private constructor(
    readonly store: EventStore,
    readonly handlers: LedgerHandlers,
  ) {}

  static async open(databaseUrl: string): Promise<Writer> {
    const clock = new SystemClock();
    const store = await openEventStore({ kind: 'postgres', databaseUrl }, clock);
    return new Writer(store, ledgerHandlers({ store, snapshots: null, keys: null, clock }));
  }

  async applyCatalog(wanted = catalog): Promise<void> {
    await done(() =>
      this.handlers.catalog.execute({ ...by, stream: 'catalog', command: { type: 'ApplyCatalog', catalog: wanted } }),
    );
  }

  async receive(body: StripeEventBody): Promise<void> {
    const command = { type: 'ReceiveStripeEvent', ...received(body) } as const;
    await done(() => this.handlers.stripeEvent.execute({ ...by, stream: stripeEventStream(body.id), command }));
  }

  async account(customerId: string, command: AccountCommand): Promise<void> {
    await done(() => this.handlers.account.execute({ ...by, stream: `account-${customerId}`, command }));
  }

  async startFreePlan(customerId: string, planId: string): Promise<void> {
    const subscriptionId = freeSubscriptionId(customerId);
    const enter = { type: 'EnterFreePlan', planId } as const;
    await done(() => this.handlers.usage.execute({ ...by, stream: usageStream(customerId), command: enter }));
    const command = { type: 'StartFreePlan', customerId, planId, subscriptionId } as const;
    await done(() => this.handlers.subscription.execute({ ...by, stream: `subscription-${subscriptionId}`, command }));
  }
}

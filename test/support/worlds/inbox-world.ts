import { InMemoryEventStore } from '../../../libs/event-store/in-memory.js';
import type { LogConsumer } from '#consuming/follow-log.js';
import { ledgerHandlers } from '#composition/ledger-handlers.js';
import type { EventStore } from '#event-store/port/event-store.js';
import { stripeEventStream } from '#kernel/stream-name.js';
import { conservationOf } from '#ledger/account/account.js';
import type { AccountCommand } from '#ledger/account/commands.js';
import type { Grant } from '#ledger/account/state.js';
import type { Catalog } from '#ledger/catalog.js';
import { stripeCustomerStream } from '#ledger/stripe/customer.js';
import { ownershipOf } from '#ledger/stripe/customer-owner.js';
import { paymentRecordOf } from '#ledger/payment/record.js';
import { recordStripeCustomer } from '../../../apps/worker/inbox/owners.js';
import { Inbox } from '../../../apps/worker/inbox/inbox.js';
import { Settler } from '../../../apps/worker/settler/settler.js';
import { catalog } from '../ledger/catalog.js';
import { InMemoryCheckpoint } from './in-memory-checkpoint.js';
import { InMemoryInboxState } from './in-memory-inbox-state.js';
import { ManualClock } from './manual-clock.js';
import { readModelRows } from '../databases/read-model-rows.js';
import { received, type StripeEventBody } from '../stripe/events.js';

export const byTest = {
  origin: 'cli',
  actor: 'cli',
  causationId: null,
  correlationId: 'test',
  fingerprint: null,
  key: null,
} as const;

const isMovedOn = ({ term, amount, revocations }: Grant): boolean =>
  term?.kind === 'trial' && revocations.some((each) => each.cause.kind === 'trial' && each.amount === amount);

const ids = (log: readonly { readonly stream: string }[], category: string): readonly string[] =>
  [...new Set(log.map(({ stream }) => stream))].filter((stream) => stream.startsWith(`${category}-`)).sort();

/** Lets a consumer work until it has read the whole log, `page` events at a time. */
export async function drained(store: EventStore, consumer: LogConsumer, page: number): Promise<void> {
  let after = await consumer.checkpoint();
  for (let batches = 0; batches < MAX_BATCHES; batches += 1) {
    const batch = await store.readAll(after, page);
    const last = batch.at(-1);
    if (last === undefined) return;
    await consumer.process(await consumer.checkpoint(), batch);
    after = last.position;
  }
  throw new Error(`it does not come to an end: ${MAX_BATCHES} batches led to ever more events`);
}

/** No test needs nearly as many. */
const MAX_BATCHES = 2_000;

/** A ledger in memory with an inbox and a settler beside it. */
export class InboxWorld {
  readonly clock = new ManualClock();
  readonly state = new InMemoryInboxState();
  readonly handlers;
  readonly inbox;
  readonly settler;

  constructor(readonly store: InMemoryEventStore = new InMemoryEventStore()) {
    this.handlers = ledgerHandlers({ store, snapshots: null, keys: null, clock: this.clock });
    this.inbox = new Inbox({
      handlers: this.handlers,
      state: this.state,
      clock: this.clock,
      livemode: false,
      customerKey: 'customer_id',
    });
    this.settler = new Settler({ handlers: this.handlers, checkpoint: new InMemoryCheckpoint() });
  }

  async deliver(body: StripeEventBody): Promise<void> {
    const command = { type: 'ReceiveStripeEvent', ...received(body) } as const;
    await this.handlers.stripeEvent.execute({ ...byTest, stream: stripeEventStream(body.id), command });
  }

  async applyCatalog(wanted: Catalog = catalog): Promise<void> {
    const command = { type: 'ApplyCatalog', catalog: wanted } as const;
    await this.handlers.catalog.execute({ ...byTest, stream: 'catalog', command });
  }

  /** Says that a Stripe customer is a customer's, as one that was made from here. */
  async link(customerId: string, stripeCustomerId: string): Promise<void> {
    const statement = { customerId, source: 'customer', at: '2026-10-01T00:00:00.000Z', stripeEventId: null } as const;
    const command = { type: 'NameStripeCustomer', stripeCustomerId, statement } as const;
    await recordStripeCustomer(this.handlers, { ...byTest, stream: stripeCustomerStream(stripeCustomerId), command });
  }

  async run(command: AccountCommand): Promise<void> {
    const outcome = await this.handlers.account.execute({ ...byTest, stream: 'account-acme', command });
    if (outcome.kind !== 'recorded' && outcome.kind !== 'unchanged') throw new Error(outcome.kind);
  }

  /** Lets inbox and settler work until both have read the whole log, `page` events at a time. */
  async drain(page = 100): Promise<void> {
    for (let head = ''; head !== (await this.store.head());) {
      head = await this.store.head();
      for (const consumer of [this.inbox, this.settler]) await drained(this.store, consumer, page);
    }
  }

  async statusOf(id: string): Promise<string> {
    const { state } = await this.handlers.stripeEvent.load(stripeEventStream(id));
    return state.reason === null ? state.status : `parked: ${state.reason.code}`;
  }

  /** All that the ledger says, without the ids, versions and places that depend on the order of writing. */
  async ledger(): Promise<Ledger> {
    const log = await this.store.readAll('', 100_000);
    const account = (await this.handlers.account.load('account-acme')).state;
    const { violations } = conservationOf(account);
    if (violations.length > 0) throw new Error(violations.join('\n'));
    // By which of its names a sale is known depends on what reported it first.
    // By which of its ends a trial's credits were granted meanwhile depends on what was reported first.
    const standing = [...account.grants.values()].filter((grant) => !isMovedOn(grant));
    const grants = standing.map(({ id: _id, revision: _revision, sale: _sale, ...grant }) => ({
      ...grant,
      revocations: grant.revocations.map((each) => JSON.stringify(each)).sort(),
    }));
    const each = async <Value>(category: string, of: (stream: string) => Promise<Value>) =>
      Object.fromEntries(
        await Promise.all(ids(log, category).map(async (stream) => [stream, await of(stream)] as const)),
      );
    return {
      balance: account.balance,
      grants: grants.map((grant) => JSON.stringify(grant)).sort(),
      holds: [...account.holds.values()].map(({ remaining }) => remaining).sort(),
      owed: account.owed.map(({ cause: { kind, id }, outstanding }) => [kind, id, outstanding].join(' ')).sort(),
      customer: await each('customer', async (stream) => {
        const { stripeCustomers, ...state } = (await this.handlers.customer.load(stream)).state;
        return { ...state, stripeCustomers: stripeCustomers.map(({ version: _version, ...link }) => link) };
      }),
      owners: await each('stripeCustomer', async (stream) => {
        const { statements, deleted } = (await this.handlers.stripeCustomer.load(stream)).state;
        return { ...ownershipOf(statements), deleted };
      }),
      payments: await each('payment', async (stream) =>
        paymentRecordOf((await this.handlers.payment.load(stream)).state),
      ),
      invoices: await each('invoice', async (stream) => (await this.handlers.invoice.load(stream)).state.snapshot),
      subscriptions: await each('subscription', async (stream) => {
        const { standing, current, freePlanId } = (await this.handlers.subscription.load(stream)).state;
        return { standing, periodEnd: current?.periodEnd ?? null, freePlanId };
      }),
      rows: readModelRows(log),
      waiting: [...this.state.parked].map(([id, { code }]) => `${id} ${code}`).sort(),
    };
  }
}

export type Ledger = {
  readonly balance: { readonly available: number; readonly held: number; readonly debt: number };
  readonly [part: string]: unknown;
};

export type Step = (world: InboxWorld) => Promise<void>;
export const deliver =
  (body: StripeEventBody): Step =>
  (world) =>
    world.deliver(body);

/** The ledger after `before`, worked off, and then the steps. */
export async function ledgerAfter(
  before: readonly Step[],
  steps: readonly Step[],
  drainEach: boolean,
): Promise<Ledger> {
  const world = new InboxWorld();
  for (const step of before) {
    await step(world);
    await world.drain();
  }
  for (const step of steps) {
    await step(world);
    if (drainEach) await world.drain();
  }
  await world.drain(3);
  return world.ledger();
}

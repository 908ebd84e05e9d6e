import { ledgerHandlers, type LedgerHandlers } from '#composition/ledger-handlers.js';
import { CheckpointMoved } from '#consuming/checkpoint.js';
import { StoreUnavailable } from '#event-store/port/event-store.js';
import type { LogConsumer } from '#consuming/follow-log.js';
import { InMemorySnapshotStore } from '#event-store/in-memory.js';
import type { CommandOutcome, CommandRequest } from '#event-store/writing/command.js';
import type { Snapshot } from '#event-store/port/snapshots.js';
import type { CommandHandler } from '#event-store/writing/command-handler.js';
import { accountStream, catalogStream, stripeEventStream } from '#kernel/stream-name.js';
import type { AccountCommand, AccountRefusal } from '#ledger/account/commands.js';
import type { AccountEvent } from '#ledger/account/events.js';
import type { AccountState } from '#ledger/account/state.js';
import { accountDecider } from '#ledger/account/account.js';
import type { DueAllowance } from '#projections/allowances/due-allowances.js';
import type { LapsedSubscription } from '#projections/subscriptions/queries.js';
import type { DueAccount } from '#projections/balances/due-accounts.js';
import { DueWork } from '../../apps/worker/scheduler/due-work.js';
import { Inbox } from '../../apps/worker/inbox/inbox.js';
import { Settler } from '../../apps/worker/settler/settler.js';
import { Transfers } from '../../apps/worker/transfers/transfers.js';
import { Scheduler } from '../../apps/worker/scheduler/scheduler.js';
import type { InboxChange } from '#records/inbox/state.js';
import { catalog } from '../support/ledger/catalog.js';
import { InMemoryCheckpoint } from '../support/worlds/in-memory-checkpoint.js';
import { InMemoryInboxState } from '../support/worlds/in-memory-inbox-state.js';
import { received, stripeEvent } from '../support/stripe/events.js';
import { FaultyStore, noFaults, SimulatedServer } from './faulty-store.js';
import { ACTIVE_MS, LEAVING, PROCESSES, type Plan } from './plan.js';
import { Probes, type Probe } from './probes.js';
import { LaggingKeyIndex, ReadModel, runProjection } from './projection.js';
import { SeededRandom } from './random.js';
import { sabotaged, usageHandler } from './sabotaged-decider.js';
import type { Sabotage } from './sabotage.js';
import { Life, SkewedClock, VirtualTime } from './virtual-time.js';

export type AccountHandler = CommandHandler<AccountCommand, AccountEvent, AccountState, AccountRefusal>;
export type Outcome = CommandOutcome<AccountEvent, AccountState, AccountRefusal>;

/** The account streams of the world; `acme` is the one that Stripe pays into, the last one is that of who leaves. */
export const accounts = Array.from({ length: LEAVING + 1 }, (_, i) =>
  accountStream(i === 0 ? 'acme' : `customer${String(i)}`, 'credits'),
);

/**
 * What Stripe reports: two payments, each in two shapes; a refund of either, and that the second one's money paid its invoice, so that
 * its refund is passed on from payment to payment.
 */
export const webhooks = [
  stripeEvent('checkout.session.completed.endive', { id: 'evt_1' }),
  stripeEvent('checkout.session.completed.acacia', { id: 'evt_2' }),
  stripeEvent('invoice.paid.endive', { id: 'evt_3' }),
  stripeEvent('invoice.paid.acacia', { id: 'evt_4' }),
  stripeEvent('refund.updated.endive', { id: 'evt_5' }),
  stripeEvent('refund.updated.endive', { id: 'evt_6' }, { id: 're_2', payment_intent: 'pi_sub_1', charge: 'ch_sub_1' }),
  stripeEvent('invoice_payment.paid.endive', { id: 'evt_7' }),
];

class WatchedSnapshots extends InMemorySnapshotStore {
  loads = 0;
  override async load(stream: string, version: number): Promise<Snapshot | null> {
    const snapshot = await super.load(stream, version);
    if (snapshot !== null) this.loads += 1;
    return snapshot;
  }
}

class WatchedInboxState extends InMemoryInboxState {
  everParked = false;
  override commit(change: InboxChange): Promise<void> {
    if ([...change.parked.values()].some((reason) => reason !== null)) this.everParked = true;
    return super.commit(change);
  }
}

class Process {
  life = new Life();
  handlers: LedgerHandlers | null = null;
  store: FaultyStore | null = null;
  skewMs = 0;
}

/** Several API and worker processes around one server, all on one virtual time. */
export class World {
  readonly time = new VirtualTime();
  readonly probes = new Probes();
  readonly random: SeededRandom;
  readonly server: SimulatedServer;
  readonly readModel = new ReadModel();
  readonly inboxState = new WatchedInboxState();
  readonly settlerCheckpoint = new InMemoryCheckpoint();
  readonly transfersCheckpoint = new InMemoryCheckpoint();
  readonly snapshots = new WatchedSnapshots();
  readonly processes = Array.from({ length: PROCESSES }, () => new Process());
  /** Bugs that came to light as exceptions. */
  readonly crashes: unknown[] = [];
  lagMs: number;
  readonly #sabotage: Sabotage | null;
  #lives = 0;

  constructor(
    readonly plan: Plan,
    sabotage: Sabotage | null,
  ) {
    this.random = new SeededRandom(plan.seed).fork(1);
    this.#sabotage = sabotage;
    this.lagMs = plan.lagMs;
    this.server = new SimulatedServer(this.time, this.random.fork(2), this.probes, sabotage, plan.knowsEveryId);
    this.server.faults = plan.faults;
  }

  async start(): Promise<void> {
    const calm = this.server.faults;
    this.server.faults = noFaults;
    for (const index of this.processes.keys()) this.boot(index);
    const handlers = this.handlersOf(0);
    let ready = false;
    void handlers?.catalog
      .execute({ ...cli, stream: catalogStream, command: { type: 'ApplyCatalog', catalog } })
      .then(() => (ready = true));
    await this.time.run(this.time.now + 60_000, () => ready);
    this.server.faults = calm;
  }

  /** A new process in the place of a dead one. Processes 0 and 1 are APIs, the others workers. */
  boot(index: number): void {
    const process = this.processes[index];
    if (process === undefined) return;
    this.#lives += 1;
    process.life = new Life();
    const clock = new SkewedClock(this.time, () => process.skewMs, process.life, this.plan.seed * 31 + this.#lives);
    process.store = new FaultyStore(this.server, process.life);
    const keys = this.plan.knowsEveryId ? null : new LaggingKeyIndex(this.readModel, this.probes, this.#sabotage);
    const limits = { batchBytes: 2_500, rememberedKeys: 4, snapshotEvery: 5, settleMs: 4_000 };
    const parts = { store: process.store, snapshots: this.snapshots, keys, clock, limits };
    process.handlers = {
      ...ledgerHandlers(parts),
      account: sabotaged(this.#sabotage, accountDecider, parts),
      usage: usageHandler(this.#sabotage, parts),
    };
    if (index >= 2) this.#work(process, clock);
  }

  kill(index: number): void {
    const process = this.processes[index];
    if (process === undefined || !process.life.alive) return;
    if (Object.values(process.handlers ?? {}).some(({ statistics }) => statistics.waiting > 0))
      this.probes.hit('process killed at work');
    process.life.alive = false;
    process.handlers = null;
  }

  handlersOf(index: number): LedgerHandlers | null {
    return this.processes[index]?.handlers ?? null;
  }

  /** The webhook route: the event's own id is its key, and the stream is most likely new. */
  async deliverWebhook(api: number, index: number): Promise<boolean> {
    const handlers = this.handlersOf(api);
    const body = webhooks[index];
    if (handlers === null || body === undefined) return false;
    const outcome = await handlers.stripeEvent.execute({
      ...cli,
      origin: 'stripe',
      key: 'received',
      assumeNew: true,
      stream: stripeEventStream(body.id),
      command: { type: 'ReceiveStripeEvent', ...received(body) },
    });
    if (outcome.kind === 'recorded' && outcome.replayed) this.probes.hit('Stripe event told twice');
    return outcome.kind === 'recorded' || outcome.kind === 'unchanged';
  }

  /** Ends every fault: from now on all must come right within a bound. */
  heal(): void {
    this.server.faults = noFaults;
    this.server.away = false;
    this.lagMs = 30;
    for (const [index, process] of this.processes.entries()) if (!process.life.alive) this.boot(index);
  }

  get end(): number {
    return Date.parse('2026-01-01T00:00:00.000Z') + 60_000 + ACTIVE_MS;
  }

  #work(process: Process, clock: SkewedClock): void {
    const { life, store, handlers } = process;
    if (store === null || handlers === null) return;
    const { time, random, probes } = this;
    const failed = (error: unknown): void => void this.crashes.push(error);
    runProjection(this.readModel, {
      store,
      life,
      time,
      random,
      probes,
      sabotage: this.#sabotage,
      lagMs: () => this.lagMs,
    }).catch(failed);
    const { inboxState: state } = this;
    const settings = { clock, livemode: false, customerKey: 'customer_id' };
    const writers = this.#sabotage === 'inbox-drops-key' ? withoutKeys(handlers) : handlers;
    this.#follow(process, clock, 'inbox fenced', () => new Inbox({ handlers: writers, state, ...settings })).catch(
      failed,
    );
    this.#follow(process, clock, 'settler fenced', () => this.#settler(handlers)).catch(failed);
    this.#follow(process, clock, 'transfers fenced', () => this.#transfers(handlers)).catch(failed);
    this.#runScheduler(life, handlers, clock).catch(failed);
  }

  #settler(handlers: LedgerHandlers): LogConsumer {
    const make = (checkpoint: InMemoryCheckpoint): LogConsumer => new Settler({ handlers, checkpoint });
    const { settlerCheckpoint: checkpoint } = this;
    return this.#sabotage === 'settler-moves-first' ? this.#movingFirst(checkpoint, make) : make(checkpoint);
  }

  #transfers(handlers: LedgerHandlers): LogConsumer {
    const writers = transferHandlers(this.#sabotage, handlers);
    const make = (checkpoint: InMemoryCheckpoint): LogConsumer => new Transfers({ handlers: writers, checkpoint });
    const { transfersCheckpoint: checkpoint } = this;
    return this.#sabotage === 'transfers-move-first' ? this.#movingFirst(checkpoint, make) : make(checkpoint);
  }

  /** A consumer that moves its checkpoint before it has done the work. */
  #movingFirst(checkpoint: InMemoryCheckpoint, make: (moved: InMemoryCheckpoint) => LogConsumer): LogConsumer {
    return {
      checkpoint: () => checkpoint.read(),
      process: async (from, batch) => {
        const moved = new InMemoryCheckpoint();
        moved.position = from;
        checkpoint.position = batch.at(-1)?.position ?? from;
        if (this.random.chance(0.2)) throw new StoreUnavailable('between the two');
        await make(moved).process(from, batch);
        return checkpoint.position;
      },
    };
  }

  /** What the worker does for a consumer of the log, in memory. */
  async #follow({ life, store }: Process, clock: SkewedClock, fenced: Probe, make: () => LogConsumer): Promise<void> {
    for (;;) {
      const consumer = make();
      try {
        let checkpoint = await consumer.checkpoint();
        for await (const batch of store?.subscribe(checkpoint, new AbortController().signal) ?? []) {
          checkpoint = await life.through(consumer.process(checkpoint, batch));
        }
      } catch (error) {
        if (error instanceof CheckpointMoved) this.probes.hit(fenced);
        else if (!(error instanceof Error) || !['TryAgainLater', 'StoreUnavailable'].includes(error.name)) throw error;
        await clock.sleep(200);
      }
    }
  }

  async #runScheduler(life: Life, handlers: LedgerHandlers, clock: SkewedClock): Promise<void> {
    const scheduler = new Scheduler({
      handlers,
      dueWork: new EveryAccount(),
      clock,
      report: ({ problem }) => void this.crashes.push(problem),
    });
    for (;;) {
      await clock.sleep(1_000);
      await life.through(scheduler.runOnce(new AbortController().signal).catch(() => undefined));
    }
  }
}

const cli = {
  origin: 'cli',
  actor: 'cli',
  causationId: null,
  correlationId: 'simulation',
  fingerprint: null,
  key: null,
} as const;

/** A list of due work with every account: what is not due is nothing to do. */
class EveryAccount extends DueWork {
  override accounts(_now: string, after: DueAccount | null): Promise<readonly DueAccount[]> {
    return Promise.resolve(
      after === null ? accounts.map((stream) => ({ stream, dueAt: '2026-01-01T00:00:00.000Z' })) : [],
    );
  }
  override allowances(): Promise<readonly DueAllowance[]> {
    return Promise.resolve([]);
  }
  override lapsed(): Promise<readonly LapsedSubscription[]> {
    return Promise.resolve([]);
  }
}

/** The write paths of who carries transfers, perhaps without keys, or taking for a refusal what may have been recorded. */
function transferHandlers(sabotage: Sabotage | null, handlers: LedgerHandlers): LedgerHandlers {
  if (sabotage === 'transfers-drop-key') return withoutKeys(handlers);
  if (sabotage !== 'unknown-taken-for-refused') return handlers;
  const account = Object.create(handlers.account) as AccountHandler;
  account.execute = async (request: CommandRequest<AccountCommand>) => {
    const outcome = await handlers.account.execute(request);
    if (request.command.type !== 'ReceiveTransfer' || outcome.kind !== 'outcome_unknown') return outcome;
    return { kind: 'refused', refusal: { rejected: 'account_closed' } };
  };
  return { ...handlers, account };
}

let dropped = 0;
function withoutKeys(handlers: LedgerHandlers): LedgerHandlers {
  const account = Object.create(handlers.account) as AccountHandler;
  account.execute = (request: CommandRequest<AccountCommand>) => {
    dropped += 1;
    return handlers.account.execute({ ...request, key: `${request.key ?? ''}${String(dropped)}` });
  };
  return { ...handlers, account };
}

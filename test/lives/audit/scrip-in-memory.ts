import { ledgerHandlers } from '#composition/ledger-handlers.js';
import { instantOf } from '#kernel/instant.js';
import {
  accountStream,
  catalogStream,
  DEFAULT_UNIT,
  invoiceStream,
  paymentStream,
  stripeEventStream,
  subscriptionStream,
} from '#kernel/stream-name.js';
import type { ReceivedStripeEvent } from '#ledger/stripe/event.js';
import type { KnownToLedger } from '#stripe/reconciliation/stages.js';
import { StripeClient } from '#stripe/operations/client.js';
import { readWebhook } from '#stripe/webhook/verify.js';
import { signature } from '../../../apps/stripe-sandbox/http/webhook-sender.js';
import { ProjectedDueWork } from '../../../apps/worker/scheduler/due-work.js';
import { Inbox } from '../../../apps/worker/inbox/inbox.js';
import { LineFetcher } from '../../../apps/worker/inbox/line-fetcher.js';
import { Scheduler } from '../../../apps/worker/scheduler/scheduler.js';
import { Settler } from '../../../apps/worker/settler/settler.js';
import { InMemoryCheckpoint } from '../../support/worlds/in-memory-checkpoint.js';
import { byTest, drained } from '../../support/worlds/inbox-world.js';
import { InMemoryInboxState } from '../../support/worlds/in-memory-inbox-state.js';
import { ManualClock } from '../../support/worlds/manual-clock.js';
import { ProjectionWorld } from '../../support/worlds/projection-world.js';
import { allowancesProjection } from '../../../projections/allowances/allowances.js';
import { balances } from '../../../projections/balances/balances.js';
import { projections } from '../../../projections/registry.js';
import type { Market } from '../story/market.js';

/** What tells the scheduler what to do. */
const dueWork = [allowancesProjection, balances];
const SECRET = 'whsec_lives_0123456789';

/** Scrip in this process: the log in memory, read models in a database, and a clock that is moved. */
export class ScripInMemory {
  readonly #clock = new ManualClock();
  readonly #inboxState = new InMemoryInboxState();
  readonly #handlers;
  readonly #inbox;
  readonly #settler;
  readonly #scheduler;
  readonly #lineFetcher;

  private constructor(
    readonly world: ProjectionWorld,
    fetch: typeof globalThis.fetch,
  ) {
    const { store, db } = world;
    const clock = this.#clock;
    this.#handlers = ledgerHandlers({ store, snapshots: null, keys: null, clock });
    this.#inbox = new Inbox({
      handlers: this.#handlers,
      state: this.#inboxState,
      clock,
      livemode: false,
      customerKey: 'customer_id',
    });
    this.#settler = new Settler({ handlers: this.#handlers, checkpoint: new InMemoryCheckpoint() });
    const client = new StripeClient({ secretKey: 'sk_test_1', apiBase: null, livemode: false, clock, fetch });
    this.#lineFetcher = new LineFetcher({ client, handlers: this.#handlers, state: this.#inboxState });
    const report = ({ problem }: { problem: string }): never => {
      throw new Error(problem);
    };
    this.#scheduler = new Scheduler({ handlers: this.#handlers, dueWork: new ProjectedDueWork(db, 3), clock, report });
  }

  /** `fetch`: Stripe's API, for what webhooks leave out. */
  static async open(market: Market, fetch: typeof globalThis.fetch): Promise<ScripInMemory> {
    const scrip = new ScripInMemory(await ProjectionWorld.open(), fetch);
    const command = { type: 'ApplyCatalog', catalog: market.catalog } as const;
    await scrip.#handlers.catalog.execute({ ...byTest, stream: 'catalog', command });
    scrip.world.work(dueWork);
    return scrip;
  }

  setTime(seconds: number): void {
    this.#clock.set(instantOf(seconds * 1000));
  }

  /** The time by its clock. */
  get time(): string {
    return String(instantOf(this.#clock.now()));
  }

  /** Takes webhooks as the route does: their signatures are checked, then they are kept. */
  async take(bodies: readonly string[]): Promise<void> {
    const now = this.#clock.now();
    await Promise.all(
      bodies.map(async (body) => {
        const signed = signature(body, [SECRET], Math.floor(now / 1000));
        const reading = readWebhook({ rawBody: Buffer.from(body), signature: signed, secrets: [SECRET], now });
        if (reading.kind !== 'event') throw new Error(`a webhook was ${reading.kind}`);
        const { event } = reading;
        const command = { type: 'ReceiveStripeEvent', ...event } as const;
        const request = { ...byTest, key: event.stripeEventId, origin: 'stripe' } as const;
        await this.#handlers.stripeEvent.execute({
          ...request,
          stream: stripeEventStream(event.stripeEventId),
          command,
        });
      }),
    );
  }

  /** Uses credits; answers how many, none when there are too few. */
  async consume(customerId: string, amount: number): Promise<number> {
    const annotations = { description: null, metadata: {} };
    const command = { type: 'ConsumeCredits', amount, usage: null, resource: null, ...annotations } as const;
    const stream = accountStream(customerId, DEFAULT_UNIT);
    const outcome = await this.#handlers.account.execute({ ...byTest, stream, command });
    return outcome.kind === 'recorded' ? amount : 0;
  }

  /** Lets inbox and settler work until both have read the whole log, and fetches the lines that invoices of webhooks lack. */
  async workOff(): Promise<void> {
    await this.#readLog();
    if (![...this.#inboxState.parked.values()].some(({ code }) => code === 'lines_incomplete')) return;
    await this.#lineFetcher.runOnce(new AbortController().signal);
    await this.#readLog();
  }

  async #readLog(): Promise<void> {
    const { store } = this.world;
    for (let head = ''; head !== (await store.head());) {
      head = await store.head();
      for (const consumer of [this.#inbox, this.#settler]) await drained(store, consumer, 1000);
    }
  }

  /** Does what time asks for until there is nothing left to do, as the scheduler does by coming back again and again. */
  async letTimePass(): Promise<void> {
    const { store } = this.world;
    for (let before = ''; before !== (await store.head());) {
      before = await store.head();
      await this.world.reached(
        before,
        dueWork.map(({ name }) => name),
      );
      await this.#scheduler.runOnce(new AbortController().signal);
    }
  }

  /** Lets the other read models have everything, too. */
  async project(): Promise<void> {
    this.world.work(projections.filter((projection) => !dueWork.includes(projection)));
    await this.world.reached(await this.world.store.head());
  }

  /** Takes in what a comparison found to be missing, as a repair does. */
  async ingest(event: ReceivedStripeEvent): Promise<void> {
    const stream = stripeEventStream(event.stripeEventId);
    const command = { type: 'ReceiveStripeEvent', ...event } as const;
    const annotations = await this.#handlers.stripeEvent.execute({ ...byTest, stream, command });
    if (annotations.kind === 'unchanged')
      await this.#handlers.stripeEvent.execute({ ...byTest, stream, command: { type: 'RequestRetry' } });
  }

  /** What the log says of what Stripe has. */
  async known(): Promise<KnownToLedger> {
    const handlers = this.#handlers;
    const catalog = (await handlers.catalog.load(catalogStream)).state;
    return {
      stripeEvent: async (id) => (await handlers.stripeEvent.load(stripeEventStream(id))).state,
      payment: async (id) => (await handlers.payment.load(paymentStream(id))).state,
      invoice: async (id) => (await handlers.invoice.load(invoiceStream(id))).state,
      subscription: async (id) => (await handlers.subscription.load(subscriptionStream(id))).state,
      catalog: () => Promise.resolve(catalog),
      isLinked: (id) => Promise.resolve(this.#inboxState.links.has(id)),
    };
  }

  /** The Stripe events that wait for a person, with the reason. */
  get parked(): readonly string[] {
    return [...this.#inboxState.parked].map(
      ([id, { code, subject, detail }]) => `${id} ${code} ${String(subject)} ${detail}`,
    );
  }

  close(): Promise<void> {
    return this.world.close();
  }
}

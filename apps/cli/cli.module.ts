import type { Clock } from '#kernel/clock.js';
import { loadConfig, type Config } from '#config/env.js';
import { SystemClock } from '#config/system-clock.js';
import { CommandHandler } from '#event-store/writing/command-handler.js';
import type { EventStore } from '#event-store/port/event-store.js';
import { catalogDecider } from '#ledger/catalog.js';
import { ledgerCodec } from '#ledger/events.js';
import { invoiceDecider } from '#ledger/invoice.js';
import { paymentDecider } from '#ledger/payment/payment.js';
import { stripeEventDecider } from '#ledger/stripe/event.js';
import { stripeIntentDecider } from '#ledger/stripe/intent.js';
import { subscriptionDecider } from '#ledger/subscription/subscription.js';
import { openReadDatabase, type ReadDatabase } from '#read-store/read-database.js';
import { migrateReadStore } from '#read-store/migrate.js';
import { CommandKeyIndex } from '#projections/command-keys/index.js';
import { projectionsFor } from '#projections/registry.js';
import { DataDir } from './installation/data-dir.js';
import { EmbeddedPostgres } from './installation/embedded-postgres.js';

/**
 * What the commands work with, opened when first asked for. Without DATABASE_URL the database is the embedded one of the data
 * directory: of the running `scrip up`, or started for this command alone.
 */
export class CliEnvironment {
  readonly clock: Clock = new SystemClock();
  readonly dataDir: DataDir;
  readonly #closing: (() => Promise<unknown>)[] = [];
  #databaseUrl: Promise<string> | undefined;
  #store: Promise<EventStore> | undefined;
  #readDatabase: Promise<ReadDatabase> | undefined;

  private constructor(
    readonly config: Config,
    readonly variables: NodeJS.ProcessEnv,
  ) {
    this.dataDir = new DataDir(config.dataDir);
  }

  /** Throws ConfigError. */
  static from(variables: NodeJS.ProcessEnv): CliEnvironment {
    return new CliEnvironment(loadConfig(variables), variables);
  }

  /** The same, over a database that is known already; closed apart. */
  withDatabase(databaseUrl: string): CliEnvironment {
    return new CliEnvironment({ ...this.config, databaseUrl }, this.variables);
  }

  /** Throws DataDirInUse, and what starting PostgreSQL throws. */
  databaseUrl(): Promise<string> {
    return (this.#databaseUrl ??= this.#findDatabase());
  }

  /** The log, its schema up to date. Throws StoreUnavailable. */
  store(): Promise<EventStore> {
    return (this.#store ??= this.#openStore());
  }

  /** The read models, their tables up to date. Throws ReadDatabaseError. */
  readDatabase(): Promise<ReadDatabase> {
    return (this.#readDatabase ??= this.#openReadDatabase());
  }

  /** The write path of the catalogue. */
  async catalogHandler() {
    return new CommandHandler(catalogDecider, { ...(await this.#writing()), codec: ledgerCodec });
  }

  /** The write path of Stripe's events. */
  async stripeEventHandler() {
    return new CommandHandler(stripeEventDecider, { ...(await this.#writing()), codec: ledgerCodec });
  }

  /** The write path of what Stripe is asked for. */
  async stripeIntentHandler() {
    return new CommandHandler(stripeIntentDecider, { ...(await this.#writing()), codec: ledgerCodec });
  }

  /** The write path of Stripe's events, and what the ledger knows of what they tell. */
  async stripeLedger() {
    const parts = { ...(await this.#writing()), codec: ledgerCodec };
    return {
      stripeEvent: new CommandHandler(stripeEventDecider, parts),
      payment: new CommandHandler(paymentDecider, parts),
      invoice: new CommandHandler(invoiceDecider, parts),
      subscription: new CommandHandler(subscriptionDecider, parts),
      catalog: new CommandHandler(catalogDecider, parts),
    };
  }

  /** Closes what was opened, the newest first. */
  async close(): Promise<void> {
    for (const close of this.#closing.reverse()) await close();
  }

  async #writing() {
    const store = await this.store();
    const keys = store.knowsEveryId ? null : new CommandKeyIndex(await this.readDatabase());
    return { store, snapshots: null, keys, clock: this.clock };
  }

  async #findDatabase(): Promise<string> {
    if (this.config.databaseUrl !== null) return this.config.databaseUrl;
    const running = await this.dataDir.running();
    if (running?.databaseUrl != null) return running.databaseUrl;
    await this.dataDir.lock();
    this.#closing.push(() => this.dataDir.unlock());
    const server = await EmbeddedPostgres.start({ dataDir: this.dataDir.postgres });
    this.#closing.push(() => server.stop());
    for (const [signal, code] of [
      ['SIGINT', 130],
      ['SIGTERM', 143],
    ] as const)
      process.once(signal, () => void this.close().finally(() => process.exit(code)));
    return server.url;
  }

  async #openStore(): Promise<EventStore> {
    const { eventStore } = this.config;
    const options =
      eventStore.kind === 'postgres'
        ? { ...eventStore, databaseUrl: await this.databaseUrl(), cacheBytes: 0 }
        : eventStore;
    // Loaded when it is needed: the clients of the stores are most of this program.
    const { openEventStore } = await import('#event-store/event-store.module.js');
    const store = await openEventStore(options, this.clock);
    this.#closing.push(() => store.close());
    return store;
  }

  async #openReadDatabase(): Promise<ReadDatabase> {
    const url = await this.databaseUrl();
    const store = await this.store();
    await migrateReadStore(url, this.clock, projectionsFor(store));
    const database = openReadDatabase(url, { clock: this.clock });
    this.#closing.push(() => database.close());
    return database;
  }
}

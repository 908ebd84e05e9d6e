import { ledgerHandlers, type LedgerHandlers } from '#composition/ledger-handlers.js';
import type { Clock } from '#kernel/clock.js';
import { loadConfig, type Config } from '#config/env.js';
import { SystemClock } from '#config/system-clock.js';
import type { EventStore } from '#event-store/port/event-store.js';
import { openDatabase, type Database } from '#database/database.js';
import { DataDir } from './installation/data-dir.js';
import { EmbeddedPostgres } from './installation/embedded-postgres.js';

/** A command goes once over many accounts; few are met twice. */
const CACHED_ACCOUNTS = 1_000;

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
  #database: Promise<Database> | undefined;
  #ledger: Promise<LedgerHandlers> | undefined;

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

  /** The read models, their tables up to date. Throws DatabaseError. */
  database(): Promise<Database> {
    return (this.#database ??= this.#openDatabase());
  }

  /** The write paths of the ledger. Throws StoreUnavailable, DatabaseError. */
  ledger(): Promise<LedgerHandlers> {
    return (this.#ledger ??= this.#openLedger());
  }

  /** Closes what was opened, the newest first. */
  async close(): Promise<void> {
    for (const close of this.#closing.reverse()) await close();
  }

  async #openLedger(): Promise<LedgerHandlers> {
    const { keyIndexOf } = await import('#composition/open-stores.js');
    const store = await this.store();
    const keys = await keyIndexOf(store, () => this.database());
    return ledgerHandlers({ store, snapshots: null, keys, clock: this.clock, cachedAccounts: CACHED_ACCOUNTS });
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

  async #directUrl(): Promise<string> {
    return this.config.databaseDirectUrl ?? (await this.databaseUrl());
  }

  async #openStore(): Promise<EventStore> {
    // Loaded when it is needed: the clients of the stores are most of this program.
    const { openLog } = await import('#composition/open-stores.js');
    const store = await openLog(this.config.eventStore, () => this.#directUrl(), this.clock);
    this.#closing.push(() => store.close());
    return store;
  }

  async #openDatabase(): Promise<Database> {
    const { migrateDatabase } = await import('#composition/open-stores.js');
    const directUrl = await this.#directUrl();
    await migrateDatabase(directUrl, await this.store(), this.clock);
    const database = openDatabase(await this.databaseUrl(), { clock: this.clock, directUrl });
    this.#closing.push(() => database.close());
    return database;
  }
}

import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';

/** Takes every connection that a PostgreSQL server has to give, also those that others hold. */
export class ConnectionHog {
  readonly #held: pg.Client[] = [];

  private constructor(
    private readonly url: string,
    private readonly admin: pg.Client,
  ) {}

  static async start(url: string): Promise<ConnectionHog> {
    const admin = new pg.Client(url);
    admin.on('error', () => undefined);
    await admin.connect();
    return new ConnectionHog(url, admin);
  }

  /** Ends the others' connections and takes their places until nobody else has one. */
  async takeAll(): Promise<void> {
    // A connection that is ended leaves its place a moment later, and somebody else may be quicker to take it.
    for (let quiet = 0; quiet < 5; quiet += 1) {
      while (await this.#takeOne());
      const { rowCount } = await this.admin.query(
        `select pg_terminate_backend(pid) from pg_stat_activity
         where backend_type = 'client backend' and application_name like 'scrip%'`,
      );
      if (rowCount !== 0) quiet = 0;
      await sleep(100);
    }
  }

  async letGo(): Promise<void> {
    await Promise.all([...this.#held.splice(0), this.admin].map((client) => client.end()));
  }

  async #takeOne(): Promise<boolean> {
    const client = new pg.Client({ connectionString: this.url, application_name: 'hog' });
    client.on('error', () => undefined);
    try {
      await client.connect();
      this.#held.push(client);
      return true;
    } catch {
      await client.end().catch(() => undefined);
      return false;
    }
  }
}

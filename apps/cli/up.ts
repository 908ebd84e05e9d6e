import { access } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { applyCatalog, readCatalog } from './catalog.js';
import type { CliEnvironment } from './cli.module.js';
import type { Call, Command, ExitCode } from './command.js';
import { isScrip, type Running } from './data-dir.js';
import { EmbeddedPostgres } from './embedded-postgres.js';
import { ProgramFailed, Supervisor } from './supervisor.js';

const leftOverMs = 12_000;

/** Everything that `up` starts, in order, and how it is stopped in the other order. */
class Installation {
  #database: EmbeddedPostgres | null = null;
  #supervisor: Supervisor | null = null;
  #locked = false;
  #stopped = false;

  constructor(
    private readonly environment: CliEnvironment,
    private readonly tell: (text: string) => void,
    private readonly onLine: (line: string) => void,
  ) {}

  /** Resolves when everything runs. Throws DataDirInUse, ProgramFailed, and what is wrong with the catalogue file. */
  async start(): Promise<Started> {
    const { config, dataDir, variables } = this.environment;
    const startedAt = this.environment.clock.now();
    await dataDir.lock();
    this.#locked = true;
    await this.#endLeftOvers();
    await portIsFree('PORT', config.host, config.port);
    if (config.metricsPort !== null) await portIsFree('METRICS_PORT', config.host, config.metricsPort);
    const databaseUrl = config.databaseUrl ?? (await this.#startDatabase());
    await this.#prepare(databaseUrl);
    const kept = await dataDir.secrets();
    const secrets = {
      adminApiKey: config.adminApiKey ?? kept.adminApiKey,
      webhookSecret: config.stripe.webhookSecrets[0] ?? kept.webhookSecret,
    };
    const own: NodeJS.ProcessEnv = {
      NODE_COMPILE_CACHE: join(dataDir.path, 'compile-cache'), // later starts load the programs sooner
      ...variables,
      DATABASE_URL: databaseUrl,
      ADMIN_API_KEY: secrets.adminApiKey,
      STRIPE_WEBHOOK_SECRET: variables['STRIPE_WEBHOOK_SECRET'] ?? secrets.webhookSecret,
    };
    const running: Running = { pid: process.pid, url: '', databaseUrl, children: {} };
    await dataDir.announce(running);
    const supervisor = new Supervisor(this.environment.clock, this.tell, this.onLine, (children) =>
      dataDir.announce({ ...running, children }),
    );
    this.#supervisor = supervisor;
    const [api] = await Promise.all([supervisor.start('api', own), supervisor.start('worker', own)]);
    const url = api.url ?? `http://${config.host}:${String(config.port)}`;
    return { url, secrets, tookMs: this.environment.clock.now() - startedAt, failed: supervisor.failed };
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#supervisor?.stop();
    await this.#database?.stop();
    if (this.#locked) await this.environment.dataDir.unlock();
  }

  async #startDatabase(): Promise<string> {
    const { dataDir } = this.environment;
    const database = await EmbeddedPostgres.start({ dataDir: dataDir.postgres });
    this.#database = database;
    void this.#keepDatabase(database);
    return database.url;
  }

  /** Starts the server again, on its port, when it ends by itself; the programs find it again by themselves. */
  async #keepDatabase(database: EmbeddedPostgres): Promise<void> {
    const { clock, dataDir } = this.environment;
    for (let current = database; ;) {
      await current.exited;
      if (this.#stopped) return;
      this.tell('PostgreSQL ended; starting it again');
      await clock.sleep(500);
      try {
        current = await EmbeddedPostgres.start({ dataDir: dataDir.postgres, port: database.port });
      } catch (error) {
        this.tell(`PostgreSQL does not start: ${error instanceof Error ? error.message : String(error)}`);
        await clock.sleep(5_000);
        continue;
      }
      this.#database = current;
      if (this.#stopped) await current.stop();
    }
  }

  /** Tables and catalogue, as `migrate` and `catalog apply` make them. */
  async #prepare(databaseUrl: string): Promise<void> {
    const preparing = this.environment.withDatabase(databaseUrl);
    try {
      await preparing.readDatabase();
      const { catalogFile } = preparing.config;
      const given = this.environment.variables['CATALOG_FILE'] !== undefined;
      if (!given && !(await exists(catalogFile))) return;
      const changes = await applyCatalog(preparing, await readCatalog(preparing, null));
      if (changes.length > 0) this.tell(`catalogue: ${String(changes.length)} changes from ${catalogFile}`);
    } finally {
      await preparing.close();
    }
  }

  /** Ends the programs of an earlier `up` that was killed: they would hold the port. */
  async #endLeftOvers(): Promise<void> {
    const { clock, dataDir } = this.environment;
    const announced = await dataDir.lastAnnounced();
    for (const pid of Object.values(announced?.children ?? {})) {
      if (!(await isScrip(pid))) continue;
      this.tell(`ending process ${String(pid)}, which an earlier start left behind`);
      process.kill(pid, 'SIGTERM');
      const until = clock.now() + leftOverMs;
      while ((await isScrip(pid)) && clock.now() < until) await clock.sleep(50);
      if (await isScrip(pid)) process.kill(pid, 'SIGKILL');
    }
  }
}

type Started = {
  readonly url: string;
  readonly secrets: { readonly adminApiKey: string; readonly webhookSecret: string };
  readonly tookMs: number;
  readonly failed: Promise<never>;
};

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

function portIsFree(variable: string, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', (error: NodeJS.ErrnoException) => {
      const why = error.code === 'EADDRINUSE' ? 'is in use' : `cannot be used (${error.code ?? error.message})`;
      reject(new ProgramFailed(`port ${String(port)} on ${host} ${why}: free it, or set ${variable} to another`));
    });
    probe.listen(port, host, () => {
      probe.close(() => {
        resolve();
      });
    });
  });
}

function welcome({ config }: CliEnvironment, { url, secrets, tookMs }: Started): string {
  const database = config.databaseUrl === null ? `embedded PostgreSQL, data in ${config.dataDir}/` : 'DATABASE_URL';
  const curl = (method: string, path: string, rest: string): string =>
    `  curl -s ${method}${url}/v1/customers/acme/${path} -H 'Authorization: Bearer ${secrets.adminApiKey}'${rest}`;
  return [
    `Scrip runs after ${(tookMs / 1_000).toFixed(1)} s: api, worker, ${database}.`,
    '',
    `  API             ${url}   (docs: ${url}/docs)`,
    `  API key         ${secrets.adminApiKey}`,
    `  Webhook secret  ${secrets.webhookSecret}   (POST ${url}/v1/webhooks/stripe)`,
    '',
    'Grant 1,000 credits, then read the balance:',
    '',
    curl(
      '-X POST ',
      'grants',
      ` -H 'Idempotency-Key: first' -H 'Content-Type: application/json' -d '{"amount":1000,"source":"purchase"}'`,
    ),
    curl('', 'balance', ''),
    '',
    'Ctrl-C stops everything.',
    '',
  ].join('\n');
}

async function up({ environment, output }: Call): Promise<ExitCode> {
  const tell = (text: string): void => {
    output.progress(text);
  };
  const installation = new Installation(environment, tell, (line) => void output.write(`${line}\n`));
  const signalled = new Promise<NodeJS.Signals>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, resolve);
  });
  const starting = installation.start();
  try {
    const first = await Promise.race([starting, signalled]);
    if (typeof first === 'string') {
      await starting.catch(() => undefined);
      return 0;
    }
    const { failed, ...started } = first;
    await output.answer(started, () => welcome(environment, first));
    const signal = await Promise.race([signalled, failed]);
    tell(`${signal}: stopping`);
    return 0;
  } catch (error) {
    if (!(error instanceof ProgramFailed)) throw error;
    tell(error.message);
    return 1;
  } finally {
    await installation.stop();
  }
}

export const upCommands: readonly Command[] = [
  {
    name: 'up',
    summary: 'Run everything: database, tables, catalogue, api and worker (what `npm start` does)',
    run: up,
  },
];

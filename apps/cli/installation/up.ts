import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { applyCatalog, readCatalog } from '../commands/catalog.js';
import type { CliEnvironment } from '../cli.module.js';
import type { Call, Command, ExitCode } from '../terminal/command.js';
import { isScrip, type Running } from './data-dir.js';
import { EmbeddedPostgres } from './embedded-postgres.js';
import { demandFree, freePort, localUrl } from './ports.js';
import { soldElsewhere } from '../catalog/price-elsewhere.js';
import { planSandbox, pricedAtSandbox, type SandboxPlan } from './stripe-sandbox.js';
import { ProgramFailed, Supervisor } from './supervisor.js';

const leftOverMs = 12_000;

/** Everything that `up` starts, in order, and how it is stopped in the other order. */
class Installation {
  #database: EmbeddedPostgres | null = null;
  #supervisor: Supervisor | null = null;
  #running: Running | null = null;
  #locked = false;
  #stopped = false;

  constructor(
    private readonly environment: CliEnvironment,
    private readonly print: (text: string) => void,
    private readonly onLine: (line: string) => void,
  ) {}

  /** Resolves when everything runs. Throws DataDirInUse, ProgramFailed, and what is wrong with the catalogue file. */
  async start(): Promise<Started> {
    const { config, dataDir, variables } = this.environment;
    const startedAt = this.environment.clock.now();
    await dataDir.lock();
    this.#locked = true;
    await this.#endLeftOvers();
    const port = config.port === 0 ? await freePort(config.host) : config.port;
    await demandFree('PORT', config.host, port);
    if (config.metricsPort !== null) await demandFree('METRICS_PORT', config.host, config.metricsPort);
    const kept = await dataDir.secrets();
    const secrets = {
      adminApiKey: config.adminApiKey ?? kept.adminApiKey,
      webhookSecret: config.stripe.webhookSecrets[0] ?? kept.webhookSecret,
    };
    const url = localUrl(config.host, port);
    const common: NodeJS.ProcessEnv = {
      NODE_COMPILE_CACHE: join(dataDir.path, 'compile-cache'), // later starts load the programs sooner
      ...variables,
    };
    const planned = await planSandbox(this.environment, { apiUrl: url, webhookSecret: secrets.webhookSecret });
    const supervisor = await this.#supervise({ pid: process.pid, url, databaseUrl: null, sandbox: null, children: {} });
    const [databaseUrl, sandbox] = await Promise.all([
      config.databaseUrl ?? this.#startDatabase(),
      planned === null ? null : this.#startSandbox(supervisor, planned, common),
    ]);
    await this.#announce({ databaseUrl, sandbox: sandbox?.connection ?? null });
    const sale = await this.#prepare(databaseUrl, sandbox);
    const own: NodeJS.ProcessEnv = {
      ...common,
      PORT: String(port),
      DATABASE_URL: databaseUrl,
      ADMIN_API_KEY: secrets.adminApiKey,
      STRIPE_WEBHOOK_SECRET: variables['STRIPE_WEBHOOK_SECRET'] ?? secrets.webhookSecret,
      ...sandbox?.callers,
    };
    await Promise.all([supervisor.start('api', own), supervisor.start('worker', own)]);
    const tookMs = this.environment.clock.now() - startedAt;
    const sandboxUrl = sandbox?.site ?? null;
    return { url, secrets, sandboxUrl, ...sale, tookMs, failed: supervisor.failed };
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#supervisor?.stop();
    await this.#database?.stop();
    if (this.#locked) await this.environment.dataDir.unlock();
  }

  async #supervise(running: Running): Promise<Supervisor> {
    this.#running = running;
    this.#supervisor = new Supervisor(this.environment.clock, this.print, this.onLine, (children) =>
      this.#announce({ children }),
    );
    await this.#announce({});
    return this.#supervisor;
  }

  async #announce(changed: Partial<Running>): Promise<void> {
    if (this.#running === null) return;
    this.#running = { ...this.#running, ...changed };
    await this.environment.dataDir.announce(this.#running);
  }

  /** The sandbox, running; null when it does not start, which is no reason to do without a ledger. */
  async #startSandbox(
    supervisor: Supervisor,
    plan: SandboxPlan,
    common: NodeJS.ProcessEnv,
  ): Promise<SandboxPlan | null> {
    try {
      await supervisor.start('stripe-sandbox', { ...common, ...plan.own });
      return plan;
    } catch (error) {
      if (!(error instanceof ProgramFailed)) throw error;
      this.print(`${error.message}; Scrip runs without Stripe`);
      return null;
    }
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
      this.print('PostgreSQL ended; starting it again');
      await clock.sleep(500);
      try {
        current = await EmbeddedPostgres.start({ dataDir: dataDir.postgres, port: database.port });
      } catch (error) {
        this.print(`PostgreSQL does not start: ${error instanceof Error ? error.message : String(error)}`);
        await clock.sleep(5_000);
        continue;
      }
      this.#database = current;
      if (this.#stopped) await current.stop();
    }
  }

  /** Tables and catalogue, as `migrate`, `catalog apply` and `catalog push-stripe` make them. */
  async #prepare(databaseUrl: string, sandbox: SandboxPlan | null): Promise<Sale> {
    const preparing = this.environment.withDatabase(databaseUrl);
    try {
      await preparing.database();
      const { catalogFile } = preparing.config;
      const given = this.environment.variables['CATALOG_FILE'] !== undefined || (await exists(catalogFile));
      const wanted = given ? await readCatalog(preparing, null) : null;
      const { catalog, elsewhere } =
        sandbox === null
          ? { catalog: wanted, elsewhere: null }
          : await pricedAtSandbox(preparing, sandbox, wanted, this.print);
      if (catalog === null) return { forSale: null, elsewhere };
      const changes = await applyCatalog(preparing, catalog);
      if (changes.length > 0) this.print(`catalogue: ${String(changes.length)} changes from ${catalogFile}`);
      const pack = catalog.creditProducts.find(({ stripePriceId }) => stripePriceId !== null);
      return { forSale: elsewhere === null ? (pack?.id ?? null) : null, elsewhere };
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
      this.print(`ending process ${String(pid)}, which an earlier start left behind`);
      process.kill(pid, 'SIGTERM');
      const until = clock.now() + leftOverMs;
      while ((await isScrip(pid)) && clock.now() < until) await clock.sleep(50);
      if (await isScrip(pid)) process.kill(pid, 'SIGKILL');
    }
  }
}

type Sale = {
  /** A credit pack that the sandbox sells. */
  readonly forSale: string | null;
  /** A price of another Stripe account, which sells the catalogue instead of the sandbox. */
  readonly elsewhere: string | null;
};

type Started = Sale & {
  readonly url: string;
  readonly secrets: { readonly adminApiKey: string; readonly webhookSecret: string };
  readonly sandboxUrl: string | null;
  readonly tookMs: number;
  readonly failed: Promise<never>;
};

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

function welcome({ config }: CliEnvironment, started: Started): string {
  const { url, secrets, sandboxUrl, forSale, elsewhere, tookMs } = started;
  const database = config.databaseUrl === null ? `embedded PostgreSQL, data in ${config.dataDir}/` : 'DATABASE_URL';
  const parts = ['api', 'worker', ...(sandboxUrl === null ? [] : ['Stripe sandbox']), database];
  const curl = (method: string, path: string, rest: string): string =>
    `  curl -s ${method}${url}/v1/customers/acme/${path} -H 'Authorization: Bearer ${secrets.adminApiKey}'${rest}`;
  const json = (body: object): string => ` -H 'Content-Type: application/json' -d '${JSON.stringify(body)}'`;
  const buying = [
    'Buy credits in a browser: open the "url" that this answers, and pay with card 4242 4242 4242 4242:',
    '',
    curl('-X POST ', 'checkout-sessions', json({ mode: 'credits', creditProduct: forSale })),
    '',
  ];
  return [
    `Scrip runs after ${(tookMs / 1_000).toFixed(1)} s: ${parts.join(', ')}.`,
    '',
    `  API             ${url}   (docs: ${url}/docs)`,
    `  API key         ${secrets.adminApiKey}`,
    `  Webhook secret  ${secrets.webhookSecret}   (POST ${url}/v1/webhooks/stripe)`,
    ...(sandboxUrl === null
      ? []
      : [`  Stripe sandbox  ${sandboxUrl}   (test cards, no money moves; set STRIPE_SECRET_KEY to use Stripe)`]),
    ...(elsewhere === null ? [] : ['', `Nothing is on sale: ${soldElsewhere(elsewhere)}.`]),
    '',
    'Grant 1,000 credits, then read the balance:',
    '',
    curl('-X POST ', 'grants', ` -H 'Idempotency-Key: first'${json({ amount: 1000, source: 'purchase' })}`),
    curl('', 'balance', ''),
    '',
    ...(sandboxUrl === null || forSale === null ? [] : buying),
    'Ctrl-C stops everything.',
    '',
  ].join('\n');
}

async function up({ environment, output }: Call): Promise<ExitCode> {
  const print = (text: string): void => {
    output.progress(text);
  };
  const installation = new Installation(environment, print, (line) => void output.write(`${line}\n`));
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
    print(`${signal}: stopping`);
    return 0;
  } catch (error) {
    if (!(error instanceof ProgramFailed)) throw error;
    print(error.message);
    return 1;
  } finally {
    await installation.stop();
  }
}

export const upCommands: readonly Command[] = [
  {
    name: 'up',
    summary: 'Run everything: database, tables, catalogue, Stripe sandbox, api, worker (what `npm start` does)',
    run: up,
  },
];

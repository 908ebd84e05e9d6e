import { isPersonalName } from '#kernel/personal-names.js';

/** A variable of the environment is missing or breaks its rule. Names the variable and the rule, never the value. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/** Everything that the environment decides, parsed once at boot and frozen. */
export type Config = {
  readonly host: string;
  readonly port: number;
  /** The port of /livez, /readyz, /healthz and /metrics; null: they share `port`. */
  readonly metricsPort: number | null;
  /** The port of the worker's /livez and /metrics; null: it has none. */
  readonly workerMetricsPort: number | null;
  readonly logLevel: LogLevel;
  /** True: one log line a request. */
  readonly logRequests: boolean;
  readonly dataDir: string;
  /** Null: the embedded PostgreSQL, where the process starts one. */
  readonly databaseUrl: string | null;
  /** Where PostgreSQL itself is reached when `databaseUrl` leads to a transaction pooler; null: by `databaseUrl`. */
  readonly databaseDirectUrl: string | null;
  readonly eventStore: { readonly kind: 'postgres' } | { readonly kind: 'eventstoredb'; readonly url: string };
  /** A key with every scope, valid from boot. */
  readonly adminApiKey: string | null;
  readonly jwt: {
    readonly secret: string | null;
    readonly jwksUrl: string | null;
    readonly issuer: string | null;
    readonly audience: string | null;
  };
  readonly corsOrigins: readonly string[];
  /** Where a customer without credits can buy some; part of the 402 problem. */
  readonly topUpUrl: string | null;
  readonly catalogFile: string;
  /** Requests that one api process works on at a time; a bulk request counts as the commands it holds. */
  readonly maxInFlight: number;
  /** Requests a second that one API key or person may send to one process; null: no limit. */
  readonly rateLimit: number | null;
  readonly stripe: {
    readonly secretKey: string | null;
    /** More than one while a secret is rotated. */
    readonly webhookSecrets: readonly string[];
    /** Another address than Stripe's own, for the sandbox. */
    readonly apiBase: string | null;
    readonly publishableKey: string | null;
    /** False: no call to Stripe and no webhook is processed; credits still work. */
    readonly billingEnabled: boolean;
    /** Whether the secret key is one for live mode. */
    readonly livemode: boolean;
    /** How many days a plan stays in force after a payment was missed. */
    readonly gracePeriodDays: number;
    /** Where buyers come back to from Stripe's pages when a request does not say. */
    readonly returnUrl: string | null;
    /** Whether Stripe works out the tax of what is sold; else `taxRates` are added, if there are any. */
    readonly automaticTax: boolean;
    /** Ids of tax rates at Stripe. */
    readonly taxRates: readonly string[];
    /** The key of Stripe's metadata under which the customer's id is written and read. */
    readonly customerKey: string;
  };
};

export const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

/** Keys of Stripe's metadata that say something else than whose an object is. */
const usedMetadataKeys: ReadonlySet<string> = new Set([
  ...['credit_product', 'credits', 'plan', 'quantity', 'top_up'],
  ...['scrip_intent', 'scrip_plan', 'scrip_credit_product', 'scrip_price'],
]);

/** Reads variables and remembers what is wrong, so that one start tells of every mistake. An empty variable is not set. */
class Environment {
  readonly problems: string[] = [];
  readonly #env: NodeJS.ProcessEnv;

  constructor(env: NodeJS.ProcessEnv) {
    this.#env = env;
  }

  text(name: string): string | null {
    const value = this.#env[name]?.trim();
    return value === undefined || value === '' ? null : value;
  }

  secret(name: string, minLength: number): string | null {
    const value = this.text(name);
    if (value !== null && value.length < minLength)
      return this.#wrong(name, `must have at least ${String(minLength)} characters`, null);
    return value;
  }

  integer(name: string, min: number, max: number): number | null {
    const value = this.text(name);
    if (value === null) return null;
    const number = /^\d{1,15}$/.test(value) ? Number(value) : NaN;
    if (number >= min && number <= max) return number;
    return this.#wrong(name, `must be a whole number from ${String(min)} to ${String(max)}`, null);
  }

  flag(name: string, otherwise: boolean): boolean {
    const value = this.text(name)?.toLowerCase();
    if (value === undefined) return otherwise;
    if (value === 'true' || value === '1') return true;
    if (value === 'false' || value === '0') return false;
    return this.#wrong(name, 'must be true or false', otherwise);
  }

  oneOf<T extends string>(name: string, choices: readonly T[], otherwise: T): T {
    const value = this.text(name);
    if (value === null) return otherwise;
    return (
      choices.find((choice) => choice === value) ?? this.#wrong(name, `must be one of ${choices.join(', ')}`, otherwise)
    );
  }

  url(name: string, protocols: readonly string[]): string | null {
    const value = this.text(name);
    if (value === null) return null;
    const rule = `must be a URL that starts with ${protocols.map((protocol) => `${protocol}//`).join(' or ')}`;
    if (!URL.canParse(value) || !protocols.includes(new URL(value).protocol)) return this.#wrong(name, rule, null);
    return value;
  }

  list(name: string): readonly string[] {
    return (this.text(name) ?? '')
      .split(',')
      .map((part) => part.trim())
      .filter((part) => part !== '');
  }

  /** A key of Stripe's metadata that is free for the installation's own use. */
  metadataKey(name: string): string | null {
    const key = this.text(name);
    if (key === null) return null;
    if (!/^[A-Za-z0-9_.-]{1,40}$/.test(key)) return this.#wrong(name, 'must be 1 to 40 letters, digits or "_.-"', null);
    if (usedMetadataKeys.has(key)) return this.#wrong(name, 'must not be a metadata key that has a meaning here', null);
    if (isPersonalName(key)) return this.#wrong(name, 'must not be a name of personal data, which is never kept', null);
    return key;
  }

  require(name: string, value: string | null, when: string): string {
    return (
      value ??
      (this.problems.some((problem) => problem.startsWith(`${name} `))
        ? ''
        : this.#wrong(name, `is needed ${when}`, ''))
    );
  }

  notBoth(one: string, other: string): void {
    if (this.text(one) !== null && this.text(other) !== null)
      this.#wrong(`${one} and ${other}`, 'must not both be set', null);
  }

  notAlone(one: string, other: string): void {
    if (this.text(one) !== null && this.text(other) === null) this.#wrong(one, `needs ${other}`, null);
  }

  #wrong<T>(name: string, rule: string, otherwise: T): T {
    this.problems.push(`${name} ${rule}`);
    return otherwise;
  }
}

/**
 * Parses the environment into a frozen Config.
 * @throws ConfigError that names every wrong or missing variable with its rule.
 */
export function loadConfig(env: NodeJS.ProcessEnv): Config {
  const environment = new Environment(env);
  environment.notBoth('JWT_SECRET', 'JWT_JWKS_URL');
  environment.notAlone('DATABASE_DIRECT_URL', 'DATABASE_URL');
  const config: Config = {
    host: environment.text('HOST') ?? '127.0.0.1',
    port: environment.integer('PORT', 0, 65_535) ?? 3000,
    metricsPort: environment.integer('METRICS_PORT', 0, 65_535),
    workerMetricsPort: environment.integer('WORKER_METRICS_PORT', 0, 65_535),
    logLevel: environment.oneOf('LOG_LEVEL', logLevels, 'info'),
    logRequests: environment.flag('LOG_REQUESTS', false),
    dataDir: environment.text('SCRIP_DATA_DIR') ?? '.scrip',
    databaseUrl: environment.url('DATABASE_URL', ['postgres:', 'postgresql:']),
    databaseDirectUrl: environment.url('DATABASE_DIRECT_URL', ['postgres:', 'postgresql:']),
    eventStore: eventStoreOf(environment),
    adminApiKey: environment.secret('ADMIN_API_KEY', 8),
    jwt: {
      secret: environment.secret('JWT_SECRET', 16),
      jwksUrl: environment.url('JWT_JWKS_URL', ['https:', 'http:']),
      issuer: environment.text('JWT_ISSUER'),
      audience: environment.text('JWT_AUDIENCE'),
    },
    corsOrigins: environment.list('CORS_ORIGINS'),
    topUpUrl: environment.url('TOP_UP_URL', ['https:', 'http:']),
    catalogFile: environment.text('CATALOG_FILE') ?? 'catalog.yaml',
    maxInFlight: environment.integer('MAX_IN_FLIGHT', 1, 1_000_000) ?? 20_000,
    rateLimit: environment.integer('RATE_LIMIT', 1, 1_000_000),
    stripe: stripeOf(environment),
  };
  if (environment.problems.length > 0) throw new ConfigError(environment.problems.join('; '));
  return deepFreeze(config);
}

function eventStoreOf(environment: Environment): Config['eventStore'] {
  if (environment.oneOf('EVENT_STORE', ['postgres', 'eventstoredb'], 'postgres') === 'postgres')
    return { kind: 'postgres' };
  const url = environment.url('EVENTSTORE_URL', ['esdb:', 'esdb+discover:', 'kurrentdb:', 'kurrentdb+discover:']);
  return { kind: 'eventstoredb', url: environment.require('EVENTSTORE_URL', url, 'when EVENT_STORE is eventstoredb') };
}

function stripeOf(environment: Environment): Config['stripe'] {
  const secretKey = environment.secret('STRIPE_SECRET_KEY', 8);
  return {
    secretKey,
    webhookSecrets: environment.list('STRIPE_WEBHOOK_SECRET'),
    apiBase: environment.url('STRIPE_API_BASE', ['https:', 'http:']),
    publishableKey: environment.text('STRIPE_PUBLISHABLE_KEY'),
    billingEnabled: environment.flag('STRIPE_BILLING_ENABLED', true),
    livemode: secretKey !== null && /^(sk|rk)_live_/.test(secretKey),
    gracePeriodDays: environment.integer('BILLING_GRACE_PERIOD_DAYS', 0, 365) ?? 3,
    returnUrl: environment.url('STRIPE_RETURN_URL', ['https:', 'http:']),
    automaticTax: environment.flag('STRIPE_AUTOMATIC_TAX', false),
    taxRates: environment.list('STRIPE_TAX_RATES'),
    customerKey: environment.metadataKey('STRIPE_CUSTOMER_KEY') ?? 'customer_id',
  };
}

function deepFreeze<T extends object>(value: T): T {
  for (const member of Object.values(value)) {
    if (typeof member === 'object' && member !== null) deepFreeze(member);
  }
  return Object.freeze(value);
}

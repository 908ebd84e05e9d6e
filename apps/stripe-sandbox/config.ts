/** What the environment says about the sandbox; every value has a default. */
export type Config = {
  readonly host: string;
  readonly port: number;
  /** Where browsers reach the pages, when that is not `http://host:port`. */
  readonly publicUrl: string | null;
  readonly dataFile: string | null;
  readonly seed: number;
  readonly startTime: number | null;
  readonly webhook: { readonly url: string; readonly secret: string; readonly version: string | null } | null;
  readonly webhookConcurrency: number;
};

/** A variable that cannot be used: its name and the rule, never its value. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

type Environment = Readonly<Record<string, string | undefined>>;

/** A variable that is empty is not set. */
function textOf(env: Environment, name: string): string | null {
  const value = env[name]?.trim() ?? '';
  return value === '' ? null : value;
}

function integer(env: Environment, name: string, fallback: number, min: number, max: number): number {
  const text = textOf(env, name);
  if (text === null) return fallback;
  const value = Number(text);
  if (!Number.isInteger(value) || value < min || value > max)
    throw new ConfigError(`${name} must be an integer from ${min} to ${max}`);
  return value;
}

function startTime(env: Environment): number | null {
  const text = textOf(env, 'SANDBOX_START_TIME');
  if (text === null) return null;
  const seconds = /^\d+$/.test(text) ? Number(text) : Math.floor(Date.parse(text) / 1000);
  if (!Number.isSafeInteger(seconds))
    throw new ConfigError('SANDBOX_START_TIME must be a Unix time in seconds or an RFC 3339 time');
  return seconds;
}

function webhook(env: Environment): Config['webhook'] {
  const [url, secret] = [textOf(env, 'SANDBOX_WEBHOOK_URL'), textOf(env, 'SANDBOX_WEBHOOK_SECRET')];
  if (url === null) return null;
  if (!/^https?:\/\//.test(url)) throw new ConfigError('SANDBOX_WEBHOOK_URL must be an http or https URL');
  if (secret === null) throw new ConfigError('SANDBOX_WEBHOOK_SECRET must be set with SANDBOX_WEBHOOK_URL');
  return { url, secret, version: textOf(env, 'SANDBOX_WEBHOOK_API_VERSION') };
}

/** Reads the environment once. @throws ConfigError for a value that cannot be used. */
export function loadConfig(env: Environment): Config {
  return Object.freeze({
    host: textOf(env, 'SANDBOX_HOST') ?? '127.0.0.1',
    port: integer(env, 'SANDBOX_PORT', 12_111, 0, 65_535),
    publicUrl: textOf(env, 'SANDBOX_PUBLIC_URL'),
    dataFile: textOf(env, 'SANDBOX_DATA_FILE'),
    seed: integer(env, 'SANDBOX_SEED', 1, 0, 2 ** 31),
    startTime: startTime(env),
    webhook: webhook(env),
    webhookConcurrency: integer(env, 'SANDBOX_WEBHOOK_CONCURRENCY', 4, 1, 64),
  });
}

import 'reflect-metadata';
import { ConfigError, loadConfig } from '#config/env.js';
import type { Config } from '#config/env.js';
import { createLogger } from '#config/logger.js';
import type { Logger } from '#config/logger.js';
import { SystemClock } from '#config/system-clock.js';
import { startWorker } from './worker.module.js';
import type { RunningWorker } from './worker.module.js';

const startMs = 60_000;
const stopMs = 10_000;

/** Runs the worker until SIGTERM or SIGINT. Exits 0 after a clean stop, 1 when it cannot start, 2 when the environment is wrong. */
async function main(): Promise<void> {
  const config = configured();
  const logger = createLogger('worker', config.logLevel);
  const clock = new SystemClock();
  const worker = await started(config, logger, clock);
  const stopping = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (stopping.signal.aborted) return;
      stopping.abort();
      logger.info({ signal }, 'stopping');
      // What was acknowledged is on disk; a connection that hangs must not keep the process.
      void Promise.race([worker.stop(), clock.sleep(stopMs)]).then(() => process.exit(0));
    });
  }
  logger.info('working');
}

function configured(): Config & { databaseUrl: string } {
  try {
    const config = loadConfig(process.env);
    if (config.databaseUrl === null) throw new ConfigError('DATABASE_URL is needed');
    return { ...config, databaseUrl: config.databaseUrl };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(2);
  }
}

/** The database may come up after us: tries for a minute. */
async function started(
  config: Config & { databaseUrl: string },
  logger: Logger,
  clock: SystemClock,
): Promise<RunningWorker> {
  const until = clock.now() + startMs;
  for (;;) {
    try {
      return await startWorker(config, logger, clock);
    } catch (error) {
      const { name, message, code } = error as Error & { code?: string };
      if (code === 'EADDRINUSE' || clock.now() > until) {
        logger.fatal({ error: { type: name, message } }, 'cannot start');
        process.exit(1);
      }
      logger.warn({ error: { type: name, message } }, 'cannot start yet');
      await clock.sleep(500);
    }
  }
}

await main();

import { ConfigError, loadConfig, type Config } from './env.js';
import { createLogger, type Logger } from './logger.js';
import { SystemClock } from './system-clock.js';

/** What a program cannot start without is there. */
export type ProgramConfig = Config & { readonly databaseUrl: string };

const startMs = 60_000;
const stopMs = 10_000;

/**
 * Runs a program of its own process until SIGTERM or SIGINT. Exits 0 after a stop, which may take ten seconds, 1 when it cannot
 * start, 2 when the environment is wrong.
 * @param tell says in the log that it has started.
 */
export async function runProgram<Running extends { stop(): Promise<void> }>(
  name: string,
  start: (config: ProgramConfig, logger: Logger, clock: SystemClock) => Promise<Running>,
  announce: (running: Running, logger: Logger) => void,
): Promise<void> {
  const config = configured();
  const logger = createLogger(name, config.logLevel);
  const clock = new SystemClock();
  const running = await started(() => start(config, logger, clock), logger, clock);
  const stopping = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (stopping.signal.aborted) return;
      stopping.abort();
      logger.info({ signal }, 'stopping');
      // What was acknowledged is on disk; a connection that hangs must not keep the process.
      void Promise.race([running.stop(), clock.sleep(stopMs)]).then(() => process.exit(0));
    });
  }
  announce(running, logger);
}

function configured(): ProgramConfig {
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
async function started<Running>(start: () => Promise<Running>, logger: Logger, clock: SystemClock): Promise<Running> {
  const until = clock.now() + startMs;
  for (;;) {
    try {
      return await start();
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

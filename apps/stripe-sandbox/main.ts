import { ConfigError, loadConfig } from './config.js';
import { startSandbox } from './http/server.js';

const log = (fields: Readonly<Record<string, unknown>>): void => {
  process.stdout.write(`${JSON.stringify({ name: 'stripe-sandbox', ...fields })}\n`);
};

async function main(): Promise<void> {
  const sandbox = await startSandbox(loadConfig(process.env));
  log({ msg: 'listening', url: sandbox.url });
  const stop = (): void => {
    void sandbox.close().then(() => process.exit(0));
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
}

main().catch((error: unknown) => {
  log({ level: 'error', msg: error instanceof ConfigError ? error.message : String(error) });
  process.exit(1);
});

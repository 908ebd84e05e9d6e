import { ConfigError, loadConfig } from './config.js';
import { startSandbox } from './http/server.js';

const log = (fields: Readonly<Record<string, unknown>>): void => {
  process.stdout.write(`${JSON.stringify({ name: 'stripe-sandbox', ...fields })}\n`);
};

async function main(): Promise<void> {
  const sandbox = await startSandbox(loadConfig(process.env));
  log({ msg: 'listening', url: sandbox.url });
  let stopping = false; // Ctrl-C reaches it twice: from the terminal, and from who started it
  const stop = (): void => {
    if (!stopping) void sandbox.close().then(() => process.exit(0));
    stopping = true;
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
}

main().catch((error: unknown) => {
  log({ level: 'error', msg: error instanceof ConfigError ? error.message : String(error) });
  process.exit(1);
});

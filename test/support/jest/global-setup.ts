import { registerHooks } from 'node:module';

declare global {
  var removeTestPostgres: (() => Promise<void>) | undefined;
}

/** Starts the one PostgreSQL server that all tests of a run share; each test makes its own database in it. */
export default async function globalSetup(): Promise<void> {
  // Jest loads this file outside its module system, where `./x.js` does not find `./x.ts`.
  const hooks = registerHooks({
    resolve(specifier, context, next) {
      try {
        return next(specifier, context);
      } catch (error) {
        if (!specifier.startsWith('.')) throw error;
        return next(specifier.replace(/\.js$/, '.ts'), context);
      }
    },
  });
  const { SERVER_URL, temporaryPostgres } = await import('../databases/postgres.js');
  const { poolerOfTheRun } = await import('../databases/pooler.js');
  hooks.deregister();
  const { server, remove: removeServer } = await temporaryPostgres();
  process.env[SERVER_URL] = server.url;
  const stopPooler = await poolerOfTheRun(server.url);
  const remove = async (): Promise<void> => {
    await stopPooler();
    await removeServer();
  };
  globalThis.removeTestPostgres = remove;
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    process.once(signal, () => void remove().finally(() => process.exit(code)));
  }
}

import { NodeProcess } from './node-process.js';

const source = ['--conditions=source', '--import', './test/support/run-typescript.mjs'];

/** A worker over the database, from the sources. */
export const startWorkerProcess = (
  databaseUrl: string,
  env: Readonly<Record<string, string>> = {},
): Promise<NodeProcess> =>
  NodeProcess.start({
    args: [...source, 'apps/worker/main.ts'],
    env: { DATABASE_URL: databaseUrl, ...env },
    readyWhen: 'working',
  });

/** An API over the database on a free port, from the sources. */
export const startApiProcess = (
  databaseUrl: string,
  env: Readonly<Record<string, string>> = {},
): Promise<NodeProcess> =>
  NodeProcess.start({
    args: [...source, 'apps/api/main.ts'],
    env: { DATABASE_URL: databaseUrl, PORT: '0', ...env },
    readyWhen: 'listening',
  });

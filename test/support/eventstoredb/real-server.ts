import { execFile } from 'node:child_process';
import { assert } from '#kernel/assert.js';

/** A server that is there, and stays there. */
export type RealServer = {
  readonly url: string;
  /** Kills the server and starts it again; resolves when it answers. Null when it is not to be disturbed. */
  readonly restart: (() => Promise<void>) | null;
};

/**
 * The server at EVENTSTORE_URL. EVENTSTORE_RESTART is a shell command that kills it, starts it again and ends when it can be reached,
 * for example `docker kill eventstore && docker start eventstore && sleep 15`.
 */
export function realServer(): RealServer {
  const { EVENTSTORE_URL: url = '', EVENTSTORE_RESTART: command = '', ...env } = process.env;
  assert(url !== '', 'EVENTSTORE_URL names the server to be tried');
  return { url, restart: command === '' ? null : () => run(command, env) };
}

/** The server takes variables that begin with EVENTSTORE_ for its own options, and refuses those that it does not know. */
const run = (command: string, env: NodeJS.ProcessEnv): Promise<void> =>
  new Promise((resolve, reject) => {
    execFile('/bin/sh', ['-c', command], { env }, (error) => (error === null ? resolve() : reject(error)));
  });

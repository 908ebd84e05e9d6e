import { createServer, type AddressInfo } from 'node:net';
import { ProgramFailed } from './supervisor.js';

/** Listens for a moment; resolves with the port that it had, or the error that there was. */
function probe(host: string, port: number): Promise<number | NodeJS.ErrnoException> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', resolve);
    server.listen(port, host, () => {
      const { port: had } = server.address() as AddressInfo;
      server.close(() => {
        resolve(had);
      });
    });
  });
}

/** Throws ProgramFailed, naming the variable to change, when nothing can listen on the port. */
export async function demandFree(variable: string, host: string, port: number): Promise<void> {
  const found = await probe(host, port);
  if (typeof found === 'number') return;
  const why = found.code === 'EADDRINUSE' ? 'is in use' : `cannot be used (${found.code ?? found.message})`;
  throw new ProgramFailed(`port ${String(port)} on ${host} ${why}: free it, or set ${variable} to another`);
}

/** Whether something could listen on the port now. */
export const isFree = async (host: string, port: number): Promise<boolean> =>
  typeof (await probe(host, port)) === 'number';

/** A port that nothing listens on now. Throws when there is none. */
export async function freePort(host: string): Promise<number> {
  const found = await probe(host, 0);
  if (typeof found !== 'number') throw found;
  return found;
}

/** How a program on this machine reaches one that listens on `host`. */
export function localUrl(host: string, port: number): string {
  const reached = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return `http://${reached.includes(':') ? `[${reached}]` : reached}:${String(port)}`;
}

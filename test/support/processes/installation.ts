import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { freePort } from './free-port.js';

export const root = resolve(import.meta.dirname, '../../..');
const main = join(root, 'dist/apps/cli/main.js');
const readyWithinMs = 120_000;

export type Ended = { readonly code: number | null; readonly stdout: string; readonly stderr: string };
type Variables = Readonly<Record<string, string>>;

function start(args: readonly string[], variables: Variables): ChildProcess {
  const { PATH = '', HOME = '', TMPDIR = '/tmp' } = process.env;
  const env = { PATH, HOME, TMPDIR, ...variables };
  return spawn(process.execPath, [main, ...args], { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] });
}

async function endOf(child: ChildProcess): Promise<Ended> {
  const [out, err]: Buffer[][] = [[], []];
  child.stdout?.on('data', (chunk: Buffer) => out!.push(chunk));
  child.stderr?.on('data', (chunk: Buffer) => err!.push(chunk));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout: Buffer.concat(out!).toString(), stderr: Buffer.concat(err!).toString() };
}

/** Runs one `scrip` command, as it was built, to its end. */
export const scrip = (args: readonly string[], variables: Variables): Promise<Ended> => endOf(start(args, variables));

/** A directory and ports for a `scrip up` of the test's own. */
export async function place(): Promise<{ variables: Variables; dataDir: string; remove: () => Promise<void> }> {
  const dataDir = await mkdtemp(join(tmpdir(), 'scrip-up-'));
  const variables = {
    SCRIP_DATA_DIR: dataDir,
    PORT: String(await freePort()),
    SANDBOX_PORT: String(await freePort()),
  };
  return { variables, dataDir, remove: () => rm(dataDir, { recursive: true, force: true }) };
}

/** A running `scrip up`. */
export class Installation {
  readonly ended: Promise<Ended>;
  #text = '';

  private constructor(
    private readonly child: ChildProcess,
    readonly variables: Variables,
  ) {
    this.ended = endOf(child);
    for (const stream of [child.stdout, child.stderr])
      stream?.on('data', (chunk: Buffer) => (this.#text += String(chunk)));
  }

  /** Resolves when it says that everything runs; rejects with what it said when it ends before. */
  static async start(variables: Variables): Promise<Installation> {
    const installation = new Installation(start(['up'], variables), variables);
    const early = installation.ended.then(({ code }) => {
      throw new Error(`scrip up ended with ${String(code)}:\n${installation.text}`);
    });
    early.catch(() => undefined);
    try {
      await Promise.race([installation.says('Scrip runs'), early]);
    } catch (error) {
      await installation.stop(); // nobody else will
      throw error;
    }
    return installation;
  }

  /** All that it has said so far. */
  get text(): string {
    return this.#text;
  }

  get pid(): number {
    return this.child.pid!;
  }

  get url(): string {
    return `http://127.0.0.1:${this.variables['PORT'] ?? ''}`;
  }

  /** Waits for a text that comes after what is there already. */
  async says(text: string, after = 0): Promise<void> {
    for (const until = Date.now() + readyWithinMs; !this.#text.slice(after).includes(text); await pause()) {
      if (Date.now() > until) throw new Error(`scrip up never said "${text}":\n${this.#text}`);
    }
  }

  async running(): Promise<{ pid: number; databaseUrl: string; children: Record<string, number> }> {
    const file = join(this.variables['SCRIP_DATA_DIR'] ?? '', 'running.json');
    return JSON.parse(await readFile(file, 'utf8')) as Awaited<ReturnType<Installation['running']>>;
  }

  async secrets(): Promise<{ adminApiKey: string; webhookSecret: string }> {
    const file = join(this.variables['SCRIP_DATA_DIR'] ?? '', 'secrets.json');
    return JSON.parse(await readFile(file, 'utf8')) as Awaited<ReturnType<Installation['secrets']>>;
  }

  /** Sends a command or a query with the generated key. */
  async call(method: string, path: string, body: object | null, key: string): Promise<{ status: number; body: Body }> {
    const { adminApiKey } = await this.secrets();
    const answer = await fetch(`${this.url}/v1${path}`, {
      method,
      headers: {
        authorization: `Bearer ${adminApiKey}`,
        'idempotency-key': key,
        ...(body === null ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === null ? {} : { body: JSON.stringify(body) }),
    });
    return { status: answer.status, body: (await answer.json()) as Body };
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Ended> {
    this.child.kill(signal);
    return this.ended;
  }
}

type Body = Readonly<Record<string, never>>;

export const pause = (ms = 50): Promise<void> => new Promise((done) => setTimeout(done, ms));

/** True while the process does anything: one that has ended but was not collected by its parent yet does not count. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${String(pid)}/status`, 'utf8'));
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' && process.platform !== 'linux';
  }
}

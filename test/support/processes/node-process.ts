import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { throughPooler } from '../databases/pooler.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const readyWithinMs = 120_000;

export type NodeProcessOptions = {
  /** What node runs: flags, file, arguments; relative to the repository's root. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** The process is ready when it logs a JSON line with this `msg`. */
  readonly readyWhen: string;
};

/** A process of Scrip's own, started and ended by a test. */
export class NodeProcess {
  #exit: { code: number | null; signal: NodeJS.Signals | null } | null = null;
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;

  private constructor(
    private readonly child: ChildProcess,
    /** The line that said that it was ready. */
    readonly ready: Readonly<Record<string, unknown>>,
    /** The last lines that it wrote. */
    readonly lines: readonly string[],
  ) {
    this.exited = exitOf(child);
    void this.exited.then((exit) => (this.#exit = exit));
  }

  /** Resolves when the process says that it is ready; rejects with what it wrote when it ends before that. */
  static async start(options: NodeProcessOptions): Promise<NodeProcess> {
    const { PATH = '', HOME = '', TMPDIR = '/tmp' } = process.env;
    const child = spawn(process.execPath, ['--no-warnings', ...options.args], {
      cwd: root,
      env: { PATH, HOME, TMPDIR, ...throughPooler(options.env) },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const lines: string[] = [];
    const { promise: ready, resolve, reject } = Promise.withResolvers<Record<string, unknown>>();
    const read = (line: string): void => {
      lines.push(line);
      if (lines.length > 200) lines.shift();
      if (!line.startsWith('{')) return;
      const entry = JSON.parse(line) as Record<string, unknown>;
      if (entry['msg'] === options.readyWhen) resolve(entry);
    };
    for (const stream of [child.stdout, child.stderr]) createInterface({ input: stream }).on('line', read);
    const timer = setTimeout(() => child.kill('SIGKILL'), readyWithinMs);
    void exitOf(child).then(({ code, signal }) => {
      const how = `${options.args.join(' ')} ended with ${String(code ?? signal)} before it was ready`;
      reject(new Error(`${how}:\n${lines.join('\n')}`));
    });
    await ready.finally(() => {
      clearTimeout(timer);
    });
    return new NodeProcess(child, await ready, lines);
  }

  get pid(): number {
    return this.child.pid!;
  }

  /** The address that the ready line names. */
  get url(): string {
    return String(this.ready['url']);
  }

  get running(): boolean {
    return this.#exit === null;
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Ends the process and waits for it. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
    if (this.running) this.child.kill(signal);
    return this.exited;
  }
}

function exitOf(child: ChildProcess): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => {
      resolve({ code, signal });
    });
  });
}

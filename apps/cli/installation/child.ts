import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { runtime } from './runtime.js';

export type ProgramName = 'api' | 'worker' | 'stripe-sandbox';

/** The built entry point of a program. Apps do not import each other: they run as processes of their own. */
const programFile = (name: ProgramName): string => join(import.meta.dirname, '..', '..', name, 'main.js');

export type Exit = { readonly code: number | null; readonly signal: NodeJS.Signals | null };

/** Starts a program in place of this one: its output is ours. Passes signals on; resolves when it has ended. */
export function runInPlace(name: ProgramName, environment: NodeJS.ProcessEnv): Promise<Exit> {
  const child = spawn(process.execPath, [...runtime.flags, programFile(name)], {
    env: { ...runtime.environment, ...environment },
    stdio: 'inherit',
  });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => child.kill(signal));
  return exitOf(child);
}

/** A program that runs under supervision. */
export class Child {
  readonly exited: Promise<Exit>;
  /** Resolves with the log line that says so when the program is ready; never when it ends before. */
  readonly ready: Promise<{ readonly url?: string }>;

  private constructor(
    readonly name: ProgramName,
    private readonly process: ChildProcess,
    onLine: (line: string) => void,
  ) {
    this.exited = exitOf(process);
    this.ready = new Promise((resolve) => {
      if (process.stdout === null) return;
      createInterface({ input: process.stdout, crlfDelay: Infinity }).on('line', (line) => {
        onLine(line);
        const message = readyMessage(line);
        if (message !== null) resolve(message);
      });
    });
    process.stderr?.on('data', (text: Buffer) => globalThis.process.stderr.write(text));
  }

  static start(name: ProgramName, environment: NodeJS.ProcessEnv, onLine: (line: string) => void): Child {
    const started = spawn(process.execPath, [...runtime.flags, programFile(name)], {
      env: { ...runtime.environment, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    return new Child(name, started, onLine);
  }

  get pid(): number {
    return this.process.pid ?? 0;
  }

  kill(signal: NodeJS.Signals): void {
    this.process.kill(signal);
  }
}

function exitOf(child: ChildProcess): Promise<Exit> {
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => {
      resolve({ code, signal });
    });
    child.once('error', () => {
      resolve({ code: 1, signal: null });
    });
  });
}

function readyMessage(line: string): { readonly url?: string } | null {
  if (!line.includes('"listening"') && !line.includes('"working"')) return null;
  try {
    const message = JSON.parse(line) as { msg?: string; url?: string };
    return message.msg === 'listening' || message.msg === 'working' ? message : null;
  } catch {
    return null;
  }
}

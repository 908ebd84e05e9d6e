import { execFile, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { throughPooler } from '../databases/pooler.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const source = ['--no-warnings', '--conditions=source', '--import', './test/support/run-typescript.mjs'];

export type CliAnswer = { readonly code: number | null; readonly stdout: string; readonly stderr: string };

/** Starts one `scrip` command from the sources; `ended` hears how it ended. */
export function startCli(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  ended: (answer: CliAnswer) => void = () => undefined,
): ChildProcess {
  const { PATH = '', HOME = '', TMPDIR = '/tmp' } = process.env;
  const child = execFile(
    process.execPath,
    [...source, 'apps/cli/main.ts', ...args],
    { cwd: root, env: { PATH, HOME, TMPDIR, ...throughPooler(env) }, timeout: 150_000, maxBuffer: 16 * 1024 * 1024 },
    (_error, stdout, stderr) => {
      ended({ code: child.exitCode, stdout, stderr });
    },
  );
  return child;
}

/** Runs one `scrip` command from the sources, to its end. */
export const runCli = (args: readonly string[], env: Readonly<Record<string, string>>): Promise<CliAnswer> =>
  new Promise((resolve) => {
    startCli(args, env, resolve);
  });

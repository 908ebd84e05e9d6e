import { parseArgs } from 'node:util';
import type { CliEnvironment } from '../cli.module.js';
import type { Output } from './output.js';

/** 0 fine; 1 found something wrong, or could not do it; 2 wrong use. */
export type ExitCode = 0 | 1 | 2;

/** The command line is not one that the command understands. */
export class WrongUse extends Error {
  override readonly name = 'WrongUse';
}

export type Option = {
  readonly name: string;
  /** What stands for the value in the help; null: a flag without one. */
  readonly value: string | null;
  readonly help: string;
};

export type Command = {
  /** The words that call it, such as `keys create`. */
  readonly name: string;
  readonly summary: string;
  /** Names of the arguments without dashes, in order; `[NAME]` may be left out. */
  readonly positionals?: readonly string[];
  readonly options?: readonly Option[];
  /** More for `--help`. */
  readonly help?: string;
  readonly run: (call: Call) => Promise<ExitCode>;
};

const common: readonly Option[] = [
  { name: 'json', value: null, help: 'answer in JSON' },
  { name: 'help', value: null, help: 'show this' },
];

/** One call of a command: its arguments, and what it works with. */
export class Call {
  readonly #values: { readonly [name: string]: string | boolean | undefined };
  readonly #positionals: readonly string[];

  constructor(
    values: { readonly [name: string]: string | boolean | undefined },
    positionals: readonly string[],
    readonly environment: CliEnvironment,
    readonly output: Output,
  ) {
    this.#values = values;
    this.#positionals = positionals;
  }

  /** The value of an option; null when it was not given. */
  text(option: string): string | null {
    const value = this.#values[option];
    return typeof value === 'string' ? value : null;
  }

  /** The value of an option that must be given. Throws WrongUse. */
  required(option: string): string {
    const value = this.text(option);
    if (value === null || value === '') throw new WrongUse(`--${option} is needed`);
    return value;
  }

  flag(option: string): boolean {
    return this.#values[option] === true;
  }

  argument(index: number): string | null {
    return this.#positionals[index] ?? null;
  }

  /** The argument at `index`, which must be given. Throws WrongUse. */
  requiredArgument(index: number, name: string): string {
    const value = this.argument(index);
    if (value === null || value === '') throw new WrongUse(`${name} is needed`);
    return value;
  }
}

export type Parsed = {
  readonly values: { readonly [name: string]: string | boolean | undefined };
  readonly positionals: readonly string[];
};

/** Parses what follows the name of a command. Throws WrongUse. */
export function parse(command: Command, args: readonly string[]): Parsed {
  const options = [...common, ...(command.options ?? [])];
  const config = Object.fromEntries(
    options.map(({ name, value }) => [name, { type: value === null ? ('boolean' as const) : ('string' as const) }]),
  );
  const { values, positionals } = parsedOrWrong(() =>
    parseArgs({ args: [...args], options: config, allowPositionals: true, strict: true }),
  );
  const most = command.positionals?.length ?? 0;
  if (positionals.length > most) throw new WrongUse(`unexpected argument: ${positionals[most] ?? ''}`);
  return { values, positionals };
}

function parsedOrWrong<T>(parsing: () => T): T {
  try {
    return parsing();
  } catch (error) {
    throw new WrongUse(error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error));
  }
}

/** The help page of one command. */
export function helpOf(command: Command): string {
  const options = [...(command.options ?? []), ...common];
  const shown = options.map(({ name, value }) => `--${name}${value === null ? '' : ` ${value}`}`);
  const width = Math.max(...shown.map((text) => text.length));
  const usage = ['scrip', command.name, ...(command.positionals ?? []), '[options]'].join(' ');
  const lines = options.map(({ help }, index) => `  ${(shown[index] ?? '').padEnd(width)}  ${help}`);
  return [command.summary, '', `Usage: ${usage}`, '', ...lines, ...(command.help ? ['', command.help] : [])].join('\n');
}

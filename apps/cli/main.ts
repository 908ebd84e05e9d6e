import { ConfigError } from '#config/env.js';
import { StoreUnavailable } from '#event-store/port/event-store.js';
import { DatabaseError } from '#database/errors.js';
import { auditCommands } from './commands/audit.js';
import { CatalogFileError } from './catalog/file.js';
import { catalogPushCommands } from './catalog/push.js';
import { budgetCommands } from './commands/budgets.js';
import { catalogCommands } from './commands/catalog.js';
import { CliEnvironment } from './cli.module.js';
import { Call, helpOf, parse, WrongUse, type Command, type ExitCode } from './terminal/command.js';
import { DataDirInUse } from './installation/data-dir.js';
import { eventCommands } from './commands/events.js';
import { explainCommands } from './commands/explain.js';
import { importCommands } from './commands/import.js';
import { keyCommands } from './commands/keys.js';
import { Output } from './terminal/output.js';
import { processCommands } from './commands/processes.js';
import { projectionCommands } from './commands/projections.js';
import { reconcileCommands } from './commands/reconcile.js';
import { replayCommands } from './commands/replay.js';
import { stripeCommands } from './commands/stripe.js';
import { transferCommands } from './commands/transfers.js';
import { usageCommands } from './commands/usage.js';
import { upCommands } from './installation/up.js';

const commands: readonly Command[] = [
  ...upCommands,
  ...processCommands,
  ...keyCommands,
  ...catalogCommands,
  ...catalogPushCommands,
  ...importCommands,
  ...replayCommands,
  ...explainCommands,
  ...usageCommands,
  ...budgetCommands,
  ...transferCommands,
  ...auditCommands,
  ...eventCommands,
  ...projectionCommands,
  ...stripeCommands,
  ...reconcileCommands,
];

/** What is a mistake of whoever called, not of this program: reported in one line, without a stack. */
const expected = [ConfigError, DataDirInUse, StoreUnavailable, DatabaseError];

function overview(): string {
  const width = Math.max(...commands.map(({ name }) => name.length));
  const lines = commands.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`);
  return ['Usage: scrip COMMAND [options]; scrip COMMAND --help', '', ...lines].join('\n');
}

/** The command whose words the arguments begin with, the longest first. */
function chosen(args: readonly string[]): { readonly command: Command; readonly rest: readonly string[] } | null {
  for (const words of [2, 1]) {
    const command = commands.find(({ name }) => name === args.slice(0, words).join(' '));
    if (command !== undefined) return { command, rest: args.slice(words) };
  }
  return null;
}

async function run(command: Command, rest: readonly string[]): Promise<ExitCode> {
  const { values, positionals } = parse(command, rest);
  const output = new Output(values['json'] === true, process.stdout, process.stderr);
  if (values['help'] === true) {
    await output.write(`${helpOf(command)}\n`);
    return 0;
  }
  const environment = CliEnvironment.from(process.env);
  try {
    const code = await command.run(new Call(values, positionals, environment, output));
    if (code !== 0) await output.answerFailure();
    return code;
  } finally {
    await environment.close();
  }
}

/** Tells on stderr why there is no answer, and on stdout too where JSON was asked for: whoever reads that finds a reason there. */
function fail(what: string, message: string, asJson: boolean): void {
  process.stderr.write(`${what}${message}\n`);
  if (asJson) process.stdout.write(`${JSON.stringify({ error: { message } }, null, 2)}\n`);
}

async function main(args: readonly string[]): Promise<ExitCode> {
  const asJson = args.includes('--json');
  if (Number(process.versions.node.split('.', 1)[0]) < 22) {
    fail('scrip: ', `Node ${process.versions.node} is too old; \`npx scrip\` brings its own`, asJson);
    return 2;
  }
  const found = chosen(args);
  if (found === null) {
    const asked = args.length === 0 || args[0] === 'help' || args[0] === '--help';
    if (!asked) fail('', `no command "${args.join(' ')}"`, asJson);
    process[asked ? 'stdout' : 'stderr'].write(`${asked ? '' : '\n'}${overview()}\n`);
    return asked && args.length > 0 ? 0 : 2;
  }
  try {
    return await run(found.command, found.rest);
  } catch (error) {
    if (error instanceof WrongUse || error instanceof ConfigError || error instanceof CatalogFileError) {
      fail(`scrip ${found.command.name}: `, error.message, asJson);
      return 2;
    }
    const isExpected = error instanceof Error && expected.some((type) => error instanceof type);
    fail(`scrip ${found.command.name}: `, isExpected ? error.message : describe(error), asJson);
    return 1;
  }
}

const describe = (error: unknown): string => (error instanceof Error ? (error.stack ?? error.message) : String(error));

// A reader that has enough (`| head`) ends us quietly.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
process.exitCode = await main(process.argv.slice(2));

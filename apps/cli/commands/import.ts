import { DEFAULT_UNIT, isUnit } from '#kernel/stream-name.js';
import { CustomerImport } from '../importing/customers.js';
import { isImportName } from '../importing/import-name.js';
import { LotImport } from '../importing/lots.js';
import { Report } from '../importing/report.js';
import { runImport } from '../importing/run-import.js';
import type { LotSource } from '../importing/source.js';
import { csvSource } from '../importing/sources/csv.js';
import { WrongUse, type Call, type Command, type ExitCode, type Option } from '../terminal/command.js';

const modes = ['dry-run', 'apply'] as const;
type Mode = (typeof modes)[number];

/** What can be imported from: its options besides the common ones, and how it is opened. */
type Importer = {
  readonly source: string;
  readonly summary: string;
  readonly options: readonly Option[];
  readonly positionals: readonly string[];
  readonly help: string;
  readonly open: (call: Call, unit: string) => Promise<LotSource>;
};

function modeOf(call: Call): Mode {
  const given = modes.filter((mode) => call.flag(mode));
  const [mode] = given;
  if (mode === undefined || given.length > 1)
    throw new WrongUse(`give one of ${modes.map((each) => `--${each}`).join(', ')}`);
  return mode;
}

async function run(call: Call, importer: Importer): Promise<ExitCode> {
  const mode = modeOf(call);
  const name = call.text('name') ?? importer.source;
  if (!isImportName(name)) throw new WrongUse('--name must be 1 to 32 lower-case letters, digits, _ and -');
  const unit = call.text('unit') ?? DEFAULT_UNIT;
  if (!isUnit(unit)) throw new WrongUse('--unit is not a unit');
  const source = await importer.open(call, unit);
  const { environment, output } = call;
  const [handlers, database] = [await environment.ledger(), await environment.database()];
  const report = await Report.open(output, call.text('report'), 'records');
  const dryRun = mode === 'dry-run';
  const customers = new CustomerImport(handlers.customer, database, dryRun);
  const parts = { accounts: handlers.account, customers, clock: environment.clock };
  const lots = new LotImport(parts, name, dryRun);
  const title = { source: importer.source, name };
  return runImport({ source, lots, customers, report, output, clock: environment.clock, dryRun, title });
}

const common: readonly Option[] = [
  { name: 'dry-run', value: null, help: 'report what would come of it, write nothing' },
  { name: 'apply', value: null, help: 'import; a second time, and after a break, only what is missing' },
  { name: 'name', value: 'NAME', help: 'of this import: a lot is imported once under it (default: the source)' },
  { name: 'unit', value: 'UNIT', help: `of the accounts that are granted to (default ${DEFAULT_UNIT})` },
  { name: 'report', value: 'FILE', help: 'one line of JSON for each record of the source' },
];

const importers: readonly Importer[] = [
  {
    source: 'csv',
    summary: 'Import customers and lots of credits from a CSV file',
    positionals: ['FILE'],
    options: [],
    help:
      'The header names the columns: customer_id, and any of name, email, amount, source, effective_at, expires_at, priority,\n' +
      'cost_amount, cost_currency, external_id, unit. docs/import.md says what they mean. Exit 1 when a lot is refused or is not\n' +
      'what was imported before.',
    open: (call, unit) => csvSource(call.requiredArgument(0, 'FILE'), unit),
  },
];

export const importCommands: readonly Command[] = importers.map((importer) => ({
  name: `import ${importer.source}`,
  summary: importer.summary,
  positionals: importer.positionals,
  options: [...common, ...importer.options],
  help: importer.help,
  run: (call) => run(call, importer),
}));

import { isSupportedCurrency } from '#kernel/currency.js';
import { DEFAULT_UNIT, isUnit } from '#kernel/stream-name.js';
import { CustomerImport } from '../importing/customers.js';
import { parseDecimal } from '../importing/decimal.js';
import { isImportName } from '../importing/import-name.js';
import { LotImport } from '../importing/lots.js';
import { Report } from '../importing/report.js';
import { runImport } from '../importing/run-import.js';
import { shadowImport } from '../importing/shadow.js';
import type { LotSource } from '../importing/source.js';
import { csvSource } from '../importing/sources/csv.js';
import { lagoSource } from '../importing/sources/lago.js';
import { openMeterSource } from '../importing/sources/openmeter.js';
import { stripeCreditsSource } from '../importing/sources/stripe-credits.js';
import { undoImport } from '../importing/undo.js';
import { stripeClient } from '../stripe-client.js';
import { WrongUse, type Call, type Command, type ExitCode, type Option } from '../terminal/command.js';

const modes = ['dry-run', 'apply', 'shadow', 'undo'] as const;
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
  const { environment, output } = call;
  const { clock } = environment;
  if (mode === 'undo') {
    if (call.argument(0) !== null) throw new WrongUse('--undo takes no file: the log says what was imported');
    const parts = { accounts: (await environment.ledger()).account, store: await environment.store() };
    const report = await Report.open(output, call.text('report'), 'grants');
    return undoImport({ ...parts, clock, output, report, name });
  }
  const source = await importer.open(call, unit);
  const { account: accounts, customer } = await environment.ledger();
  const report = await Report.open(output, call.text('report'), mode === 'shadow' ? 'accounts' : 'records');
  if (mode === 'shadow')
    return shadowImport({ source, accounts, store: await environment.store(), clock, output, report, name });
  const dryRun = mode === 'dry-run';
  const customers = new CustomerImport(customer, await environment.database(), dryRun);
  const lots = new LotImport({ accounts, customers, clock }, name, dryRun);
  const title = { source: importer.source, name };
  return runImport({ source, lots, customers, report, output, clock, dryRun, title });
}

const common: readonly Option[] = [
  { name: 'dry-run', value: null, help: 'report what would come of it, write nothing' },
  { name: 'apply', value: null, help: 'import; a second time, and after a break, only what is missing' },
  { name: 'shadow', value: null, help: 'compare the balances in the source now with those in Scrip now' },
  { name: 'undo', value: null, help: 'revoke what was imported and is unspent; the source is not read' },
  { name: 'name', value: 'NAME', help: 'of this import: a lot is imported once under it (default: the source)' },
  { name: 'unit', value: 'UNIT', help: `of the accounts that are granted to (default ${DEFAULT_UNIT})` },
  { name: 'report', value: 'FILE', help: 'one line of JSON for each record of the source' },
];

async function openStripeCredits(call: Call): Promise<LotSource> {
  const { environment } = call;
  const unit = call.required('unit');
  const rate = parseDecimal(call.required('rate'));
  const currency = call.required('currency').toLowerCase();
  if (rate === null || rate.digits <= 0n)
    throw new WrongUse('--rate must be a decimal number above 0, such as 10 or 0.5');
  if (!isSupportedCurrency(currency)) throw new WrongUse('--currency is not a currency that Scrip takes');
  return stripeCreditsSource({
    client: await stripeClient(environment),
    database: await environment.database(),
    clock: environment.clock,
    customerKey: environment.config.stripe.customerKey,
    useStripeIds: call.flag('use-stripe-ids'),
    ...{ currency, rate, unit },
  });
}

const importers: readonly Importer[] = [
  {
    source: 'stripe-credits',
    summary: "Import what is left of Stripe's billing credit grants",
    positionals: [],
    options: [
      { name: 'rate', value: 'NUMBER', help: 'credits for each minor unit of money, such as 10 credits a cent' },
      { name: 'currency', value: 'CODE', help: 'of the grants that are imported; others are reported' },
      {
        name: 'use-stripe-ids',
        value: null,
        help: "a Stripe customer that names no customer becomes one of Stripe's id",
      },
    ],
    help:
      'Reads the account of STRIPE_SECRET_KEY. --unit, --rate and --currency have to be given: what money is worth in credits is not\n' +
      'guessed. docs/import.md says what becomes of each field.',
    open: openStripeCredits,
  },
  {
    source: 'csv',
    summary: 'Import customers and lots of credits from a CSV file',
    positionals: ['[FILE]'],
    options: [],
    help:
      'The header names the columns: customer_id, and any of name, email, amount, source, effective_at, expires_at, priority,\n' +
      'cost_amount, cost_currency, external_id, unit. docs/import.md says what they mean. Exit 1 when a lot is refused or is not\n' +
      'what was imported before.',
    open: (call, unit) => csvSource(call.requiredArgument(0, 'FILE'), unit),
  },
  {
    source: 'lago',
    summary: "Import what is left in Lago's wallets",
    positionals: ['[WALLETS]'],
    options: [
      { name: 'transactions', value: 'FILE', help: "the wallets' transactions: a lot for each top-up, with its cost" },
    ],
    help:
      'WALLETS holds the answers of GET /api/v1/wallets, --transactions those of GET /api/v1/wallets/{id}/wallet_transactions: an array,\n' +
      'one object a line, or the pages as they came. docs/import.md says what becomes of each field.',
    open: (call, unit) => lagoSource(call.requiredArgument(0, 'WALLETS'), call.text('transactions'), unit),
  },
  {
    source: 'openmeter',
    summary: "Import what is left of OpenMeter's grants of a feature",
    positionals: ['[GRANTS]'],
    options: [
      { name: 'entitlements', value: 'FILE', help: 'whose the grants are, and with `history` what is left of them' },
      { name: 'feature', value: 'KEY', help: 'the feature whose grants become credits' },
      { name: 'full-amounts', value: null, help: 'without a history, take grants as unused' },
    ],
    help:
      'GRANTS holds the answers of GET /api/v1/grants, --entitlements those of GET /api/v1/entitlements, each with the answer of its\n' +
      '/history as `history`: an array, one object a line, or the pages as they came. docs/import.md says what becomes of each field.',
    open: (call, unit) =>
      openMeterSource({
        grants: call.requiredArgument(0, 'GRANTS'),
        entitlements: call.required('entitlements'),
        feature: call.required('feature'),
        fullAmounts: call.flag('full-amounts'),
        unit,
      }),
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

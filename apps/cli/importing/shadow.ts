import type { LedgerHandlers } from '#composition/ledger-handlers.js';
import type { EventStore } from '#event-store/port/event-store.js';
import type { Clock } from '#kernel/clock.js';
import { instantOf } from '#kernel/instant.js';
import { accountStream } from '#kernel/stream-name.js';
import { conservationOf } from '#ledger/account/account.js';
import { accountAt } from '#ledger/account/at.js';
import type { ExitCode } from '../terminal/command.js';
import type { Output } from '../terminal/output.js';
import { importedGrants } from './imported-grants.js';
import { inOrder } from './in-order.js';
import { planLot } from './lot-plan.js';
import type { Report } from './report.js';
import { progressOf } from './run-import.js';
import { SeenIds } from './seen-ids.js';
import { SourceBroken, type LotSource } from './source.js';

const AT_ONCE = 50;
const SHOW_EVERY = 500;

type Shadow = {
  readonly source: LotSource;
  readonly accounts: LedgerHandlers['account'];
  readonly store: EventStore;
  readonly clock: Clock;
  readonly output: Output;
  readonly report: Report;
  readonly name: string;
};

/** What is known of one account on both sides; credits, whole. */
type Account = { readonly customerId: string; readonly unit: string; source: bigint; imported: bigint };

/** A line of the report. Always: difference = scrip − source = otherGrants − consumed − expired − revoked − repaid − transferred − sourceChange. */
type Compared = {
  readonly customerId: string;
  readonly unit: string;
  readonly source: string;
  readonly scrip: string;
  readonly difference: string;
  /** What came to the source less what was used there, since it was imported. */
  readonly sourceChange: string;
  /** Granted in Scrip, but not by this import. */
  readonly otherGrants: string;
  readonly consumed: string;
  readonly expired: string;
  readonly revoked: string;
  readonly repaid: string;
  readonly transferred: string;
};

/**
 * Compares the credits of each account in the source now with those in Scrip now (available, held and scheduled), and says what the
 * difference is made of. Writes nothing. Memory grows with the accounts, not with the lots. 1 when something differs or cannot be read.
 */
export async function shadowImport(shadow: Shadow): Promise<ExitCode> {
  const accounts = new Map<string, Account>();
  const ofSource = await readSource(shadow, accounts);
  for await (const grant of importedGrants(shadow.store, shadow.name, () => undefined))
    accountIn(accounts, grant.customerId, grant.unit).imported += BigInt(grant.amount);
  let differing = 0;
  const all = inOrder(asyncOf(accounts.values()), AT_ONCE, (account) => compare(shadow, account));
  for await (const compared of all) {
    const isEqual = compared.difference === '0';
    if (!isEqual) differing += 1;
    await shadow.report.add(compared, isEqual ? null : textOf(compared));
  }
  const { refused, broken } = ofSource;
  const summary = {
    name: shadow.name,
    accounts: accounts.size,
    differing,
    refusedLots: refused,
    brokenBecause: broken,
  };
  const count = (n: number): string => n.toLocaleString('en');
  const text = [
    `${count(accounts.size)} accounts compared, ${count(differing)} differ`,
    ...(refused === 0
      ? []
      : [`${count(refused)} lots of the source cannot be imported and are not counted: see --dry-run`]),
    ...(broken === null ? [] : [`not whole: ${broken}`]),
  ];
  await shadow.report.end(summary, text.join('\n'));
  return differing === 0 && refused === 0 && broken === null ? 0 : 1;
}

async function readSource(
  shadow: Shadow,
  accounts: Map<string, Account>,
): Promise<{ readonly refused: number; readonly broken: string | null }> {
  const { source, clock, name } = shadow;
  const show = progressOf(shadow);
  const seen = new SeenIds();
  let [records, refused] = [0, 0];
  try {
    for await (const record of source.records) {
      records += 1;
      if (records % SHOW_EVERY === 0) show(records);
      if (record.kind === 'unreadable') refused += 1;
      if (record.kind !== 'lot') continue;
      const plan = planLot(record, instantOf(clock.now()), name);
      const isRefused = !seen.add(record.externalId) || plan.kind === 'refused';
      if (isRefused) refused += 1;
      else if (plan.kind === 'grant')
        accountIn(accounts, record.customer.id, record.unit).source += BigInt(plan.command.amount);
    }
  } catch (error) {
    if (!(error instanceof SourceBroken)) throw error;
    return { refused, broken: error.message };
  }
  return { refused, broken: null };
}

function accountIn(accounts: Map<string, Account>, customerId: string, unit: string): Account {
  const stream = accountStream(customerId, unit);
  const account = accounts.get(stream) ?? { customerId, unit, source: 0n, imported: 0n };
  accounts.set(stream, account);
  return account;
}

async function compare({ accounts, clock }: Shadow, account: Account): Promise<Compared> {
  const { customerId, unit, source, imported } = account;
  const { state } = await accounts.load(accountStream(customerId, unit));
  const sums = conservationOf(accountAt(state, instantOf(clock.now())));
  const scrip = BigInt(sums.scheduled) + BigInt(sums.available) + BigInt(sums.held);
  return {
    customerId,
    unit,
    source: source.toString(),
    scrip: scrip.toString(),
    difference: (scrip - source).toString(),
    sourceChange: (source - imported).toString(),
    otherGrants: (BigInt(sums.granted) - imported).toString(),
    consumed: String(sums.consumed),
    expired: String(sums.expired),
    revoked: String(sums.revoked),
    repaid: String(sums.repaid),
    transferred: String(sums.transferred),
  };
}

async function* asyncOf<Item>(items: Iterable<Item>): AsyncGenerator<Item> {
  for (const item of items) yield await Promise.resolve(item);
}

function textOf(found: Compared): string {
  const parts = (
    [
      ['change in the source', found.sourceChange],
      ['granted otherwise', found.otherGrants],
      ['consumed', found.consumed],
      ['expired', found.expired],
      ['revoked', found.revoked],
      ['used to repay debt', found.repaid],
      ['given to other customers', found.transferred],
    ] as const
  ).filter(([, amount]) => amount !== '0');
  const why = parts.map(([what, amount]) => `${what} ${amount}`).join(', ');
  return `${found.customerId}: ${found.source} ${found.unit} in the source, ${found.scrip} in Scrip (${why})`;
}

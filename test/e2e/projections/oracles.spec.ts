import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { RecordedEvent } from '#event-store/port/event-store.js';
import { InMemoryEventStore } from '../../../libs/event-store/in-memory.js';
import type { AccountEventOf } from '#ledger/account/events.js';
import { ledgerCodec, type LedgerEvent } from '#ledger/events.js';
import { ProjectedEvent, relevant, type ExpectedRow } from '#projecting/projection.js';
import type { Reader } from '#database/database.js';
import { tableOf } from '#projecting/schema.js';
import { asText, typeOf, type Table } from '#projecting/tables.js';
import type { LedgerProjection, Projected } from '../../../projections/ledger-projection.js';
import { projections } from '../../../projections/registry.js';
import { consume, grant, hold } from '../../support/ledger/account-commands.js';
import { goldenLogs, logsEndingWith } from '../../support/ledger/golden-events.js';
import { LedgerWriter, type AnyCommand } from '../../support/ledger/ledger-writer.js';
import { ProjectionWorld } from '../../support/worlds/projection-world.js';

let world: ProjectionWorld;
beforeAll(async () => {
  world = await ProjectionWorld.open();
});
afterAll(() => world.close());

/** What settles an intent leaves no row of it. */
const settling = ['StripeCallAnswered', 'StripeCallRefused', 'StripeCallLapsed'];

/** Of each stream the longest of its logs. */
function longestLogs(): readonly (readonly RecordedEvent[])[] {
  const longest = new Map<string, readonly RecordedEvent[]>();
  for (const log of goldenLogs.filter((each) => !settling.includes(each.at(-1)!.type))) {
    const { stream } = log[0]!;
    if (log.length > (longest.get(stream)?.length ?? 0)) longest.set(stream, log);
  }
  return [...longest.values()];
}

const columns = projections.flatMap((projection) =>
  projection.tables.flatMap((table) =>
    Object.keys(table.columns).map((column) => [table.name, column, projection, table] as const),
  ),
);

/** SQL for another value of the column's type. */
function otherValue(table: Table, column: string): string {
  const type = typeOf(table.columns[column]!);
  if (type === 'boolean') return `not coalesce(${column}, false)`;
  if (type === 'uuid') return 'gen_random_uuid()';
  return type === 'text' ? `coalesce(${column}, '') || 'x'` : `coalesce(${column}, 0) + 1000`;
}

describe('a row that is not what the log says', () => {
  beforeAll(async () => {
    for (const log of longestLogs())
      await world.store.append({ stream: log[0]!.stream, expectedRevision: -1, events: log });
    const first = '2026-01-01T00:00:00.000Z';
    const claim = consume(1, { resource: { type: 'job', id: '1' } });
    const bought = (command: AnyCommand) => world.writer.decide('account-buyer', command, first);
    const [, used, placed] = [bought(grant(5)), bought(claim), bought(hold(1))];
    const { consumptionId } = used[0] as AccountEventOf<'CreditsConsumed'>;
    bought({ type: 'ReverseConsumption', consumptionId, amount: 1, reason: null });
    bought({ type: 'RaiseHold', holdId: (placed[0] as AccountEventOf<'CreditsHeld'>).holdId, amount: 1 });
    const sent = { type: 'TransferCredits', toCustomerId: 'globex', amount: 1, reason: 'a gift', receiver: 'ready' };
    bought(sent as AnyCommand);
    const lot = { grantId: 'gr_1', source: 'purchase', amount: 1, cost: null, priority: 50, paymentReference: null };
    const lots = [{ ...lot, effectiveAt: first, expiresAt: null }];
    const arrived = { type: 'ReceiveTransfer', transferId: 'tr_1', fromCustomerId: 'globex', reason: null };
    bought({ ...arrived, lots, erased: false } as AnyCommand);
    await world.writer.flush();
    const worker = world.work();
    await world.reached(await world.store.head());
    await worker.stop();
    expect(await world.differences()).toEqual([]);
  });

  it.each(columns)('is found: %s.%s', async (_table, column, projection, table) => {
    const full = tableOf(table.name, 1);
    const [before] = await world.db.query<{ ctid: string; value: string | null }>({
      text: `select ctid, ${column}::text as value from ${full} limit 1`,
    });
    expect(before).toBeDefined(); // else the log above has nothing for this read model: it needs a fixture
    const [changed] = await world.db.query<{ ctid: string }>({
      text: `update ${full} set ${column} = ${otherValue(table, column)} where ctid = $1::tid returning ctid`,
      values: [before!.ctid],
    });
    const found = await world.differences([projection]);
    await world.db.query({
      text: `update ${full} set ${column} = $2::${typeOf(table.columns[column]!)} where ctid = $1::tid`,
      values: [changed!.ctid, before!.value],
    });
    const isKey = table.key.includes(column);
    expect(found).toContainEqual(expect.objectContaining({ table: table.name, column: isKey ? '*' : column }));
    expect(await world.differences([projection])).toEqual([]);
  });
});

/** The rows of a projection's tables as texts, in an order of their own. */
const asTexts = (rows: readonly string[]): readonly string[] => rows.toSorted();
const textOf = (table: string, row: { readonly [column: string]: string | null }): string =>
  `${table} ${JSON.stringify(Object.entries(row).sort())}`;

/** What the handlers make of a log, in empty tables that are gone afterwards. */
function written(projection: LedgerProjection, log: readonly Projected[]): Promise<readonly string[]> {
  const tables = projection.tables.map(({ name }) => ({ name, mutant: `scrip_read.${name}_mutant` }));
  return world.db.transaction(async (transaction) => {
    for (const { name, mutant } of tables)
      await transaction.query({ text: `create table ${mutant} (like ${tableOf(name, 1)} including all)` });
    const writer = projection.open((name) => `scrip_read.${name}_mutant`);
    await writer.apply(transaction, relevant(projection, log));
    const rows = asTexts(await allRows(transaction, projection));
    for (const { mutant } of tables) await transaction.query({ text: `drop table ${mutant}` });
    return rows;
  });
}

async function allRows(on: Reader, projection: LedgerProjection): Promise<readonly string[]> {
  const found: string[] = [];
  for (const { name, columns: of } of projection.tables) {
    const selected = Object.keys(of).map((column) => `${column}::text`);
    const rows = await on.query<{ [column: string]: string | null }>({
      text: `select ${selected.join(', ')} from scrip_read.${name}_mutant`,
    });
    for (const row of rows) found.push(textOf(name, row));
  }
  return found;
}

/** What the oracle expects of the same log. */
function expected({ oracle, tables }: LedgerProjection, log: readonly Projected[]): readonly string[] {
  const fold = oracle.fold();
  const rows: readonly ExpectedRow[] = [...log.flatMap((event) => [...fold.add(event)]), ...fold.rest()];
  return asTexts(
    rows.map(({ table: name, row }) => {
      const table = tables.find((each) => each.name === name)!;
      const values = Object.keys(table.columns).map((column) => [column, asText(table, column, row[column] ?? null)]);
      return textOf(name, Object.fromEntries(values) as { [column: string]: string | null });
    }),
  );
}

const handled = projections.flatMap((projection) =>
  Object.keys(projection.handlers)
    .filter((type) => projection.handlers[type] !== 'ignored')
    .map((type) => [projection.name, type, projection] as const),
);

/** A month of a free plan that is granted, withdrawn and given back: logs that end with each of these. */
async function freeMonth(): Promise<readonly (readonly RecordedEvent[])[]> {
  const store = new InMemoryEventStore();
  const writer = new LedgerWriter(store);
  for (const amount of [100, null, 100]) {
    const month = { start: '2026-02-01T00:00:00.000Z', end: '2026-03-01T00:00:00.000Z', amount };
    const keep = { type: 'KeepFreeMonths', subscriptionId: 'free_a', planId: 'free', months: [month] };
    await writer.run('account-a', keep, '2026-01-15T00:00:00.000Z');
  }
  const log = await store.readStream('account-a', 0, 10);
  expect(log.map(({ type }) => type)).toEqual([
    'AccountOpened',
    'CreditsGranted',
    'CreditsRevoked',
    'CreditsReinstated',
  ]);
  return log.map((_event, index) => log.slice(0, index + 1));
}

describe('a handler that does nothing', () => {
  it.each(handled)('is found out: %s of %s', async (_name, type, projection) => {
    const ofFreeMonth = (await freeMonth()).filter((log) => log.at(-1)!.type === type);
    const handlers = projection.handlers as { [type: string]: unknown };
    let foundOut = false;
    for (const recorded of [...logsEndingWith(type), ...ofFreeMonth]) {
      const log = (): Projected[] =>
        recorded.map((event) => new ProjectedEvent<LedgerEvent>(event, ledgerCodec.decode));
      const right = expected(projection, log());
      expect(await written(projection, log())).toEqual(right);
      const handler = handlers[type];
      handlers[type] = 'ignored';
      try {
        expect(expected(projection, log())).toEqual(right); // the oracle does not go by the handlers
        const wrong = await written(projection, log()).catch(() => null); // the handlers of other events may see it themselves
        foundOut ||= JSON.stringify(wrong) !== JSON.stringify(right);
      } finally {
        handlers[type] = handler;
      }
    }
    expect(foundOut).toBe(true);
  });
});

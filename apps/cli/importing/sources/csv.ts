import { MAX_AMOUNT } from '#kernel/amount.js';
import { sources } from '#ledger/account/events.js';
import { WrongUse } from '../../terminal/command.js';
import { Fields } from '../fields.js';
import { SourceBroken, type LotSource, type SourceRecord } from '../source.js';
import { TextFile } from '../text/chunks.js';
import { csvRows, type CsvRow } from '../text/csv-rows.js';

/** The columns that a file may have, in any order; docs/import.md says what they mean. */
export const csvColumns = [
  'customer_id',
  'name',
  'email',
  'amount',
  'source',
  'effective_at',
  'expires_at',
  'priority',
  'cost_amount',
  'cost_currency',
  'external_id',
  'unit',
] as const;
type Column = (typeof csvColumns)[number];

/** Lots and customers of a CSV file with a header. Throws WrongUse where there is no such file or its header is not understood. */
export async function csvSource(path: string, unit: string): Promise<LotSource> {
  const file = await TextFile.open(path);
  const batches = csvRows(file.chunks());
  const first = await firstRows(batches);
  const header = headerOf(path, first[0]);
  const records = async function* (): AsyncGenerator<SourceRecord> {
    for (const row of first.slice(1)) yield recordOf(header, row, unit);
    for await (const rows of batches) for (const row of rows) yield recordOf(header, row, unit);
  };
  return { records: records(), progress: file.progress };
}

async function firstRows(batches: AsyncGenerator<readonly CsvRow[]>): Promise<readonly CsvRow[]> {
  try {
    for (let next = await batches.next(); next.done !== true; next = await batches.next())
      if (next.value.length > 0) return next.value;
  } catch (error) {
    if (error instanceof SourceBroken) throw new WrongUse(error.message);
    throw error;
  }
  return [];
}

function headerOf(path: string, row: CsvRow | undefined): readonly Column[] {
  if (row === undefined) throw new WrongUse(`${path} is empty: its first line must name the columns`);
  const names = row.cells.map((cell) => cell.trim().toLowerCase());
  const wrong = (problem: string): WrongUse =>
    new WrongUse(`line ${String(row.line)} of ${path} ${problem}; the columns are ${csvColumns.join(', ')}`);
  const header = names.map((name) => {
    const column = csvColumns.find((known) => known === name);
    if (column === undefined) throw wrong(`names a column that is not known, ${JSON.stringify(name)}`);
    return column;
  });
  const twice = header.find((name, index) => header.indexOf(name) !== index);
  if (twice !== undefined) throw wrong(`names ${twice} twice`);
  if (!header.includes('customer_id')) throw wrong('does not name customer_id');
  const lots = ['amount', 'external_id'].filter((name) => names.includes(name));
  if (lots.length === 1) throw wrong('names one of amount and external_id without the other');
  return header;
}

function recordOf(header: readonly Column[], { line, cells }: CsvRow, unit: string): SourceRecord {
  const at = `line ${String(line)}`;
  const values = Object.fromEntries(header.map((name, index) => [name, cells[index] ?? '']));
  const fields = new Fields(values);
  if (cells.length !== header.length)
    fields.problems.push(`it has ${String(cells.length)} cells, the header has ${String(header.length)}`);
  const customer = { id: fields.needed('customer_id'), name: fields.text('name'), email: fields.text('email') };
  const isLot = header.some((name) => !['customer_id', 'name', 'email', 'unit'].includes(name) && fields.text(name));
  if (!isLot && fields.problems.length === 0) return { kind: 'customer', at, customer };
  const externalId = fields.needed('external_id');
  fields.needed('amount');
  const left = fields.decimal('amount');
  const costAmount = fields.whole('cost_amount', 0, MAX_AMOUNT);
  const currency = fields.text('cost_currency')?.toLowerCase() ?? null;
  if ((costAmount === null) !== (currency === null))
    fields.problems.push('cost_amount and cost_currency are needed together');
  const costBasis = costAmount === null || currency === null ? null : { amount: costAmount, currency };
  const lot = {
    kind: 'lot' as const,
    at,
    externalId,
    customer,
    unit: fields.text('unit') ?? unit,
    source: fields.oneOf('source', sources) ?? (costBasis === null ? ('promotion' as const) : ('purchase' as const)),
    priority: fields.whole('priority', 0, 100) ?? 50,
    effectiveAt: fields.instant('effective_at'),
    expiresAt: fields.instant('expires_at'),
    costBasis,
    adjustments: [],
    endedBecause: null,
  };
  if (left === null || fields.problems.length > 0)
    return {
      kind: 'unreadable',
      at,
      externalId: externalId === '' ? null : externalId,
      customerId: customer.id === '' ? null : customer.id,
      reason: fields.problems.join('; '),
    };
  return { ...lot, left };
}

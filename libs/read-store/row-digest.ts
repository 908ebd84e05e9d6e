import { hash } from 'node:crypto';
import type { Reader } from './read-database.js';
import { storable, type Table, type Value } from './tables.js';

/** The number of rows of a table and a sum over them. Tables with equal digests hold the same rows, in whatever order. */
export type TableDigest = { readonly rows: number; readonly sum: bigint };

const special = /[\s"\\(),]/;

function field(value: Value): string {
  if (typeof value === 'string') {
    const text = storable(value);
    return text === '' || special.test(text) ? `"${text.replaceAll(/["\\]/g, '$&$&')}"` : text;
  }
  if (value === null) return '';
  return typeof value === 'boolean' ? (value ? 't' : 'f') : String(value);
}

/** A position as text has leading zeros, which a bigint column does not keep. */
const leadingZeros = /^0+(?=\d)/;

type Columns = readonly { readonly name: string; readonly isBigint: boolean }[];

/** The row as PostgreSQL writes `row::text`. */
function rowText(columns: Columns, row: { readonly [column: string]: Value }): string {
  let text = '(';
  for (const [index, { name, isBigint }] of columns.entries()) {
    const value = row[name] ?? null;
    text += index === 0 ? '' : ',';
    text += isBigint && typeof value === 'string' ? value.replace(leadingZeros, '') : field(value);
  }
  return `${text})`;
}

/** Adds up the rows of a table one by one; nothing of them is kept. */
export class RowDigest {
  readonly #columns: Columns;
  #rows = 0;
  /** The upper and the lower 24 bits of 48, apart, so that plain numbers hold the sums of half a billion rows. */
  #high = 0;
  #low = 0;

  constructor(table: Table) {
    this.#columns = Object.entries(table.columns).map(([name, type]) => ({
      name,
      isBigint: type.startsWith('bigint'),
    }));
  }

  add(row: { readonly [column: string]: Value }): void {
    const digest = hash('md5', rowText(this.#columns, row), 'hex');
    this.#rows += 1;
    this.#high += parseInt(digest.slice(0, 6), 16);
    this.#low += parseInt(digest.slice(6, 12), 16);
  }

  get value(): TableDigest {
    return { rows: this.#rows, sum: (BigInt(this.#high) << 24n) + BigInt(this.#low) };
  }
}

/** The digest of a table in the database, whose columns stand in the order of their definition. */
export async function digestOf(on: Reader, full: string): Promise<TableDigest> {
  const [found] = await on.query<{ rows: string; sum: string | null }>({
    text: `select count(*) as rows, sum(('x' || left(md5(t::text), 12))::bit(48)::bigint) as sum from ${full} t`,
  });
  return { rows: Number(found?.rows ?? 0), sum: BigInt(found?.sum ?? 0) };
}

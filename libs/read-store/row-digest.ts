import type { Reader } from './read-database.js';
import { columnText, typeOf, type ColumnType, type Table, type Value } from './tables.js';
import { TextHash } from './text-hash.js';

/**
 * The number of rows of a table and the sum of their hashes, modulo 2^64. Tables with equal digests hold the same rows, in
 * whatever order.
 */
export type TableDigest = { readonly rows: number; readonly sum: bigint };

/** A random UUID that was not known when the rows were written: digests by different ones have nothing in common. */
export type Salt = string;

/** The salt of one comparison. */
export async function newSalt(on: Reader): Promise<Salt> {
  const [made] = await on.query<{ salt: string }>({ text: 'select gen_random_uuid() as salt' });
  return made?.salt ?? '';
}

/** What hashes begin with: its upper and lower half; and what stands for null, as short as can be and unlike any value. */
const partsOf = (salt: Salt): { readonly high: number; readonly low: number; readonly nothing: string } => ({
  high: Number.parseInt(salt.slice(0, 8), 16) | 0,
  low: Number.parseInt(salt.slice(28, 36), 16) | 0,
  nothing: `\x01${salt.slice(19, 23)}${salt.slice(24, 28)}`,
});

/** Adds up the rows of a table one by one; nothing of them is kept. */
export class RowDigest {
  readonly #names: readonly string[];
  readonly #types: readonly ColumnType[];
  readonly #seed: ReturnType<typeof partsOf>;
  readonly #hash = new TextHash();
  #rows = 0;
  /** The upper and the lower half of the sum. */
  #high = 0;
  #low = 0;

  constructor(table: Table, salt: Salt) {
    this.#names = Object.keys(table.columns);
    this.#types = Object.values(table.columns).map(typeOf);
    this.#seed = partsOf(salt);
  }

  add(row: { readonly [column: string]: Value }): void {
    const { high, low, nothing } = this.#seed;
    const [hash, names, types] = [this.#hash, this.#names, this.#types];
    hash.start(high, low);
    for (let index = 0; index < names.length; index += 1) {
      const value = row[names[index] ?? ''] ?? null;
      hash.add(value === null ? nothing : columnText(types[index] ?? 'text', value));
    }
    this.#rows += 1;
    const sum = this.#low + (hash.low >>> 0);
    this.#low = sum >>> 0;
    this.#high = (this.#high + hash.high + (sum > this.#low ? 1 : 0)) | 0;
  }

  get value(): TableDigest {
    return { rows: this.#rows, sum: (BigInt(this.#high >>> 0) << 32n) | BigInt(this.#low) };
  }
}

/** The sum of two digests of different rows. */
export const digestSum = (a: TableDigest, b: TableDigest): TableDigest => ({
  rows: a.rows + b.rows,
  sum: BigInt.asUintN(64, a.sum + b.sum),
});

/** The digest of a table in the database under its full name. */
export async function digestOf(on: Reader, table: Table, full: string, salt: Salt): Promise<TableDigest> {
  const { high, low, nothing } = partsOf(salt);
  const seed = (BigInt(high) << 32n) | BigInt(low >>> 0);
  const hash = Object.keys(table.columns).reduce(
    (before, column) => `hashtextextended(coalesce(${column}::text, '${nothing}'), ${before})`,
    `'${seed}'::bigint`,
  );
  const [found] = await on.query<{ rows: string; sum: string | null }>({
    text: `select count(*) as rows, sum(${hash}) as sum from ${full}`,
  });
  return { rows: Number(found?.rows ?? 0), sum: BigInt.asUintN(64, BigInt(found?.sum ?? 0)) };
}

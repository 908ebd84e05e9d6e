import { hash } from 'node:crypto';
import type { Reader } from '../../database/database.js';
import { columnText, typeOf, type ColumnType, type Table } from '../tables.js';
import { storable, type Value } from '../../database/values.js';

/**
 * The number of rows of a table and the sum of their hashes, modulo 2^64. Tables with equal digests hold the same rows, in
 * whatever order.
 */
export type TableDigest = { readonly rows: number; readonly sum: bigint };

/** A random UUID that was not known when the rows were written: nobody could make up other rows with the same digest. */
export type Salt = string;

/** The salt of one comparison. */
export async function newSalt(on: Reader): Promise<Salt> {
  const [made] = await on.query<{ salt: string }>({ text: 'select gen_random_uuid() as salt' });
  return made?.salt ?? '';
}

/** What stands before the first value, between values, and for null. No value holds it, since the salt is new. */
const marksOf = (salt: Salt): { readonly first: string; readonly between: string; readonly nothing: string } => ({
  first: salt,
  between: `\x01${salt.slice(0, 8)}`,
  nothing: `\x02${salt.slice(0, 8)}`,
});

/** Adds up the rows of a table one by one; nothing of them is kept. */
export class RowDigest {
  readonly #names: readonly string[];
  readonly #types: readonly ColumnType[];
  readonly #marks: ReturnType<typeof marksOf>;
  #rows = 0;
  /** The upper and the lower half of the sum: a bigint for each row would cost more than its hash. */
  #high = 0;
  #low = 0;

  constructor(table: Table, salt: Salt) {
    this.#names = Object.keys(table.columns);
    this.#types = Object.values(table.columns).map(typeOf);
    this.#marks = marksOf(salt);
  }

  add(row: { readonly [column: string]: Value }): void {
    const { first, between, nothing } = this.#marks;
    const [names, types] = [this.#names, this.#types];
    let text = first;
    for (let index = 0; index < names.length; index += 1) {
      const value = row[names[index] ?? ''] ?? null;
      text += between + (value === null ? nothing : columnText(types[index] ?? 'text', value));
    }
    const digits = hash('md5', storable(text), 'hex');
    this.#rows += 1;
    const low = this.#low + Number.parseInt(digits.slice(8, 16), 16);
    this.#low = low >>> 0;
    this.#high = (this.#high + Number.parseInt(digits.slice(0, 8), 16) + (low > this.#low ? 1 : 0)) >>> 0;
  }

  get value(): TableDigest {
    return { rows: this.#rows, sum: (BigInt(this.#high) << 32n) | BigInt(this.#low) };
  }
}

/** The digest of a table in the database under its full name. */
export async function digestOf(on: Reader, table: Table, full: string, salt: Salt): Promise<TableDigest> {
  const { first, between, nothing } = marksOf(salt);
  const values = Object.keys(table.columns).map((column) => `coalesce(${column}::text, '${nothing}')`);
  const text = [`'${first}'`, ...values].join(` || '${between}' || `);
  const [found] = await on.query<{ rows: string; sum: string | null }>({
    text: `select count(*) as rows, sum(('x' || left(md5(${text}), 16))::bit(64)::bigint) as sum from ${full}`,
  });
  return { rows: Number(found?.rows ?? 0), sum: BigInt.asUintN(64, BigInt(found?.sum ?? 0)) };
}

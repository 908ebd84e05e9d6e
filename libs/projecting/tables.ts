import type { Reader } from '../database/database.js';
import { arrayText, storable, type Value } from '../database/values.js';

/** The types that columns of read models have; `?` means it may be null. Instants and JSON documents are text. */
export type ColumnType = 'text' | 'bigint' | 'int' | 'boolean' | 'uuid';
type Column = ColumnType | `${ColumnType}?`;

/** Who may read a table besides operators: everybody, a customer their own rows (it has `customer_id`), or nobody. */
export type Visibility = 'everyone' | 'own-rows' | 'operators';

export type Table = {
  /** The name that readers use. */
  readonly name: string;
  readonly visibleTo: Visibility;
  /** The columns of the primary key. */
  readonly key: readonly string[];
  readonly columns: { readonly [column: string]: Column };
  /** More indexes, each as what follows `create index on {name}`. */
  readonly indexes?: readonly string[];
  /** True when rows are changed often: leaves room for new versions of them in their page. */
  readonly changing?: boolean;
  /** The columns that stay as they were inserted, besides the key: a change of a row does not write them again. */
  readonly constant?: readonly string[];
};

type ValueOf<C extends Column> = C extends `${infer T extends ColumnType}?`
  ? ValueOf<T> | null
  : C extends 'int'
    ? number
    : C extends 'bigint'
      ? number | string
      : C extends 'boolean'
        ? boolean
        : string;

/** A row as it is written: bigint columns take numbers (amounts) or digits (positions). */
export type RowOf<T extends Table> = { -readonly [C in keyof T['columns']]: ValueOf<T['columns'][C]> };

type StoredValueOf<C extends Column> = C extends `${infer T extends ColumnType}?`
  ? StoredValueOf<T> | null
  : C extends 'int'
    ? number
    : C extends 'boolean'
      ? boolean
      : string;
/** A row as a query gives it: bigint columns are text. */
export type StoredRow<T extends Table> = { -readonly [C in keyof T['columns']]: StoredValueOf<T['columns'][C]> };

/** The type of a column, whether it may be null or not. */
export const typeOf = (column: Column): ColumnType => column.replace('?', '') as ColumnType;

/** What follows `create table {name}`. */
export function tableDefinition(table: Table): string {
  const columns = Object.entries(table.columns).map(([name, column]) => {
    const collation = typeOf(column) === 'text' ? ' collate "C"' : '';
    return `${name} ${typeOf(column)}${collation}${column.endsWith('?') ? '' : ' not null'}`;
  });
  const room = table.changing === true ? ' with (fillfactor = 80)' : '';
  return `(${columns.join(', ')}, primary key (${table.key.join(', ')}))${room}`;
}

const cast = (table: Table, column: string): string => typeOf(table.columns[column] ?? 'text');

/** Each column's values as one array parameter: `unnest($1::text[], $2::bigint[])`. */
const unnest = (table: Table, columns: readonly string[]): string =>
  `unnest(${columns.map((column, index) => `$${String(index + 1)}::${cast(table, column)}[]`).join(', ')})`;

type AnyRow = { readonly [column: string]: Value };
const columnValues = (columns: readonly string[], rows: readonly AnyRow[]): string[] =>
  columns.map((column) => arrayText(rows.map((row) => row[column] ?? null)));

/** Writes to one table of one generation, a batch of rows in one prepared statement. */
export class TableWriter<T extends Table> {
  readonly #table: T;
  readonly #full: string;
  readonly #columns: readonly string[];

  /** @param full the table's full name, of the generation to write. */
  constructor(table: T, full: string) {
    this.#table = table;
    this.#full = full;
    this.#columns = Object.keys(table.columns);
  }

  /** Adds rows; one that is there already is a bug, and fails. */
  async insert(on: Reader, rows: readonly RowOf<T>[]): Promise<void> {
    if (rows.length === 0) return;
    await on.query({
      name: `insert ${this.#full}`,
      text: `insert into ${this.#full} (${this.#columns.join(', ')}) select * from ${unnest(this.#table, this.#columns)}`,
      values: columnValues(this.#columns, rows),
    });
  }

  /** Adds rows or replaces those with the same key. No key twice. */
  async put(on: Reader, rows: readonly RowOf<T>[]): Promise<void> {
    if (rows.length === 0) return;
    const changes = this.#columns
      .filter((column) => !this.#table.key.includes(column))
      .map((column) => `${column} = excluded.${column}`);
    await on.query({
      name: `put ${this.#full}`,
      text: `insert into ${this.#full} as t (${this.#columns.join(', ')}) select * from ${unnest(this.#table, this.#columns)}
        on conflict (${this.#table.key.join(', ')}) do update set ${changes.join(', ')}`,
      values: columnValues(this.#columns, rows),
    });
  }

  /** Changes rows that are there, in the columns that are not constant. No key twice. */
  async change(on: Reader, rows: readonly RowOf<T>[]): Promise<void> {
    if (rows.length === 0) return;
    const { key, constant = [] } = this.#table;
    const changing = this.#columns.filter((column) => !key.includes(column) && !constant.includes(column));
    const columns = [...key, ...changing];
    await on.query({
      name: `change ${this.#full}`,
      text: `update ${this.#full} as t set ${changing.map((column) => `${column} = k.${column}`).join(', ')}
        from ${unnest(this.#table, columns)} as k(${columns.join(', ')}) where ${this.#isKey}`,
      values: columnValues(columns, rows),
    });
  }

  /** Removes the rows with these keys. */
  async remove(on: Reader, keys: readonly Partial<RowOf<T>>[]): Promise<void> {
    if (keys.length === 0) return;
    await on.query({
      name: `remove ${this.#full}`,
      text: `delete from ${this.#full} t ${this.#usingKeys}`,
      values: this.#keyValues(keys),
    });
  }

  /** The rows with these keys, those that exist. */
  async withKeys(on: Reader, keys: readonly Partial<RowOf<T>>[]): Promise<RowOf<T>[]> {
    if (keys.length === 0) return [];
    const columns = this.#columns.map((column) => `t.${column}`).join(', ');
    const text = `select ${columns} from ${unnest(this.#table, this.#table.key)} as k(${this.#table.key.join(', ')})
      join ${this.#full} t using (${this.#table.key.join(', ')})`;
    return (await on.query<AnyRow>({ name: `get ${this.#full}`, text, values: this.#keyValues(keys) })).map((row) =>
      this.#read(row),
    );
  }

  /** The rows whose `column` is one of `values`, and for which `condition` (constant SQL) holds. */
  async where(
    on: Reader,
    column: keyof T['columns'] & string,
    values: readonly string[],
    condition = 'true',
  ): Promise<RowOf<T>[]> {
    if (values.length === 0) return [];
    const text = `select ${this.#columns.join(', ')} from ${this.#full} where ${column} = any($1::${cast(this.#table, column)}[]) and ${condition}`;
    return (await on.query<AnyRow>({ name: `find ${this.#full}`, text, values: [arrayText(values)] })).map((row) =>
      this.#read(row),
    );
  }

  get #usingKeys(): string {
    const keys = this.#table.key;
    return `using ${unnest(this.#table, keys)} as k(${keys.join(', ')}) where ${this.#isKey}`;
  }

  get #isKey(): string {
    return this.#table.key.map((key) => `t.${key} = k.${key}`).join(' and ');
  }

  #keyValues(keys: readonly Partial<RowOf<T>>[]): string[] {
    return columnValues(this.#table.key, keys as readonly AnyRow[]);
  }

  /** bigint columns come as text; as numbers they are amounts, and those are safe. Positions stay within 2^53 or are kept as text. */
  #read(row: AnyRow): RowOf<T> {
    const read: Record<string, Value> = {};
    for (const column of this.#columns) {
      const value = row[column] ?? null;
      read[column] = typeof value === 'string' && cast(this.#table, column) === 'bigint' ? safeNumber(value) : value;
    }
    return read as RowOf<T>;
  }
}

const safeNumber = (digits: string): number | string => {
  const value = Number(digits);
  return Number.isSafeInteger(value) ? value : digits;
};

/** A position as text has leading zeros, which a bigint column does not keep. */
function withoutLeadingZeros(digits: string): string {
  let zeros = 0;
  while (zeros < digits.length - 1 && digits[zeros] === '0') zeros += 1;
  return digits.slice(zeros);
}

/** A value as `column::text` shows it; text may hold the character that PostgreSQL does not keep, see `storable`. */
export function columnText(type: ColumnType, value: string | number | boolean): string {
  if (typeof value !== 'string') return String(value);
  return type === 'bigint' ? withoutLeadingZeros(value) : value;
}

/** The same as it is kept, to compare what is expected with what is found. */
export const asText = (table: Table, column: string, value: Value): string | null =>
  value === null ? null : storable(columnText(cast(table, column) as ColumnType, value));

/** The rows with these keys from any relation shaped like `table`, every column as text. */
export async function rowsAsText(
  on: Reader,
  table: Table,
  full: string,
  keys: readonly AnyRow[],
): Promise<readonly { readonly [column: string]: string | null }[]> {
  const columns = Object.keys(table.columns).map((column) => `t.${column}::text as ${column}`);
  return on.query({
    name: `compare ${full}`,
    text: `select ${columns.join(', ')} from ${unnest(table, table.key)} as k(${table.key.join(', ')}) join ${full} t using (${table.key.join(', ')})`,
    values: columnValues(table.key, keys),
  });
}

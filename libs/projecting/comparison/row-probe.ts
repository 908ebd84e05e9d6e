import type { ExpectedRow, Projection } from '../projection.js';
import type { Reader } from '../../database/database.js';
import { tableOf } from '../schema.js';
import { asText, rowsAsText, type Table } from '../tables.js';

/** One value that is not what the log says. `found` is null also where the row is missing. */
export type Difference = {
  readonly projection: string;
  readonly table: string;
  readonly key: string;
  readonly column: string;
  readonly expected: string | null;
  readonly found: string | null;
};

const PROBE = 1000;

/** Looks up expected rows by their keys, many at a time, and notes what differs. */
export class RowProbe<Event> {
  readonly differences: Difference[] = [];
  readonly #on: Reader;
  readonly #projection: Projection<Event>;
  readonly #generation: number;
  readonly #max: number;
  readonly #waiting = new Map<string, ExpectedRow['row'][]>();
  readonly #expected = new Map<string, number>();

  constructor(on: Reader, projection: Projection<Event>, generation: number, max: number) {
    this.#on = on;
    this.#projection = projection;
    this.#generation = generation;
    this.#max = max;
  }

  get full(): boolean {
    return this.differences.length >= this.#max;
  }

  async expect({ table, row }: ExpectedRow): Promise<void> {
    this.#expected.set(table, (this.#expected.get(table) ?? 0) + 1);
    const waiting = this.#waiting.get(table) ?? [];
    this.#waiting.set(table, waiting);
    waiting.push(row);
    if (waiting.length >= PROBE) await this.#lookUp(table);
  }

  async flush(): Promise<void> {
    for (const table of this.#waiting.keys()) await this.#lookUp(table);
  }

  /** Every expected row was found; more than those must not be there. */
  compareCounts(found: ReadonlyMap<string, number>): void {
    for (const [table, count] of found) {
      const expected = this.#expected.get(table) ?? 0;
      if (count !== expected)
        this.#note({ table, key: '*', column: 'count(*)', expected: String(expected), found: String(count) });
    }
  }

  async #lookUp(name: string): Promise<void> {
    const table = this.#projection.tables.find((each) => each.name === name);
    const expected = this.#waiting.get(name) ?? [];
    this.#waiting.set(name, []);
    if (table === undefined || expected.length === 0 || this.full) return;
    const found = await rowsAsText(this.#on, table, tableOf(name, this.#generation), expected);
    const keyOf = (row: ExpectedRow['row']): string =>
      table.key.map((column) => asText(table, column, row[column] ?? null)).join(' ');
    const byKey = new Map(found.map((row) => [keyOf(row), row]));
    for (const row of expected) this.#compare(table, keyOf(row), row, byKey.get(keyOf(row)));
  }

  #compare(
    table: Table,
    key: string,
    expected: ExpectedRow['row'],
    found: { readonly [column: string]: string | null } | undefined,
  ): void {
    if (found === undefined) {
      this.#note({ table: table.name, key, column: '*', expected: 'a row', found: null });
      return;
    }
    for (const column of Object.keys(table.columns)) {
      const [wanted, value] = [asText(table, column, expected[column] ?? null), found[column] ?? null];
      if (wanted !== value) this.#note({ table: table.name, key, column, expected: wanted, found: value });
    }
  }

  #note(difference: Omit<Difference, 'projection'>): void {
    if (!this.full) this.differences.push({ projection: this.#projection.name, ...difference });
  }
}

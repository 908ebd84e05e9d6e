import { START } from '#event-store/event-store.js';
import type { EventStore, Position } from '#event-store/event-store.js';
import { generationsOf, tableOf } from './generations.js';
import { EventSharing } from './projection.js';
import type { Decode, ExpectedRow, ProjectedEvent, Projection } from './projection.js';
import type { ReadDatabase, Session } from './read-database.js';
import { asText, rowsAsText } from './tables.js';
import type { Table } from './tables.js';

/** One value that is not what the log says. `found` is null also where the row is missing. */
export type Difference = {
  readonly projection: string;
  readonly table: string;
  readonly key: string;
  readonly column: string;
  readonly expected: string | null;
  readonly found: string | null;
};

export type Comparison = {
  readonly projection: string;
  readonly generation: number;
  /** The log up to here was compared. */
  readonly position: Position;
  readonly rows: number;
  /** The first ones; empty when all is as it should be. */
  readonly differences: readonly Difference[];
};

type Sources<Event> = { readonly store: EventStore; readonly db: ReadDatabase; readonly sharing: EventSharing<Event> };
type Options = { readonly signal?: AbortSignal; readonly differencesMax?: number; readonly rowsPerPass?: number };

const PAGE = 2000;
const PROBE = 1000;

/** Compares the live tables of each projection with an independent fold of the log. */
export async function compareProjections<Event>(
  store: EventStore,
  db: ReadDatabase,
  decode: Decode<Event>,
  projections: readonly Projection<Event>[],
  options: Options = {},
): Promise<readonly Comparison[]> {
  const generations = await generationsOf(db);
  const comparisons: Comparison[] = [];
  for (const projection of projections) {
    const live = generations.find(({ name, role }) => name === projection.name && role === 'live');
    // Tables of another version do not have the shape that this code knows.
    if (live?.version !== projection.version) continue;
    comparisons.push(
      await compareGeneration({ store, db, sharing: new EventSharing(decode) }, projection, live.generation, options),
    );
  }
  return comparisons;
}

/**
 * Folds the log anew, by the projection's oracle and not its handlers, up to the generation's checkpoint, and compares every
 * row. Memory is bounded: a large table is compared in several passes over the log, each for a share of the keys.
 */
export async function compareGeneration<Event>(
  sources: Sources<Event>,
  projection: Projection<Event>,
  generation: number,
  options: Options = {},
): Promise<Comparison> {
  const session = await sources.db.session(`compare ${projection.name}`);
  try {
    return await session.transaction(
      () => compareInSnapshot(sources, projection, generation, session, options),
      'begin isolation level repeatable read read only',
    );
  } finally {
    await session.close();
  }
}

async function compareInSnapshot<Event>(
  sources: Sources<Event>,
  projection: Projection<Event>,
  generation: number,
  session: Session,
  options: Options,
): Promise<Comparison> {
  const position =
    (await generationsOf(session)).find((each) => each.name === projection.name && each.generation === generation)
      ?.position ?? START;
  const found = new Map<string, number>();
  for (const { name } of projection.tables) {
    const [row] = await session.query<{ count: string }>({ text: `select count(*) from ${tableOf(name, generation)}` });
    found.set(name, Number(row?.count ?? 0));
  }
  const probe = new Probe(session, projection, generation, options.differencesMax ?? 20);
  const passes = Math.ceil(Math.max(1, ...found.values()) / (options.rowsPerPass ?? 200_000));
  for (let pass = 0; pass < passes && !probe.full; pass += 1) {
    const fold = projection.oracle.fold();
    for await (const event of eventsUpTo(sources, position, projection.categories, options.signal)) {
      if (passes > 1 && share(projection.oracle.keyOf(event.recorded), passes) !== pass) continue;
      for (const row of fold.add(event)) await probe.expect(row);
    }
    for (const row of fold.rest()) await probe.expect(row);
  }
  await probe.flush();
  if (!probe.full && options.signal?.aborted !== true) probe.compareCounts(found);
  return { projection: projection.name, generation, position, rows: probe.rows, differences: probe.differences };
}

async function* eventsUpTo<Event>(
  { store, sharing }: Sources<Event>,
  last: Position,
  categories: readonly string[],
  signal?: AbortSignal,
): AsyncGenerator<ProjectedEvent<Event>> {
  for (let after = START; after < last && signal?.aborted !== true;) {
    const page = sharing.page(await store.readAll(after, PAGE));
    for (const event of page) {
      if (event.recorded.position > last) return;
      if (categories.includes(event.category)) yield event;
    }
    const end = page.at(-1);
    if (end === undefined) return;
    after = end.recorded.position;
  }
}

/** Which of `passes` a key belongs to. */
function share(key: string, passes: number): number {
  let hash = 0;
  for (let index = 0; index < key.length; index += 1) hash = (Math.imul(hash, 31) + key.charCodeAt(index)) >>> 0;
  return hash % passes;
}

/** Looks up expected rows by their keys, many at a time, and notes what differs. */
class Probe<Event> {
  readonly differences: Difference[] = [];
  rows = 0;
  readonly #session: Session;
  readonly #projection: Projection<Event>;
  readonly #generation: number;
  readonly #max: number;
  readonly #waiting = new Map<string, ExpectedRow['row'][]>();
  readonly #expected = new Map<string, number>();

  constructor(session: Session, projection: Projection<Event>, generation: number, max: number) {
    this.#session = session;
    this.#projection = projection;
    this.#generation = generation;
    this.#max = max;
  }

  get full(): boolean {
    return this.differences.length >= this.#max;
  }

  async expect({ table, row }: ExpectedRow): Promise<void> {
    this.rows += 1;
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
      if (count !== expected) this.#note(table, '*', 'count(*)', String(expected), String(count));
    }
  }

  async #lookUp(name: string): Promise<void> {
    const table = this.#projection.tables.find((each) => each.name === name);
    const expected = this.#waiting.get(name) ?? [];
    this.#waiting.set(name, []);
    if (table === undefined || expected.length === 0 || this.full) return;
    const found = await rowsAsText(this.#session, table, tableOf(name, this.#generation), expected);
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
      this.#note(table.name, key, '*', 'a row', null);
      return;
    }
    for (const column of Object.keys(table.columns)) {
      const value = asText(table, column, expected[column] ?? null);
      if (value !== (found[column] ?? null)) this.#note(table.name, key, column, value, found[column] ?? null);
    }
  }

  #note(table: string, key: string, column: string, expected: string | null, found: string | null): void {
    if (!this.full) this.differences.push({ projection: this.#projection.name, table, key, column, expected, found });
  }
}

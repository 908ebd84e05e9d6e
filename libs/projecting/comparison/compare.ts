import { pagesOf, START, type EventStore, type Position } from '#event-store/port/event-store.js';
import { generationsOf, type Generation } from '../generations.js';
import { isFolded, ModelFold, type Compared } from './model-fold.js';
import { projected, type Decode, type ProjectedEvent, type Projection } from '../projection.js';
import type { LongTransaction, Database, Reader } from '../../database/database.js';
import { DatabaseError } from '../../database/errors.js';
import { digestOf, newSalt, type TableDigest } from './row-digest.js';
import { RowProbe, type Difference } from './row-probe.js';
import { tableOf } from '../schema.js';

export type Comparison = {
  readonly projection: string;
  readonly generation: number;
  /** The log up to here was compared. */
  readonly position: Position;
  readonly rows: number;
  /** The first ones; empty when all is as it should be. */
  readonly differences: readonly Difference[];
};

/** Where the log is read when it must be read once more. */
type Source<Event> = { readonly store: EventStore; readonly decode: Decode<Event> };
type Options = { readonly signal?: AbortSignal; readonly differencesMax?: number; readonly rowsPerPass?: number };
type Chosen<Event> = { readonly projection: Projection<Event>; readonly generation: number };

/** PostgreSQL's code for a table that does not exist. */
const UNDEFINED_TABLE = '42P01';
/** How often a comparison is begun again because a rebuild has just taken the tables away. */
const BEGINNINGS = 3;

/** Compares the live tables of each projection with an independent fold of the log. */
export async function compareProjections<Event>(
  store: EventStore,
  db: Database,
  decode: Decode<Event>,
  projections: readonly Projection<Event>[],
  options: Options = {},
): Promise<readonly Comparison[]> {
  const models = await ModelComparison.ofLive(db, projections, options);
  return models.run({ store, decode });
}

/** Compares one generation of a projection, live or building, with an independent fold of the log. */
export async function compareGeneration<Event>(
  sources: Source<Event> & { readonly db: Database },
  projection: Projection<Event>,
  generation: number,
  options: Options = {},
): Promise<Comparison> {
  const models = await ModelComparison.of(sources.db, () => [{ projection, generation }], options);
  const [comparison] = await models.run(sources);
  return comparison ?? { projection: projection.name, generation, position: START, rows: 0, differences: [] };
}

/**
 * Folds the log again, by the oracles of the projections and not their handlers, each up to its checkpoint, and compares every
 * row with what stands in one snapshot of the database. All projections share a pass over the log. Tables are compared
 * by digests, which the database makes meanwhile; row by row, to name what differs, only where those disagree.
 */
export class ModelComparison<Event> {
  readonly #snapshot: LongTransaction;
  readonly #options: Options;
  readonly #folds: readonly ModelFold<Event>[];
  readonly #found: Promise<ReadonlyMap<string, TableDigest>>;

  private constructor(snapshot: LongTransaction, compared: readonly Compared<Event>[], options: Options) {
    this.#snapshot = snapshot;
    this.#options = options;
    this.#folds = compared.map((each) => new ModelFold(each));
    this.#found = digestsOf(snapshot, compared);
    this.#found.catch(() => undefined); // awaited in `finish`, unless the caller gives up before
  }

  /** Opens a comparison of the live generations; those of another version do not have the shape that this code knows. */
  static async ofLive<Event>(
    db: Database,
    projections: readonly Projection<Event>[],
    options: Options = {},
  ): Promise<ModelComparison<Event>> {
    const live = (generations: readonly Generation[]): Chosen<Event>[] =>
      projections.flatMap((projection) => {
        const { name, version } = projection;
        const found = generations.find((each) => each.name === name && each.role === 'live');
        return found?.version === version ? [{ projection, generation: found.generation }] : [];
      });
    for (let beginning = 1; ; beginning += 1) {
      try {
        return await ModelComparison.of(db, live, options);
      } catch (error) {
        // A rebuild ended after the live generation was read, and its tables are gone: another one is live now.
        const isGone = error instanceof DatabaseError && error.sqlState === UNDEFINED_TABLE;
        if (!isGone || beginning === BEGINNINGS) throw error;
      }
    }
  }

  /** Opens a comparison, and the snapshot that it sees. The caller must `close` it. */
  static async of<Event>(
    db: Database,
    choose: (generations: readonly Generation[]) => readonly Chosen<Event>[],
    options: Options,
  ): Promise<ModelComparison<Event>> {
    const snapshot = await db.begin('compare', {
      isolationLevel: 'repeatable read',
      accessMode: 'read only',
      // Compiling the sum over a table costs as much as computing it.
      settings: { jit: 'off' },
    });
    try {
      const salt = await newSalt(snapshot);
      const generations = await generationsOf(snapshot);
      const chosen = choose(generations);
      await hold(snapshot, chosen);
      const compared: Compared<Event>[] = [];
      for (const { projection, generation } of chosen) {
        const { name } = projection;
        const known = generations.find((each) => each.name === name && each.generation === generation);
        const passes = await passesOf(snapshot, projection, generation, options.rowsPerPass ?? 100_000);
        compared.push({ projection, generation, position: known?.position ?? START, passes, salt });
      }
      return new ModelComparison(snapshot, compared, options);
    } catch (error) {
      await snapshot.end();
      throw error;
    }
  }

  /** Reads the log as often as it takes, and says what was found. */
  async #compared(source: Source<Event>): Promise<readonly Comparison[]> {
    for (let pass = 0; pass < Math.max(0, ...this.#folds.map(({ compared }) => compared.passes)); pass += 1) {
      const folds = this.#folds.filter(({ compared }) => pass < compared.passes);
      for await (const page of this.#pages(source, folds)) for (const fold of folds) fold.add(pass, page);
      for (const fold of folds) fold.endPass(pass);
    }
    const comparisons: Comparison[] = [];
    if (this.#options.signal?.aborted === true) return comparisons;
    const found = await this.#found;
    for (const fold of this.#folds) comparisons.push(await this.#compare(fold, found, source));
    return comparisons;
  }

  /** Reads the log for all passes, and closes. */
  async run(source: Source<Event>): Promise<readonly Comparison[]> {
    try {
      return await this.#compared(source);
    } finally {
      await this.#snapshot.end();
    }
  }

  async *#pages(
    { store, decode }: Source<Event>,
    folds: readonly ModelFold<Event>[],
  ): AsyncGenerator<readonly ProjectedEvent<Event>[]> {
    const last = folds.reduce((latest, { compared: { position } }) => (position > latest ? position : latest), START);
    if (last === START) return;
    for await (const recorded of pagesOf(store, START)) {
      if (this.#options.signal?.aborted === true) return;
      yield projected(recorded, decode);
      if ((recorded.at(-1)?.position ?? last) >= last) return;
    }
  }

  async #compare(
    fold: ModelFold<Event>,
    found: ReadonlyMap<string, TableDigest>,
    source: Source<Event>,
  ): Promise<Comparison> {
    const { compared, digests } = fold;
    const { projection, generation, position } = compared;
    let rows = 0;
    let same = true;
    for (const [table, digest] of digests) {
      const [expected, actual] = [digest.value, found.get(tableOf(table, generation))];
      rows += expected.rows;
      same &&= isSame(expected, actual);
    }
    const differences = same ? [] : await this.#compareRows(fold, found, source);
    return { projection: projection.name, generation, position, rows, differences };
  }

  async #compareRows(
    fold: ModelFold<Event>,
    found: ReadonlyMap<string, TableDigest>,
    source: Source<Event>,
  ): Promise<readonly Difference[]> {
    const { compared } = fold;
    const { projection, generation, passes } = compared;
    const probe = new RowProbe(this.#snapshot, projection, generation, this.#options.differencesMax ?? 20);
    for (let pass = 0; pass < passes && !probe.full; pass += 1) {
      const again = projection.oracle.fold();
      for await (const page of this.#pages(source, [fold]))
        for (const event of page)
          if (isFolded(compared, pass, event)) for (const row of again.add(event)) await probe.expect(row);
      for (const row of again.rest()) await probe.expect(row);
    }
    await probe.flush();
    if (!probe.full && this.#options.signal?.aborted !== true)
      probe.compareCounts(
        new Map(projection.tables.map(({ name }) => [name, found.get(tableOf(name, generation))?.rows ?? 0])),
      );
    return probe.differences;
  }
}

const isSame = (a: TableDigest | undefined, b: TableDigest | undefined): boolean =>
  a !== undefined && a.rows === b?.rows && a.sum === b.sum;

/** No rebuild removes the tables until the transaction ends. Fails where one of them is gone already. */
async function hold<Event>(transaction: Reader, chosen: readonly Chosen<Event>[]): Promise<void> {
  const tables = chosen.flatMap(({ projection, generation }) =>
    projection.tables.map(({ name }) => tableOf(name, generation)),
  );
  if (tables.length > 0) await transaction.query({ text: `lock table ${tables.join(', ')} in access share mode` });
}

/** What a fold keeps in memory grows with the rows of its largest table, unless it gives them as it goes. */
async function passesOf<Event>(
  on: Reader,
  { tables, oracle }: Projection<Event>,
  generation: number,
  rowsPerPass: number,
): Promise<number> {
  if (oracle.streaming === true) return 1;
  let largest = 1;
  for (const { name } of tables) {
    const [row] = await on.query<{ count: string }>({ text: `select count(*) from ${tableOf(name, generation)}` });
    largest = Math.max(largest, Number(row?.count ?? 0));
  }
  return Math.ceil(largest / rowsPerPass);
}

async function digestsOf<Event>(
  on: Reader,
  compared: readonly Compared<Event>[],
): Promise<ReadonlyMap<string, TableDigest>> {
  const digests = new Map<string, TableDigest>();
  for (const { projection, generation, salt } of compared) {
    for (const table of projection.tables) {
      const full = tableOf(table.name, generation);
      digests.set(full, await digestOf(on, table, full, salt));
    }
  }
  return digests;
}

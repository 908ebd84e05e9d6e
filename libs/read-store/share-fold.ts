import type { RecordedEvent } from '#event-store/event-store.js';
import { tableOf } from './generations.js';
import { ModelFold, type Compared } from './model-fold.js';
import type { ProjectedEvent } from './projection.js';
import { digestSum, type TableDigest } from './row-digest.js';

/** What folding a share of the log came to; those of all shares add up to what folding all of it comes to. */
export type ShareFolded = {
  /** By the full names of the tables. */
  readonly digests: ReadonlyMap<string, TableDigest>;
  /** The events of folds that cannot be done apart; see `Oracle.needs`. */
  readonly needed: readonly RecordedEvent[];
};

/** Folds a share of the log for the models that are compared. */
export class ShareFold<Event> {
  readonly passes: number;
  readonly #folds: readonly ModelFold<Event>[];
  readonly #together: readonly Compared<Event>[];
  readonly #needed: RecordedEvent[] = [];

  constructor(compared: readonly Compared<Event>[]) {
    this.#together = compared.filter(({ projection }) => projection.oracle.needs !== undefined);
    this.#folds = compared
      .filter(({ projection }) => projection.oracle.needs === undefined)
      .map((each) => new ModelFold(each));
    this.passes = Math.max(1, ...this.#folds.map((fold) => fold.compared.passes));
  }

  /** Takes the next events of a pass over the share. */
  add(pass: number, page: readonly ProjectedEvent<Event>[]): void {
    const categories = new Set(page.map(({ category }) => category));
    for (const fold of this.#folds)
      if (fold.compared.projection.categories.some((category) => categories.has(category))) fold.add(pass, page);
    if (pass > 0) return;
    for (const event of page) {
      if (this.#together.some((compared) => needs(compared, event))) this.#needed.push(event.recorded);
    }
  }

  /** Closes a pass: the whole share has been added. */
  endPass(pass: number): void {
    for (const fold of this.#folds) fold.endPass(pass);
  }

  get folded(): ShareFolded {
    return { digests: digestsOf(this.#folds), needed: this.#needed };
  }
}

/** The digests that all of the log comes to, from those of its shares and the events that these could not fold. */
export function foldTogether<Event>(
  compared: readonly Compared<Event>[],
  shares: readonly ShareFolded[],
  projected: (recorded: RecordedEvent) => ProjectedEvent<Event>,
): ReadonlyMap<string, TableDigest> {
  const needed = shares
    .flatMap((share) => share.needed)
    .sort((a, b) => (a.position < b.position ? -1 : 1))
    .map(projected);
  const folds = compared
    .filter(({ projection }) => projection.oracle.needs !== undefined)
    .map((each) => new ModelFold(each));
  for (const fold of folds) {
    for (let pass = 0; pass < fold.compared.passes; pass += 1) {
      fold.add(
        pass,
        needed.filter((event) => needs(fold.compared, event)),
      );
      fold.endPass(pass);
    }
  }
  const sums = new Map(digestsOf(folds));
  for (const { digests } of shares) {
    for (const [table, digest] of digests) sums.set(table, digestSum(sums.get(table) ?? { rows: 0, sum: 0n }, digest));
  }
  return sums;
}

const needs = <Event>({ projection, position }: Compared<Event>, event: ProjectedEvent<Event>): boolean =>
  event.recorded.position <= position &&
  projection.categories.includes(event.category) &&
  projection.oracle.needs?.(event) === true;

const digestsOf = <Event>(folds: readonly ModelFold<Event>[]): ReadonlyMap<string, TableDigest> =>
  new Map(
    folds.flatMap(({ compared: { generation }, digests }) =>
      [...digests].map(([table, digest]) => [tableOf(table, generation), digest.value] as const),
    ),
  );

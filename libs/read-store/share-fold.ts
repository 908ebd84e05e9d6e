import type { RecordedEvent } from '#event-store/event-store.js';
import { ModelFold, type Compared } from './model-fold.js';
import type { ProjectedEvent } from './projection.js';
import { digestSum, type TableDigest } from './row-digest.js';
import { tableOf } from './schema.js';

/** What folding a share of the log came to; those of all shares add up to what folding all of it comes to. */
export type ShareFolded = {
  /** By the full names of the tables. */
  readonly digests: ReadonlyMap<string, TableDigest>;
  /** The events of folds that cannot be done apart; see `Oracle.needs`. */
  readonly needed: readonly RecordedEvent[];
};

/** How often the log must be read for what can be folded apart. */
export const passesOf = <Event>(compared: readonly Compared<Event>[]): number =>
  Math.max(1, ...compared.filter(isFoldedApart).map(({ passes }) => passes));

const isFoldedApart = <Event>({ projection }: Compared<Event>): boolean => projection.oracle.needs === undefined;

/** Folds a share of the log for the models that are compared. */
export class ShareFold<Event> {
  readonly #folds: readonly ModelFold<Event>[];
  /** The same by the categories that they look at. */
  readonly #foldsOf = new Map<string, ModelFold<Event>[]>();
  readonly #together: readonly Compared<Event>[];
  readonly #needed: RecordedEvent[] = [];

  constructor(compared: readonly Compared<Event>[]) {
    this.#together = compared.filter((each) => !isFoldedApart(each));
    this.#folds = compared.filter(isFoldedApart).map((each) => new ModelFold(each));
    for (const fold of this.#folds)
      for (const category of fold.compared.projection.categories)
        this.#foldsOf.set(category, [...(this.#foldsOf.get(category) ?? []), fold]);
  }

  /** Takes the next events of a pass over the share. */
  add(pass: number, page: readonly ProjectedEvent<Event>[]): void {
    for (const event of page) for (const fold of this.#foldsOf.get(event.category) ?? []) fold.addOne(pass, event);
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

import type { Position } from '#event-store/port/event-store.js';
import type { ExpectedRow, OracleFold, ProjectedEvent, Projection } from '../projection.js';
import { RowDigest, type Salt } from './row-digest.js';

/** One generation of a projection as the comparison found it. */
export type Compared<Event> = {
  readonly projection: Projection<Event>;
  readonly generation: number;
  /** Its checkpoint: the log up to here is what its tables must follow from. */
  readonly position: Position;
  /** Each pass over the log folds a share of the keys, so that the memory of the fold is bounded. */
  readonly passes: number;
  readonly salt: Salt;
};

/** Folds the log again for one generation, page by page, and adds up the rows that its tables must hold. */
export class ModelFold<Event> {
  readonly compared: Compared<Event>;
  readonly digests: ReadonlyMap<string, RowDigest>;
  #fold: OracleFold<Event>;

  constructor(compared: Compared<Event>) {
    this.compared = compared;
    const { projection, salt } = compared;
    this.digests = new Map(projection.tables.map((table) => [table.name, new RowDigest(table, salt)]));
    this.#fold = projection.oracle.fold();
  }

  /** Takes the next page of a pass. */
  add(pass: number, page: readonly ProjectedEvent<Event>[]): void {
    for (const event of page)
      if (isFolded(this.compared, pass, event)) for (const row of this.#fold.add(event)) this.#expect(row);
  }

  /** Closes a pass: the whole log up to the checkpoint has been added. */
  endPass(pass: number): void {
    if (pass >= this.compared.passes) return;
    for (const row of this.#fold.rest()) this.#expect(row);
    this.#fold = this.compared.projection.oracle.fold();
  }

  #expect({ table, row }: ExpectedRow): void {
    this.digests.get(table)?.add(row);
  }
}

/** Whether a pass over the log folds an event. */
export function isFolded<Event>(
  { projection, position, passes }: Compared<Event>,
  pass: number,
  { category, recorded }: ProjectedEvent<Event>,
): boolean {
  if (pass >= passes || recorded.position > position || !projection.categories.includes(category)) return false;
  return passes === 1 || share(projection.oracle.keyOf(recorded), passes) === pass;
}

/** Which of `passes` a key belongs to. */
function share(key: string, passes: number): number {
  let hash = 0;
  for (let index = 0; index < key.length; index += 1) hash = (Math.imul(hash, 31) + key.charCodeAt(index)) >>> 0;
  return hash % passes;
}

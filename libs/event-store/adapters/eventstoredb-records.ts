import { positionOf, type Position } from '../event-store.js';

/** Versions that write an append as one piece, by their source; older ones could begin a new chunk of the log within. */
const inOnePiece = /^2[34]\.10\./;

/**
 * Works out where the events of an append stand from the place of the last, which is all that the server tells: a position is
 * where a record begins, and the records of an append lie one behind the other. How long a record is is not the protocol's
 * promise, so it counts only once one append was read back and stood exactly where it was worked out to stand. One for each
 * call, which is to one server process.
 */
export class RecordPlaces {
  #trust: 'never' | 'not yet' | 'proven' = 'never';

  /** To be told the server's version, as it gives it; until then nothing is worked out. */
  serverIs(version: string): void {
    if (inOnePiece.test(version)) this.#trust = 'not yet';
  }

  /** The place of each event, or null when they have to be read. `recordBytes`: the length of each event's record. */
  of(last: Position, recordBytes: readonly number[]): readonly Position[] | null {
    if (recordBytes.length === 1) return [last];
    return this.#trust === 'proven' ? placesBefore(last, recordBytes) : null;
  }

  /** What was read back of an append whose last event stands at `last`. */
  compare(last: Position, recordBytes: readonly number[], actual: readonly Position[]): void {
    if (this.#trust === 'never' || recordBytes.length === 1) return;
    const expected = placesBefore(last, recordBytes);
    this.#trust = expected.every((position, index) => position === actual[index]) ? 'proven' : 'never';
  }
}

function placesBefore(last: Position, recordBytes: readonly number[]): readonly Position[] {
  const places = [last];
  let at = Number(last);
  for (const bytes of recordBytes.slice(0, -1).reverse()) places.push(positionOf((at -= bytes)));
  return places.reverse();
}

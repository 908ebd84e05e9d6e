import { createHash } from 'node:crypto';
import type { Position, RecordedEvent } from '#event-store/port/event-store.js';
import type { ExportEnd } from '#event-store/port/event-line.js';

/** Counts the events of an export, for the line that ends it: the same whoever writes the export and whoever reads it. */
export class ExportTally {
  readonly #hash = createHash('sha256');
  readonly #after: Position;
  #events = 0;
  #position: Position;

  constructor(after: Position) {
    this.#after = after;
    this.#position = after;
  }

  /** Takes the next event. */
  add({ hash, position }: RecordedEvent): void {
    this.#hash.update(hash);
    this.#position = position;
    this.#events += 1;
  }

  /** What all events come to; no more may be added. */
  get end(): ExportEnd {
    const hash = this.#hash.copy().digest('hex');
    return { after: this.#after, events: this.#events, position: this.#position, hash };
  }
}

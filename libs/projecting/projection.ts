import { categoryOf } from '#kernel/stream-name.js';
import { metadataOf, metadataText, type EventMetadata, type RecordedEvent } from '#event-store/port/event-store.js';
import type { Reader } from '../database/database.js';
import type { Table } from './tables.js';
import type { Value } from '../database/values.js';

/** What turns stored events into today's shape, or says why it cannot. */
export type Decode<Event> = (stored: RecordedEvent) => Event | Undecodable;

/** Work stops here until somebody acts: the event cannot be applied, and skipping it would lose money. */
export class PoisonEvent extends Error {
  override readonly name = 'PoisonEvent';
}

type Undecodable = { readonly undecodable: string };
const isUndecodable = <Event>(decoded: Event | Undecodable): decoded is Undecodable =>
  typeof decoded === 'object' && decoded !== null && 'undecodable' in decoded;

/** A stored event with its content, decoded at most once however many projections look at it. */
export class ProjectedEvent<Event> {
  readonly recorded: RecordedEvent;
  /** Of the stream. */
  readonly category: string;
  readonly #decode: Decode<Event>;
  #event: Event | undefined;
  #metadata: EventMetadata | undefined;

  constructor(recorded: RecordedEvent, decode: Decode<Event>) {
    this.recorded = recorded;
    this.category = categoryOf(recorded.stream);
    this.#decode = decode;
  }

  /** The event, or why it cannot be decoded. */
  get decoded(): ReturnType<Decode<Event>> {
    if (this.#event !== undefined) return this.#event;
    const decoded = this.#decode(this.recorded);
    // What failed is tried again: a projection that is resumed may find the same page kept.
    if (!isUndecodable(decoded)) this.#event = decoded;
    return decoded;
  }

  /** Throws PoisonEvent when it cannot be decoded. */
  get event(): Event {
    if (this.#event !== undefined) return this.#event;
    const { decoded } = this;
    if (isUndecodable(decoded)) throw new PoisonEvent(decoded.undecodable);
    return decoded;
  }

  /** Who caused it, read without the rest of the metadata. */
  get actor(): string {
    return metadataText(this.recorded, 'actor');
  }

  get metadata(): EventMetadata {
    this.#metadata ??= metadataOf(this.recorded);
    return this.#metadata;
  }
}

/** A page of the log for projections: whoever gets it shares what is decoded. */
export const projected = <Event>(
  page: readonly RecordedEvent[],
  decode: Decode<Event>,
): readonly ProjectedEvent<Event>[] => page.map((recorded) => new ProjectedEvent(recorded, decode));

/**
 * Writes one generation of a projection. `apply` folds the batch in memory and writes rows in few statements, inside the
 * caller's transaction. It may keep what it wrote to save reading it again: after a failure it is thrown away.
 */
export interface ProjectionWriter<Event> {
  apply(transaction: Reader, batch: readonly ProjectedEvent<Event>[]): Promise<void>;
}

export type ExpectedRow = { readonly table: string; readonly row: { readonly [column: string]: Value } };

/** An independent fold: gives each row that must exist once it cannot change any more, the others at the end. */
export interface OracleFold<Event> {
  add(event: ProjectedEvent<Event>): Iterable<ExpectedRow>;
  rest(): Iterable<ExpectedRow>;
}

export type Oracle<Event> = {
  /** Events and rows with different keys have nothing to do with each other, so they can be folded apart. */
  readonly keyOf: (event: RecordedEvent) => string;
  /** True when the fold gives every row at once and so does not grow with their number. */
  readonly streaming?: boolean;
  readonly fold: () => OracleFold<Event>;
};

export type Projection<Event> = {
  readonly name: string;
  /** Raised whenever tables or handlers change their meaning: the worker then rebuilds it beside the old one. */
  readonly version: number;
  /** The stream categories it looks at; events of others pass by undecoded. */
  readonly categories: readonly string[];
  readonly tables: readonly Table[];
  /** One entry per event type of these categories; a type without an entry halts the projection. */
  readonly handlers: { readonly [type: string]: unknown };
  /** `table` gives the full name of a table of the generation to write. */
  readonly open: (table: (name: string) => string) => ProjectionWriter<Event>;
  readonly oracle: Oracle<Event>;
};

/** The events of a batch that the projection acts upon; those it must not skip and cannot read throw PoisonEvent later. */
export const relevant = <Event>(
  projection: Projection<Event>,
  batch: readonly ProjectedEvent<Event>[],
): readonly ProjectedEvent<Event>[] =>
  batch.filter(
    ({ category, recorded: { type } }) =>
      projection.categories.includes(category) && projection.handlers[type] !== 'ignored',
  );

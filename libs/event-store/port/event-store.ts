import type { Json } from '#kernel/json.js';
import type { StreamName } from '#kernel/stream-name.js';

/**
 * An event's place in the whole log: 19 digits with leading zeros, so places sort as text and as numbers. What it counts is
 * the adapter's own affair.
 */
export type Position = string;

/** The place before every event. */
export const START: Position = '0'.repeat(19);

/** The place that a number stands for, from 0 to 2^63−1. */
export const positionOf = (value: bigint | number): Position => value.toString().padStart(19, '0');

/** The revision of a stream that does not exist; the first event has revision 0. */
export const NO_STREAM = -1;

/** What is known about an event besides its data. Written once, kept as the exact bytes of its JSON. */
export type EventMetadata = {
  /** The caller's idempotency key, or the key of the fact that caused the command. */
  readonly commandKey: string | null;
  /** Fingerprint of the command's body, to refuse the same key with another body. */
  readonly commandHash: string | null;
  /** What caused it: the id of a Stripe event or of another event of the log. */
  readonly causationId: string | null;
  /** Shared by everything that one outside request set off. */
  readonly correlationId: string;
  /** Who: `key:{id}`, `user:{subject}`, `stripe`, `scheduler`, `cli`. */
  readonly actor: string;
  /** When it was recorded; never earlier than the event before it in the stream. */
  readonly recordedAt: string;
};

/** An event ready to be stored: encoded once, these bytes are hashed, written, read and exported as they are. */
export type EncodedEvent = {
  readonly id: string;
  readonly type: string;
  readonly schemaVersion: number;
  /** JSON text of the data. */
  readonly data: string;
  /** JSON text of the EventMetadata. */
  readonly metadata: string;
  /** 64 hexadecimal digits; of the event before it in the stream, zeros for the first. */
  readonly prevHash: string;
  readonly hash: string;
};

/** An event as the log gives it back. */
export type RecordedEvent = EncodedEvent & {
  readonly stream: StreamName;
  readonly revision: number;
  readonly position: Position;
};

export type AppendRequest = {
  readonly stream: StreamName;
  /** Exactly the stream's newest revision; NO_STREAM when it must not exist. */
  readonly expectedRevision: number;
  readonly events: readonly EncodedEvent[];
};

export type AppendResult =
  /** Stored now, or found stored by an earlier identical append. `position`: of the append's last event. */
  | { readonly kind: 'appended'; readonly position: Position }
  /** The stream's newest revision is another; nothing was stored. */
  | { readonly kind: 'conflict'; readonly actualRevision: number }
  /** Some event ids are in the log elsewhere: their commands were done before. Nothing was stored. */
  | { readonly kind: 'duplicate'; readonly eventIds: readonly string[] };

/** The outcome of an append is not known: it may have been stored. The identical append, repeated, settles it. */
export class OutcomeUnknown extends Error {
  override readonly name = 'OutcomeUnknown';
}

/** The store could not be reached or refused to work; what was asked has certainly not happened. */
export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable';
}

/** The store has more waiting than it may hold; nothing was stored. */
export class StoreOverloaded extends Error {
  override readonly name = 'StoreOverloaded';
}

/** Where an event stands. */
export type EventPlace = { readonly stream: StreamName; readonly revision: number };

/**
 * The log. Abstract class: the port and the injection token in one. Every adapter passes `test/contract`.
 * Errors of every method: StoreUnavailable; of append also OutcomeUnknown and StoreOverloaded.
 */
export abstract class EventStore {
  /**
   * Appends to one stream, all or nothing. Safe to repeat identically: a second time finds the first.
   * Adapters that know every event id also answer `duplicate`; see `knowsEveryId`.
   */
  abstract append(request: AppendRequest): Promise<AppendResult>;

  /** True when `append` finds an event id anywhere in the log, however old. If not, `locate` may be incomplete too. */
  abstract readonly knowsEveryId: boolean;

  /** The bytes of the largest append, as `sizeOf` counts its events. A larger one is a bug: the write path plans within it. */
  abstract readonly maxAppendBytes: number;

  /** The bytes that an event takes of an append, or somewhat more. */
  abstract sizeOf(event: EncodedEvent): number;

  /** Where events with these ids stand; ids that are not found are left out. Complete only if `knowsEveryId`. */
  abstract locate(eventIds: readonly string[]): Promise<ReadonlyMap<string, EventPlace>>;

  /** At most `limit` events of a stream in order from `fromRevision` (inclusive); fewer only at the end of the stream. */
  abstract readStream(stream: StreamName, fromRevision: number, limit: number): Promise<readonly RecordedEvent[]>;

  /** At most `limit` events of the whole log in order after `after` (exclusive); empty only at the end of the log. */
  abstract readAll(after: Position, limit: number): Promise<readonly RecordedEvent[]>;

  /**
   * All events after `after`, in log order, in non-empty batches, then the new ones as they come, until `signal` aborts.
   * Pulls: a slow consumer slows only itself. Survives lost connections by itself; ends only by abort.
   */
  abstract subscribe(after: Position, signal: AbortSignal): AsyncIterable<readonly RecordedEvent[]>;

  /** The position of the newest event; START when the log is empty. */
  abstract head(): Promise<Position>;

  /** Ends all subscriptions and connections; appends under way are settled first. */
  abstract close(): Promise<void>;
}

/** The bytes of an event's own texts. */
export const textBytesOf = ({ data, metadata }: EncodedEvent): number =>
  Buffer.byteLength(data) + Buffer.byteLength(metadata);

/** Parses the stored metadata. */
export const metadataOf = (event: EncodedEvent): EventMetadata => JSON.parse(event.metadata) as EventMetadata;

const marks = { actor: '"actor":"', recordedAt: '"recordedAt":"' } as const;
/** Where it begins, from the end: it is written last, and instants are all as long. */
const recordedAtBegins = marks.recordedAt.length + '0000-00-00T00:00:00.000Z"}'.length;

/**
 * One text of the stored metadata without parsing all of it: quotes inside a text are escaped, so nothing else looks like a
 * member's name.
 */
export function metadataText(event: EncodedEvent, member: keyof typeof marks): string {
  const { metadata } = event;
  const mark = marks[member];
  const usual = metadata.length - recordedAtBegins;
  const found = member === 'recordedAt' && metadata.startsWith(mark, usual) ? usual : metadata.indexOf(mark);
  const start = found + mark.length;
  const text = metadata.slice(start, metadata.indexOf('"', start));
  return found < 0 || text.includes('\\') ? metadataOf(event)[member] : text;
}

/** Parses the stored data, as it was written: see the ledger's codec for upcasting. */
export const dataOf = (event: EncodedEvent): Json => JSON.parse(event.data) as Json;

/**
 * The log after `after` in pages, to its end; the next page is read while the caller works on one. Small pages are garbage
 * before they have lived long.
 */
export async function* pagesOf(
  store: EventStore,
  after: Position,
  pageSize = 500,
): AsyncGenerator<readonly RecordedEvent[]> {
  let page = await store.readAll(after, pageSize);
  for (let last = page.at(-1); last !== undefined; last = page.at(-1)) {
    const next = store.readAll(last.position, pageSize);
    next.catch(() => undefined); // it is awaited below, unless the caller leaves early
    yield page;
    page = await next;
  }
}

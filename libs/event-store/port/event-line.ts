import type { Position, RecordedEvent } from './event-store.js';

/** Why a line is not an exported event. */
export type BrokenLine = { readonly broken: string };

/** True for what `parseEventLine` did not accept. */
export const isBroken = (line: RecordedEvent | BrokenLine): line is BrokenLine => 'broken' in line;

/**
 * One event as one line of JSON, the form of exports and of the log's API. The stored bytes of data and metadata are put in
 * as they are, so that `parseEventLine` gets back exactly what was hashed.
 */
export function eventLine(event: RecordedEvent): string {
  const { position, stream, revision, id, type, schemaVersion, data, metadata, prevHash, hash } = event;
  return (
    `{"position":"${position}","stream":${JSON.stringify(stream)},"revision":${String(revision)},"id":"${id}",` +
    `"type":${JSON.stringify(type)},"schemaVersion":${String(schemaVersion)},"data":${data},` +
    `"metadata":${metadata.slice(0, -1)},"prevHash":"${prevHash}","hash":"${hash}"}}`
  );
}

const metadataMark = ',"metadata":{';
const positionMark = '{"position":"';
const hashDigits = 64;
const tailLength = ',"prevHash":"","hash":""}}'.length + 2 * hashDigits;

/** The event of a line that `eventLine` wrote; nothing else is accepted, since other bytes would have another hash. */
export function parseEventLine(line: string): RecordedEvent | BrokenLine {
  const reader = new LineReader(line);
  const position = reader.between(positionMark, '","stream":"');
  const stream = reader.upTo('","revision":');
  const revision = reader.upTo(',"id":"');
  const id = reader.upTo('","type":"');
  const type = reader.upTo('","schemaVersion":');
  const schemaVersion = reader.upTo(',"data":');
  // The last one: metadata of the event holds no object, and quotes inside its texts are escaped.
  const data = reader.upToLast(metadataMark);
  const metadata = reader.upToPlace(line.length - tailLength);
  const prevHash = reader.between(',"prevHash":"', '","hash":"');
  const hash = reader.upTo('"}}');
  const numbered =
    /^\d{19}$/.test(position) && Number.isInteger(Number(revision)) && Number.isInteger(Number(schemaVersion));
  if (!reader.atEnd || !numbered || hash.length !== hashDigits) return { broken: 'the line is not an exported event' };
  return {
    position,
    stream: unescaped(stream),
    revision: Number(revision),
    id,
    type: unescaped(type),
    schemaVersion: Number(schemaVersion),
    data,
    metadata: `{${metadata}}`,
    prevHash,
    hash,
  };
}

/** What the last line of an export says of those before it, so that a file that was cut does not pass for a whole one. */
export type ExportEnd = {
  /** Only what stands after this position was asked for. */
  readonly after: Position;
  readonly events: number;
  /** Of the last event; `after` when there is none. */
  readonly position: Position;
  /** SHA-256, in hexadecimal digits, over the `hash` of every event in turn. Kept elsewhere, it identifies this export. */
  readonly hash: string;
};

/** The line that ends an export. */
export const endLine = ({ after, events, position, hash }: ExportEnd): string =>
  `{"end":{"after":"${after}","events":${String(events)},"position":"${position}","hash":"${hash}"}}`;

const endPattern =
  /^\{"end":\{"after":"(\d{19})","events":(\d{1,16}),"position":"(\d{19})","hash":"([0-9a-f]{64})"\}\}$/;

/** What `endLine` wrote; null for any other line. */
export function parseEndLine(line: string): ExportEnd | null {
  const [, after, events, position, hash] = endPattern.exec(line) ?? [];
  if (after === undefined || position === undefined || hash === undefined) return null;
  return { after, events: Number(events), position, hash };
}

/** Text inside quotes has no quotes of its own, so the first mark that follows ends it. */
class LineReader {
  #place = 0;
  #failed = false;

  constructor(private readonly line: string) {}

  get atEnd(): boolean {
    return !this.#failed && this.#place === this.line.length;
  }

  between(before: string, after: string): string {
    if (!this.line.startsWith(before, this.#place)) this.#failed = true;
    this.#place += before.length;
    return this.upTo(after);
  }

  upTo(mark: string): string {
    return this.#take(this.line.indexOf(mark, this.#place), mark.length);
  }

  upToLast(mark: string): string {
    return this.#take(this.line.lastIndexOf(mark), mark.length);
  }

  upToPlace(place: number): string {
    return this.#take(place, 0);
  }

  #take(end: number, skip: number): string {
    if (end < this.#place) {
      this.#failed = true;
      return '';
    }
    const text = this.line.slice(this.#place, end);
    this.#place = end + skip;
    return text;
  }
}

function unescaped(text: string): string {
  if (!text.includes('\\')) return text;
  try {
    return JSON.parse(`"${text}"`) as string;
  } catch {
    return text; // its hash will not fit
  }
}

import { positionOf, type RecordedEvent } from './event-store.js';

/** Why a line is not an exported event. */
export type BrokenLine = { readonly broken: string };

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

const linePattern =
  /^\{"position":"(\d{1,19})","stream":("(?:[^"\\]|\\.)*"),"revision":(\d{1,15}),"id":"([^"\\]*)","type":("(?:[^"\\]|\\.)*"),"schemaVersion":(\d{1,9}),"data":/;
const tailPattern = /,"prevHash":"([^"\\]*)","hash":"([^"\\]*)"\}\}$/;
const metadataMark = ',"metadata":{';

/** The event of a line that `eventLine` wrote; nothing else is accepted, since other bytes would have another hash. */
export function parseEventLine(line: string): RecordedEvent | BrokenLine {
  const head = linePattern.exec(line);
  // Looked for at the end only: text inside the data cannot have this form there.
  const tail = tailPattern.exec(line.slice(-200));
  if (head === null || tail === null) return { broken: 'the line is not an exported event' };
  const [start, position = '', stream = '', revision, id = '', type = '', schemaVersion] = head;
  const [end, prevHash = '', hash = ''] = tail;
  // The last one: metadata of the event holds no object, and quotes inside its texts are escaped.
  const mark = line.lastIndexOf(metadataMark);
  if (mark < start.length) return { broken: 'the line has no metadata' };
  return {
    position: positionOf(BigInt(position)),
    stream: JSON.parse(stream) as string,
    revision: Number(revision),
    id,
    type: JSON.parse(type) as string,
    schemaVersion: Number(schemaVersion),
    data: line.slice(start.length, mark),
    metadata: `${line.slice(mark + metadataMark.length - 1, line.length - end.length)}}`,
    prevHash,
    hash,
  };
}

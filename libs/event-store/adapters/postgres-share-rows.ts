import { ChainPreimage } from '../chain-preimage.js';
import { positionOf, type RecordedEvent } from '../event-store.js';
import type { HashedEvents, ShareBytes } from '../log-shares.js';
import { TextCache } from '../text-cache.js';

/** The columns of a row, in the order in which they are read here. */
export const columnsOfRows = 'stream, position, revision, schema_version, id, type, prev_hash, hash, data, metadata';

/** Each field has its length in bytes before it. */
const LENGTH_BYTES = 4;

/** Where the stream's name is in a row whose first field stands at `start`. */
export const streamIn = (row: Buffer, start: number): { readonly from: number; readonly to: number } => {
  const from = start + LENGTH_BYTES;
  return { from, to: from + row.readInt32BE(start) };
};

/**
 * So many events are read at once: what is made of more would be copied by each collection of garbage that comes meanwhile; a processor
 * that does all there is to do for one event before the next finds none of the programs in its nearest memory.
 */
const eventsMax = 32;

/** The events of rows in PostgreSQL's binary form, which follow each other without the numbers of their fields. */
export function* eventsInRows(bytes: ShareBytes): Iterable<HashedEvents> {
  const rows = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let place = 0; place < rows.length;) {
    const events: RecordedEvent[] = [];
    const contentHashes: string[] = [];
    while (place < rows.length && events.length < eventsMax) place = readRow(rows, place, events, contentHashes);
    yield { events, contentHashes };
  }
}

const names = new TextCache();
const preimage = new ChainPreimage();

/** Reads the row at `start`; answers where the next one is. */
function readRow(rows: Buffer, start: number, events: RecordedEvent[], contentHashes: string[]): number {
  let end = start;
  const next = (): number => {
    const from = end + LENGTH_BYTES;
    end = from + rows.readInt32BE(end);
    return from;
  };
  const streamAt = next();
  const streamEnd = end;
  const positionAt = next();
  const position = positionOf(rows.readUInt32BE(positionAt) * 2 ** 32 + rows.readUInt32BE(positionAt + 4));
  const revision = rows.readInt32BE(next());
  const schemaVersion = rows.readInt32BE(next());
  const idAt = next();
  const typeAt = next();
  const typeEnd = end;
  const prevHashAt = next();
  const prevHash = rows.toString('hex', prevHashAt, end);
  const hash = rows.toString('hex', next(), end);
  const dataAt = next();
  const dataEnd = end;
  const metadataAt = next();
  preimage.start(rows, end - start);
  preimage.hex(prevHashAt);
  preimage.text(streamAt, streamEnd);
  preimage.number(revision);
  const id = preimage.uuid(idAt);
  preimage.text(typeAt, typeEnd);
  preimage.number(schemaVersion);
  preimage.text(dataAt, dataEnd);
  preimage.text(metadataAt, end);
  contentHashes.push(preimage.chainHash());
  events.push({
    position,
    revision,
    schemaVersion,
    id,
    stream: names.text(rows, streamAt, streamEnd),
    type: names.text(rows, typeAt, typeEnd),
    prevHash,
    hash,
    data: rows.toString('utf8', dataAt, dataEnd),
    metadata: rows.toString('utf8', metadataAt, end),
  });
  return end;
}

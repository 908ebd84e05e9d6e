import { positionOf, type RecordedEvent } from '../port/event-store.js';

/** The columns of an event, in the order of Row. */
export const columns =
  "position, revision, schema_version, id, stream, type, encode(prev_hash, 'hex'), encode(hash, 'hex'), data, metadata";

export type Row = [string, number, number, string, string, string, string, string, string, string];

/** The event of a row with these columns. */
export const eventOf = (row: Row | [...Row, number]): RecordedEvent => ({
  id: row[3],
  type: row[5],
  schemaVersion: row[2],
  data: row[8],
  metadata: row[9],
  prevHash: row[6],
  hash: row[7],
  stream: row[4],
  revision: row[1],
  position: positionOf(Number(row[0])),
});

import shared, { type StreamIdentifier } from '@eventstore/db-client/generated/shared_pb.js';
import { assert } from '#kernel/assert.js';
import type { StreamName } from '#kernel/stream-name.js';
import { ZERO_HASH } from '../encode-event.js';
import {
  NO_STREAM,
  positionOf,
  type AppendRequest,
  type EncodedEvent,
  type Position,
  type RecordedEvent,
} from '../event-store.js';
import { fieldBytes, ProtobufReader, ProtobufWriter, varintBytes } from './protobuf.js';

/** The paths and messages of the protocol (`streams.proto`, `shared.proto` and `status.proto` of EventStoreDB) that are used for every event. */
export const APPENDS = '/event_store.client.streams.Streams/BatchAppend';
export const READS = '/event_store.client.streams.Streams/Read';

/**
 * The server's id of an event: from its hash, not its id. The server takes an append for a repetition of an earlier one when
 * the ids are the same; so it does exactly when the content is the same, down to the byte.
 */
const wireId = (hash: string): string =>
  `${hash.slice(0, 8)}-${hash.slice(8, 12)}-8${hash.slice(13, 16)}-a${hash.slice(17, 20)}-${hash.slice(20, 32)}`;

/**
 * Metadata as stored: `{"hash":…,"prevHash":…,"id":…,"schemaVersion":…` and then what the event's own metadata holds, byte for
 * byte. One JSON object, so consoles and projections can read it; of known widths, so the original can be cut out again.
 */
const storedMetadata = (event: EncodedEvent): string => {
  const { hash, prevHash, id, schemaVersion, metadata } = event;
  assert(hash.length === 64 && prevHash.length === 64 && id.length === 36, 'hashes have 64 characters, ids 36');
  assert(metadata.startsWith('{') && metadata.endsWith('}'), 'metadata is a JSON object');
  const own = metadata.slice(1);
  return `{"hash":"${hash}","prevHash":"${prevHash}","id":"${id}","schemaVersion":${String(schemaVersion)}${own.trimStart() === '}' ? '' : ','}${own}`;
};

const prefix =
  /^\{"hash":"([0-9a-f]{64})","prevHash":"([0-9a-f]{64})","id":"([0-9a-f-]{36})","schemaVersion":(\d+)(,?)/;

/** A stream's name as the generated messages want it. */
export const streamIdentifier = (stream: StreamName): StreamIdentifier =>
  new shared.StreamIdentifier().setStreamName(Buffer.from(stream).toString('base64'));

/** An append as it goes over the wire. */
export type EncodedAppend = {
  /** A `BatchAppendReq`. */
  readonly message: Buffer;
  /** The bytes of its events, as the server counts them for its limit. */
  readonly bytes: number;
  /** The length of each event's record in the log, as EventStoreDB 23.10 and 24 write records. */
  readonly recordBytes: readonly number[];
};

const UUID_TEXT = 36;
/** A field 1 that holds an id as text: field 2 of a `UUID`. */
const ID_BYTES = fieldBytes(fieldBytes(UUID_TEXT));
const TYPE_KEY = Buffer.from('\x0a\x04type', 'latin1');
const JSON_CONTENT = Buffer.from('\x12\x20\x0a\x0ccontent-type\x12\x10application/json', 'latin1');

/** The message that asks for `request`; the answer to it will name `count`. */
export function encodeAppend(request: AppendRequest, count: number): EncodedAppend {
  const { stream, events, expectedRevision } = request;
  const streamBytes = Buffer.byteLength(stream);
  const proposals = events.map((event) => {
    const metadata = storedMetadata(event);
    const lengths = {
      type: Buffer.byteLength(event.type),
      data: Buffer.byteLength(event.data),
      metadata: Buffer.byteLength(metadata),
    };
    const type = TYPE_KEY.length + fieldBytes(lengths.type);
    const length =
      ID_BYTES + fieldBytes(type) + JSON_CONTENT.length + fieldBytes(lengths.metadata) + fieldBytes(lengths.data);
    return { event, metadata, lengths, type, length };
  });
  const revisionBytes = expectedRevision === NO_STREAM ? fieldBytes(0) : 1 + varintBytes(expectedRevision);
  const options = fieldBytes(fieldBytes(streamBytes)) + revisionBytes;
  const length = proposals.reduce(
    (sum, proposal) => sum + fieldBytes(proposal.length),
    ID_BYTES + fieldBytes(options) + 2,
  );
  const writer = new ProtobufWriter(length);
  writeId(writer, `00000000-0000-4000-8000-${count.toString(16).padStart(12, '0')}`);
  writer.open(2, options);
  writer.open(1, fieldBytes(streamBytes));
  writer.text(3, stream, streamBytes);
  if (expectedRevision === NO_STREAM) writer.open(3, 0);
  else writer.integer(2, expectedRevision);
  for (const proposal of proposals) {
    const { event, lengths } = proposal;
    writer.open(3, proposal.length);
    writeId(writer, wireId(event.hash));
    writer.open(2, proposal.type);
    writer.part(TYPE_KEY);
    writer.text(2, event.type, lengths.type);
    writer.part(JSON_CONTENT);
    writer.text(3, proposal.metadata, lengths.metadata);
    writer.text(4, event.data, lengths.data);
  }
  writer.integer(4, 1);
  assert(writer.full, 'a message is as long as was worked out');
  return {
    message: writer.buffer,
    bytes: proposals.reduce((sum, { lengths }) => sum + lengths.type + lengths.data + lengths.metadata, 0),
    recordBytes: proposals.map(({ lengths }) => recordBytes(streamBytes, lengths)),
  };
}

function writeId(writer: ProtobufWriter, id: string): void {
  writer.open(1, fieldBytes(UUID_TEXT));
  writer.text(2, id, UUID_TEXT);
}

/**
 * The length of an event's record: two lengths, kind, version, position, flags, place in the append (two), revision, two ids,
 * time, and the lengths of data and metadata are 88 bytes; texts have their length before them as a varint.
 */
const recordBytes = (
  stream: number,
  { type, data, metadata }: { type: number; data: number; metadata: number },
): number => 88 + varintBytes(stream) + stream + varintBytes(type) + type + data + metadata;

/** What the server said of one append (`BatchAppendResp`). */
export type WireAnswer = {
  /** Which append: its count; -1 when that cannot be told. */
  readonly count: number;
  readonly result:
    /** `position`: of the last event, null when the server gave none. */
    | { readonly kind: 'success'; readonly revision: number; readonly position: Position | null }
    | { readonly kind: 'wrong_version'; readonly actualRevision: number }
    | { readonly kind: 'status'; readonly code: number }
    | { readonly kind: 'none' };
};

/** Throws RangeError when the bytes are no message. */
export function decodeAnswer(bytes: Buffer): WireAnswer {
  const answer = new ProtobufReader(bytes);
  let count = -1;
  let result: WireAnswer['result'] = { kind: 'none' };
  for (let field = answer.next(); field !== 0; field = answer.next()) {
    if (field === 1) count = Number.parseInt(uuidOf(answer.message()).slice(-12), 16);
    else if (field === 2) result = failureOf(answer.message());
    else if (field === 3) result = successOf(answer.message());
  }
  return { count: Number.isNaN(count) ? -1 : count, result };
}

function successOf(success: ProtobufReader): WireAnswer['result'] {
  let revision = NO_STREAM;
  let position: Position | null = null;
  for (let field = success.next(); field !== 0; field = success.next()) {
    if (field === 1) revision = success.integer();
    else if (field === 3) {
      const place = success.message();
      let commit = 0;
      for (let part = place.next(); part !== 0; part = place.next()) if (part === 1) commit = place.integer();
      position = positionOfCommit(commit);
    }
  }
  return { kind: 'success', revision, position };
}

function failureOf(status: ProtobufReader): WireAnswer['result'] {
  let result: WireAnswer['result'] | null = null;
  let code = 0;
  for (let field = status.next(); field !== 0; field = status.next()) {
    if (field === 1) code = status.integer();
    else if (field === 3) result = conflictOf(status.message());
  }
  return result ?? { kind: 'status', code };
}

/** The details of a status: what they are, and they themselves. */
function conflictOf(details: ProtobufReader): WireAnswer['result'] | null {
  let isConflict = false;
  let actualRevision = NO_STREAM;
  for (let field = details.next(); field !== 0; field = details.next()) {
    if (field === 1) isConflict = details.text().endsWith('/event_store.client.WrongExpectedVersion');
    else if (field === 2 && isConflict) {
      const conflict = details.message();
      for (let part = conflict.next(); part !== 0; part = conflict.next())
        if (part === 1) actualRevision = conflict.integer();
    }
  }
  return isConflict ? { kind: 'wrong_version', actualRevision } : null;
}

function uuidOf(uuid: ProtobufReader): string {
  for (let field = uuid.next(); field !== 0; field = uuid.next()) if (field === 2) return uuid.text();
  return '';
}

/** The position of a commit; null when the server gave none, for which it has a number beyond all positions. */
const positionOfCommit = (commit: number): Position | null =>
  Number.isSafeInteger(commit) ? positionOf(commit) : null;

/**
 * The event in an answer to a read (`ReadResp`); null for one that brings none, such as a checkpoint. Throws RangeError when the
 * bytes are no message.
 */
export function decodeRead(bytes: Buffer): RecordedEvent | null {
  const answer = new ProtobufReader(bytes);
  for (let field = answer.next(); field !== 0; field = answer.next()) {
    if (field !== 1) continue;
    const read = answer.message();
    for (let part = read.next(); part !== 0; part = read.next()) if (part === 1) return eventOf(read.message());
  }
  return null;
}

/** A `RecordedEvent` of the protocol. */
function eventOf(recorded: ProtobufReader): RecordedEvent {
  let [wireId, stream, type, metadata, data] = ['', '', '', '', ''];
  let revision = 0;
  let commit = 0;
  for (let field = recorded.next(); field !== 0; field = recorded.next()) {
    if (field === 1) wireId = uuidOf(recorded.message());
    else if (field === 2) stream = nameOf(recorded.message());
    else if (field === 3) revision = recorded.integer();
    else if (field === 5) commit = recorded.integer();
    else if (field === 6) type = typeOf(recorded.message()) ?? type;
    else if (field === 7) metadata = recorded.text();
    else if (field === 8) data = recorded.text();
  }
  const position = positionOfCommit(commit);
  assert(position !== null, 'the server gives the position of every event');
  return { stream, revision, position, type, data, ...ownMetadata(metadata, wireId) };
}

function nameOf(identifier: ProtobufReader): string {
  for (let field = identifier.next(); field !== 0; field = identifier.next()) if (field === 3) return identifier.text();
  return '';
}

/** The value of an entry of the server's metadata, if it is the type. */
function typeOf(entry: ProtobufReader): string | null {
  let key = '';
  let value = '';
  for (let field = entry.next(); field !== 0; field = entry.next()) {
    if (field === 1) key = entry.text();
    else if (field === 2) value = entry.text();
  }
  return key === 'type' ? value : null;
}

/**
 * What the stored metadata hold. An event that Scrip did not write, or that was damaged, comes as it is, with the zero hash and
 * schema version 0: who needs to understand it will stop there, instead of passing over it.
 */
function ownMetadata(
  metadata: string,
  wireId: string,
): Pick<RecordedEvent, 'id' | 'metadata' | 'schemaVersion' | 'prevHash' | 'hash'> {
  const found = prefix.exec(metadata);
  if (!found) return { id: wireId, metadata, schemaVersion: 0, prevHash: ZERO_HASH, hash: ZERO_HASH };
  const [all, hash = '', prevHash = '', id = '', schemaVersion] = found;
  return { id, metadata: `{${metadata.slice(all.length)}`, schemaVersion: Number(schemaVersion), prevHash, hash };
}

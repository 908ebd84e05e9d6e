import shared, { type StreamIdentifier } from '@eventstore/db-client/generated/shared_pb.js';
import streams, { type ReadResp } from '@eventstore/db-client/generated/streams_pb.js';
import { assert } from '#kernel/assert.js';
import type { StreamName } from '#kernel/stream-name.js';
import { ZERO_HASH } from '../encode-event.js';
import { NO_STREAM, type AppendRequest, type EncodedEvent, type Position, type RecordedEvent } from '../event-store.js';

type StoredEvent = ReadResp.ReadEvent.RecordedEvent;

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

/** A stream's name as the protocol wants it. */
export const streamIdentifier = (stream: StreamName): StreamIdentifier =>
  new shared.StreamIdentifier().setStreamName(Buffer.from(stream).toString('base64'));

/** An id as the protocol wants it. */
export const uuid = (text: string) => new shared.UUID().setString(text);

/** The message that asks for `request`, and the bytes of its events. */
export function encodeAppend(request: AppendRequest, correlationId: string) {
  const options = new streams.BatchAppendReq.Options().setStreamIdentifier(streamIdentifier(request.stream));
  if (request.expectedRevision === NO_STREAM) options.setNoStream(new shared.Empty());
  else options.setStreamPosition(String(request.expectedRevision));
  const message = new streams.BatchAppendReq()
    .setCorrelationId(uuid(correlationId))
    .setOptions(options)
    .setIsFinal(true);
  let bytes = 0;
  for (const event of request.events) {
    const data = new Uint8Array(Buffer.from(event.data));
    const metadata = new Uint8Array(Buffer.from(storedMetadata(event)));
    bytes += data.length + metadata.length + event.type.length;
    const proposed = new streams.BatchAppendReq.ProposedMessage()
      .setId(uuid(wireId(event.hash)))
      .setData(data)
      .setCustomMetadata(metadata);
    proposed.getMetadataMap().set('type', event.type).set('content-type', 'application/json');
    message.addProposedMessages(proposed);
  }
  return { message, bytes };
}

const text = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');

const LARGEST_POSITION = 2n ** 63n - 1n;

/** The position of a commit; null when the server gave none. */
export const positionOfCommit = (commit: string): Position | null =>
  BigInt(commit) > LARGEST_POSITION ? null : commit.padStart(19, '0');

/**
 * An event as the log holds it. One that Scrip did not write, or that was damaged, comes as it is, with the zero hash and
 * schema version 0: who needs to understand it will stop there, instead of passing over it.
 */
export function decodeEvent(stored: StoredEvent): RecordedEvent {
  const position = positionOfCommit(stored.getCommitPosition());
  assert(position !== null, 'the server gives the position of every event');
  const place = {
    stream: text(stored.getStreamIdentifier()?.getStreamName_asU8() ?? new Uint8Array()),
    revision: Number(stored.getStreamRevision()),
    position,
    type: stored.getMetadataMap().get('type') ?? '',
    data: text(stored.getData_asU8()),
  };
  const metadata = text(stored.getCustomMetadata_asU8());
  const found = prefix.exec(metadata);
  if (!found) {
    const id = stored.getId()?.getString() ?? '';
    return { ...place, id, metadata, schemaVersion: 0, prevHash: ZERO_HASH, hash: ZERO_HASH };
  }
  const [all, hash = '', prevHash = '', id = '', schemaVersion] = found;
  return {
    ...place,
    id,
    metadata: `{${metadata.slice(all.length)}`,
    schemaVersion: Number(schemaVersion),
    prevHash,
    hash,
  };
}

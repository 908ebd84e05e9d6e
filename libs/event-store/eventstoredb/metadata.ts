import type { AllStreamRecordedEvent, BinaryEventData, ResolvedEvent } from '@eventstore/db-client';
import { assert } from '#kernel/assert.js';
import { ZERO_HASH } from '../port/encode-event.js';
import { positionOf, type EncodedEvent, type RecordedEvent } from '../port/event-store.js';

/** An event as the client gives it. */
export type ReceivedEvent = AllStreamRecordedEvent | NonNullable<ResolvedEvent['event']>;

/** What is stored as the server's metadata of an event: one JSON object, which consoles show. */
type StoredMetadata = Pick<EncodedEvent, 'hash' | 'prevHash' | 'id' | 'schemaVersion'> & {
  /** The event's own metadata as text: the client gives JSON only parsed, and the hash is of the exact bytes. */
  readonly metadata: string;
};

const encoder = new TextEncoder();

/**
 * The server's id of an event: from its hash, not its id. The server takes an append for a repetition of an earlier one when
 * the ids are the same; so it does exactly when the content is the same, down to the byte.
 */
const serverId = (hash: string): string =>
  `${hash.slice(0, 8)}-${hash.slice(8, 12)}-8${hash.slice(13, 16)}-a${hash.slice(17, 20)}-${hash.slice(20, 32)}`;

/** An event as it is appended. Bytes, because the client parses and prints again whatever is called JSON. */
export function proposalOf(event: EncodedEvent): BinaryEventData {
  const { hash, prevHash, id, schemaVersion, metadata } = event;
  assert(hash.length === 64 && prevHash.length === 64 && id.length === 36, 'hashes have 64 characters, ids 36');
  const stored: StoredMetadata = { hash, prevHash, id, schemaVersion, metadata };
  return {
    id: serverId(hash),
    contentType: 'application/octet-stream',
    type: event.type,
    data: encoder.encode(event.data),
    metadata: encoder.encode(JSON.stringify(stored)),
  };
}

/** Names, marks, hashes, id and schema version in the server's metadata, with room to spare. */
const ENVELOPE_BYTES = 300;

/**
 * The most bytes that an event counts for the server's limit, known without encoding it: a type counts two bytes for a
 * character, and the event's own metadata, a text within JSON, at most doubles.
 */
export const proposalBytesOf = ({ type, data, metadata }: EncodedEvent): number =>
  2 * type.length + Buffer.byteLength(data) + 2 * Buffer.byteLength(metadata) + ENVELOPE_BYTES;

/**
 * An event as the log gives it back. One that Scrip did not write, or that was damaged, comes as it is, with the zero hash and
 * schema version 0: a reader that needs to understand it stops there, instead of passing over it.
 */
export function recordedOf(event: ReceivedEvent): RecordedEvent {
  const { streamId: stream, type, metadata, position } = event;
  assert(position !== undefined && position.commit <= Number.MAX_SAFE_INTEGER, 'the server gives every position');
  const own = isStored(metadata)
    ? {
        id: metadata.id,
        metadata: metadata.metadata,
        schemaVersion: metadata.schemaVersion,
        prevHash: metadata.prevHash,
        hash: metadata.hash,
      }
    : { id: event.id, metadata: textOf(metadata ?? ''), schemaVersion: 0, prevHash: ZERO_HASH, hash: ZERO_HASH };
  return {
    stream,
    revision: Number(event.revision),
    position: positionOf(position.commit),
    type,
    data: textOf(event.data),
    ...own,
  };
}

/** What the server itself writes, into streams of its own and into those of others, such as the mark of a deleted stream. */
export const isSystem = ({ stream, type }: RecordedEvent): boolean => stream.startsWith('$') || type.startsWith('$');

function isStored(metadata: unknown): metadata is StoredMetadata {
  if (typeof metadata !== 'object' || metadata === null) return false;
  const { hash, prevHash, id, schemaVersion, metadata: own } = metadata as Record<keyof StoredMetadata, unknown>;
  return [hash, prevHash, id, own].every((text) => typeof text === 'string') && typeof schemaVersion === 'number';
}

function textOf(content: unknown): string {
  if (content instanceof Uint8Array)
    return Buffer.from(content.buffer, content.byteOffset, content.byteLength).toString('utf8');
  return typeof content === 'string' ? content : JSON.stringify(content);
}

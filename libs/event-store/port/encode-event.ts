import { hash } from 'node:crypto';
import type { EncodedEvent, EventMetadata } from './event-store.js';
import type { StreamName } from '#kernel/stream-name.js';

export const ZERO_HASH = '0'.repeat(64);

/** Text with its length in bytes before it, so that no two different lists of fields have the same bytes. */
const field = (text: string): string => `${Buffer.byteLength(text)}:${text}`;
/** What every preimage begins with. */
const domainField = field('scrip-event-v1');

/**
 * The SHA-256 that chains an event to the one before it in its stream. Over: domain, previous hash, stream, revision, id,
 * type, schema version, data and metadata, each with its length before it.
 */
export function chainHash(stream: StreamName, revision: number, event: Omit<EncodedEvent, 'hash'>): string {
  const { data, metadata } = event;
  const head =
    domainField +
    field(event.prevHash) +
    field(stream) +
    field(String(revision)) +
    field(event.id) +
    field(event.type) +
    field(String(event.schemaVersion)) +
    `${Buffer.byteLength(data)}:`;
  const between = `${Buffer.byteLength(metadata)}:`;
  const most = (head.length + data.length + between.length + metadata.length) * 3;
  // Written piece by piece: joined as texts they would be copied once more before they are bytes.
  const preimage = most <= hashScratch.length ? hashScratch : Buffer.allocUnsafe(most);
  let end = preimage.write(head, 0);
  end += preimage.write(data, end);
  end += preimage.write(between, end);
  end += preimage.write(metadata, end);
  return hash('sha256', preimage.subarray(0, end), 'hex');
}

/** Room for what is hashed, so that the common case allocates nothing. */
const hashScratch = Buffer.allocUnsafe(64 * 1024);

/** Encodes an event once: JSON text of data and metadata, and the hash that chains it to `prevHash`. */
export function encodeEvent(
  stream: StreamName,
  revision: number,
  prevHash: string,
  event: { id: string; type: string; schemaVersion: number; data: object; metadata: EventMetadata },
): EncodedEvent {
  const encoded = {
    id: event.id,
    type: event.type,
    schemaVersion: event.schemaVersion,
    data: JSON.stringify(event.data),
    metadata: JSON.stringify(event.metadata),
    prevHash,
    hash: '',
  };
  encoded.hash = chainHash(stream, revision, encoded);
  return encoded;
}

/**
 * UUIDv5 (RFC 9562) of a name in Scrip's namespace. Event ids are `eventId(stream, origin, key, index)`: the same command
 * has the same ids for ever, which is what lets a lost answer be settled by repeating the append.
 */
export function eventId(stream: StreamName, origin: string, key: string, index: number): string {
  const name = field(stream) + field(origin) + field(key) + String(index);
  const length = namespace.length + Buffer.byteLength(name);
  const preimage = length <= idScratch.length ? idScratch : Buffer.concat([namespace, Buffer.alloc(length)]);
  preimage.write(name, namespace.length);
  const hex = hash('sha1', preimage.subarray(0, length), 'hex');
  const variant = ((parseInt(hex.charAt(16), 16) & 0x3) | 0x8).toString(16);
  // Written and read back as one: ids are kept by the thousand, and a text put together from slices keeps all of them.
  uuid.write(hex.slice(0, 8), 0, 'latin1');
  uuid.write(hex.slice(8, 12), 9, 'latin1');
  uuid.write(hex.slice(13, 16), 15, 'latin1');
  uuid.write(variant, 19, 'latin1');
  uuid.write(hex.slice(17, 20), 20, 'latin1');
  uuid.write(hex.slice(20, 32), 24, 'latin1');
  return uuid.toString('latin1');
}

const uuid = Buffer.from('xxxxxxxx-xxxx-5xxx-vxxx-xxxxxxxxxxxx');
const namespace = Buffer.from('6f0b7c7e5d5a4c1f9a3e2b8d4c6e7f10', 'hex');
/** The namespace with room for a name behind it, so that the common case copies nothing twice. */
const idScratch = Buffer.concat([namespace, Buffer.alloc(1024)]);

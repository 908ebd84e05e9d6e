import { expect, test } from '@jest/globals';
import { createHash } from 'node:crypto';
import { chainHash, encodeEvent, eventId, ZERO_HASH } from './encode-event.js';

test('an event id is the UUIDv5 of its name, however long', () => {
  const namespace = Buffer.from('6f0b7c7e5d5a4c1f9a3e2b8d4c6e7f10', 'hex');
  for (const key of ['k', 'é€😀', 'x'.repeat(255), 'y'.repeat(5_000)]) {
    const name = `11:account-ada3:api${String(Buffer.byteLength(key))}:${key}7`;
    const digest = createHash('sha1').update(namespace).update(name).digest();
    digest[6] = (digest[6]! & 0x0f) | 0x50;
    digest[8] = (digest[8]! & 0x3f) | 0x80;
    const hex = digest.subarray(0, 16).toString('hex');
    const expected = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
    expect(eventId('account-ada', 'api', key, 7)).toBe(expected);
  }
});

test('names that only run into each other differently have different ids', () => {
  expect(eventId('account-a', 'api', 'b1', 1)).not.toBe(eventId('account-a', 'api', 'b', 11));
  expect(eventId('account-ab', 'api', 'c', 0)).not.toBe(eventId('account-a', 'api', 'bc', 0));
});

test('the hash covers every field and the event before', () => {
  const metadata = {
    ...{ commandKey: null, commandHash: null, causationId: null },
    ...{ correlationId: 'c', actor: 'a', recordedAt: '2026-01-01T00:00:00.000Z' },
  };
  const event = encodeEvent('account-a', 3, ZERO_HASH, {
    id: 'i',
    type: 'T',
    schemaVersion: 1,
    data: { a: 1 },
    metadata,
  });
  expect(chainHash('account-a', 3, event)).toBe(event.hash);
  const hashes = [
    chainHash('account-b', 3, event),
    chainHash('account-a', 4, event),
    ...(['id', 'type', 'data', 'metadata', 'prevHash'] as const).map((field) =>
      chainHash('account-a', 3, { ...event, [field]: `${event[field]} ` }),
    ),
    chainHash('account-a', 3, { ...event, schemaVersion: 2 }),
  ];
  expect(new Set([event.hash, ...hashes]).size).toBe(hashes.length + 1);
});

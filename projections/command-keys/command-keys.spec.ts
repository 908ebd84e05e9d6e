import { expect, it } from '@jest/globals';
import { encodeEvent, eventId, ZERO_HASH } from '#event-store/port/encode-event.js';
import { positionOf } from '#event-store/port/event-store.js';
import { ledgerCodec } from '#ledger/events.js';
import { projected } from '#projecting/projection.js';
import { commandKeysProjection } from './command-keys.js';

it('has every event, also of commands that had no key', () => {
  const encoded = encodeEvent('account-acme', 0, ZERO_HASH, {
    id: eventId('account-acme', 'scheduler', 'none', 0),
    type: 'AccountFrozen',
    schemaVersion: 1,
    data: {},
    metadata: {
      commandKey: null,
      commandHash: null,
      causationId: null,
      correlationId: 'test',
      actor: 'scheduler',
      recordedAt: '2026-11-01T00:00:00.000Z',
    },
  });
  const recorded = { ...encoded, stream: 'account-acme', revision: 0, position: positionOf(1) };
  const [event] = projected([recorded], ledgerCodec.decode);
  expect([...commandKeysProjection.oracle.fold().add(event!)]).toEqual([
    { table: 'command_keys', row: { event_id: encoded.id, stream: 'account-acme', revision: 0 } },
  ]);
});

import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { encodeEvent, ZERO_HASH } from './encode-event.js';
import { eventLine, parseEventLine } from './event-line.js';
import { positionOf, type RecordedEvent } from './event-store.js';

function recorded(stream: string, data: object, commandKey: string | null): RecordedEvent {
  const metadata = {
    commandKey,
    commandHash: null,
    causationId: null,
    correlationId: 'c-1',
    actor: 'key:k1',
    recordedAt: '2026-11-21T08:00:00.000Z',
  };
  const id = '3f2a5c1e-0000-5000-8000-000000000001';
  const event = encodeEvent(stream, 3, ZERO_HASH, { id, type: 'CreditsGranted', schemaVersion: 1, data, metadata });
  return { ...event, stream, revision: 3, position: positionOf(42) };
}

describe('an exported line', () => {
  it('is the event of the API', () => {
    const line = eventLine(recorded('account-acme', { amount: 5 }, 'k'));
    expect(JSON.parse(line)).toMatchObject({
      position: '0000000000000000042',
      stream: 'account-acme',
      revision: 3,
      type: 'CreditsGranted',
      schemaVersion: 1,
      data: { amount: 5 },
      metadata: { commandKey: 'k', actor: 'key:k1', prevHash: ZERO_HASH },
    });
  });

  it('gives back the stored bytes, whatever they hold', () => {
    const tricky = { metadata: { prevHash: 'x', hash: 'y' }, text: ',"metadata":{"commandKey":null}}', line: 'a\nb' };
    const event = recorded('account-a"b\\', tricky, '","metadata":{"x":1');
    expect(eventLine(event)).not.toContain('\n');
    expect(parseEventLine(eventLine(event))).toEqual(event);
  });

  it('gives back any JSON', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.string(), (data, key) => {
        const event = recorded('account-acme', data, key);
        expect(parseEventLine(eventLine(event))).toEqual(event);
      }),
    );
  });

  it.each(['', '{}', 'null', '{"position":"1"}', eventLine(recorded('account-a', {}, null)).slice(0, -1)])(
    'refuses %s',
    (line) => {
      expect(parseEventLine(line)).toHaveProperty('broken');
    },
  );
});

import { describe, expect, it } from '@jest/globals';
import type { RecordedEvent } from '#event-store/port/event-store.js';
import { isWanted, type EventFilter } from './event-filter.js';

const event = (
  stream: string,
  data: object = {},
  type = 'CreditsGranted',
  recordedAt = '2026-11-21T08:00:00.000Z',
): RecordedEvent => ({
  id: 'id',
  type,
  schemaVersion: 1,
  data: JSON.stringify(data),
  metadata: JSON.stringify({ recordedAt }),
  prevHash: '',
  hash: '',
  stream,
  revision: 0,
  position: '1',
});
const all: EventFilter = { stream: null, customerId: null, types: null, from: null, to: null };

describe('isWanted', () => {
  it('finds the events of a customer in all their streams, and only theirs', () => {
    const ofAcme = (recorded: RecordedEvent): boolean => isWanted(recorded, { ...all, customerId: 'acme' });
    expect(
      [
        event('account-acme'),
        event('account-acme.tokens'),
        event('customer-acme'),
        event('payment-p', { customerId: 'acme' }),
      ].every(ofAcme),
    ).toBe(true);
    expect(
      [
        event('account-acme2'),
        event('account-acme.x.credits'),
        event('customer-acme2'),
        event('payment-p', { note: 'acme' }),
        event('payment-p', { customerId: 'acme2' }),
      ].some(ofAcme),
    ).toBe(false);
  });

  it('filters by type, stream and time, the end exclusive', () => {
    expect(isWanted(event('a-1'), { ...all, types: new Set(['CreditsHeld']) })).toBe(false);
    expect(isWanted(event('a-1'), { ...all, stream: 'a-2' })).toBe(false);
    const at = '2026-11-21T08:00:00.000Z';
    expect([isWanted(event('a-1'), { ...all, from: at }), isWanted(event('a-1'), { ...all, to: at })]).toEqual([
      true,
      false,
    ]);
  });
});

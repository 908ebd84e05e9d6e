import { describe, expect, it } from '@jest/globals';
import { InstantReader } from './instant-reader.js';

const instants = [
  '2026-11-21T10:59:44.912Z',
  '2026-11-21T10:59:44.913Z',
  '2026-11-21T10:00:00.000Z',
  '2026-11-21T11:00:00.000Z',
  '2026-11-21T10:59:59.999Z',
  '2026-12-31T23:59:59.999Z',
  '2026-11-21T24:00:00.000Z',
  '2026-11-21T24:30:00.000Z',
  '1969-12-31T23:59:59.999Z',
];
const others = [
  '',
  'yesterday',
  '2026-11-21T10:59:60.000Z',
  '2026-11-21T10:60:00.000Z',
  '2026-11-21T10:5x:44.912Z',
  '2026-11-21T10:59.44.912Z',
  '2026-11-21T10:59:44,912Z',
  '2026-11-21T10:59:44.912z',
  '2026-11-21T10:59:44.912 ',
  '2026-11-21T10:59:44.9127',
  '2026-13-21T10:59:44.912Z',
  '2026-11-21T10:59:44Z',
  '2026-11-21T10:59:44+02:00',
  'Sat Nov 21 10:59:44 2026',
];

describe('instants of a log', () => {
  it('are what Date.parse says they are, whatever came before', () => {
    for (const before of [...instants, ...others]) {
      for (const text of [...instants, ...others]) {
        const reader = new InstantReader();
        reader.msOf(before);
        expect(`${text}: ${String(reader.msOf(text))}`).toBe(`${text}: ${String(Date.parse(text))}`);
      }
    }
  });
});

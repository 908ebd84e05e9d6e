import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import { encodeEvent, ZERO_HASH } from '../port/encode-event.js';
import { proposalBytesOf, proposalOf } from './metadata.js';

const text = fc.string({ unit: fc.constantFrom('a', '"', '\\', '\n', '\u0000', 'é', '漢', '🙂', '\ud800', '\u2028') });

it('counts at least the bytes that the server counts, and not many more', () => {
  fc.assert(
    fc.property(text, text, fc.nat(2 ** 31), (key, data, schemaVersion) => {
      const event = encodeEvent('account-1', 0, ZERO_HASH, {
        id: '0'.repeat(36),
        type: 'CreditsConsumed',
        schemaVersion,
        data: { text: data },
        metadata: {
          commandKey: key,
          commandHash: null,
          causationId: null,
          correlationId: key,
          actor: 'test',
          recordedAt: '2026-01-01T00:00:00.000Z',
        },
      });
      const proposal = proposalOf(event);
      const atServer = 2 * proposal.type.length + proposal.data.length + (proposal.metadata as Uint8Array).length;
      expect(proposalBytesOf(event)).toBeGreaterThanOrEqual(atServer);
      expect(proposalBytesOf(event) - atServer).toBeLessThan(100 + event.metadata.length * 3);
    }),
  );
});

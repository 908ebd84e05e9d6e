import { expect, test } from '@jest/globals';
import { ChainPreimage } from './chain-preimage.js';
import { chainHash } from './encode-event.js';

test('the hash of stored bytes is the hash of their event, whatever they are and however many', () => {
  const preimage = new ChainPreimage();
  for (const data of ['{}', '{"note":"ü €😀"}', JSON.stringify({ note: '€'.repeat(40_000) }), '{"a":1}']) {
    const event = {
      id: 'a2105532-5a79-5072-8e3f-e295f09d0c8c',
      type: 'CreditsConsumed',
      schemaVersion: 12,
      data,
      metadata: `{"actor":"${'é'.repeat(10)}"}`,
      prevHash: '0f'.repeat(32),
    };
    const stream = 'account-ü';
    const fields = [
      Buffer.from(event.prevHash, 'hex'),
      Buffer.from(stream),
      Buffer.from(event.id.replaceAll('-', ''), 'hex'),
      ...[event.type, event.data, event.metadata].map((text) => Buffer.from(text)),
    ];
    const bytes = Buffer.concat(fields);
    const ends = fields.map((_, index) => fields.slice(0, index + 1).reduce((sum, { length }) => sum + length, 0));
    const [hashEnd = 0, streamEnd = 0, idEnd = 0, typeEnd = 0, dataEnd = 0, end = 0] = ends;
    preimage.start(bytes, bytes.length);
    preimage.hex(0);
    preimage.text(hashEnd, streamEnd);
    preimage.number(100_203);
    expect(preimage.uuid(streamEnd)).toBe(event.id);
    preimage.text(idEnd, typeEnd);
    preimage.number(event.schemaVersion);
    preimage.text(typeEnd, dataEnd);
    preimage.text(dataEnd, end);
    expect(preimage.chainHash()).toBe(chainHash(stream, 100_203, event));
  }
});

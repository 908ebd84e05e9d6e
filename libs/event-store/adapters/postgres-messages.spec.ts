import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { PostgresMessages } from './postgres-messages.js';

function messageOf(text: string): Buffer {
  const message = Buffer.alloc(5 + text.length, `d....${text}`, 'latin1');
  message.writeInt32BE(4 + text.length, 1);
  return message;
}

describe('messages of PostgreSQL', () => {
  it('are found however they are cut, in memory that is used again', () => {
    const texts = fc.array(
      fc.oneof({ weight: 20, arbitrary: fc.string({ unit: 'binary-ascii' }) }, fc.constant('x'.repeat(40_000))),
    );
    fc.assert(
      fc.property(texts, fc.infiniteStream(fc.integer({ min: 1, max: 30_000 })), (sent, cuts) => {
        const found: string[] = [];
        const messages = new PostgresMessages((from, start, end) => {
          found.push(from.toString('latin1', start, end));
        });
        const all = sent.map(messageOf);
        const bytes = Buffer.concat(all);
        const memory = Buffer.alloc(30_000);
        for (let place = 0; place < bytes.length;) {
          const cut = cuts.next().value % (place % 2 === 0 ? 7 : 30_000);
          const length = bytes.copy(memory, 0, place, place + cut + 1);
          messages.add(memory.subarray(0, length));
          place += length;
        }
        expect(found).toEqual(all.map((message) => message.toString('latin1')));
      }),
    );
  });
});

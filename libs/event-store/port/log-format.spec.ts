import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect, it } from '@jest/globals';
import { chainHash } from './encode-event.js';
import { isBroken, parseEventLine } from './event-line.js';

it('docs/log-format.md works its examples out as the log does', () => {
  const page = readFileSync(new URL('../../../docs/log-format.md', import.meta.url), 'utf8');
  const blocks = [...page.matchAll(/^```text\n(.*)\n```$/gm)].map(([, block = '']) => block);
  const hashes = [0, 2].map((index) => {
    const [line = '', preimage = ''] = blocks.slice(index);
    const event = parseEventLine(line);
    if (isBroken(event)) throw new Error(event.broken);
    expect(chainHash(event.stream, event.revision, event)).toBe(event.hash);
    expect(hash('sha256', preimage, 'hex')).toBe(event.hash);
    return event;
  });
  const [first, second] = hashes;
  expect([second?.prevHash, second?.revision]).toEqual([first?.hash, 1]);
  expect(second?.data).toMatch(/[^\p{ASCII}]/u);
});

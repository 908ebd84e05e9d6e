import { describe, expect, it } from '@jest/globals';
import { TextCache } from './text-cache.js';

describe('texts that come again', () => {
  const bytes = Buffer.from('..account-ü €😀..');
  const words = (count: number): string[] => Array.from({ length: count }, (_, n) => `account-${String(n * 7)}`);

  it('are what their bytes say, however many share a place', () => {
    const cache = new TextCache();
    for (let round = 0; round < 2; round += 1)
      for (const word of words(100_000)) expect(cache.text(Buffer.from(word), 0, word.length)).toBe(word);
    expect(cache.text(bytes, 2, bytes.length - 2)).toBe('account-ü €😀');
    expect(cache.text(bytes, 2, bytes.length - 2)).toBe('account-ü €😀');
    expect(cache.text(bytes, 2, 9)).toBe('account');
    expect(cache.text(bytes, 2, 2)).toBe('');
  });

  it('are not taken for others that have as many characters as they have bytes', () => {
    const cache = new TextCache();
    const latin = Buffer.from('\u00c3\u00bc', 'latin1'); // ü
    expect(cache.text(Buffer.from('ab'), 0, 2)).toBe('ab');
    expect(cache.text(latin, 0, 2)).toBe('ü');
  });
});

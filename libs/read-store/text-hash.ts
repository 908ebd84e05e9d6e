import { storable } from './tables.js';

const BLOCK = 12;
const rotated = (word: number, bits: number): number => (word << bits) | (word >>> (32 - bits));

/**
 * Hashes texts one after the other, each with the hash of those before it as its seed: what `hashtextextended(second,
 * hashtextextended(first, seed))` is in PostgreSQL on a little-endian machine (Bob Jenkins' lookup3; src/common/hashfn.c). 64 bits,
 * and cheap on both sides: no row has to be written as text, nothing is allocated. Who does not know the seed cannot make up
 * other texts with the same hash.
 */
export class TextHash {
  /** The upper and the lower half of the hash, as signed numbers. */
  high = 0;
  low = 0;
  /** Every bit that is set in a character, and all of them when one is U+0000. */
  #seen = 0;

  start(high: number, low: number): void {
    this.high = high;
    this.low = low;
  }

  add(text: string): void {
    const { high, low } = this;
    this.#seen = 0;
    this.#mixIn(text);
    if (this.#seen >= 0 && this.#seen < 0x80) return;
    // Not all is ASCII: again, as a text that has a character for each byte.
    this.start(high, low);
    this.#mixIn(Buffer.from(storable(text)).toString('latin1'));
  }

  #mixIn(text: string): void {
    const { length } = text;
    let a = (0x9e3779b9 + length + 3923095) | 0;
    let b = a;
    let c = a;
    let place = 0;
    let mixing = this.high !== 0 || this.low !== 0;
    if (mixing) {
      a = (a + this.high) | 0;
      b = (b + this.low) | 0;
    }
    for (;;) {
      if (mixing) {
        a = (a - c) ^ rotated(c, 4);
        c = (c + b) | 0;
        b = (b - a) ^ rotated(a, 6);
        a = (a + c) | 0;
        c = (c - b) ^ rotated(b, 8);
        b = (b + a) | 0;
        a = (a - c) ^ rotated(c, 16);
        c = (c + b) | 0;
        b = (b - a) ^ rotated(a, 19);
        a = (a + c) | 0;
        c = (c - b) ^ rotated(b, 4);
        b = (b + a) | 0;
      }
      if (length - place < BLOCK) break;
      a = (a + this.#word(text, place)) | 0;
      b = (b + this.#word(text, place + 4)) | 0;
      c = (c + this.#word(text, place + 8)) | 0;
      place += BLOCK;
      mixing = true;
    }
    a = (a + this.#rest(text, place, 4, 0)) | 0;
    b = (b + this.#rest(text, place + 4, 4, 0)) | 0;
    c = (c + this.#rest(text, place + 8, 3, 8)) | 0; // its lowest byte is the length's
    c = ((c ^ b) - rotated(b, 14)) | 0;
    a = ((a ^ c) - rotated(c, 11)) | 0;
    b = ((b ^ a) - rotated(a, 25)) | 0;
    c = ((c ^ b) - rotated(b, 16)) | 0;
    a = ((a ^ c) - rotated(c, 4)) | 0;
    b = ((b ^ a) - rotated(a, 14)) | 0;
    c = ((c ^ b) - rotated(b, 24)) | 0;
    this.high = b;
    this.low = c;
  }

  #word(text: string, place: number): number {
    const [first, second] = [text.charCodeAt(place), text.charCodeAt(place + 1)];
    const [third, fourth] = [text.charCodeAt(place + 2), text.charCodeAt(place + 3)];
    // One less than zero has all bits.
    this.#seen |= first | second | third | fourth | (first - 1) | (second - 1) | (third - 1) | (fourth - 1);
    return first | (second << 8) | (third << 16) | (fourth << 24);
  }

  /** What is left of the text, `most` characters of it, from `shift` bits on. */
  #rest(text: string, place: number, most: number, shift: number): number {
    const end = Math.min(text.length, place + most);
    let word = 0;
    for (let at = place; at < end; at += 1) {
      const code = text.charCodeAt(at);
      this.#seen |= code | (code - 1);
      word |= code << (shift + (at - place) * 8);
    }
    return word;
  }
}

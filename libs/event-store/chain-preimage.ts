import { hash } from 'node:crypto';
import { domainField } from './encode-event.js';

const HASH_BYTES = 32;
const UUID_BYTES = 16;
/** The texts of a hash and a UUID are longer than their bytes; and each field has its length before it. */
const MORE_BYTES = 512;
/** How many bytes of a UUID stand between its hyphens. */
const UUID_PARTS = [4, 2, 2, 2, 6];
/** From so many bytes on it pays to have them copied: a copy begins with an object that names its source. */
const WORTH_COPYING = 48;
const hyphen = '-'.charCodeAt(0);
const colon = ':'.charCodeAt(0);
const zero = '0'.charCodeAt(0);

/** The two digits of each byte, as bytes. */
const hexDigits = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0')).join(''));

/**
 * What `chainHash` hashes, put together from an event's bytes as they are stored: the fields are to be written in its order.
 * Nothing becomes text and bytes again, so it is these bytes that are proved.
 */
export class ChainPreimage {
  #to = Buffer.allocUnsafe(64 * 1024);
  #end = 0;
  #from: Buffer = Buffer.alloc(0);

  /** Begins an event that has its fields in `from`, together `length` bytes. */
  start(from: Buffer, length: number): void {
    this.#from = from;
    if (length + MORE_BYTES > this.#to.length) this.#to = Buffer.allocUnsafe(length + MORE_BYTES);
    this.#end = this.#to.write(domainField, 0);
  }

  /** A field that is text, or what its text is made of. */
  text(start: number, end: number): void {
    this.#length(end - start);
    if (end - start >= WORTH_COPYING) this.#from.copy(this.#to, this.#end, start, end);
    else for (let place = start; place < end; place += 1) this.#to[this.#end + place - start] = this.#from[place] ?? 0;
    this.#end += end - start;
  }

  /** A field that is a hash, whose text is its hexadecimal digits. */
  hex(start: number): void {
    this.#length(2 * HASH_BYTES);
    this.#hexBytes(start, start + HASH_BYTES);
  }

  /** A field that is a UUID; answers its text. */
  uuid(start: number): string {
    this.#length(2 * UUID_BYTES + UUID_PARTS.length - 1);
    const begin = this.#end;
    let place = start;
    for (const bytes of UUID_PARTS) {
      if (place > start) this.#byte(hyphen);
      this.#hexBytes(place, place + bytes);
      place += bytes;
    }
    return this.#to.toString('latin1', begin, this.#end);
  }

  number(value: number): void {
    const digits = String(value);
    this.#length(digits.length);
    for (let place = 0; place < digits.length; place += 1) this.#byte(digits.charCodeAt(place));
  }

  /** The hash of all that was written. */
  chainHash(): string {
    return hash('sha256', this.#to.subarray(0, this.#end), 'hex');
  }

  #length(length: number): void {
    let unit = 1;
    while (unit * 10 <= length) unit *= 10;
    for (let rest = length; unit >= 1; unit = Math.floor(unit / 10)) {
      const digit = Math.floor(rest / unit);
      this.#byte(zero + digit);
      rest -= digit * unit;
    }
    this.#byte(colon);
  }

  #hexBytes(start: number, end: number): void {
    const [from, to] = [this.#from, this.#to];
    let at = this.#end;
    for (let place = start; place < end; place += 1) {
      const digits = 2 * (from[place] ?? 0);
      to[at] = hexDigits[digits] ?? 0;
      to[at + 1] = hexDigits[digits + 1] ?? 0;
      at += 2;
    }
    this.#end = at;
  }

  #byte(byte: number): void {
    this.#to[this.#end] = byte;
    this.#end += 1;
  }
}

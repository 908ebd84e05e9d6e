/*
 * The few parts of the protocol buffers encoding that are read and written for every event. Made here byte by byte because the
 * generated classes make some twenty objects for each message.
 */

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

/** How many bytes a number takes as a varint. */
export function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) bytes += 1;
  return bytes;
}

/** How many bytes a field with a number up to 15 takes whose content has `length` bytes. */
export const fieldBytes = (length: number): number => 1 + varintBytes(length) + length;

/** Writes one message into a buffer that has room for it. Field numbers are at most 15. */
export class ProtobufWriter {
  readonly buffer: Buffer;
  #at = 0;

  constructor(bytes: number) {
    this.buffer = Buffer.allocUnsafe(bytes);
  }

  get full(): boolean {
    return this.#at === this.buffer.length;
  }

  integer(field: number, value: number): void {
    this.#varint(field * 8 + VARINT);
    this.#varint(value);
  }

  /** What is written next, `length` bytes of it, is the content of the field. */
  open(field: number, length: number): void {
    this.#varint(field * 8 + BYTES);
    this.#varint(length);
  }

  /** `length`: the text's bytes in UTF-8. */
  text(field: number, text: string, length: number): void {
    this.open(field, length);
    if (length === text.length) this.#at += this.buffer.write(text, this.#at, 'latin1');
    else this.#at += this.buffer.write(text, this.#at, 'utf8');
  }

  /** A part that was encoded before. */
  part(bytes: Buffer): void {
    this.#at += bytes.copy(this.buffer, this.#at);
  }

  #varint(value: number): void {
    let rest = value;
    while (rest >= 128) {
      this.buffer[this.#at++] = (rest % 128) + 128;
      rest = Math.floor(rest / 128);
    }
    this.buffer[this.#at++] = rest;
  }
}

/**
 * Goes through the fields of one message: `next` gives the number of the next field, 0 at the end, and then its value may be read
 * once. What is not read is passed over. Throws RangeError when the bytes are no message.
 */
export class ProtobufReader {
  #at: number;
  #type = -1;

  constructor(
    private readonly buffer: Buffer,
    start = 0,
    private readonly end = buffer.length,
  ) {
    this.#at = start;
  }

  next(): number {
    if (this.#type !== -1) this.#skip();
    if (this.#at >= this.end) return 0;
    const tag = this.#varint();
    this.#type = tag % 8;
    return Math.floor(tag / 8);
  }

  /** Exact up to 2^53; what is larger comes out larger than that. */
  integer(): number {
    this.#expect(VARINT);
    return this.#varint();
  }

  text(): string {
    const [start, end] = this.#content();
    return this.buffer.toString('utf8', start, end);
  }

  message(): ProtobufReader {
    const [start, end] = this.#content();
    return new ProtobufReader(this.buffer, start, end);
  }

  #content(): readonly [number, number] {
    this.#expect(BYTES);
    const length = this.#varint();
    const start = this.#at;
    this.#move(length);
    return [start, this.#at];
  }

  #skip(): void {
    const type = this.#type;
    if (type === VARINT) this.integer();
    else if (type === BYTES) this.#content();
    else if (type === FIXED64) this.#move(8);
    else if (type === FIXED32) this.#move(4);
    else throw new RangeError('a field of an unknown type');
    this.#type = -1;
  }

  #expect(type: number): void {
    if (this.#type !== type) throw new RangeError('a field of another type than expected');
    this.#type = -1;
  }

  #move(bytes: number): void {
    if (this.#at + bytes > this.end) throw new RangeError('a field that goes beyond its message');
    this.#at += bytes;
  }

  #varint(): number {
    let value = 0;
    let scale = 1;
    for (let bytes = 0; bytes < 10; bytes += 1) {
      if (this.#at >= this.end) break;
      const byte = this.buffer[this.#at++] ?? 0;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
      scale *= 128;
    }
    throw new RangeError('a number that does not end');
  }
}

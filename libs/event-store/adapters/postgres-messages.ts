/** Before each message stands what kind it is, a letter, and its length, which counts itself but not the letter. */
export const HEAD_BYTES = 5;

type Found = (from: Buffer, start: number, end: number) => void;

/** Finds the messages in what a server sends; a message may come in pieces. */
export class PostgresMessages {
  readonly #found: Found;
  /** The beginning of a message that has not come whole yet. */
  #part = Buffer.allocUnsafe(16 * 1024);
  #kept = 0;

  /** @param found told where each message is, its head included; what it is given is valid until it returns. */
  constructor(found: Found) {
    this.#found = found;
  }

  /** Takes what came next. */
  add(bytes: Buffer): void {
    let place = this.#kept === 0 ? 0 : this.#complete(bytes);
    for (let end = endOf(bytes, place); end <= bytes.length; end = endOf(bytes, place)) {
      this.#found(bytes, place, end);
      place = end;
    }
    this.#keep(bytes, place, bytes.length);
  }

  /** Adds to the message that was begun what these bytes have of it. Answers where they go on. */
  #complete(bytes: Buffer): number {
    let place = 0;
    while (this.#kept < this.#goal) {
      const upTo = Math.min(bytes.length, place + this.#goal - this.#kept);
      if (upTo === place) return place;
      this.#keep(bytes, place, upTo);
      place = upTo;
    }
    this.#found(this.#part, 0, this.#kept);
    this.#kept = 0;
    return place;
  }

  /** How much of the message to keep next: first its head, which tells how long it is. */
  get #goal(): number {
    return this.#kept < HEAD_BYTES ? HEAD_BYTES : endOf(this.#part, 0);
  }

  #keep(bytes: Buffer, start: number, end: number): void {
    const length = this.#kept + end - start;
    if (length > this.#part.length) {
      const part = Buffer.allocUnsafe(2 * length);
      this.#part.copy(part, 0, 0, this.#kept);
      this.#part = part;
    }
    bytes.copy(this.#part, this.#kept, start, end);
    this.#kept = length;
  }
}

/** Where the message ends that begins at `start`; nowhere when its head has not come. */
const endOf = (bytes: Buffer, start: number): number =>
  start + HEAD_BYTES > bytes.length ? Infinity : start + 1 + bytes.readInt32BE(start + 1);

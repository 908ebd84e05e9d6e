import type { AppendRequest } from '../port/event-store.js';

const oid = { bytea: 17, int4: 23, text: 25, uuid: 2950 } as const;
const fieldsOfNewEvent = 10;
const initialBytes = 65_536;
const maxKeptBytes = 4_194_304;

/**
 * PostgreSQL's binary form of arrays, written straight into one buffer. As text, every quote of the JSON would be escaped
 * here and unescaped there, which costs more than all the rest of a flush.
 */
class BinaryArray {
  #buffer = Buffer.allocUnsafe(initialBytes);
  #end = 0;

  start(elementType: number, length: number): void {
    if (this.#buffer.length > maxKeptBytes) this.#buffer = Buffer.allocUnsafe(initialBytes);
    this.#end = 0;
    this.#reserve(20);
    for (const header of [1, 0, elementType, length, 1]) this.rawInt(header);
  }

  /** Valid until the next `start`. */
  finish(): Buffer {
    return this.#buffer.subarray(0, this.#end);
  }

  rawInt(value: number): void {
    this.#reserve(4);
    this.#end = this.#buffer.writeInt32BE(value, this.#end);
  }

  int(value: number): void {
    this.rawInt(4);
    this.rawInt(value);
  }

  text(value: string): void {
    this.#reserve(4 + value.length * 3);
    const bytes = this.#buffer.write(value, this.#end + 4);
    this.#buffer.writeInt32BE(bytes, this.#end);
    this.#end += 4 + bytes;
  }

  hex(digits: string): void {
    this.#reserve(4 + digits.length);
    const bytes = this.#buffer.write(digits, this.#end + 4, 'hex');
    this.#buffer.writeInt32BE(bytes, this.#end);
    this.#end += 4 + bytes;
  }

  /** One element of a composite type: `write` writes its fields, each as its type and its value. */
  composite(fields: number, write: () => void): void {
    this.rawInt(0);
    const start = this.#end;
    this.rawInt(fields);
    write();
    this.#buffer.writeInt32BE(this.#end - start, start - 4);
  }

  #reserve(bytes: number): void {
    if (this.#end + bytes <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#end + bytes));
    this.#buffer.copy(larger, 0, 0, this.#end);
    this.#buffer = larger;
  }
}

/** An append of a flush, and its place from 1 among the streams that the database is told. */
export type NumberedAppend = { readonly request: AppendRequest; readonly number: number };

/** Encodes flushes for `scrip_log.append_after`. Its buffers are used again: send one flush before the next is encoded. */
export class FlushEncoder {
  readonly #streams = new BinaryArray();
  readonly #expected = new BinaryArray();
  readonly #events = new BinaryArray();

  /**
   * The streams and what they are expected at by number, and the events in the order of the appends. `newEventOid` is the type's
   * own number in this database.
   */
  encode(appends: readonly NumberedAppend[], byNumber: readonly NumberedAppend[], newEventOid: number): Buffer[] {
    this.#streams.start(oid.text, byNumber.length);
    this.#expected.start(oid.int4, byNumber.length);
    let count = 0;
    for (const { request } of byNumber) {
      this.#streams.text(request.stream);
      this.#expected.int(request.expectedRevision);
      count += request.events.length;
    }
    this.#events.start(newEventOid, count);
    for (const { request, number } of appends) this.#writeEvents(request, number);
    return [this.#streams.finish(), this.#expected.finish(), this.#events.finish()];
  }

  #writeEvents({ stream, expectedRevision, events }: AppendRequest, append: number): void {
    const to = this.#events;
    for (const [index, event] of events.entries()) {
      to.composite(fieldsOfNewEvent, () => {
        to.rawInt(oid.int4);
        to.int(append);
        to.rawInt(oid.int4);
        to.int(expectedRevision + 1 + index);
        to.rawInt(oid.int4);
        to.int(event.schemaVersion);
        to.rawInt(oid.uuid);
        to.hex(event.id.replaceAll('-', ''));
        to.rawInt(oid.text);
        to.text(stream);
        to.rawInt(oid.text);
        to.text(event.type);
        to.rawInt(oid.bytea);
        to.hex(event.prevHash);
        to.rawInt(oid.bytea);
        to.hex(event.hash);
        to.rawInt(oid.text);
        to.text(event.data);
        to.rawInt(oid.text);
        to.text(event.metadata);
      });
    }
  }
}

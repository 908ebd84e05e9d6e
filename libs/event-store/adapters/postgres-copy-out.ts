import type pg from 'pg';
import { StoreUnavailable } from '../event-store.js';
import { ReusingSocket } from './postgres-copy-socket.js';
import { HEAD_BYTES, PostgresMessages } from './postgres-messages.js';

/** What stands before the rows of a binary copy: its signature, flags and the length of an extension that there is none of. */
const HEADER_BYTES = 19;
/** A row begins with the number of its fields; the end is marked by a negative one. */
const FIELD_COUNT_BYTES = 2;
const copyData = 'd'.charCodeAt(0);

/** Who is given the rows of a copy, each as its fields in binary form. */
export interface CopiedRows {
  /** The fields stand in `from`, which is valid until this returns. Reading goes on once the promise, if there is one, is settled. */
  row(from: Buffer, start: number, end: number): Promise<void> | undefined;
  /** There are no more. */
  end(): Promise<void>;
}

type Stream = NodeJS.ReadableStream & { pause(): unknown; resume(): unknown };
type Listener = (bytes: Buffer) => void;

/**
 * A statement that the client runs, and hands each message that it is answered with; but rows are found in what the server sends
 * before the client has made a message of each. Nothing else can be asked on its connection afterwards.
 */
export class CopyOut implements pg.Submittable {
  readonly ended: Promise<void>;
  readonly #text: string;
  readonly #rows: CopiedRows;
  #resolve: () => void = () => undefined;
  #reject: (error: unknown) => void = () => undefined;
  #stream: Stream | null = null;
  #client: readonly Listener[] = [];
  #waitingFor = 0;
  #failed = false;
  #begun = false;

  constructor(text: string, rows: CopiedRows) {
    this.#text = text;
    this.#rows = rows;
    this.ended = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  submit(connection: pg.Connection): void {
    const stream: Stream = connection.stream;
    const messages = new PostgresMessages((from, start, end) => {
      if (from[start] === copyData) this.#row(from, start + HEAD_BYTES, end);
      else for (const listener of this.#client) listener(Buffer.from(from.subarray(start, end)));
    });
    this.#stream = stream;
    this.#client = stream.listeners('data') as Listener[];
    stream.on('data', (bytes: Buffer) => {
      messages.add(bytes);
    });
    for (const listener of this.#client) stream.off('data', listener);
    if (stream instanceof ReusingSocket) stream.lends = true;
    (connection as unknown as { query(text: string): void }).query(this.#text);
  }

  handleCommandComplete(): void {
    // What comes next is the end.
  }

  handleReadyForQuery(): void {
    if (this.#failed) return;
    this.#rows.end().then(this.#resolve, this.#reject);
  }

  handleError(cause: unknown): void {
    this.#fail(new StoreUnavailable('the database did not answer a read', { cause }));
  }

  #row(from: Buffer, start: number, end: number): void {
    if (this.#failed) return;
    const place = this.#begun ? start : start + HEADER_BYTES;
    this.#begun = true;
    if (end < place + FIELD_COUNT_BYTES || from.readInt16BE(place) < 0) return;
    try {
      const taken = this.#rows.row(from, place + FIELD_COUNT_BYTES, end);
      if (taken !== undefined) this.#waitFor(taken);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** What has arrived by now is still given out. */
  #waitFor(taken: Promise<void>): void {
    this.#waitingFor += 1;
    this.#stream?.pause();
    taken.then(
      () => {
        this.#waitingFor -= 1;
        if (this.#waitingFor === 0) this.#stream?.resume();
      },
      (error: unknown) => {
        this.#fail(error);
      },
    );
  }

  /** The connection is then ended by who opened it, whatever is still to come. */
  #fail(error: unknown): void {
    this.#failed = true;
    this.#reject(error);
  }
}

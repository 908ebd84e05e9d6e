import { connect, type Socket } from 'node:net';

/** One keep-alive HTTP/1.1 connection, one request at a time, parsing no more of the answer than its status and its end. */
export class Connection {
  readonly #socket: Socket;
  #buffered: Buffer | null = null;
  #waiting: { answered: (status: number, body: Buffer) => void; failed: () => void } | null = null;
  #open = true;

  private constructor(
    host: string,
    port: number,
    opened: (connection: Connection) => void,
    failed: (error: Error) => void,
  ) {
    // What is read goes into one buffer, past Node's streams: that is half of what an answer costs here, on a machine that the server
    // shares.
    const buffer = Buffer.allocUnsafe(readBytes);
    const onread = {
      buffer,
      callback: (bytes: number): boolean => {
        this.#read(buffer.subarray(0, bytes));
        return true;
      },
    };
    this.#socket = connect({ host, port, noDelay: true, onread });
    this.#socket.once('error', failed); // of no consequence once it is open: `close` follows
    this.#socket.once('connect', () => {
      opened(this);
    });
    this.#socket.once('close', () => {
      this.#open = false;
      const waiting = this.#waiting;
      this.#waiting = null;
      waiting?.failed();
    });
  }

  static open(host: string, port: number): Promise<Connection> {
    return new Promise((opened, failed) => new Connection(host, port, opened, failed));
  }

  get isOpen(): boolean {
    return this.#open;
  }

  /** Sends one request; exactly one of the two is called later, with a body that is there until it returns. `failed`: the connection ended before the answer did. */
  send(request: string, answered: (status: number, body: Buffer) => void, failed: () => void): void {
    if (!this.#open) {
      failed();
      return;
    }
    this.#waiting = { answered, failed };
    this.#socket.write(request, 'latin1');
  }

  close(): void {
    this.#socket.destroy();
  }

  #read(chunk: Buffer): void {
    const data = this.#buffered === null ? chunk : Buffer.concat([this.#buffered, chunk]);
    const headEnd = data.indexOf('\r\n\r\n');
    const head = headEnd < 0 ? '' : data.toString('latin1', 0, headEnd);
    const end = headEnd + 4 + lengthOf(head);
    if (headEnd < 0 || data.length < end) {
      this.#buffered = data === chunk ? Buffer.from(chunk) : data;
      return;
    }
    this.#buffered = null;
    if (closes.test(head)) this.#open = false;
    const waiting = this.#waiting;
    this.#waiting = null;
    waiting?.answered(Number(head.slice(9, 12)), data.subarray(headEnd + 4, end));
  }
}

const readBytes = 65_536;
const closes = /\r\nconnection: close/i;
const contentLength = /\r\ncontent-length: *(\d+)/i;

function lengthOf(head: string): number {
  return Number(contentLength.exec(head)?.[1] ?? 0);
}

import { connect, type Socket } from 'node:net';

/** One keep-alive HTTP/1.1 connection, one request at a time, parsing no more of the answer than its status and its end. */
export class Connection {
  readonly #socket: Socket;
  #buffered: Buffer | null = null;
  #waiting: { answered: (status: number, body: Buffer) => void; failed: () => void } | null = null;
  #open = true;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk) => {
      this.#read(chunk);
    });
    socket.on('error', () => undefined); // `close` follows
    socket.on('close', () => {
      this.#open = false;
      const waiting = this.#waiting;
      this.#waiting = null;
      waiting?.failed();
    });
  }

  static open(host: string, port: number): Promise<Connection> {
    return new Promise((opened, failed) => {
      const socket = connect(port, host);
      socket.once('error', failed);
      socket.once('connect', () => {
        socket.off('error', failed);
        opened(new Connection(socket));
      });
    });
  }

  get isOpen(): boolean {
    return this.#open;
  }

  /** Sends one request; exactly one of the two is called later. `failed`: the connection ended before the answer did. */
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
    if (headEnd < 0) {
      this.#buffered = data;
      return;
    }
    const head = data.toString('latin1', 0, headEnd).toLowerCase();
    const at = head.indexOf('\r\ncontent-length:');
    const length = at < 0 ? 0 : Number.parseInt(head.slice(at + 17), 10);
    if (data.length < headEnd + 4 + length) {
      this.#buffered = data;
      return;
    }
    this.#buffered = null;
    const status = Number(head.slice(9, 12));
    if (head.includes('\r\nconnection: close')) this.#open = false;
    const waiting = this.#waiting;
    this.#waiting = null;
    waiting?.answered(status, data.subarray(headEnd + 4, headEnd + 4 + length));
  }
}

import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export type Direction = 'up' | 'down';

/** What a bad network does to one direction of every connection. */
export type Fault = {
  readonly latencyMs?: number;
  readonly jitterMs?: number;
  /** Pieces of at most so many bytes. */
  readonly sliceBytes?: number;
  readonly bytesPerSecond?: number;
  /** Nothing arrives any more, and nobody is told. */
  readonly blackhole?: boolean;
  /** The share of pieces in which one bit is turned over. */
  readonly corruption?: number;
};

/**
 * A TCP proxy whose network can be made worse at any time: for both directions or one, for connections there are and those
 * to come. Order and content stay as they are, as TCP promises; only time and the end of a connection change. Unless it is set to corrupt.
 */
export class TcpProxy {
  readonly #server: Server;
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  /** Every socket there is, also one whose other side has gone unheard. */
  readonly #sockets = new Set<Socket>();
  readonly #faults: Record<Direction, Fault> = { up: {}, down: {} };
  #refusing = false;
  #accepted = 0;
  #corrupted = 0;
  readonly #deafened = new WeakSet<Socket>();

  private constructor(private readonly target: { host: string; port: number }) {
    this.#server = createServer((client) => {
      this.#accept(client);
    });
  }

  static async listen(target: { host: string; port: number }): Promise<TcpProxy> {
    const proxy = new TcpProxy(target);
    await new Promise<void>((listening) => proxy.#server.listen(0, '127.0.0.1', listening));
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Connections so far. */
  get accepted(): number {
    return this.#accepted;
  }

  /** Pieces so far in which a bit was turned over. */
  get corrupted(): number {
    return this.#corrupted;
  }

  /** The URL with the proxy in the place of its target. */
  through(url: string): string {
    const changed = new URL(url);
    changed.hostname = '127.0.0.1';
    changed.port = String(this.port);
    return changed.href;
  }

  worsen(fault: Fault, directions: readonly Direction[] = ['up', 'down']): void {
    for (const direction of directions) this.#faults[direction] = fault;
  }

  /** The network is well again. What a black hole has swallowed stays lost: those connections are cut. */
  heal(): void {
    const swallowed = this.#faults.up.blackhole === true || this.#faults.down.blackhole === true;
    this.worsen({});
    this.#refusing = false;
    if (swallowed) this.reset();
  }

  /** Every connection ends with a reset. */
  reset(): void {
    for (const pair of this.#pairs) for (const socket of pair) cut(socket);
  }

  /** New connections are reset until `heal`. */
  refuse(): void {
    this.#refusing = true;
    this.reset();
  }

  /** The target's side ends; the clients are not told. */
  halfOpen(): void {
    this.worsen({ blackhole: true }, ['down']);
    for (const [, upstream] of this.#pairs) cut(upstream);
  }

  /** What the target says on the one connection that it sees coming from `port` is lost from now on; nobody is told. */
  deafen(port: number): void {
    for (const [, upstream] of this.#pairs) {
      if (upstream.localPort !== port) continue;
      this.#deafened.add(upstream);
    }
  }

  /** Ends everything. A socket that Node does not let go of keeps no process alive, and nobody waits for it. */
  async close(): Promise<void> {
    const closed = new Promise((done) => this.#server.close(done));
    this.#server.unref();
    for (const socket of this.#sockets) socket.unref().destroy();
    await Promise.race([closed, sleep(2_000, undefined, { ref: false })]);
  }

  #accept(client: Socket): void {
    client.on('error', () => undefined);
    if (this.#refusing) {
      cut(client);
      return;
    }
    this.#accepted += 1;
    const upstream = connect({ ...this.target, allowHalfOpen: true });
    const pair = [client, upstream] as const;
    this.#pairs.add(pair);
    for (const socket of pair) {
      socket.setNoDelay(true);
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    }
    this.#pump(client, upstream, 'up');
    this.#pump(upstream, client, 'down');
    const gone = (other: Socket, direction: Direction) => (): void => {
      this.#pairs.delete(pair);
      if (this.#faults[direction].blackhole !== true) other.destroy();
    };
    upstream.on('error', () => undefined);
    client.on('close', gone(upstream, 'up'));
    upstream.on('close', gone(client, 'down'));
  }

  /** Carries bytes from one side to the other, one piece after another, as the fault of the moment lets them. */
  #pump(from: Socket, to: Socket, direction: Direction): void {
    let carrying: Promise<void> = Promise.resolve();
    from.on('data', (chunk: Buffer) => {
      if (this.#deafened.has(from)) return;
      from.pause();
      carrying = carrying.then(async () => {
        await this.#carry(chunk, to, direction);
        from.resume();
      });
    });
    from.on('end', () => {
      void carrying.then(() => {
        if (this.#faults[direction].blackhole !== true) to.end();
      });
    });
  }

  async #carry(chunk: Buffer, to: Socket, direction: Direction): Promise<void> {
    const {
      latencyMs = 0,
      jitterMs = 0,
      sliceBytes = chunk.length,
      bytesPerSecond,
      blackhole,
      corruption = 0,
    } = this.#faults[direction];
    if (blackhole === true) return;
    if (Math.random() < corruption) {
      turnOneBit(chunk);
      this.#corrupted += 1;
    }
    if (latencyMs + jitterMs > 0) await sleep(latencyMs + Math.random() * jitterMs);
    for (let at = 0; at < chunk.length && to.writable; at += sliceBytes) {
      const piece = chunk.subarray(at, at + sliceBytes);
      if (bytesPerSecond !== undefined) await sleep((piece.length / bytesPerSecond) * 1000);
      else if (at > 0) await new Promise((next) => setImmediate(next));
      if (!to.write(piece)) await new Promise<void>((drained) => to.once('drain', drained).once('close', drained));
    }
  }
}

/**
 * Ends a connection with a reset. Not while its own end is being sent: Node 24 then neither resets it nor lets go of it, and the
 * process never exits.
 */
function cut(socket: Socket): void {
  if (socket.writableEnded && !socket.writableFinished) socket.destroy();
  else socket.resetAndDestroy();
}

function turnOneBit(bytes: Buffer): void {
  const at = Math.floor(Math.random() * bytes.length);
  bytes[at]! ^= 1 << Math.floor(Math.random() * 8);
}

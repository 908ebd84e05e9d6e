import { Socket } from 'node:net';

const READ_BYTES = 128 * 1024;

/**
 * A socket that reads into the same memory each time. Memory of its own for every read makes V8 look through the whole heap again and
 * again, which took half of the time of a long copy.
 */
export class ReusingSocket extends Socket {
  /** Whether who listens is done with the bytes when it returns: they then need not be copied for it. */
  lends = false;

  constructor() {
    super({
      onread: {
        buffer: Buffer.allocUnsafeSlow(READ_BYTES),
        callback: (length, { buffer, byteOffset }) => {
          const bytes = Buffer.from(buffer, byteOffset, length);
          return this.emit('data', this.lends ? bytes : Buffer.from(bytes));
        },
      },
    });
  }
}

/** What connects to a server for a copy. What is encrypted is taken out of a plain socket before that has told of it. */
export const socketFor = (config?: { readonly ssl?: unknown }): Socket =>
  Boolean(config?.ssl) ? new Socket() : new ReusingSocket();

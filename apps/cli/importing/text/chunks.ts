import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { WrongUse } from '../../terminal/command.js';
import { SourceBroken } from '../source.js';

const CHUNK_BYTES = 256 * 1024;

/** A text file that is read once from its beginning to its end, with how far that is. */
export class TextFile {
  #read = 0;

  private constructor(
    readonly path: string,
    readonly bytes: number,
  ) {}

  /** Throws WrongUse where there is no such file. */
  static async open(path: string): Promise<TextFile> {
    const found = await stat(path).catch(() => null);
    if (found === null || !found.isFile()) throw new WrongUse(`${path} cannot be read: name a file`);
    return new TextFile(path, found.size);
  }

  /** How much of it has been read, from 0 to 1. */
  readonly progress = (): number => (this.bytes === 0 ? 1 : Math.min(1, this.#read / this.bytes));

  /** Its text in pieces, without a byte order mark. Throws SourceBroken where it is not UTF-8 or cannot be read on. */
  async *chunks(): AsyncGenerator<string> {
    const decoder = new TextDecoder('utf-8', { fatal: true });
    try {
      for await (const chunk of createReadStream(this.path, { highWaterMark: CHUNK_BYTES }) as AsyncIterable<Buffer>) {
        yield decoder.decode(chunk, { stream: true });
        this.#read += chunk.length;
      }
      yield decoder.decode();
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? '';
      if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA')
        throw new SourceBroken(`${this.path} is not UTF-8 after byte ${String(this.#read)}`);
      if ((error as NodeJS.ErrnoException).syscall === undefined) throw error;
      throw new SourceBroken(`${this.path} cannot be read after byte ${String(this.#read)} (${code})`);
    }
  }
}

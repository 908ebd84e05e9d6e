import { createReadStream } from 'node:fs';
import { WrongUse } from './command.js';

const chunkBytes = 64 * 1024;
const newline = 10;

/** The lines of a file, in batches, without their ends. Throws WrongUse when it cannot be read. */
export async function* linesOfFile(file: string): AsyncGenerator<readonly string[]> {
  let rest: Buffer = Buffer.alloc(0);
  try {
    for await (const chunk of createReadStream(file, { highWaterMark: chunkBytes }) as AsyncIterable<Buffer>) {
      const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      const lines: string[] = [];
      let start = 0;
      for (let end = bytes.indexOf(newline); end >= 0; end = bytes.indexOf(newline, start)) {
        lines.push(bytes.toString('utf8', start, end));
        start = end + 1;
      }
      rest = bytes.subarray(start);
      yield lines;
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).syscall === undefined) throw error;
    throw new WrongUse(`${file} cannot be read`);
  }
  if (rest.length > 0) yield [rest.toString('utf8')];
}

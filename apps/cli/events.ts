import { once } from 'node:events';
import { createReadStream, createWriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';
import { pagesOf, positionOf, START, type Position, type RecordedEvent } from '#event-store/event-store.js';
import { eventLine, parseEventLine, type BrokenLine } from '#event-store/event-line.js';
import { WrongUse, type Call, type Command, type ExitCode } from './command.js';
import { Progress } from './progress.js';

const chunkBytes = 64 * 1024;
const newline = 10;

/** The lines of a file, in batches, without their ends. Throws WrongUse when it cannot be read. */
async function* linesOf(file: string): AsyncGenerator<readonly string[]> {
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

/** The events of an export, in batches; a line that is none says why. Throws WrongUse when the file cannot be read. */
export async function* eventsInFile(file: string): AsyncGenerator<readonly (RecordedEvent | BrokenLine)[]> {
  for await (const lines of linesOf(file)) yield lines.map(parseEventLine);
}

async function exportEvents({ environment, output }: Call, after: Position, file: string | null): Promise<ExitCode> {
  const store = await environment.store();
  const progress = new Progress(output, environment.clock, 'exported');
  const target = file === null ? null : createWriteStream(file, { mode: 0o600 });
  for await (const page of pagesOf(store, after)) {
    const text = page.map((event) => `${eventLine(event)}\n`).join('');
    if (target === null) await output.write(text);
    else if (!target.write(text)) await once(target, 'drain');
    progress.add(page.length);
  }
  if (target !== null) {
    target.end();
    await finished(target);
  }
  progress.end();
  return 0;
}

function positionGiven(text: string | null): Position {
  if (text === null) return START;
  if (!/^\d{1,19}$/.test(text)) throw new WrongUse('--after must be a position');
  return positionOf(BigInt(text));
}

export const eventCommands: readonly Command[] = [
  {
    name: 'events export',
    summary: 'The log as lines of JSON, oldest first, one event a line',
    options: [
      { name: 'after', value: 'POSITION', help: 'only what stands after this position' },
      { name: 'output', value: 'FILE', help: 'write to a file (default: stdout)' },
    ],
    run: (call) => exportEvents(call, positionGiven(call.text('after')), call.text('output')),
  },
];

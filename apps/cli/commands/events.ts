import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';
import { ExportTally } from '#audit/export-tally.js';
import { pagesOf, positionOf, START, type Position } from '#event-store/port/event-store.js';
import { endLine, eventLine } from '#event-store/port/event-line.js';
import { WrongUse, type Call, type Command, type ExitCode } from '../terminal/command.js';
import { Progress } from '../terminal/progress.js';

async function exportEvents({ environment, output }: Call, after: Position, file: string | null): Promise<ExitCode> {
  const store = await environment.store();
  const progress = new Progress(output, environment.clock, 'exported');
  const tally = new ExportTally(after);
  const target = file === null ? null : createWriteStream(file, { mode: 0o600 });
  const write = async (text: string): Promise<void> => {
    if (target === null) await output.write(text);
    else if (!target.write(text)) await once(target, 'drain');
  };
  for await (const page of pagesOf(store, after)) {
    for (const event of page) tally.add(event);
    await write(page.map((event) => `${eventLine(event)}\n`).join(''));
    progress.add(page.length);
  }
  await write(`${endLine(tally.end)}\n`);
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
    summary: 'The log as lines of JSON, oldest first, one event a line; the last line says that it is whole',
    options: [
      { name: 'after', value: 'POSITION', help: 'only what stands after this position' },
      { name: 'output', value: 'FILE', help: 'write to a file (default: stdout)' },
    ],
    run: (call) => exportEvents(call, positionGiven(call.text('after')), call.text('output')),
  },
];

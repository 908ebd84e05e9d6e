import { createReadStream } from 'node:fs';
import { endLine, isBroken, parseEndLine, parseEventLine, type ExportEnd } from '#event-store/event-line.js';
import { START } from '#event-store/event-store.js';
import { WrongUse } from './command.js';
import { ExportTally } from './export-tally.js';
import { LogAudit, type LogReport } from './log-audit.js';

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

/**
 * Audits a complete export, without any database. Where its last line does not say that it is whole, that is a finding: a
 * file that was cut between two lines looks like any other. Throws WrongUse when the file cannot be read.
 *
 * @param endMissing true where no end is expected: what the API streams, and exports of earlier versions, have none.
 */
export async function auditExport(
  file: string,
  options: { readonly contiguous: boolean; readonly endMissing: boolean },
  progress: (lines: number) => void,
): Promise<LogReport> {
  const audit = new LogAudit(options);
  const tally = new ExportTally(START);
  let end: ExportEnd | null = null;
  for await (const lines of linesOf(file)) {
    for (const line of lines) {
      if (end !== null) audit.addUnreadable('there are lines after the end of the export');
      end = parseEndLine(line);
      if (end !== null) continue;
      const event = parseEventLine(line);
      if (isBroken(event)) {
        audit.addUnreadable(event.broken);
      } else {
        tally.add(event);
        audit.add([event]);
      }
    }
    progress(lines.length);
  }
  if (end !== null && endLine(end) !== endLine(tally.end))
    audit.addUnreadable(
      `the end of the export tells of ${String(end.events)} events up to ${end.position}, not of these`,
    );
  if (end === null && !options.endMissing)
    audit.addUnreadable(
      'the export does not end with its end mark: it was cut, or never had one (then see --without-end)',
    );
  return audit.report();
}

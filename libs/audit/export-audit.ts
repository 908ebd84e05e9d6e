import { endLine, isBroken, parseEndLine, parseEventLine, type ExportEnd } from '#event-store/port/event-line.js';
import { START } from '#event-store/port/event-store.js';
import { ExportTally } from './export-tally.js';
import { LogAudit, type LogReport } from './log-audit.js';

/**
 * Audits a complete export, without any database. Where its last line does not say that it is whole, that is a finding: a
 * file that was cut between two lines looks like any other.
 *
 * @param lines of the export, in batches, without their ends.
 * @param endMissing true where no end is expected: what the API streams, and exports of earlier versions, have none.
 */
export async function auditExport(
  lines: AsyncIterable<readonly string[]>,
  options: { readonly contiguous: boolean; readonly endMissing: boolean },
  progress: (lines: number) => void,
): Promise<LogReport> {
  const audit = new LogAudit(options);
  const tally = new ExportTally(START);
  let end: ExportEnd | null = null;
  for await (const batch of lines) {
    for (const line of batch) {
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
    progress(batch.length);
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

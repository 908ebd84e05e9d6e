import type { Clock } from '#kernel/clock.js';
import type { ExitCode } from '../terminal/command.js';
import type { Output } from '../terminal/output.js';
import { ProgressBar } from '../terminal/progress-bar.js';
import type { CustomerImport } from './customers.js';
import { inOrder } from './in-order.js';
import type { LotImport } from './lots.js';
import type { RecordResult } from './record-result.js';
import type { Report } from './report.js';
import { SourceBroken, type LotSource } from './source.js';
import { Summary } from './summary.js';

/** Enough that the log writes many lots at once; each holds some kilobytes. */
const AT_ONCE = 400;
const SHOW_EVERY = 500;

type Run = {
  readonly source: LotSource;
  readonly lots: LotImport;
  readonly customers: CustomerImport;
  readonly report: Report;
  readonly output: Output;
  readonly clock: Clock;
  readonly dryRun: boolean;
  /** What is imported and under which name, for the summary. */
  readonly title: { readonly source: string; readonly name: string };
};

/** Brings a whole source, in constant memory besides a few bytes a lot. 0 when all is as in the source, or was adjusted as told. */
export async function runImport(run: Run): Promise<ExitCode> {
  const { source, lots, report, dryRun, title } = run;
  const summary = new Summary();
  const show = progressOf(run);
  let broken: string | null = null;
  try {
    for await (const result of inOrder(source.records, AT_ONCE, (record) => lots.bring(record))) {
      summary.add(result);
      await report.add(result, textOf(result));
      if (summary.records % SHOW_EVERY === 0) show(summary.records);
    }
  } catch (error) {
    if (!(error instanceof SourceBroken)) throw error;
    broken = error.message;
  }
  const view = { ...title, dryRun, complete: broken === null, brokenBecause: broken, customers: run.customers.count };
  await report.end({ ...view, ...summary.view() }, describe(run, summary, broken));
  return broken === null && summary.troubles === 0 ? 0 : 1;
}

/** A bar where somebody watches; otherwise nothing. */
export function progressOf({ output, clock, source }: Pick<Run, 'output' | 'clock' | 'source'>): (n: number) => void {
  const bar = new ProgressBar(output, clock);
  return (records) => {
    if (!output.isWatched) return;
    const part = source.progress();
    const text = `${records.toLocaleString('en')} records`;
    if (part === null) output.status(text);
    else bar.show(Math.floor(100 * part), 100, `% ${text}`);
  };
}

function textOf(result: RecordResult): string | null {
  const { outcome, at, externalId, customerId, reasons } = result;
  if (outcome !== 'refused' && outcome !== 'differs' && outcome !== 'adjusted') return null;
  const names = [externalId === null ? '' : ` ${externalId}`, customerId === null ? '' : ` of ${customerId}`].join('');
  return `${outcome.padEnd(8)} ${at}${names}: ${reasons.join('; ')}`;
}

function describe({ dryRun, customers }: Run, summary: Summary, broken: string | null): string {
  const { records, before } = summary.view();
  const count = (n: number): string => n.toLocaleString('en');
  const [equal, adjusted] = [summary.count('equal'), summary.count('adjusted')];
  return [
    `${count(records)} records of ${count(customers.count)} customers${dryRun ? ', nothing written' : ''}`,
    `${count(equal)} lots equal, ${count(adjusted)} adjusted, ${count(summary.count('empty'))} with nothing left, ` +
      `${count(summary.count('refused'))} refused, ${count(summary.count('differs'))} otherwise than imported before`,
    ...(before === 0 ? [] : [`${count(before)} lots were imported before`]),
    ...(broken === null ? [] : [`not whole: ${broken}`]),
  ].join('\n');
}

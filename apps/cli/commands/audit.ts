import { audit, type Audited } from '#audit/audit.js';
import { auditExport } from '#audit/export-audit.js';
import type { LogReport } from '#audit/log-audit.js';
import type { Comparison } from '#projecting/comparison/compare.js';
import { compareOnThread } from '../comparison/compare.js';
import type { Call, Command, ExitCode } from '../terminal/command.js';
import { linesOfFile } from '../terminal/lines-of-file.js';
import { Progress } from '../terminal/progress.js';

async function auditFile({ environment, output, withoutEnd }: Verifying, file: string): Promise<Audited> {
  const progress = new Progress(output, environment.clock, 'verified');
  const options = { contiguous: environment.config.eventStore.kind === 'postgres', endMissing: withoutEnd };
  const log = await auditExport(linesOfFile(file), options, (lines) => {
    progress.add(lines);
  });
  progress.end();
  return { log, projections: [] };
}

async function auditLog({ environment, output, logOnly }: Verifying): Promise<Audited> {
  const { clock, config } = environment;
  const store = await environment.store();
  const database = logOnly ? null : await environment.database();
  const models = database && { database, clock, compare: () => compareOnThread(environment) };
  const progress = new Progress(output, clock, 'verified');
  const audited = await audit({ store, contiguous: config.eventStore.kind === 'postgres' }, models, (events) => {
    progress.add(events);
  });
  progress.end();
  return audited;
}

async function verify(verifying: Verifying): Promise<ExitCode> {
  const { output, file, withoutEnd } = verifying;
  const { log, projections } = file === null ? await auditLog(verifying) : await auditFile(verifying, file);
  const ok = log.findingsTotal === 0 && projections.every(({ differences }) => differences.length === 0);
  await output.answer({ ok, log, projections }, () => describe(log, projections, file !== null && withoutEnd));
  return ok ? 0 : 1;
}

type Verifying = Pick<Call, 'environment' | 'output'> & {
  readonly file: string | null;
  readonly logOnly: boolean;
  readonly withoutEnd: boolean;
};

const short = (position: string): string => position.replace(/^0+(?=\d)/, '');

function describe(log: LogReport, projections: readonly Comparison[], withoutEnd: boolean): string {
  const [first] = log.findings;
  const lines = [
    `${String(log.events)} events in ${String(log.streams)} streams, ${String(log.accounts)} accounts, up to position ${short(log.lastPosition ?? '0')}`,
    ...Object.entries(log.totals).map(
      ([unit, sums]) =>
        `${unit}: ${sums.granted} granted = ${sums.scheduled} scheduled + ${sums.available} available + ${sums.held} held + ` +
        `${sums.consumed} consumed + ${sums.expired} expired + ${sums.revoked} revoked + ${sums.repaid} used to repay debt + ${sums.transferred} given to other customers`,
    ),
    ...projections.map(
      ({ projection, rows, differences }) =>
        `${projection}: ${String(rows)} rows, ${differences.length === 0 ? 'as the log says' : `${String(differences.length)} differences`}`,
    ),
  ];
  if (first === undefined) {
    const sound = withoutEnd ? 'what is in the export is sound; whether it is all cannot be told' : 'the log is sound';
    const differing = projections
      .filter(({ differences }) => differences.length > 0)
      .map(({ projection }) => projection);
    const but = differing.length === 0 ? '' : `, but not what is shown of it: ${differing.join(', ')}`;
    return [...lines, ...describeDifferences(projections), `${sound}${but}`].join('\n');
  }
  const where = first.stream === '' ? '' : `, stream ${first.stream}, revision ${String(first.revision)}`;
  return [
    ...lines,
    ...describeDifferences(projections),
    `${String(log.findingsTotal)} problems. The first bad event: position ${short(first.position)}${where}: ${first.problem}`,
    ...log.findings
      .slice(1, 10)
      .map(({ position, stream, problem }) => `  then ${short(position)} ${stream}: ${problem}`),
  ].join('\n');
}

/** One line for each value of a read model that is not what the log says. */
export const describeDifferences = (comparisons: readonly Comparison[]): readonly string[] =>
  comparisons
    .flatMap(({ differences }) => differences)
    .map(
      ({ table, key, column, expected, found }) =>
        `  ${table} ${key} ${column}: ${found ?? 'nothing'} instead of ${expected ?? 'nothing'}`,
    );

export const auditCommands: readonly Command[] = [
  {
    name: 'audit verify',
    summary: 'Check that the log is whole and that balances and read models follow from it',
    options: [
      { name: 'from-export', value: 'FILE', help: 'check a complete export instead, without any database' },
      {
        name: 'without-end',
        value: null,
        help: 'the export has no end mark: it came from the API, or an older version',
      },
      { name: 'log-only', value: null, help: 'leave the read models out' },
    ],
    help:
      'Checks positions and revisions for gaps, the hash chain of every stream, that every event can be read, conservation of\n' +
      'credits per grant, account and in total, every recorded balance, and every read model against a fold of the log.\n' +
      'Names the first bad event. With EVENT_STORE=eventstoredb positions may have gaps.',
    run: (call) =>
      verify({
        environment: call.environment,
        output: call.output,
        file: call.text('from-export'),
        logOnly: call.flag('log-only'),
        withoutEnd: call.flag('without-end'),
      }),
  },
];

import { pagesOf, START } from '#event-store/event-store.js';
import { ledgerCodec, type LedgerEvent } from '#ledger/events.js';
import { compareProjections, ModelComparison, type Comparison } from '#read-store/compare.js';
import { EventSharing } from '#read-store/projection.js';
import { projectionStatus } from '#read-store/projection-status.js';
import { projectionsFor } from '#projections/registry.js';
import type { CliEnvironment } from './cli.module.js';
import type { Call, Command, ExitCode } from './command.js';
import { auditExport } from './export-audit.js';
import { keepHeapSmall, leaveRoomToThreads, takeRoomBack } from './heap.js';
import { LogAudit, type LogReport } from './log-audit.js';
import type { Output } from './output.js';
import { auditInParallel, type Audited } from './parallel-audit.js';
import { Progress } from './progress.js';

/** Compares every read model with an independent fold of the log. */
export async function compareAll(
  environment: CliEnvironment,
  names: readonly string[] | null,
): Promise<readonly Comparison[]> {
  const [store, database] = [await environment.store(), await environment.readDatabase()];
  const chosen = projectionsFor(store).filter(({ name }) => names === null || names.includes(name));
  return compareProjections<LedgerEvent>(store, database, ledgerCodec.decode, chosen);
}

/** Audits the log on several threads, where that can be done and all is sound; null otherwise. */
async function auditSound(environment: CliEnvironment, output: Output, logOnly: boolean): Promise<Audited | null> {
  if (environment.config.eventStore.kind !== 'postgres') return null;
  leaveRoomToThreads();
  const log = { store: await environment.store(), databaseUrl: await environment.databaseUrl() };
  const models = logOnly
    ? null
    : await ModelComparison.ofLive(await environment.readDatabase(), projectionsFor(log.store));
  const progress = new Progress(output, environment.clock, 'verified');
  try {
    const audited = await auditInParallel(log, models, (events) => {
      progress.add(events);
    });
    progress.end();
    return audited;
  } finally {
    takeRoomBack();
    await models?.close();
  }
}

/** Audits the log and compares the read models in one pass, so that each event is read and decoded once. */
async function auditDatabase(environment: CliEnvironment, output: Output, logOnly: boolean): Promise<Audited> {
  const store = await environment.store();
  const audit = new LogAudit({ contiguous: environment.config.eventStore.kind === 'postgres' });
  const progress = new Progress(output, environment.clock, 'verified');
  const sharing = new EventSharing<LedgerEvent>(ledgerCodec.decode);
  let models = logOnly ? null : await ModelComparison.ofLive(await environment.readDatabase(), projectionsFor(store));
  try {
    for await (const recorded of pagesOf(store, START)) {
      const page = sharing.page(recorded);
      audit.addDecoded(page);
      try {
        models?.add(page);
      } catch (error) {
        if (audit.sound) throw error;
        await models?.close();
        models = null; // nothing follows from a log that contradicts itself
      }
      progress.add(page.length);
    }
    progress.end();
    const log = audit.report();
    const projections = await models?.finish({ store, sharing }).catch((error: unknown) => {
      if (audit.sound) throw error;
      return [];
    });
    return { log, projections: projections ?? [] };
  } finally {
    await models?.close();
  }
}

async function auditFile({ environment, output, withoutEnd }: Verifying, file: string): Promise<Audited> {
  const progress = new Progress(output, environment.clock, 'verified');
  const options = { contiguous: environment.config.eventStore.kind === 'postgres', endMissing: withoutEnd };
  const log = await auditExport(file, options, (lines) => {
    progress.add(lines);
  });
  progress.end();
  return { log, projections: [] };
}

/** Events cut off the end of the log leave nothing in it that could tell; what has read them remembers how far it came. */
async function withMissingEnd(environment: CliEnvironment, log: LogReport): Promise<LogReport> {
  const [store, database] = [await environment.store(), await environment.readDatabase()];
  const ahead = (await projectionStatus(database, store, environment.clock.now()))
    .filter(({ position, head }) => position > head)
    .map(({ name, position }) => `${name} has read it up to ${short(position)}`);
  if (ahead.length === 0) return log;
  const problem = `the log ends here, but ${ahead.join(', ')}: events at its end are missing`;
  const finding = { position: log.lastPosition ?? START, stream: '', revision: -1, eventId: null, problem };
  return { ...log, findings: [...log.findings, finding], findingsTotal: log.findingsTotal + 1 };
}

async function auditLog({ environment, output, logOnly }: Verifying): Promise<Audited> {
  const audited =
    (await auditSound(environment, output, logOnly)) ?? (await auditDatabase(environment, output, logOnly));
  return logOnly ? audited : { ...audited, log: await withMissingEnd(environment, audited.log) };
}

async function verify(verifying: Verifying): Promise<ExitCode> {
  const { output, file, withoutEnd } = verifying;
  keepHeapSmall();
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
        `${sums.consumed} consumed + ${sums.expired} expired + ${sums.revoked} revoked + ${sums.repaid} used to repay debt`,
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

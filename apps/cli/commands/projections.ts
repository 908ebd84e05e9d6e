import { compareAll } from '../comparison/compare.js';
import { describeDifferences } from './audit.js';
import { requestRebuild } from '#projecting/generations.js';
import { projectionStatus } from '#projecting/status.js';
import { projections } from '#projections/registry.js';
import { WrongUse, type Call, type Command, type ExitCode } from '../terminal/command.js';
import { table } from '../terminal/output.js';

function known(name: string): string {
  if (projections.some((projection) => projection.name === name)) return name;
  throw new WrongUse(
    `no projection "${name}": there are ${projections.map((projection) => projection.name).join(', ')}`,
  );
}

async function status({ environment, output }: Call): Promise<ExitCode> {
  const [store, database] = [await environment.store(), await environment.database()];
  const all = await projectionStatus(database, store, environment.clock.now());
  await output.answer({ projections: all }, () =>
    table(
      ['projection', 'version', 'role', 'state', 'position', 'of', 'behind'],
      all.map(({ name, version, role, state, position, head, lagSeconds, haltedReason }) => [
        name,
        String(version),
        role,
        haltedReason === null ? state : `${state}: ${haltedReason}`,
        String(BigInt(position)),
        String(BigInt(head)),
        `${String(Math.round(lagSeconds))} s`,
      ]),
    ),
  );
  return all.some(({ state }) => state === 'halted') ? 1 : 0;
}

async function rebuild({ environment, output }: Call, name: string): Promise<ExitCode> {
  const requested = await requestRebuild(await environment.database(), name);
  await output.answer({ name, requested }, () =>
    requested ? `a worker will build ${name} anew beside the live one` : `${name} is not live yet`,
  );
  return requested ? 0 : 1;
}

async function compare({ environment, output }: Call, names: readonly string[] | null): Promise<ExitCode> {
  const comparisons = await compareAll(environment, names);
  await output.answer({ comparisons }, () =>
    [
      ...comparisons.map(
        ({ projection, rows, position, differences }) =>
          `${projection}: ${String(rows)} rows up to position ${String(BigInt(position))}, ${String(differences.length)} differences`,
      ),
      ...describeDifferences(comparisons),
    ].join('\n'),
  );
  return comparisons.every(({ differences }) => differences.length === 0) ? 0 : 1;
}

export const projectionCommands: readonly Command[] = [
  { name: 'projections status', summary: 'How far every read model is', run: status },
  {
    name: 'projections rebuild',
    summary: 'Ask the workers to build a read model anew from the log; readers notice nothing',
    positionals: ['NAME'],
    run: (call) => rebuild(call, known(call.requiredArgument(0, 'NAME'))),
  },
  {
    name: 'projections compare',
    summary: 'Compare read models with an independent fold of the log',
    positionals: ['[NAME]'],
    run: (call) => {
      const name = call.argument(0);
      return compare(call, name === null ? null : [known(name)]);
    },
  },
];

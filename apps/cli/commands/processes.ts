import type { Call, Command, ExitCode } from '../terminal/command.js';
import { runInPlace, type ProgramName } from '../installation/child.js';

/** Runs the program on the database of the environment, or of the data directory. */
async function run({ environment }: Call, name: ProgramName): Promise<ExitCode> {
  const variables = { ...environment.variables, DATABASE_URL: await environment.databaseUrl() };
  const { code, signal } = await runInPlace(name, variables);
  if (code === 2) return 2;
  return code === 0 || signal === 'SIGTERM' || signal === 'SIGINT' ? 0 : 1;
}

async function migrate({ environment, output }: Call): Promise<ExitCode> {
  await environment.database();
  await output.answer({ migrated: true }, () => 'the log and the read models have their newest tables');
  return 0;
}

export const processCommands: readonly Command[] = [
  { name: 'api', summary: 'Serve HTTP', run: (call) => run(call, 'api') },
  { name: 'worker', summary: 'Work off Stripe events, projections and schedules', run: (call) => run(call, 'worker') },
  { name: 'migrate', summary: 'Bring the tables of the log and of the read models up to date', run: migrate },
];

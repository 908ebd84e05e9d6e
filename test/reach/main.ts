/**
 * Which branches no test reaches: over all kinds of tests together, in the specs and in the programs that they start. Works on an
 * instrumented copy of the repository, which it leaves where it says. Takes twenty minutes or more.
 *
 *   npm run coverage                        every test
 *   npm run coverage -- unit integration    some of jest's projects
 *   npm run coverage -- --report <copy>     the report of a copy again
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { report } from './report.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const areas = ['apps', 'libs', 'projections'];
const projects = ['unit', 'integration', 'faults', 'long'];
/** Where a process of ours begins. */
const entries = ['api', 'worker', 'cli', 'stripe-sandbox'].map((app) => `apps/${app}/main.ts`);

function instrumentedCopy(): string {
  const copy = mkdtempSync(join(tmpdir(), 'scrip-coverage-'));
  const files = execFileSync('git', ['ls-files', '-z'], { cwd: root, encoding: 'utf8' }).split('\0').filter(Boolean);
  for (const file of files) {
    mkdirSync(dirname(join(copy, file)), { recursive: true });
    copyFileSync(join(root, file), join(copy, file));
  }
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  const settings = {
    extension: ['.ts'],
    include: areas.map((area) => `${area}/**`),
    exclude: ['**/*.spec.ts'],
    parserPlugins: ['typescript', 'decorators-legacy'],
  };
  writeFileSync(join(copy, '.nycrc.json'), JSON.stringify(settings));
  for (const area of areas)
    execFileSync('npx', ['--yes', 'nyc@17.1.0', 'instrument', '--in-place', area], { cwd: copy, stdio: 'inherit' });
  const keeper = pathToFileURL(join(copy, 'test/reach/keep-counts.js')).href;
  for (const file of entries.map((entry) => join(copy, entry)))
    writeFileSync(file, `import '${keeper}';\n${readFileSync(file, 'utf8')}`);
  return copy;
}

/** Runs the tests in the copy. Some fail there: those that look at the sources, whose lines are not what they were. */
function runTests(copy: string, selected: readonly string[]): void {
  const run = (stdio: 'inherit' | 'ignore', ...args: string[]) =>
    spawnSync(process.execPath, args, { cwd: copy, stdio });
  // The compiler finds fault with what counts, and builds it all the same.
  run('ignore', 'node_modules/typescript-native/bin/tsc', '-p', 'tsconfig.build.json', '--noEmitOnError', 'false');
  const flags = ['--experimental-vm-modules', '--no-warnings'];
  const reporters = ['--reporters=default', '--reporters=<rootDir>/test/reach/count-reporter.js'];
  for (const project of selected)
    run(
      'inherit',
      ...flags,
      'node_modules/jest/bin/jest.js',
      '--selectProjects',
      project,
      '--maxWorkers=2',
      ...reporters,
    );
}

const given = process.argv.slice(2);
const known = given[0] === '--report' ? given[1] : undefined;
const copy = known ?? instrumentedCopy();
if (known === undefined) runTests(copy, given.length > 0 ? given : projects);
process.stdout.write(`${report(copy)}\nThe copy with the counts: ${copy}\n`);

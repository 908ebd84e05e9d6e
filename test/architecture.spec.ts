import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const areas = ['apps', 'libs', 'projections'];
const settings = ['.dependency-cruiser.js', 'eslint.config.js', 'package.json', 'tsconfig.json', 'tsconfig.pure.json'];

/** Imports that must be refused: the file that has it, the import, the rule that sees it. */
const badImports: readonly [file: string, imports: string, rule: string][] = [
  ['libs/ledger/bad-nest.ts', "import '@nestjs/common';", 'ledger-imports-only-its-own'],
  ['libs/ledger/bad-crypto.ts', "import 'node:crypto';", 'ledger-imports-only-its-own'],
  [
    'libs/ledger/bad-stripe.ts',
    "import type Stripe from 'stripe'; export type X = Stripe;",
    'ledger-imports-only-its-own',
  ],
  ['libs/ledger/bad-store.ts', "import '#event-store/port/encode-event.js';", 'ledger-imports-only-its-own'],
  [
    'libs/ledger/bad-type.ts',
    "import type { EventStore } from '#event-store/port/event-store.js'; export type X = EventStore;",
    'ledger-imports-only-its-own',
  ],
  ['libs/kernel/bad-ledger.ts', "import '#ledger/events.js';", 'kernel-imports-only-its-own'],
  ['libs/kernel/bad-package.ts', "import 'pg';", 'kernel-imports-only-its-own'],
  ['libs/event-store/port/bad-ledger.ts', "import '#ledger/events.js';", 'event-store-port-imports-only-its-own'],
  ['libs/event-store/port/bad-writing.ts', "import '../writing/limits.js';", 'event-store-port-imports-only-its-own'],
  ['libs/event-store/writing/bad-pg.ts', "import 'pg';", 'event-store-writing-imports-only-its-own'],
  ['libs/event-store/writing/bad-adapter.ts', "import '../in-memory.js';", 'adapters-only-in-modules'],
  ['libs/event-store/writing/bad-store.ts', "import '../eventstoredb/store.js';", 'adapters-only-in-modules'],
  [
    'libs/event-store/reading/bad-store.ts',
    "import '../postgres/store.js';",
    'event-store-reading-imports-only-its-own',
  ],
  [
    'libs/event-store/postgres/bad-ledger.ts',
    "import '#ledger/events.js';",
    'event-store-postgres-imports-only-its-own',
  ],
  [
    'libs/event-store/eventstoredb/bad-ledger.ts',
    "import '#ledger/events.js';",
    'event-store-eventstoredb-imports-only-its-own',
  ],
  ['libs/stripe/bad-store.ts', "import '#event-store/port/encode-event.js';", 'stripe-imports-only-its-own'],
  ['libs/consuming/bad-nest.ts', "import '@nestjs/common';", 'consuming-imports-only-its-own'],
  ['libs/consuming/bad-writing.ts', "import '#event-store/writing/limits.js';", 'consuming-imports-only-its-own'],
  ['libs/composition/bad-pg.ts', "import 'pg';", 'composition-imports-only-its-own'],
  ['libs/composition/bad-adapter.ts', "import '#event-store/in-memory.js';", 'adapters-only-in-modules'],
  ['libs/composition/bad-app.ts', "import '../../apps/worker/outcomes.js';", 'composition-imports-only-its-own'],
  ['libs/database/bad-records.ts', "import '#records/schema.js';", 'database-imports-only-its-own'],
  ['libs/projecting/bad-ledger.ts', "import '#ledger/events.js';", 'projecting-imports-only-its-own'],
  ['libs/projecting/bad-records.ts', "import '#records/schema.js';", 'projecting-imports-only-its-own'],
  ['libs/projecting/bad-pg.ts', "import 'pg';", 'projecting-imports-only-its-own'],
  ['libs/records/bad-projecting.ts', "import '#projecting/schema.js';", 'records-imports-only-its-own'],
  ['libs/records/bad-ledger.ts', "import '#ledger/events.js';", 'records-imports-only-its-own'],
  ['libs/audit/bad-projection.ts', "import '#projections/registry.js';", 'audit-imports-only-its-own'],
  ['libs/audit/bad-file.ts', "import 'node:fs';", 'audit-imports-only-its-own'],
  ['libs/config/bad-ledger.ts', "import '#ledger/events.js';", 'config-imports-only-its-own'],
  ['libs/new-area/bad-area.ts', "import '#kernel/amount.js';", 'every-area-has-a-row'],
  ['projections/bad-pg.ts', "import 'pg';", 'projections-imports-only-its-own'],
  ['projections/bad-adapter.ts', "import '../libs/event-store/in-memory.js';", 'projections-imports-only-its-own'],
  ['projections/bad-missing.ts', "import './is-not-there.js';", 'everything-resolves'],
  [
    'projections/payments/bad-oracle.ts',
    "import { payments } from './payments.js'; export const x = payments;",
    'oracle-shares-nothing-with-its-writer',
  ],
  ['apps/api/bad-app.ts', "import '../worker/bad-app.js';", 'api-imports-no-other-app'],
  [
    'apps/api/http/bad-subject.ts',
    "import '../accounts/commands/account-service.js';",
    'api-shared-rooms-know-no-subject',
  ],
  ['apps/worker/bad-app.ts', "import '../cli/installation/embedded-postgres.js';", 'worker-imports-no-other-app'],
  ['apps/cli/bad-store.ts', "import '#event-store/event-store.module.js';", 'stores-open-only-in-composition'],
  ['apps/cli/bad-adapter.ts', "import '#event-store/in-memory.js';", 'adapters-only-in-modules'],
  ['apps/api/bad-test.ts', "import '../../test/support/databases/postgres.js';", 'product-imports-no-test'],
  ['apps/api/bad-tool.ts', "import 'fast-check';", 'product-imports-no-development-tool'],
  ['libs/kernel/bad-orphan.ts', 'export const unused = 1;', 'no-orphans'],
  ['libs/kernel/bad-cycle.ts', "import './bad-cycle.js';", 'no-cycles'],
  ['libs/kernel/bad-type-cycle.ts', "export type { A as B } from './bad-type-cycle.js';", 'no-cycles'],
];

/** The platform, which the pure tsconfig must not know. */
const platform: readonly [file: string, code: string, error: string][] = [
  ['libs/ledger/bad-process.ts', 'export const x = process.env;', "'process'"],
  ['libs/ledger/bad-timer.ts', 'setTimeout(() => undefined, 1); export {};', "'setTimeout'"],
  ['libs/kernel/bad-fetch.ts', "export const x = fetch('http://localhost');", "'fetch'"],
  ['libs/kernel/bad-console.ts', "console.log('x'); export {};", "'console'"],
];

const sevenParameters = 'a: string, b: string, c: string, d: string, e: string, f: string, g: string';

/** What only lint can see. */
const impurities: readonly [file: string, code: string, message: RegExp][] = [
  ['libs/ledger/bad-date.ts', 'export const x = new Date();', /Clock port/],
  ['libs/ledger/bad-now.ts', 'export const x = Date.now();', /Clock port/],
  ['libs/ledger/bad-random.ts', 'export const x = Math.random();', /Randomness/],
  ['libs/ledger/bad-throw.ts', "export const x = () => { throw new Error('x'); };", /refuses with values/],
  ['libs/projecting/bad-now.ts', 'export const x = Date.now();', /Clock port/],
  ['projections/bad-date.ts', 'export const x = new Date();', /Clock port/],
  ['libs/event-store/writing/bad-timer.ts', 'setTimeout(() => undefined, 1);', /Clock port/],
  ['apps/api/bad-internal.ts', "import '@nestjs/common/internal';", /does not document/],
  ['apps/api/bad-lib.ts', "import 'fastify/lib/symbols.js';", /does not document/],
  [
    'libs/event-store/eventstoredb/bad-generated.ts',
    "import type x from '@eventstore/db-client/generated/streams_pb.js'; export type { x };",
    /does not document/,
  ],
  ['test/support/bad-dist.ts', "import 'kysely/dist/kysely.js';", /does not document/],
  ['libs/ledger/bad-member.ts', "export const x = (y: Record<string, unknown>) => y['_hidden'];", /is private/],
  [
    'apps/worker/bad-listeners.ts',
    "import { stdout } from 'node:process'; stdout.removeAllListeners('error');",
    /Remove the listeners that you added/,
  ],
  ['libs/kernel/bad-word.ts', 'export const told = 1;', /'told' is restricted/],
  ['libs/stripe/bad-type.ts', 'export type Errand = string;', /'Errand' is restricted/],
  ['libs/kernel/bad-constructor.ts', `export class X { constructor(${sevenParameters}) {} }`, /six collaborators/],
];

type Cruise = {
  readonly modules: readonly { readonly source: string; readonly dependencies: readonly Dependency[] }[];
  readonly summary: {
    readonly violations: readonly { readonly from: string; readonly rule: { readonly name: string } }[];
  };
};
type Dependency = { readonly module: string; readonly resolved: string };

/** A copy of the sources, to plant bad files in. */
let copy: string;

function run(cwd: string, script: string, ...args: string[]): Promise<string> {
  return new Promise((done) => {
    const options = { cwd, maxBuffer: 256 * 1024 * 1024 };
    execFile(process.execPath, [join(root, 'node_modules', script), ...args], options, (_error, stdout) => {
      done(stdout);
    });
  });
}

async function cruise(cwd: string): Promise<Cruise> {
  const options = ['--config', '.dependency-cruiser.js', '--output-type', 'json'];
  return JSON.parse(await run(cwd, 'dependency-cruiser/bin/dependency-cruiser.mjs', ...options, ...areas)) as Cruise;
}

async function plant(files: readonly (readonly [file: string, code: string, found: unknown])[]): Promise<void> {
  for (const [file, code] of files) {
    await mkdir(dirname(join(copy, file)), { recursive: true });
    await writeFile(join(copy, file), `${code}\n`);
  }
}

async function uproot(files: readonly (readonly [file: string, code: string, found: unknown])[]): Promise<void> {
  for (const [file] of files) await rm(join(copy, file));
}

beforeAll(async () => {
  copy = await mkdtemp(join(tmpdir(), 'scrip-architecture-'));
  for (const path of [...areas, ...settings]) await cp(join(root, path), join(copy, path), { recursive: true });
  await cp(join(root, 'test/support'), join(copy, 'test/support'), { recursive: true });
  await symlink(join(root, 'node_modules'), join(copy, 'node_modules'));
});

afterAll(() => rm(copy, { recursive: true, force: true }));

describe('the dependency rule', () => {
  let violations: Set<string>;

  beforeAll(async () => {
    await plant(badImports);
    const { summary } = await cruise(copy);
    await uproot(badImports);
    violations = new Set(summary.violations.map(({ from, rule }) => `${from}: ${rule.name}`));
  });

  it.each(badImports)('refuses %s: %s', (file, _imports, rule) => {
    expect(violations).toContain(`${file}: ${rule}`);
  });

  it('sees the edges that go through aliases', async () => {
    const { modules } = await cruise(root);
    const edges = modules.flatMap(({ dependencies }) => dependencies);
    const aliased = edges.filter(({ module }) => module.startsWith('#'));
    expect(aliased.length).toBeGreaterThan(500);
    expect(aliased.filter(({ resolved }) => !/^(libs|projections)\/.*\.ts$/.test(resolved))).toEqual([]);
  });
});

describe('the fence around kernel and ledger', () => {
  let errors: string[];

  beforeAll(async () => {
    await plant(platform);
    errors = (await run(copy, 'typescript-native/bin/tsc', '-p', 'tsconfig.pure.json', '--pretty', 'false')).split(
      '\n',
    );
  });

  it.each(platform)('refuses %s: %s', (file, _code, name) => {
    expect(errors.filter((line) => line.startsWith(file) && line.includes(name))).not.toEqual([]);
  });
});

describe('lint', () => {
  let messages: Map<string, string>;

  beforeAll(async () => {
    await plant(impurities);
    const files = impurities.map(([file]) => file);
    const report = JSON.parse(await run(copy, 'eslint/bin/eslint.js', '--format', 'json', ...files)) as {
      filePath: string;
      messages: { message: string }[];
    }[];
    messages = new Map(
      report.map(({ filePath, messages: found }) => [filePath, found.map(({ message }) => message).join('\n')]),
    );
  });

  it.each(impurities)('refuses %s: %s', (file, _code, message) => {
    expect(messages.get(join(copy, file))).toMatch(message);
  });
});

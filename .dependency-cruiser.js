/**
 * Who may import whom: one row an area, and what a row does not name is forbidden. Aliases (`#ledger/…`) are resolved by
 * "imports" in package.json under the condition `source`; resolved to dist/ they would all be invisible here.
 */
const packages = (...names) => `node_modules/(@types/)?(${names.join('|')})/`;
const builtins = (...names) => `^(node:)?(${names.join('|')})$`;

const areas = [
  { name: 'kernel', path: '^libs/kernel/', may: ['^libs/kernel/'] },
  { name: 'ledger', path: '^libs/ledger/', may: ['^libs/(kernel|ledger)/'] },
  {
    name: 'event-store-port',
    path: '^libs/event-store/port/',
    may: ['^libs/kernel/', '^libs/event-store/port/', builtins('crypto')],
  },
  {
    name: 'event-store-writing',
    path: '^libs/event-store/writing/',
    may: ['^libs/kernel/', '^libs/event-store/(port|writing)/'],
  },
  {
    name: 'event-store-reading',
    path: '^libs/event-store/reading/',
    may: ['^libs/kernel/', '^libs/event-store/(port|reading)/'],
  },
  {
    name: 'event-store-modules',
    path: '^libs/event-store/[a-z-]+\\.module\\.ts',
    may: ['^libs/(kernel|event-store)/'],
  },
  {
    name: 'event-store-in-memory',
    path: '^libs/event-store/in-memory\\.ts',
    may: ['^libs/kernel/', '^libs/event-store/(port|reading)/'],
  },
  {
    name: 'event-store-postgres',
    path: '^libs/event-store/postgres/',
    may: ['^libs/(kernel|database)/', '^libs/event-store/(port|reading|postgres)/', packages('pg'), builtins('crypto')],
  },
  {
    name: 'event-store-eventstoredb',
    path: '^libs/event-store/eventstoredb/',
    may: [
      '^libs/kernel/',
      '^libs/event-store/(port|reading|eventstoredb)/',
      // What the package exports, not its internals or generated code.
      'node_modules/@eventstore/db-client/dist/index\\.(js|d\\.ts)$',
    ],
  },
  {
    name: 'stripe',
    path: '^libs/stripe/',
    may: ['^libs/(kernel|ledger|stripe)/', packages('stripe'), builtins('crypto')],
  },
  {
    name: 'database',
    path: '^libs/database/',
    may: ['^libs/(kernel|database)/', packages('pg', 'kysely')],
  },
  {
    name: 'consuming',
    path: '^libs/consuming/',
    may: [
      '^libs/(kernel|consuming)/',
      '^libs/event-store/port/event-store\\.ts$',
      '^libs/database/(database|lock)\\.ts$',
    ],
  },
  {
    name: 'projecting',
    path: '^libs/projecting/',
    may: [
      '^libs/(kernel|database|consuming|projecting)/',
      '^libs/event-store/port/(event-store|key-index)\\.ts$',
      packages('kysely'),
      builtins('crypto'),
    ],
  },
  {
    name: 'records',
    path: '^libs/records/',
    may: [
      '^libs/(kernel|database|records)/',
      '^libs/consuming/checkpoint\\.ts$',
      '^libs/event-store/port/event-store\\.ts$',
      // What the inbox remembers of the log: owners and reasons.
      '^libs/ledger/stripe/',
      builtins('crypto'),
    ],
  },
  {
    name: 'composition',
    path: '^libs/composition/',
    may: [
      '^libs/(kernel|ledger|config|composition)/',
      '^libs/event-store/(event-store\\.module\\.ts$|port/|writing/)',
      '^libs/database/database\\.ts$',
      '^libs/(projecting|records)/migrate\\.ts$',
      '^projections/(registry|command-keys/key-index)\\.ts$',
    ],
  },
  {
    name: 'audit',
    path: '^libs/audit/',
    may: [
      '^libs/(kernel|ledger|audit)/',
      '^libs/event-store/port/(event-store|encode-event|event-line)\\.ts$',
      '^libs/database/database\\.ts$',
      '^libs/projecting/(projection|status|comparison/compare)\\.ts$',
      builtins('crypto'),
    ],
  },
  {
    name: 'config',
    path: '^libs/config/',
    may: ['^libs/(kernel|config)/', packages('class-validator', 'class-transformer', 'reflect-metadata', 'pino')],
  },
  {
    name: 'projections',
    path: '^projections/',
    may: [
      '^projections/',
      '^libs/(kernel|ledger|database|projecting)/',
      '^libs/event-store/port/(event-store|key-index)\\.ts$',
      packages('kysely'),
    ],
  },
];

const apps = ['api', 'worker', 'cli', 'dashboard', 'stripe-sandbox'];
/** Folders of apps/api that belong to no subject. */
const sharedByRoutes = ['http', 'callers', 'reads', 'writes', 'openapi'];
const spec = '\\.spec\\.ts$';

export default {
  forbidden: [
    {
      name: 'no-cycles',
      severity: 'error',
      comment: 'Not of types either: two files that name each other are one thought in two places',
      from: {},
      to: { circular: true },
    },
    {
      name: 'everything-resolves',
      severity: 'error',
      from: { pathNot: 'node_modules' },
      to: { couldNotResolve: true },
    },
    ...areas.map(({ name, path, may }) => ({
      name: `${name}-imports-only-its-own`,
      severity: 'error',
      from: { path, pathNot: spec },
      to: { pathNot: may },
    })),
    {
      name: 'every-area-has-a-row',
      severity: 'error',
      comment: 'A new folder of libs/ needs a row above',
      from: { path: '^libs/', pathNot: areas.map(({ path }) => path) },
      to: {},
    },
    ...apps.map((app) => ({
      name: `${app}-imports-no-other-app`,
      severity: 'error',
      from: { path: `^apps/${app}/` },
      to: { path: '^apps/', pathNot: `^apps/${app}/` },
    })),
    {
      name: 'api-shared-rooms-know-no-subject',
      severity: 'error',
      comment: 'What all routes share stands below the folders of the subjects',
      from: { path: `^apps/api/(${sharedByRoutes.join('|')})/`, pathNot: spec },
      to: { path: '^apps/api/[^/]+/', pathNot: `^apps/api/(${sharedByRoutes.join('|')})/` },
    },
    {
      name: 'adapters-only-in-modules',
      severity: 'error',
      comment: 'An adapter is chosen in a composition root: *.module.ts',
      from: { pathNot: ['\\.module\\.ts$', '^libs/event-store/(postgres|eventstoredb|in-memory)', spec, '^test/'] },
      to: { path: '^libs/event-store/(postgres|eventstoredb|in-memory)' },
    },
    {
      name: 'stores-open-only-in-composition',
      severity: 'error',
      comment: 'Every process gets its stores and write paths from libs/composition',
      from: { pathNot: ['^libs/composition/', spec, '^test/'] },
      to: { path: '^libs/event-store/event-store\\.module\\.ts$' },
    },
    {
      name: 'oracle-shares-nothing-with-its-writer',
      severity: 'error',
      comment: 'What both used could be wrong in both, and the comparison would not tell',
      from: { path: '^projections/.*oracle\\.ts$' },
      to: {
        path: '^projections/',
        pathNot: [
          '^projections/(ledger-projection|per-stream)\\.ts$',
          '^projections/balances/(tables|grants-oracle|usage-oracle)\\.ts$',
        ],
      },
    },
    {
      name: 'product-imports-no-test',
      severity: 'error',
      from: { path: '^(apps|libs|projections)/', pathNot: spec },
      to: { path: '^test/' },
    },
    {
      name: 'product-imports-no-development-tool',
      severity: 'error',
      from: { path: '^(apps|libs|projections)/', pathNot: spec },
      to: { dependencyTypes: ['npm-dev'], pathNot: 'node_modules/@types/' },
    },
    {
      name: 'no-orphans',
      severity: 'error',
      from: { orphan: true, path: '^(apps|libs|projections)/', pathNot: [spec, '/main\\.ts$', '\\.d\\.ts$'] },
      to: {},
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      conditionNames: ['source', 'import', 'node', 'default'],
      exportsFields: ['exports'],
      mainFields: ['module', 'main'],
    },
    moduleSystems: ['es6', 'cjs'],
  },
};

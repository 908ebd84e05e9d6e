/** Who may import whom. One row an area; everything not named is forbidden. See README, "How it is built". */
const areas = [
  { name: 'kernel', path: '^libs/kernel/', may: ['^libs/kernel/'] },
  { name: 'ledger', path: '^libs/ledger/', may: ['^libs/(kernel|ledger)/'] },
  { name: 'event-store', path: '^libs/event-store/(?!adapters/)', may: ['^libs/kernel/', '^libs/event-store/(?!adapters/)', '^(node:)?crypto$'] },
  {
    name: 'event-store-adapters',
    path: '^libs/event-store/adapters/',
    may: ['^libs/(kernel|event-store)/', 'node_modules/(@types/)?(pg|kysely|@eventstore/db-client)/', '^(node:)?(crypto|events)$'],
  },
  { name: 'stripe', path: '^libs/stripe/', may: ['^libs/(kernel|ledger|stripe)/', 'node_modules/stripe/'] },
  {
    name: 'read-store',
    path: '^libs/read-store/',
    may: ['^libs/(kernel|read-store)/', '^libs/event-store/(?!adapters/)', 'node_modules/(@types/)?(pg|kysely)/'],
  },
  { name: 'config', path: '^libs/config/', may: ['^libs/(kernel|config)/', 'node_modules/(class-validator|class-transformer|reflect-metadata|pino)/', '^(node:)?[a-z/]+$'] },
  {
    name: 'projections',
    path: '^projections/',
    may: ['^projections/', '^libs/(kernel|ledger|read-store)/', '^libs/event-store/event-store\\.ts$', 'node_modules/kysely/'],
  },
];

const notSpec = '\\.spec\\.ts$';

export default {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    ...areas.map(({ name, path, may }) => ({
      name: `${name}-imports-only-its-own`,
      severity: 'error',
      from: { path, pathNot: notSpec },
      to: { pathNot: may },
    })),
    ...['api', 'worker', 'cli', 'dashboard', 'stripe-sandbox'].map((app) => ({
      name: `${app}-imports-no-other-app`,
      severity: 'error',
      from: { path: `^apps/${app}/` },
      to: { path: '^apps/', pathNot: `^apps/${app}/` },
    })),
    {
      name: 'adapters-only-in-modules',
      severity: 'error',
      comment: 'An adapter is chosen in a composition root: *.module.ts',
      from: { pathNot: ['\\.module\\.ts$', '^libs/event-store/adapters/', notSpec, '^test/'] },
      to: { path: '^libs/event-store/adapters/' },
    },
    { name: 'product-imports-no-test', severity: 'error', from: { path: '^(apps|libs|projections)/', pathNot: notSpec }, to: { path: '^test/' } },
    {
      name: 'no-orphans',
      severity: 'error',
      from: { orphan: true, path: '^(apps|libs|projections)/', pathNot: [notSpec, '/main\\.ts$', '\\.d\\.ts$'] },
      to: {},
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { conditionNames: ['source', 'import', 'node', 'default'], exportsFields: ['exports'], mainFields: ['module', 'main'] },
    moduleSystems: ['es6', 'cjs'],
  },
};

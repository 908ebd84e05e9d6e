const ownConditions = ['source', 'node', 'node-addons'];

/** TypeScript through swc, as ES modules; the aliases (`#kernel/…`) come from "imports" in package.json. */
const common = {
  extensionsToTreatAsEsm: ['.ts'],
  testEnvironment: 'node',
  testEnvironmentOptions: { customExportConditions: ownConditions },
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        jsc: {
          target: 'es2023',
          parser: { syntax: 'typescript', decorators: true },
          transform: { legacyDecorator: true, decoratorMetadata: true },
          keepClassNames: true,
        },
        module: { type: 'es6' },
      },
    ],
  },
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  setupFiles: ['<rootDir>/test/support/jest/property-seed.ts'],
};

/** Needs a server that no test brings along. */
const onRealServer = 'eventstoredb-real.spec.ts';

/** One PostgreSQL server for all tests of a run. */
const server = {
  globalSetup: '<rootDir>/test/support/jest/global-setup.ts',
  globalTeardown: '<rootDir>/test/support/jest/global-teardown.ts',
};

export default {
  // Against what hangs only. How long a test takes is the machine's affair: what a test promises of time it asserts.
  testTimeout: 180_000,
  reporters: ['default', '<rootDir>/test/support/jest/summary-reporter.js'],
  projects: [
    {
      ...common,
      displayName: 'unit',
      testMatch: ['<rootDir>/{apps,libs,projections}/**/*.spec.ts', '<rootDir>/test/{*,property/**/*}.spec.ts'],
    },
    {
      ...common,
      displayName: 'integration',
      testMatch: ['<rootDir>/test/{contract,e2e,lives,simulation}/**/*.spec.ts'],
      testPathIgnorePatterns: [onRealServer],
      ...server,
    },
    {
      ...common,
      displayName: 'eventstoredb',
      testMatch: [`<rootDir>/test/{contract,e2e/stores}/${onRealServer}`],
      ...server,
    },
    {
      ...common,
      displayName: 'faults',
      testMatch: ['<rootDir>/test/faults/*.spec.ts'],
      ...server,
    },
    {
      ...common,
      displayName: 'long',
      testMatch: ['<rootDir>/test/faults/long/**/*.spec.ts'],
      ...server,
    },
  ],
};

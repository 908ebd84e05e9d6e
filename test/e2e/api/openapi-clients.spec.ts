import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Document } from '../../support/api/answer-check.js';
import { adminKey, RunningScrip } from '../../support/processes/running-scrip.js';

const run = promisify(execFile);
const binOf = (path: string): string => createRequire(import.meta.url).resolve(`../../../node_modules/${path}`);

/** The tools that callers use, run on the document of a running server. */
describe('what tools make of /openapi.json', () => {
  let scrip: RunningScrip;
  let url: string;
  let directory: string;
  let document: Document;

  const node = async (...args: readonly string[]): Promise<string> => {
    const env = { ...process.env, NODE_OPTIONS: '', REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' };
    return run(process.execPath, args, { cwd: directory, env, timeout: 120_000 }).then(
      ({ stdout }) => stdout,
      (error: Error & { stdout?: string; stderr?: string }) => {
        throw new Error(`${args.join(' ')} failed: ${error.message}\n${error.stdout ?? ''}\n${error.stderr ?? ''}`);
      },
    );
  };

  beforeAll(async () => {
    scrip = await RunningScrip.prepare();
    const { client } = await scrip.startApi();
    await scrip.startWorker();
    ({ url } = client);
    directory = await mkdtemp(join(tmpdir(), 'scrip-openapi-'));
    const { text } = await client.get('/openapi.json', { token: null });
    document = JSON.parse(text) as Document;
    await writeFile(join(directory, 'openapi.json'), text);
  });

  afterAll(async () => {
    await scrip.stop();
    await rm(directory, { recursive: true, force: true });
  });

  it('finds no fault in it: Redocly', async () => {
    const found = await node(
      binOf('@redocly/cli/bin/cli.js'),
      'lint',
      `--config=${resolve('redocly.yaml')}`,
      '--format=json',
      'openapi.json',
    );
    const { totals, problems } = JSON.parse(found) as { totals: object; problems: readonly object[] };
    expect(problems).toEqual([]);
    expect(totals).toMatchObject({ errors: 0, warnings: 0 });
  });

  it('compiles a typed client and has it do business: openapi-typescript and openapi-fetch', async () => {
    const notes = await readFile('docs/api-notes.md', 'utf8');
    const [, command = ''] = /^npx openapi-typescript (.*)$/m.exec(notes) ?? [];
    await node(binOf('openapi-typescript/bin/cli.js'), ...command.split(' '));
    await cp(resolve('test/clients/typescript.ts'), join(directory, 'main.ts'));
    await symlink(resolve('node_modules'), join(directory, 'node_modules'));
    await writeFile(join(directory, 'package.json'), '{ "type": "module" }');
    const compilerOptions = {
      strict: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      target: 'es2023',
      lib: ['es2024', 'dom'],
      module: 'nodenext',
      types: ['node'],
      skipLibCheck: true,
    };
    await writeFile(join(directory, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['main.ts'] }));
    await node(binOf('typescript/bin/tsc'), '-p', 'tsconfig.json');
    expect(JSON.parse(await node('main.js', url, adminKey))).toEqual({
      granted: 100,
      consumed: 95,
      priced: 2,
      replayed: 'true',
      refused: { missing: 913, unit: 'credits' },
      captured: true,
      results: [91, 88, 87, 100_000],
      movements: expect.arrayContaining(['granted 100', 'consumed -5', 'held -20', 'granted 10', 'consumed -3']),
    });
  });

  it('names every operation once, and says of each who may use it and how it fails', () => {
    const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ path, method, ...operation })),
    );
    const names = operations.map(({ operationId }) => operationId);
    expect(new Set(names).size).toBe(names.length);
    for (const { path, method, responses, security } of operations as ((typeof operations)[number] & {
      security?: readonly object[];
    })[]) {
      const statuses = Object.keys(responses);
      const guarded = (security ?? []).length > 0;
      expect([path, security === undefined]).toEqual([path, false]);
      if (guarded) expect([path, statuses]).toEqual([path, expect.arrayContaining(['401', '403', '429', '503'])]);
      if (path.startsWith('/v1/')) expect([path, statuses]).toEqual([path, expect.arrayContaining(['400', '500'])]);
      if (method !== 'get') expect([path, statuses]).toEqual([path, expect.arrayContaining(['413', '415'])]);
    }
  });

  it('fixes the code and the size of every number in its schemas', () => {
    const problems = Object.entries(document.components.schemas).filter(([name]) => name.endsWith('Problem'));
    expect(problems.length).toBeGreaterThan(30);
    for (const [name, schema] of problems) {
      const { code } = (schema as { properties: { code: { enum?: readonly string[] } } }).properties;
      expect([name, (code.enum ?? []).length > 0]).toEqual([name, true]);
    }
    const text = JSON.stringify(document);
    for (const [number] of text.matchAll(/\{[^{}]*"type":(?:"integer"|\["integer","null"\])[^{}]*\}/g))
      expect(number).toMatch(/"format":"int(32|64)"/);
  });
});

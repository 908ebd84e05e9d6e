import { describe, expect, it } from '@jest/globals';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const pages = [
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  'libs/ledger/README.md',
  'test/README.md',
  ...readdirSync(join(root, 'docs')).map((name) => `docs/${name}`),
];

/** Files and folders that a page names from the root, with or without the ending of a spec and a line number. */
const pathsIn = (text: string): readonly string[] =>
  [...text.matchAll(/`((?:apps|libs|projections|test|docs)\/[\w./-]+?)(?::\d+)?`/g)].map(([, path]) => path!);

/** What a page links to beside it; no addresses, no headings. */
const linksIn = (text: string): readonly string[] =>
  [...text.matchAll(/\]\((?!https?:)([\w./-]+)(?:#[\w-]*)?\)/g)].map(([, path]) => path!);

const exists = (path: string): boolean => ['', '.ts', '.spec.ts'].some((ending) => existsSync(`${path}${ending}`));

describe.each(pages)('%s', (page) => {
  const text = readFileSync(join(root, page), 'utf8');

  it('names only what is there', () => {
    expect(pathsIn(text).filter((path) => !exists(join(root, path)))).toEqual([]);
    expect(linksIn(text).filter((path) => !existsSync(join(root, dirname(page), path)))).toEqual([]);
  });
});

it('the paths of a page are seen', () => {
  expect(pathsIn('| `libs/kernel/ids.ts:12` | `test/e2e/`, `npm test` |')).toEqual(['libs/kernel/ids.ts', 'test/e2e/']);
  expect(linksIn('[a](../README.md#tests) [b](https://example.org) [c](#here)')).toEqual(['../README.md']);
  expect(exists(join(root, 'libs/kernel/no-such-file'))).toBe(false);
  expect(pathsIn(readFileSync(join(root, 'docs/architecture.md'), 'utf8')).length).toBeGreaterThan(50);
});

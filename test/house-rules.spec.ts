import { describe, expect, it } from '@jest/globals';
import { readdirSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const areas = ['apps', 'libs', 'projections', 'test'];
const mostFilesInAFolder = 18;

const isSource = (path: string): boolean => /\.[mc]?[jt]sx?$/.test(path) && !/\.spec\.[a-z]+$/.test(path);

function groupedBy(files: readonly string[], keyOf: (file: string) => string): ReadonlyMap<string, readonly string[]> {
  const groups = new Map<string, string[]>();
  for (const file of files.filter(isSource)) {
    const key = keyOf(file);
    groups.set(key, [...(groups.get(key) ?? []), file]);
  }
  return groups;
}

/** Folders with more source files than a newcomer can look over, with their number. */
const crowdedFolders = (files: readonly string[]): readonly string[] =>
  [...groupedBy(files, dirname)]
    .filter(([, held]) => held.length > mostFilesInAFolder)
    .map(([folder, held]) => `${folder}: ${held.length}`);

/** Three or more files of one folder that begin with the same word: they are a folder of that name. */
const hiddenFolders = (files: readonly string[]): readonly string[] =>
  [...groupedBy(files, (file) => join(dirname(file), basename(file).split(/[-.]/)[0]!))]
    .filter(([, held]) => held.length > 2)
    .map(([prefix, held]) => `${prefix}: ${held.map((file) => basename(file)).join(', ')}`);

/** Specs with more than one ending: `x.e2e.spec.ts` and `x.spec.ts` would mean the same. */
const oddEndings = (files: readonly string[]): readonly string[] =>
  files.filter((file) => /\.[a-z0-9]+\.spec\.ts$/.test(file));

const barrels = (files: readonly string[]): readonly string[] => files.filter((file) => /(^|\/)index\.ts$/.test(file));

const everyFile = areas.flatMap((area) =>
  readdirSync(join(root, area), { recursive: true, encoding: 'utf8' }).map((path) => join(area, path)),
);

describe('the source tree', () => {
  it('is seen whole', () => {
    expect(everyFile.filter(isSource).length).toBeGreaterThan(500);
    expect(everyFile).toContain(join('test', basename(import.meta.filename)));
  });

  it('has no folder of more than eighteen source files', () => {
    expect(crowdedFolders(everyFile)).toEqual([]);
  });

  it('has no folder in which three files begin with the same word', () => {
    expect(hiddenFolders(everyFile)).toEqual([]);
  });

  it('has one ending for specs', () => {
    expect(oddEndings(everyFile)).toEqual([]);
  });

  it('has no index files', () => {
    expect(barrels(everyFile)).toEqual([]);
  });
});

describe('these rules', () => {
  const numbered = (count: number, ending: string): string[] =>
    Array.from({ length: count }, (_, index) => `libs/a/${String.fromCodePoint(97 + index)}${ending}`);

  it('see a crowded folder, in which specs do not count', () => {
    expect(crowdedFolders([...numbered(18, '.ts'), ...numbered(18, '.spec.ts'), 'libs/a/b/z.ts'])).toEqual([]);
    expect(crowdedFolders(numbered(19, '.ts'))).toEqual(['libs/a: 19']);
  });

  it('see a folder hidden in names', () => {
    expect(hiddenFolders(['a/row.ts', 'a/row-digest.ts', 'a/rows.ts', 'a/row.spec.ts', 'b/row-probe.ts'])).toEqual([]);
    expect(hiddenFolders(['a/row.ts', 'a/row-digest.ts', 'a/row.contract.ts'])).toEqual([
      'a/row: row.ts, row-digest.ts, row.contract.ts',
    ]);
  });

  it('see two endings, and index files', () => {
    expect(oddEndings(['a/x.e2e.spec.ts', 'a/x.spec.ts', 'a/x.contract.ts'])).toEqual(['a/x.e2e.spec.ts']);
    expect(barrels(['a/index.ts', 'a/key-index.ts'])).toEqual(['a/index.ts']);
  });
});

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from '@jest/globals';
import ts from 'typescript';
import { eventTypes } from '#ledger/events.js';

const root = fileURLToPath(new URL('..', import.meta.url));

/** The fields of every event type, as the compiler knows them. */
function fieldsByType(): ReadonlyMap<string, readonly string[]> {
  const { config } = ts.readConfigFile(`${root}tsconfig.json`, (path) => ts.sys.readFile(path)) as {
    config: { compilerOptions: object };
  };
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, root);
  const file = `${root}libs/ledger/events.ts`;
  const program = ts.createProgram([file], options);
  const checker = program.getTypeChecker();
  const exported = checker.getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(file)!)!);
  const union = checker.getDeclaredTypeOfSymbol(exported.find(({ name }) => name === 'LedgerEvent')!);
  const found = new Map<string, string[]>();
  for (const event of union.isUnion() ? union.types : []) {
    const properties = checker.getPropertiesOfType(event);
    const type = checker.getTypeOfSymbol(properties.find(({ name }) => name === 'type')!);
    for (const one of type.isUnion() ? type.types : [type]) {
      const name = (one as ts.StringLiteralType).value;
      const names = properties.map((property) => property.name).filter((property) => property !== 'type');
      found.set(name, [...new Set([...(found.get(name) ?? []), ...names])].sort());
    }
  }
  return found;
}

it('docs/events.md names every event type with all of its fields, and explains each field once', () => {
  const page = readFileSync(`${root}docs/events.md`, 'utf8');
  const rows = [...page.matchAll(/^\| `(\w+)` +\|(.*)\|$/gm)].map(
    ([, name = '', rest = '']) => [name, rest.split('|').map((cell) => cell.trim())] as const,
  );
  const inPage = rows.filter(([name]) => /^[A-Z]/.test(name));
  const named = new Map(
    inPage.map(([name, cells]) => [name, [...cells[0]!.matchAll(/`(\w+)`/g)].map(([, field]) => field!).sort()]),
  );
  const expected = fieldsByType();
  expect([...expected.keys()].sort()).toEqual([...eventTypes].sort());
  expect(Object.fromEntries(named)).toEqual(Object.fromEntries(expected));
  expect(inPage).toHaveLength(eventTypes.length);
  const explained = rows.filter(([name]) => /^[a-z]/.test(name)).map(([name]) => name);
  expect(explained.sort()).toEqual([...new Set([...expected.values()].flat())].sort());
  for (const [, cells] of rows) for (const cell of cells) expect(cell).not.toBe('');
});

import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { SourceBroken } from '../source.js';
import { csvRows, type CsvRow } from './csv-rows.js';

async function rowsOf(...chunks: string[]): Promise<readonly CsvRow[]> {
  const batches = csvRows(
    (async function* () {
      yield* chunks;
    })(),
  );
  return (await Array.fromAsync(batches)).flat();
}

describe('rows of a CSV text', () => {
  test('have the line on which they begin', async () => {
    expect(await rowsOf('a,b\n\n"x\ny",2\r\nc,"d ""e"", f"')).toEqual([
      { line: 1, cells: ['a', 'b'] },
      { line: 3, cells: ['x\ny', '2'] },
      { line: 5, cells: ['c', 'd "e", f'] },
    ]);
  });

  test('may have empty cells, also the last', async () => {
    expect((await rowsOf(',\n"",\nx,')).map(({ cells }) => cells)).toEqual([
      ['', ''],
      ['', ''],
      ['x', ''],
    ]);
  });

  test('come out as they were written, however the text is cut into chunks', async () => {
    const cell = fc.string({ unit: fc.constantFrom('a', '"', ',', '\n', '\r', 'é') });
    const table = fc.array(fc.array(cell, { minLength: 2, maxLength: 4 }), { minLength: 1, maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(table, fc.array(fc.nat(200), { maxLength: 5 }), async (rows, cuts) => {
        const text = rows.map((cells) => cells.map((each) => `"${each.replaceAll('"', '""')}"`).join(',')).join('\n');
        const places = [0, ...cuts.filter((at) => at < text.length).sort((a, b) => a - b), text.length];
        const chunks = places.slice(1).map((end, index) => text.slice(places[index], end));
        expect((await rowsOf(...chunks)).map(({ cells }) => cells)).toEqual(rows);
      }),
    );
  });

  test('end where a quote is never closed, which is named by its line', async () => {
    await expect(rowsOf('a,b\nc,"d\ne,f\n')).rejects.toThrow(SourceBroken);
    await expect(rowsOf('a,b\nc,"d\ne,f\n')).rejects.toThrow('line 2: a quoted cell is not closed');
    await expect(rowsOf('a\n"', 'x'.repeat(2 ** 20), 'x')).rejects.toThrow('line 2');
  });
});

import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { jsonRecords, type JsonRecord } from './json-values.js';

function recordsOf(...chunks: string[]): Promise<readonly JsonRecord[]> {
  const text = async function* (): AsyncGenerator<string> {
    yield* chunks;
  };
  return Array.fromAsync(jsonRecords(text(), ['wallets']));
}
const values = async (...chunks: string[]): Promise<unknown[]> =>
  (await recordsOf(...chunks)).map(({ value }) => value);

describe('the records of a JSON file', () => {
  test('are the elements of an array, the objects of lines, or what pages list', async () => {
    const expected = [{ a: 1 }, { a: [2, { b: '}' }] }];
    expect(await values('[{"a":1},\n{"a":[2,{"b":"}"}]}]')).toEqual(expected);
    expect(await values('{"a":1}\n{"a":[2,{"b":"}"}]}\n')).toEqual(expected);
    const pages = '{"wallets":[{"a":1}],"meta":{}}\n{"wallets":[{"a":[2,{"b":"}"}]}],"meta":{}}';
    expect(await values(pages)).toEqual(expected);
    expect(await values(`[${pages.replace('\n', ',')}]`)).toEqual(expected);
    expect(await values('  ')).toEqual([]);
  });

  test('have their number and line, also one that is no JSON', async () => {
    expect(await recordsOf('[\n{"a":1},\n{"a":}\n,{\n"a":3}]')).toEqual([
      { at: 'record 1 (line 2)', value: { a: 1 } },
      { at: 'record 2 (line 3)', value: undefined },
      { at: 'record 3 (line 4)', value: { a: 3 } },
    ]);
  });

  test('come out as they were written, however the text is cut into chunks', async () => {
    const object = fc.dictionary(fc.string(), fc.jsonValue());
    await fc.assert(
      fc.asyncProperty(fc.array(object), fc.array(fc.nat(300), { maxLength: 5 }), async (objects, cuts) => {
        const text = JSON.stringify(objects, null, 1);
        const places = [0, ...cuts.filter((at) => at < text.length).sort((a, b) => a - b), text.length];
        const chunks = places.slice(1).map((end, index) => text.slice(places[index], end));
        const expected = objects.flatMap((one) => (Array.isArray(one['wallets']) ? one['wallets'] : [one]));
        expect(await values(...chunks)).toEqual(JSON.parse(JSON.stringify(expected)));
      }),
    );
  });

  test.each([
    ['{"a":1}\n{"a":2\n', 'line 2: an object is not closed'],
    ['[{"a":1},\n{"a":2}\n', 'line 3: the list is not closed'],
    ['{"a":1}\nlater', 'line 2: there must be a JSON object'],
    ['[[{"a":1}]]', 'line 1: there must be a JSON object'],
    ['{"a":"' + 'x'.repeat(2 ** 24), 'line 1: an object of more than 16 million characters'],
  ])('end where the file is broken: %#', async (text, problem) => {
    await expect(values(text)).rejects.toThrow(problem);
  });
});

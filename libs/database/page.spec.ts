import { expect, it } from '@jest/globals';
import { itemsOf, pageOf } from './page.js';

const page = (rows: number[]) =>
  pageOf(
    rows,
    2,
    (row) => row * 10,
    (row) => [String(row)],
  );

it('has a next page exactly when there was a row too many', () => {
  expect(page([1, 2, 3])).toEqual({ data: [10, 20], next: ['2'] });
  expect(page([1, 2])).toEqual({ data: [10, 20], next: null });
  expect(page([])).toEqual({ data: [], next: null });
});

it('leads on to the end of its list', async () => {
  const rows = [1, 2, 3, 4, 5];
  const list = (cursor: readonly string[] | null) =>
    Promise.resolve(page(rows.filter((row) => cursor === null || row > Number(cursor[0])).slice(0, 3)));
  expect(await Array.fromAsync(itemsOf(list))).toEqual([10, 20, 30, 40, 50]);
});

import { expect, test } from '@jest/globals';
import { wantsLines } from './wants-lines.js';

test.each<[string | undefined, boolean]>([
  [undefined, false],
  ['*/*', false],
  ['application/json', false],
  ['application/x-ndjson', true],
  ['application/x-ndjson;q=0.5, application/json', false],
  ['application/json;q=0.5, application/x-ndjson', true],
  ['application/json, Application/X-NDJSON', true],
  ['application/x-ndjson;q=0', false],
  ['application/x-ndjson; q=nonsense', false],
  ['application/x-ndjson;q=0.2, */*;q=0.1', true],
])('Accept: %s asks for lines: %s', (accept, expected) => {
  expect(wantsLines(accept)).toBe(expected);
});

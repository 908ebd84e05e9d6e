import { describe, expect, it } from '@jest/globals';
import { asText, tableDefinition, type Table } from './tables.js';
import { arrayText } from '../database/values.js';

const table = {
  name: 'things',
  visibleTo: 'everyone',
  key: ['id'],
  changing: true,
  columns: { id: 'text', amount: 'bigint', note: 'text?', live: 'boolean' },
} as const satisfies Table;

describe('values for PostgreSQL', () => {
  it('stand in an array whatever they hold', () => {
    expect(arrayText(['a', 'with "quotes" and \\', '', 'NULL', 'a,b{}', null, 7, true])).toBe(
      '{"a","with \\"quotes\\" and \\\\","","NULL","a,b{}",NULL,7,true}',
    );
    expect(arrayText([])).toBe('{}');
  });

  it('lose the one character that it cannot keep', () => {
    expect(arrayText(['a\0b'])).toBe('{"ab"}');
  });

  it('are compared as the column shows them', () => {
    expect(asText(table, 'amount', '0000000000000000042')).toBe('42');
    expect(asText(table, 'amount', Number.MAX_SAFE_INTEGER)).toBe('9007199254740991');
    expect(asText(table, 'live', false)).toBe('false');
    expect(asText(table, 'note', null)).toBeNull();
    expect(asText(table, 'id', 'a\0b')).toBe('ab');
  });
});

it('a table is defined by its columns', () => {
  expect(tableDefinition(table)).toBe(
    '(id text collate "C" not null, amount bigint not null, note text collate "C", live boolean not null, primary key (id)) with (fillfactor = 80)',
  );
});

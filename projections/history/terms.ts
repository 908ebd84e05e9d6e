import type { Json } from '#kernel/json.js';
import type { RowOf, Table } from '#projecting/tables.js';

/** By what a movement is found besides its place: one row for each term that it has, written once. */
export const historyTerms = {
  name: 'history_terms',
  visibleTo: 'own-rows',
  key: ['customer_id', 'unit', 'term', 'position'],
  columns: { customer_id: 'text', unit: 'text', term: 'text', position: 'bigint' },
} as const satisfies Table;
export type TermRow = RowOf<typeof historyTerms>;

/** Longer values of metadata are not found: an entry of an index has a limit. */
const longestValue = 255;

/** The terms of a resource, of its type, of its id, or of both. */
export const resourceTerms = (type?: string | null, id?: string | null): readonly string[] => [
  ...(id == null ? [] : [`resource.id=${id}`]),
  ...(type == null ? [] : [`resource.type=${type}`]),
];

/** The term of a member of metadata: as JSON, so that no name and value look like others. */
export const metadataTerm = (name: string, value: string): string => `metadata=${JSON.stringify([name, value])}`;

/** The terms of metadata: text as it is, numbers and booleans as JSON writes them. */
export const metadataTerms = (metadata: Json): readonly string[] =>
  Object.entries(metadata as { readonly [name: string]: Json }).flatMap(([name, value]) => {
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    return text.length > longestValue ? [] : [metadataTerm(name, text)];
  });

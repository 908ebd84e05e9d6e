import { readFileSync } from 'node:fs';
import { eventTypes } from '#ledger/events.js';

/** A row of the table in docs/stripe.md. */
export type Flow = {
  readonly flow: string;
  readonly stripeTypes: readonly string[];
  /** The types of the ledger's events that it names. */
  readonly records: readonly string[];
};

/** The types in a cell, in which `.updated` after `refund.created` stands for `refund.updated`. */
function stripeTypesIn(cell: string): readonly string[] {
  let prefix = '';
  return [...cell.matchAll(/`([a-z_.]+)`/g)].flatMap(([, name = '']) => {
    if (name.startsWith('.')) return [prefix + name];
    if (!name.includes('.')) return [];
    prefix = name.slice(0, name.lastIndexOf('.'));
    return [name];
  });
}

/** What docs/stripe.md says that each flow means. */
export function flowTable(): readonly Flow[] {
  const text = readFileSync(new URL('../../../docs/stripe.md', import.meta.url), 'utf8');
  const known: readonly string[] = eventTypes;
  return text
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .slice(2)
    .map((line) => {
      const [flow = '', events = '', records = ''] = line
        .split('|')
        .slice(1)
        .map((cell) => cell.trim());
      return {
        flow,
        stripeTypes: stripeTypesIn(events),
        records: [...new Set(records.match(/[A-Z]\w+/g) ?? [])].filter((word) => known.includes(word)),
      };
    });
}

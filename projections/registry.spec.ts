import { describe, expect, it } from '@jest/globals';
import { eventTypes } from '#ledger/events.js';
import { projections, projectionsFor } from './registry.js';

describe('the registry', () => {
  it('has each name and each table once', () => {
    const names = projections.map(({ name }) => name);
    const tables = projections.flatMap((projection) => projection.tables.map(({ name }) => name));
    expect(new Set(names).size).toBe(names.length);
    expect(new Set(tables).size).toBe(tables.length);
  });

  it.each(projections.map((projection) => [projection.name, projection] as const))(
    '%s is whole',
    (_name, projection) => {
      expect(
        Object.keys(projection.handlers).filter((type) => !(eventTypes as readonly string[]).includes(type)),
      ).toEqual([]);
      for (const { columns, key, visibleTo } of projection.tables) {
        expect(Object.keys(columns)).toEqual(expect.arrayContaining([...key]));
        // Row-level security needs to know whose a row is.
        if (visibleTo === 'own-rows') expect(Object.keys(columns)).toContain('customer_id');
      }
    },
  );

  it('keeps no command keys for a store that knows every event id', () => {
    expect(projectionsFor({ knowsEveryId: true }).map(({ name }) => name)).not.toContain('command-keys');
    expect(projectionsFor({ knowsEveryId: false })).toEqual(projections);
  });
});

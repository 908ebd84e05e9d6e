import { expect, it } from '@jest/globals';
import { InMemoryEventStore } from '#event-store/in-memory.js';
import { positionOf } from '#event-store/port/event-store.js';
import type { ProjectionStatus } from '#projecting/status.js';
import { SystemClock } from '#config/system-clock.js';
import { HealthChecks } from './health.js';

const halted: ProjectionStatus = {
  name: 'history',
  version: 1,
  generation: 1,
  role: 'live',
  state: 'halted',
  position: positionOf(6),
  head: positionOf(9),
  lagSeconds: 3,
  haltedPosition: positionOf(7),
  haltedReason: 'the rebuilt tables differ from the fold of the log, first in history acme credits 7',
  rebuildRequested: false,
};

it('tells anybody where a projection halted, and nobody why: the reason may name a customer', async () => {
  const checks = new HealthChecks(
    new InMemoryEventStore(),
    new SystemClock(),
    () => Promise.resolve([halted]),
    () => Promise.resolve('configured'),
  );
  const health = await checks.health();
  expect(health).toMatchObject({ status: 'degraded', store: 'ok', database: 'ok', stripe: 'configured' });
  expect(health.projections).toEqual([
    { name: 'history', state: 'halted', lagSeconds: 3, haltedPosition: positionOf(7) },
  ]);
  expect(JSON.stringify(health)).not.toContain('acme');
});

import { Writable } from 'node:stream';
import { expect, it } from '@jest/globals';
import { createLogger } from '#config/logger.js';
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
    createLogger('test', 'silent'),
  );
  const health = await checks.health();
  expect(health).toMatchObject({ status: 'degraded', store: 'ok', database: 'ok', stripe: 'configured' });
  expect(health.projections).toEqual([
    { name: 'history', state: 'halted', lagSeconds: 3, haltedPosition: positionOf(7) },
  ]);
  expect(JSON.stringify(health)).not.toContain('acme');
});

it('logs once why a part does not answer, and when it answers again', async () => {
  const lines: string[] = [];
  const destination = new Writable({
    write: (line: Buffer, _, done) => {
      lines.push(line.toString());
      done();
    },
  });
  let away = true;
  const store = new InMemoryEventStore();
  store.head = () =>
    away
      ? Promise.reject(new Error('the store is away', { cause: new Error('ECONNREFUSED') }))
      : Promise.resolve(positionOf(0));
  const checks = new HealthChecks(
    store,
    new SystemClock(),
    () => Promise.resolve([halted]),
    () => Promise.resolve('configured'),
    createLogger('test', 'info', destination),
  );
  expect(await checks.ready()).toEqual({ ready: false, store: 'error', database: 'ok' });
  await checks.health();
  away = false;
  expect((await checks.ready()).ready).toBe(true);
  await checks.ready();
  expect(lines.map((line) => JSON.parse(line) as object)).toMatchObject([
    { level: 'warn', part: 'store', reason: 'the store is away: ECONNREFUSED', msg: 'health check fails' },
    { level: 'info', part: 'store', msg: 'health check passes again' },
  ]);
});

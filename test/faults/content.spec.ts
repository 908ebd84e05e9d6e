import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { SystemClock } from '#config/system-clock.js';
import { encodeEvent, eventId } from '#event-store/port/encode-event.js';
import { openEventStore } from '#event-store/event-store.module.js';
import { eventually } from '../support/eventually.js';
import { stripeEvent } from '../support/stripe/events.js';
import { World } from '../support/worlds/world.js';
import { Writer } from '../support/ledger/writer.js';
describe('unusual content in the log', () => {
  let world: World;

  beforeAll(async () => {
    world = await World.start();
    await Promise.all([world.startApi(), world.startWorker({ STRIPE_BILLING_ENABLED: 'false' })]);
    await Promise.all(['acme', 'newer'].map((customer) => world.client.grant(customer, 100)));
  });

  afterAll(async () => {
    await world.stop();
  });

  it('an event of 900 KB passes through every reader', async () => {
    const writer = await Writer.open(world.postgres.url);
    await writer.receive(stripeEvent('invoice.paid.endive', { id: 'evt_large' }, { padding: 'x'.repeat(900_000) }));
    await writer.store.close();
    const stored = (await world.log()).find(({ stream }) => stream === 'stripeEvent-evt_large');
    expect(stored!.data.length).toBeGreaterThan(900_000);
    await world.client.consume('acme', 1, 'after-large');
    expect(await world.violations()).toEqual([]);
    expect(await world.projectionViolations()).toEqual([]);
    const { status, body } = await world.client.get('/v1/events?stream=stripeEvent-evt_large');
    expect([status, (body['data'] as unknown[]).length]).toEqual([200, 1]);
  });

  it('an event of a version to come stops exactly what would have to guess, in the old api and the old worker', async () => {
    const position = await fromTheFuture('account-newer');
    // The old api decides nothing about this account, writes nothing to it, and serves all others.
    const before = (await world.log()).length;
    const refused = await world.client.post('/v1/customers/newer/consumptions', 'old-code', { amount: 1 });
    expect(refused.status).toBe(500);
    expect(await world.log()).toHaveLength(before);
    expect((await world.client.consume('acme', 1, 'others')).answer?.status).toBe(201);
    // The old worker halts before it, and names it; what does not look at accounts goes on.
    const halted = await eventually(
      async () => (await world.projections()).filter(({ state }) => state === 'halted'),
      (all) => all.some(({ name }) => name === 'balances'),
    );
    for (const { haltedPosition, haltedReason, position: at } of halted) {
      expect([haltedPosition, at < position]).toEqual([position, true]);
      expect(haltedReason).toContain('schema version 99');
    }
    const head = (await world.log()).at(-1)!.position;
    await eventually(
      () => world.projections(),
      (all) => all.some(({ name, position: at }) => name === 'catalogue' && at >= head),
    );
  });

  /** A grant as a later version of Scrip would write it, correctly chained. */
  async function fromTheFuture(stream: string): Promise<string> {
    const store = await openEventStore({ kind: 'postgres', databaseUrl: world.postgres.url }, new SystemClock());
    const newest = (await store.readStream(stream, 0, 100)).at(-1)!;
    const event = encodeEvent(stream, newest.revision + 1, newest.hash, {
      id: eventId(stream, 'api', 'future', 0),
      type: 'CreditsGranted',
      schemaVersion: 99,
      data: { lots: [{ amount: 5 }] },
      metadata: {
        commandKey: 'future',
        commandHash: null,
        causationId: null,
        correlationId: 'future',
        actor: 'key:future',
        recordedAt: new Date().toISOString(),
      },
    });
    const appended = await store.append({ stream, expectedRevision: newest.revision, events: [event] });
    await store.close();
    if (appended.kind !== 'appended') throw new Error(appended.kind);
    return appended.position;
  }
});

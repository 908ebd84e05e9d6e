import { invalid } from '../core/api/errors.js';
import type { TestClock } from '../core/model.js';
import type { Params } from '../core/api/params.js';
import { DAY, boundary } from '../core/period.js';
import { listing, retrieving, type Route } from '../core/api/route.js';
import type { Tx } from '../core/tx.js';
import { cycleOf } from './subscriptions/items.js';

const path = '/v1/test_helpers/test_clocks';
const keptFor = 30 * DAY;
const clocksOfAccount = 100;

function create(tx: Tx, params: Params): TestClock {
  if ([...tx.all('test_helpers.test_clock')].length >= clocksOfAccount)
    throw invalid(`An account can have at most ${clocksOfAccount} test clocks. Delete some first.`);
  const name = params.text('name') ?? null;
  if ((name?.length ?? 0) > 300) throw invalid('Invalid string: must be at most 300 characters', 'name');
  const clock: TestClock = {
    id: tx.newId('test_helpers.test_clock'),
    object: 'test_helpers.test_clock',
    created: tx.now,
    deletes_after: tx.now + keptFor,
    frozen_time: params.requiredInteger('frozen_time'),
    livemode: false,
    name,
    status: 'ready',
    status_details: {},
  };
  return tx.create('test_helpers.test_clock', clock, 'test_helpers.test_clock.created');
}

/** How far a clock may be moved at once: two intervals of the shortest subscription that lives by it, else two years. */
function furthestOf(tx: Tx, clock: TestClock): number {
  const from = clock.frozen_time;
  const ends = [...tx.all('subscription')]
    .filter((one) => one.test_clock === clock.id && !['canceled', 'incomplete_expired'].includes(one.status))
    .flatMap((one) => one.items.data.map(({ price }) => boundary(from, cycleOf(price), 2)));
  return ends.length === 0 ? boundary(from, { interval: 'year', interval_count: 2 }, 1) : Math.min(...ends);
}

/** Starts the move; it is done, and reported by an event, when the sandbox's own clock next runs. */
function advance(tx: Tx, id: string, params: Params): TestClock {
  const clock = tx.need('test_helpers.test_clock', id);
  const target = params.requiredInteger('frozen_time');
  if (clock.status !== 'ready')
    throw invalid('Test clock advancement underway - cannot perform modifications.', undefined, 'test_clock_busy');
  if (target <= clock.frozen_time) throw invalid('Test clocks can only be advanced into the future.', 'frozen_time');
  const furthest = furthestOf(tx, clock);
  if (target > furthest)
    throw invalid(
      `A test clock cannot be advanced by more than two intervals of its shortest subscription, or two years without one: until ${furthest} at most.`,
      'frozen_time',
    );
  tx.scheduleSoon({ task: 'advance_clock', id });
  return tx.update(
    'test_helpers.test_clock',
    { ...clock, status: 'advancing', status_details: { advancing: { target_frozen_time: target } } },
    'test_helpers.test_clock.advancing',
  );
}

/** The customers of the clock go with it; their subscriptions end. */
function remove(tx: Tx, id: string): unknown {
  const clock = tx.need('test_helpers.test_clock', id);
  const customers = [...tx.all('customer')].filter((customer) => customer.test_clock === id);
  for (const customer of customers) {
    for (const subscription of tx.ownedBy('subscription', customer.id))
      tx.put('subscription', subscription.id, { ...subscription, status: 'canceled', ended_at: tx.now });
    tx.put('customer', customer.id, { ...customer, sandbox: { deleted: true } });
  }
  tx.emit('test_helpers.test_clock.deleted', clock);
  tx.remove('test_helpers.test_clock', id);
  return { id, object: 'test_helpers.test_clock', deleted: true };
}

/** Test clocks: customers that are made with one live by its time, which stands still until it is moved. */
export const testClockRoutes: readonly Route[] = [
  { method: 'POST', path, run: ({ tx, params }) => create(tx, params) },
  retrieving('test_helpers.test_clock', path),
  { method: 'POST', path: `${path}/:id/advance`, run: ({ tx, id, params }) => advance(tx, id, params) },
  { method: 'DELETE', path: `${path}/:id`, run: ({ tx, id }) => remove(tx, id) },
  listing('test_helpers.test_clock', path),
];

import { invalid } from '../core/errors.js';
import type { TestClock } from '../core/model.js';
import type { Params } from '../core/params.js';
import { DAY } from '../core/period.js';
import { listing, retrieving, type Route } from '../core/route.js';
import type { Tx } from '../core/tx.js';

const path = '/v1/test_helpers/test_clocks';
const keptFor = 30 * DAY;

function create(tx: Tx, params: Params): TestClock {
  const clock: TestClock = {
    id: tx.newId('test_helpers.test_clock'),
    object: 'test_helpers.test_clock',
    created: tx.now,
    deletes_after: tx.now + keptFor,
    frozen_time: params.requiredInteger('frozen_time'),
    livemode: false,
    name: params.text('name') ?? null,
    status: 'ready',
    status_details: {},
  };
  return tx.create('test_helpers.test_clock', clock, 'test_helpers.test_clock.created');
}

/** Starts the move; it is done, and told by an event, when the sandbox's own clock next runs. */
function advance(tx: Tx, id: string, params: Params): TestClock {
  const clock = tx.need('test_helpers.test_clock', id);
  const target = params.requiredInteger('frozen_time');
  if (clock.status !== 'ready')
    throw invalid('Test clock advancement underway - cannot perform modifications.', undefined, 'test_clock_busy');
  if (target <= clock.frozen_time) throw invalid('Test clocks can only be advanced into the future.', 'frozen_time');
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

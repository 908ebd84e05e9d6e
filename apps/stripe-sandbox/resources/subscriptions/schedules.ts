import { invalid } from '../../core/api/errors.js';
import type { Schedule, SchedulePhase, Subscription } from '../../core/model.js';
import type { Params } from '../../core/api/params.js';
import { listing, matching, retrieving, type Route } from '../../core/api/route.js';
import type { Tx } from '../../core/tx.js';
import { customerOf } from '../customers/customers.js';
import {
  noticeOf,
  newPhase,
  newSchedule,
  phaseAt,
  phaseItem,
  phasesOf,
  prorations,
  setPhaseTimers,
  spanOf,
} from './schedule-phases.js';
import { changeItems } from './change.js';
import { plainSubscription, startSubscription } from './create.js';
import { changedItems, commonCycle, periodOf, sameCycle, withItems, type WantedItem } from './items.js';
import { endSubscription } from './end.js';

const behaviors = ['release', 'cancel'] as const;

function fromSubscription(tx: Tx, id: string, endBehavior: string, metadata: Record<string, string>): Schedule {
  const subscription = tx.need('subscription', id, 'from_subscription');
  if (subscription.schedule !== null) {
    throw invalid('You cannot migrate a subscription that is already attached to a schedule.', 'from_subscription');
  }
  const items = subscription.items.data.map((item) => phaseItem(item.price.id, item.quantity ?? 1));
  const phase = newPhase(periodOf(subscription), subscription.currency, items, 'create_prorations');
  const base = newSchedule(tx, subscription.customer, [phase], endBehavior, metadata);
  const schedule: Schedule = { ...base, status: 'active', subscription: id, current_phase: spanOf(phase) };
  tx.create('subscription_schedule', schedule, 'subscription_schedule.created');
  tx.update('subscription', { ...subscription, schedule: schedule.id }, 'customer.subscription.updated');
  setPhaseTimers(tx, schedule);
  return schedule;
}

function create(tx: Tx, params: Params): Schedule {
  const metadata = params.metadata();
  const endBehavior = params.oneOf('end_behavior', behaviors) ?? 'release';
  const from = params.text('from_subscription');
  if (from !== undefined) return fromSubscription(tx, from, endBehavior, metadata);
  const customer = customerOf(tx, params.required('customer'), 'customer');
  const start = params.text('start_date') === 'now' ? tx.now : (params.integer('start_date') ?? tx.now);
  const phases = phasesOf(tx, params, start);
  if (phases === undefined) throw invalid('Missing required param: phases.', 'phases', 'parameter_missing');
  const schedule = tx.create(
    'subscription_schedule',
    newSchedule(tx, customer.id, phases, endBehavior, metadata),
    'subscription_schedule.created',
  );
  setPhaseTimers(tx, schedule);
  if (phaseAt(schedule, tx.now) !== undefined) runPhase(tx, schedule.id);
  return tx.need('subscription_schedule', schedule.id);
}

const open = (schedule: Schedule): boolean => ['active', 'not_started'].includes(schedule.status);

function update(tx: Tx, id: string, params: Params): Schedule {
  const schedule = tx.need('subscription_schedule', id);
  params.accept('proration_behavior', 'default_settings');
  if (!open(schedule))
    throw invalid(`You cannot update a schedule that is ${schedule.status}.`, undefined, 'resource_missing');
  const phases = phasesOf(tx, params, schedule.phases[0]?.start_date ?? tx.now) ?? schedule.phases;
  const changed: Schedule = {
    ...schedule,
    end_behavior: params.oneOf('end_behavior', behaviors) ?? schedule.end_behavior,
    metadata: params.metadata(schedule.metadata ?? {}),
    phases,
  };
  const current = phaseAt(changed, tx.now);
  const updated: Schedule = { ...changed, current_phase: current === undefined ? null : spanOf(current) };
  tx.update('subscription_schedule', updated, 'subscription_schedule.updated');
  setPhaseTimers(tx, updated);
  if (current !== undefined) runPhase(tx, id);
  return tx.need('subscription_schedule', id);
}

function wantedBy(tx: Tx, subscription: Subscription, phase: SchedulePhase): readonly WantedItem[] {
  const wanted: WantedItem[] = [];
  const free = [...subscription.items.data];
  for (const item of phase.items) {
    const at = Math.max(
      0,
      free.findIndex((one) => one.price.id === item.price),
    );
    const [reused] = free.splice(at, 1);
    wanted.push({
      id: reused?.id ?? null,
      price: tx.need('price', item.price),
      quantity: item.quantity ?? 1,
      deleted: false,
      metadata: null,
    });
  }
  return [
    ...wanted,
    ...free.map((item) => ({ id: item.id, price: null, quantity: null, deleted: true, metadata: null })),
  ];
}

function hasItems(subscription: Subscription, phase: SchedulePhase): boolean {
  const text = (price: string, quantity: number | undefined): string => `${price}:${quantity ?? 1}`;
  const actual = subscription.items.data.map((item) => text(item.price.id, item.quantity)).sort();
  const wanted = phase.items.map((item) => text(item.price, item.quantity)).sort();
  return actual.join() === wanted.join();
}

/** Gives the subscription a phase's items: free of prorations at a period's end, else by the phase's own behaviour. */
function enterPhase(tx: Tx, subscription: Subscription, phase: SchedulePhase): void {
  if (hasItems(subscription, phase)) return;
  const wanted = wantedBy(tx, subscription, phase);
  const period = periodOf(subscription);
  if (period.end === tx.now) {
    const items = changedItems(tx, subscription, wanted, period);
    const keepsCycle = sameCycle(commonCycle(items), commonCycle(subscription.items.data));
    const anchor = keepsCycle ? subscription.billing_cycle_anchor : tx.now;
    tx.update(
      'subscription',
      { ...withItems(subscription, items), billing_cycle_anchor: anchor },
      'customer.subscription.updated',
    );
    return;
  }
  const proration = prorations.find((one) => one === phase.proration_behavior) ?? 'create_prorations';
  const changed = changeItems(tx, subscription, {
    wanted,
    proration,
    prorationDate: tx.now,
    anchorNow: false,
    payment: 'allow_incomplete',
  });
  tx.put('subscription', subscription.id, subscription);
  tx.update('subscription', changed, 'customer.subscription.updated');
}

function firstSubscription(tx: Tx, schedule: Schedule, phase: SchedulePhase): Subscription {
  const customer = tx.need('customer', schedule.customer);
  const items = phase.items.map((item) => ({
    id: null,
    price: tx.need('price', item.price),
    quantity: item.quantity ?? 1,
    deleted: false,
    metadata: null,
  }));
  const payment = customer.invoice_settings.default_payment_method === null ? 'default_incomplete' : 'allow_incomplete';
  const subscription = startSubscription(tx, { ...plainSubscription, customer, items, payment, offSession: true });
  return tx.update('subscription', { ...subscription, schedule: schedule.id }, null);
}

/** A phase's boundary: the next phase begins, or the schedule has done its work. */
export function runPhase(tx: Tx, id: string): void {
  const schedule = tx.get('subscription_schedule', id);
  if (schedule === null || !open(schedule)) return;
  const phase = phaseAt(schedule, tx.now);
  const subscription = schedule.subscription === null ? null : tx.get('subscription', schedule.subscription);
  if (phase !== undefined) {
    const ready = subscription ?? firstSubscription(tx, schedule, phase);
    enterPhase(tx, ready, phase);
    const changed: Schedule = { ...schedule, status: 'active', subscription: ready.id, current_phase: spanOf(phase) };
    tx.update('subscription_schedule', changed, 'subscription_schedule.updated');
    return;
  }
  const last = schedule.phases.at(-1);
  if (last === undefined || last.end_date > tx.now) return;
  const done: Schedule = { ...schedule, status: 'completed', completed_at: tx.now, current_phase: null };
  tx.update('subscription_schedule', done, 'subscription_schedule.completed');
  if (subscription === null) return;
  const freed = tx.update('subscription', { ...subscription, schedule: null }, 'customer.subscription.updated');
  if (schedule.end_behavior === 'cancel') endSubscription(tx, freed, { reason: 'cancellation_requested' });
}

/** A schedule that still runs reports a week ahead that its last phase ends. */
export function announceScheduleEnd(tx: Tx, id: string): void {
  const schedule = tx.get('subscription_schedule', id);
  if (schedule === null || !open(schedule) || noticeOf(schedule) !== tx.now) return;
  tx.emit('subscription_schedule.expiring', schedule);
}

function release(tx: Tx, id: string): Schedule {
  const schedule = tx.need('subscription_schedule', id);
  if (!open(schedule))
    throw invalid(`You cannot release a schedule that is ${schedule.status}.`, undefined, 'resource_missing');
  const released: Schedule = {
    ...schedule,
    status: 'released',
    released_at: tx.now,
    released_subscription: schedule.subscription,
    subscription: null,
    current_phase: null,
  };
  tx.update('subscription_schedule', released, 'subscription_schedule.released');
  const subscription = schedule.subscription === null ? null : tx.get('subscription', schedule.subscription);
  if (subscription !== null)
    tx.update('subscription', { ...subscription, schedule: null }, 'customer.subscription.updated');
  return released;
}

function cancel(tx: Tx, id: string, params: Params): Schedule {
  const schedule = tx.need('subscription_schedule', id);
  params.accept('invoice_now', 'prorate');
  if (!open(schedule))
    throw invalid(`You cannot cancel a schedule that is ${schedule.status}.`, undefined, 'resource_missing');
  const canceled: Schedule = { ...schedule, status: 'canceled', canceled_at: tx.now, current_phase: null };
  tx.update('subscription_schedule', canceled, 'subscription_schedule.canceled');
  const subscription = schedule.subscription === null ? null : tx.get('subscription', schedule.subscription);
  if (subscription !== null && subscription.status !== 'canceled')
    endSubscription(tx, { ...subscription, schedule: null }, { reason: 'cancellation_requested' });
  return canceled;
}

export const scheduleRoutes: readonly Route[] = [
  { method: 'POST', path: '/v1/subscription_schedules', run: ({ tx, params }) => create(tx, params) },
  retrieving('subscription_schedule', '/v1/subscription_schedules'),
  { method: 'POST', path: '/v1/subscription_schedules/:id', run: ({ tx, id, params }) => update(tx, id, params) },
  { method: 'POST', path: '/v1/subscription_schedules/:id/release', run: ({ tx, id }) => release(tx, id) },
  {
    method: 'POST',
    path: '/v1/subscription_schedules/:id/cancel',
    run: ({ tx, id, params }) => cancel(tx, id, params),
  },
  listing('subscription_schedule', '/v1/subscription_schedules', (params) => {
    const customer = params.text('customer');
    return (schedule) => matching(customer, (value) => schedule.customer === value);
  }),
];

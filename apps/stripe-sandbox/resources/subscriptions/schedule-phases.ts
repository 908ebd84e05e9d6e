import type Stripe from 'stripe';
import { invalid } from '../../core/api/errors.js';
import type { Schedule, SchedulePhase, SchedulePhaseItem } from '../../core/model.js';
import type { Params } from '../../core/api/params.js';
import { DAY, boundary, type Interval } from '../../core/period.js';
import type { Tx } from '../../core/tx.js';
import { cycleOf } from './items.js';

export const prorations = ['create_prorations', 'always_invoice', 'none'] as const;

/** A phase over a span, billing these items. */
export function newPhase(
  span: { start: number; end: number },
  currency: string,
  items: SchedulePhaseItem[],
  proration: (typeof prorations)[number],
): SchedulePhase {
  return {
    add_invoice_items: [],
    application_fee_percent: null,
    billing_cycle_anchor: null,
    billing_thresholds: null,
    collection_method: null,
    currency,
    default_payment_method: null,
    description: null,
    discounts: [],
    end_date: span.end,
    invoice_settings: null,
    items,
    metadata: {},
    on_behalf_of: null,
    proration_behavior: proration,
    start_date: span.start,
    transfer_data: null,
    trial_end: null,
  };
}

export const phaseItem = (price: string, quantity: number): SchedulePhaseItem => ({
  billing_thresholds: null,
  discounts: [],
  metadata: {},
  plan: price,
  price,
  quantity,
  tax_rates: [],
});

function itemsOf(tx: Tx, phase: Params): SchedulePhaseItem[] {
  const items = (phase.children('items') ?? []).map((item) => {
    item.accept('metadata');
    const price = tx.need('price', item.required('price'), item.name('price'));
    if (price.recurring === null) throw invalid('A schedule takes recurring prices only.', item.name('price'));
    return phaseItem(price.id, item.integer('quantity') ?? 1);
  });
  if (items.length === 0)
    throw invalid(`Missing required param: ${phase.name('items')}.`, phase.name('items'), 'parameter_missing');
  return items;
}

/** A phase's end: `end_date`, a `duration`, or so many `iterations` of its prices' interval. */
function endOf(tx: Tx, phase: Params, start: number, items: readonly SchedulePhaseItem[]): number {
  const end = phase.integer('end_date');
  const duration = phase.child('duration');
  const iterations = phase.integer('iterations');
  if (end !== undefined) {
    if (end <= start) throw invalid('The end date of a phase must be after its start.', phase.name('end_date'));
    return end;
  }
  if (duration !== undefined) {
    const interval: Interval = duration.oneOf('interval', ['day', 'week', 'month', 'year']) ?? 'month';
    return boundary(start, { interval, interval_count: duration.integer('interval_count') ?? 1 }, 1);
  }
  const cycle = cycleOf(tx.need('price', items[0]?.price ?? ''));
  return boundary(start, cycle, iterations ?? 1);
}

/** Reads `phases[]`; each begins where the one before ends. Undefined when the request names none. */
export function phasesOf(tx: Tx, params: Params, from: number): SchedulePhase[] | undefined {
  let start = from;
  return params.children('phases')?.map((phase) => {
    phase.accept(
      'metadata',
      'trial',
      'collection_method',
      'default_payment_method',
      'billing_cycle_anchor',
      'currency',
    );
    const given = phase.text('start_date');
    if (given !== undefined) start = given === 'now' ? tx.now : (phase.integer('start_date') ?? start);
    const items = itemsOf(tx, phase);
    const currency = tx.need('price', items[0]?.price ?? '').currency;
    const proration = phase.oneOf('proration_behavior', prorations) ?? 'create_prorations';
    const made = newPhase({ start, end: endOf(tx, phase, start, items) }, currency, items, proration);
    start = made.end_date;
    return made;
  });
}

const defaults: Stripe.SubscriptionSchedule.DefaultSettings = {
  application_fee_percent: null,
  billing_cycle_anchor: 'automatic',
  billing_thresholds: null,
  collection_method: 'charge_automatically',
  default_payment_method: null,
  description: null,
  invoice_settings: {
    account_tax_ids: null,
    custom_fields: null,
    days_until_due: null,
    description: null,
    footer: null,
    issuer: { type: 'self' },
  },
  on_behalf_of: null,
  transfer_data: null,
};

/** A schedule that has not started. */
export function newSchedule(
  tx: Tx,
  customer: string,
  phases: SchedulePhase[],
  endBehavior: string,
  metadata: Record<string, string>,
): Schedule {
  return {
    id: tx.newId('subscription_schedule'),
    object: 'subscription_schedule',
    application: null,
    billing_mode: { flexible: { proration_discounts: 'included' }, type: 'flexible' },
    canceled_at: null,
    completed_at: null,
    created: tx.now,
    current_phase: null,
    customer,
    customer_account: null,
    default_settings: defaults,
    end_behavior: endBehavior,
    livemode: false,
    metadata,
    pause_schedules: [],
    phases,
    released_at: null,
    released_subscription: null,
    status: 'not_started',
    subscription: null,
    test_clock: tx.testClock,
  };
}

/** The phase that holds at a time. */
export const phaseAt = (schedule: Schedule, at: number): SchedulePhase | undefined =>
  schedule.phases.find((phase) => phase.start_date <= at && at < phase.end_date);

export const spanOf = (phase: SchedulePhase): { start_date: number; end_date: number } => ({
  start_date: phase.start_date,
  end_date: phase.end_date,
});

/** When the end of the last phase is announced. */
export const noticeOf = (schedule: Schedule): number => (schedule.phases.at(-1)?.end_date ?? 0) - 7 * DAY;

/** Sets a timer for every boundary that lies ahead, and for the notice of the end. */
export function setPhaseTimers(tx: Tx, schedule: Schedule): void {
  const notice = noticeOf(schedule);
  if (notice > tx.now) tx.schedule(notice, { task: 'announce_schedule_end', id: schedule.id });
  for (const phase of schedule.phases) {
    if (phase.start_date > tx.now) tx.schedule(phase.start_date, { task: 'schedule_phase', id: schedule.id });
    if (phase.end_date > tx.now) tx.schedule(phase.end_date, { task: 'schedule_phase', id: schedule.id });
  }
}

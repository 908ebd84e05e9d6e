import type Stripe from 'stripe';
import { invalid } from '../../core/api/errors.js';
import type { Meter, MeterEvent } from '../../core/model.js';
import type { Params } from '../../core/api/params.js';
import { DAY, HOUR } from '../../core/period.js';
import { page } from '../../core/api/lists.js';
import { listing, matching, retrieving, type Route } from '../../core/api/route.js';
import type { Tx } from '../../core/tx.js';

function createMeter(tx: Tx, params: Params): Meter {
  const eventName = params.required('event_name');
  for (const other of tx.all('billing.meter')) {
    if (other.event_name === eventName && other.status === 'active') {
      throw invalid(
        `An active meter with event name ${eventName} already exists.`,
        'event_name',
        'resource_already_exists',
      );
    }
  }
  const formula = params.child('default_aggregation');
  const mapping = params.child('customer_mapping');
  const meter: Meter = {
    id: tx.newId('billing.meter'),
    object: 'billing.meter',
    created: tx.now,
    customer_mapping: {
      event_payload_key: mapping?.required('event_payload_key') ?? 'stripe_customer_id',
      type: 'by_id',
    },
    default_aggregation: { formula: formula?.oneOf('formula', ['sum', 'count', 'last']) ?? 'sum' },
    display_name: params.required('display_name'),
    event_name: eventName,
    event_time_window: params.oneOf('event_time_window', ['day', 'hour']) ?? null,
    livemode: false,
    status: 'active',
    status_transitions: { deactivated_at: null },
    updated: tx.now,
    value_settings: { event_payload_key: params.child('value_settings')?.required('event_payload_key') ?? 'value' },
  };
  mapping?.accept('type');
  return tx.create('billing.meter', meter, 'billing.meter.created');
}

function createEvent(tx: Tx, params: Params): MeterEvent {
  const eventName = params.required('event_name');
  const payload = params.child('payload');
  const values = Object.fromEntries((payload?.keys() ?? []).map((key) => [key, payload?.required(key) ?? '']));
  const meter = [...tx.all('billing.meter')].find((one) => one.event_name === eventName && one.status === 'active');
  if (meter === undefined)
    throw invalid(`No active meter found for event name ${eventName}.`, 'event_name', 'resource_missing');
  const customer = values[meter.customer_mapping.event_payload_key];
  if (customer === undefined)
    throw invalid(
      'The payload names no customer.',
      `payload[${meter.customer_mapping.event_payload_key}]`,
      'parameter_missing',
    );
  tx.need('customer', customer, 'payload[stripe_customer_id]');
  const value = Number(values[meter.value_settings.event_payload_key] ?? '1');
  if (!Number.isFinite(value))
    throw invalid('Invalid value in the payload.', `payload[${meter.value_settings.event_payload_key}]`);
  const timestamp = params.integer('timestamp') ?? tx.now;
  if (timestamp < tx.now - 35 * DAY || timestamp > tx.now + 5 * 60) {
    throw invalid(
      'The timestamp must be within the past 35 days or up to 5 minutes in the future.',
      'timestamp',
      'timestamp_invalid',
    );
  }
  const identifier = params.text('identifier') ?? tx.idWith('mid');
  const known = tx.get('billing.meter_event', identifier);
  if (known !== null && known.created > tx.now - DAY) {
    throw invalid(`An event already exists with identifier ${identifier}.`, 'identifier', 'resource_already_exists');
  }
  const event: MeterEvent = {
    object: 'billing.meter_event',
    created: tx.now,
    event_name: eventName,
    identifier,
    livemode: false,
    payload: values,
    timestamp,
    sandbox: { meter: meter.id, customer, value },
  };
  tx.put('billing.meter_event', identifier, event);
  return event;
}

/** Takes an event of the last day back, as if it had not been sent. */
function adjust(tx: Tx, params: Params): Stripe.Billing.MeterEventAdjustment {
  const name = params.required('event_name');
  const type = params.oneOf('type', ['cancel']) ?? 'cancel';
  const identifier = params.child('cancel')?.required('identifier') ?? '';
  const event = tx.get('billing.meter_event', identifier);
  if (event === null || event.event_name !== name || event.created < tx.now - DAY)
    throw invalid(`No event with identifier ${identifier} can be cancelled.`, 'cancel[identifier]', 'resource_missing');
  tx.remove('billing.meter_event', identifier);
  return {
    object: 'billing.meter_event_adjustment',
    cancel: { identifier },
    event_name: name,
    livemode: false,
    status: 'complete',
    type,
  };
}

/** What a customer used of a meter in `start ≤ time < end`, by the meter's own formula. */
export function usageOf(tx: Tx, meterId: string, customer: string, start: number, end: number): number {
  const meter = tx.get('billing.meter', meterId);
  const events = tx
    .ownedBy('billing.meter_event', `${meterId}:${customer}`)
    .filter((event) => event.timestamp >= start && event.timestamp < end);
  if (meter?.default_aggregation.formula === 'count') return events.length;
  if (meter?.default_aggregation.formula === 'last') return events.at(-1)?.sandbox.value ?? 0;
  return events.reduce((sum, event) => sum + event.sandbox.value, 0);
}

function summaries(tx: Tx, id: string, params: Params, path: string): unknown {
  const meter = tx.need('billing.meter', id);
  const customer = tx.need('customer', params.required('customer'), 'customer').id;
  const [start, end] = [params.requiredInteger('start_time'), params.requiredInteger('end_time')];
  if (end <= start) throw invalid('end_time must be after start_time', 'end_time');
  const window = params.oneOf('value_grouping_window', ['day', 'hour']);
  const step = window === 'day' ? DAY : window === 'hour' ? HOUR : end - start;
  if ((end - start) / step > 10_000) throw invalid('The range holds too many windows.', 'end_time');
  const windows = [];
  for (let from = start; from < end; from += step) {
    const to = Math.min(end, from + step);
    const value = usageOf(tx, meter.id, customer, from, to);
    if (value === 0 && window !== undefined) continue;
    windows.unshift({
      id: `mtrusg_${meter.id.slice(4)}_${from}`,
      object: 'billing.meter_event_summary' as const,
      aggregated_value: value,
      end_time: to,
      livemode: false,
      meter: meter.id,
      start_time: from,
    });
  }
  return page(params, path, windows, (one) => one.id);
}

function setStatus(tx: Tx, id: string, active: boolean): Meter {
  const meter = tx.need('billing.meter', id);
  const changed: Meter = {
    ...meter,
    status: active ? 'active' : 'inactive',
    status_transitions: { deactivated_at: active ? null : tx.now },
    updated: tx.now,
  };
  return tx.update('billing.meter', changed, active ? 'billing.meter.reactivated' : 'billing.meter.deactivated');
}

export const meterRoutes: readonly Route[] = [
  { method: 'POST', path: '/v1/billing/meters', run: ({ tx, params }) => createMeter(tx, params) },
  retrieving('billing.meter', '/v1/billing/meters'),
  {
    method: 'POST',
    path: '/v1/billing/meters/:id',
    run: ({ tx, id, params }) => {
      const meter = tx.need('billing.meter', id);
      return tx.update(
        'billing.meter',
        { ...meter, display_name: params.text('display_name') ?? meter.display_name, updated: tx.now },
        'billing.meter.updated',
      );
    },
  },
  { method: 'POST', path: '/v1/billing/meters/:id/deactivate', run: ({ tx, id }) => setStatus(tx, id, false) },
  { method: 'POST', path: '/v1/billing/meters/:id/reactivate', run: ({ tx, id }) => setStatus(tx, id, true) },
  {
    method: 'GET',
    path: '/v1/billing/meters/:id/event_summaries',
    run: ({ tx, id, params, path }) => summaries(tx, id, params, path),
  },
  listing('billing.meter', '/v1/billing/meters', (params) => {
    const status = params.text('status');
    return (meter) => matching(status, (value) => meter.status === value);
  }),
  { method: 'POST', path: '/v1/billing/meter_events', run: ({ tx, params }) => createEvent(tx, params) },
  { method: 'POST', path: '/v1/billing/meter_event_adjustments', run: ({ tx, params }) => adjust(tx, params) },
];

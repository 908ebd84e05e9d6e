import { previousAttributes } from './diff.js';
import { isRecord, present } from './api/present.js';
import type { StoredEvent } from './world.js';

/** An event as the given API version shows it; `previous_attributes` is what differs in that version's own shape. */
export function renderEvent(
  event: StoredEvent,
  version: string,
  pendingWebhooks: number,
): Readonly<Record<string, unknown>> {
  const object = present(event.object, version);
  const before = event.previous === null ? null : present(event.previous, version);
  const changed =
    isRecord(before) && isRecord(object) ? { previous_attributes: previousAttributes(before, object) } : {};
  return {
    id: event.id,
    object: 'event',
    api_version: version,
    created: event.created,
    data: { object, ...changed },
    livemode: false,
    pending_webhooks: pendingWebhooks,
    request: event.request,
    type: event.type,
  };
}

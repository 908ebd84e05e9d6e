import { accountOf, customerStream } from '#kernel/stream-name.js';
import { dataOf, metadataOf, type RecordedEvent } from '#event-store/port/event-store.js';
import type { Instant } from '#kernel/instant.js';

/** Which events of the log a caller wants to see. */
export type EventFilter = {
  readonly stream: string | null;
  readonly customerId: string | null;
  readonly types: ReadonlySet<string> | null;
  /** Recorded from this instant on. */
  readonly from: Instant | null;
  /** Recorded before this instant. */
  readonly to: Instant | null;
};

/** Whether an event is wanted. The cheap questions come first: most events of a scan are not. */
export function isWanted(event: RecordedEvent, filter: EventFilter): boolean {
  if (filter.stream !== null && event.stream !== filter.stream) return false;
  if (filter.types !== null && !filter.types.has(event.type)) return false;
  if (filter.customerId !== null && !isAbout(event, filter.customerId)) return false;
  if (filter.from === null && filter.to === null) return true;
  const { recordedAt } = metadataOf(event);
  return (filter.from === null || recordedAt >= filter.from) && (filter.to === null || recordedAt < filter.to);
}

/** An event is about a customer when it stands in one of their streams or names them. */
function isAbout(event: RecordedEvent, customerId: string): boolean {
  const account = accountOf(event.stream);
  if (account !== null) return account.customerId === customerId;
  if (event.stream === customerStream(customerId)) return true;
  if (!event.data.includes(customerId)) return false;
  return (dataOf(event) as { readonly customerId?: unknown }).customerId === customerId;
}

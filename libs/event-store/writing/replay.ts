import type { Refused, TypedEvent } from '#kernel/decider.js';
import { idsOf } from './plan.js';
import type { CommandOutcome, CommandRequest, Recorded } from './command.js';
import { StoreUnavailable, type EncodedEvent, type EventStore, type RecordedEvent } from '../port/event-store.js';

/** Most commands record one or two events. */
const PAGE = 8;

/**
 * The first answer to a command that was recorded at `revision`, from its events as they were stored. Outcomes: recorded and
 * replayed; `key_reused` when the key was another body's; `unavailable`. Throws for an event that cannot be read.
 */
export async function replay<Command, Event extends TypedEvent, State, Refusal extends Refused>(
  store: EventStore,
  decode: (stored: RecordedEvent) => Event,
  request: CommandRequest<Command>,
  revision: number,
): Promise<CommandOutcome<Event, State, Refusal>> {
  const ids = idsOf(request, '', revision);
  const events: Recorded<Event>[] = [];
  try {
    for (let whole = true; whole;) {
      const page = await store.readStream(request.stream, revision + events.length, PAGE);
      const own = page.filter((event, i) => event.id === ids(events.length + i));
      if (request.fingerprint !== null && own.some((event) => commandHashOf(event) !== request.fingerprint))
        return { kind: 'key_reused' };
      for (const stored of own)
        events.push({ event: decode(stored), id: stored.id, revision: stored.revision, position: stored.position });
      whole = own.length === PAGE;
    }
  } catch (error) {
    if (error instanceof StoreUnavailable) return { kind: 'unavailable' };
    throw error;
  }
  return { kind: 'recorded', replayed: true, events };
}

const commandHashOf = (event: EncodedEvent): string | null =>
  (JSON.parse(event.metadata) as { commandHash: string | null }).commandHash;

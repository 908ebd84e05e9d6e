import { metadataOf, metadataText, pagesOf, START, type EventStore } from '#event-store/port/event-store.js';
import { accountOf } from '#kernel/stream-name.js';
import { decodeEvent } from '#ledger/events.js';
import { keyPrefix } from './import-name.js';

/** A grant that an import has made, as the log has it. */
export type ImportedGrant = {
  readonly customerId: string;
  readonly unit: string;
  readonly externalId: string;
  readonly grantId: string;
  readonly amount: number;
};

/**
 * All grants of the import of this name, in the order of the log, which is read from its beginning: whatever became of the source
 * since, nothing that was imported is missed. `progress` hears how many events were read.
 */
export async function* importedGrants(
  store: EventStore,
  name: string,
  progress: (events: number) => void,
): AsyncGenerator<ImportedGrant> {
  const prefix = keyPrefix(name);
  // Nearly all events are others' and need not be parsed.
  const mark = `"commandKey":${JSON.stringify(prefix).slice(0, -1)}`;
  for await (const page of pagesOf(store, START)) {
    progress(page.length);
    for (const stored of page) {
      if (stored.type !== 'CreditsGranted' || !stored.metadata.includes(mark)) continue;
      // A caller of the API can choose the same key, but not the actor.
      const { commandKey } = metadataOf(stored);
      const account = accountOf(stored.stream);
      if (account === null || commandKey?.startsWith(prefix) !== true || metadataText(stored, 'actor') !== 'cli')
        continue;
      const event = decodeEvent(stored);
      if ('undecodable' in event) throw new Error(`position ${stored.position}: ${event.undecodable}`);
      if (event.type !== 'CreditsGranted') continue;
      const { grantId, amount } = event;
      yield { ...account, externalId: commandKey.slice(prefix.length), grantId, amount };
    }
  }
}

import { START, type EventPlace, type EventStore, type Position } from '#event-store/port/event-store.js';
import { KeyIndex } from '#event-store/port/key-index.js';
import type { Balance } from '#ledger/account/events.js';
import { decodeEvent, isUndecodable } from '#ledger/events.js';
import type { Probes } from './probes.js';
import type { SeededRandom } from './random.js';
import type { Sabotage } from './sabotage.js';
import type { Life, VirtualTime } from './virtual-time.js';

/** A durable read model: rows and checkpoint change together or not at all. */
export class ReadModel {
  checkpoint: Position = START;
  readonly balances = new Map<string, Balance>();
  readonly movements = new Map<string, number>();
  readonly keys = new Map<string, EventPlace>();
}

/**
 * What the worker's projection runner promises, in memory: take a batch after the checkpoint, and in one transaction compare
 * the checkpoint, write rows, move it. Killed at any moment it has done all of a batch or nothing.
 */
export async function runProjection(
  model: ReadModel,
  parts: {
    store: EventStore;
    life: Life;
    time: VirtualTime;
    random: SeededRandom;
    probes: Probes;
    sabotage: Sabotage | null;
    lagMs: () => number;
  },
): Promise<void> {
  const { store, life, time, random, probes, sabotage, lagMs } = parts;
  for (;;) {
    const started = model.checkpoint;
    const from = sabotage === 'subscription-skips-one' && random.chance(0.2) ? next(started) : started;
    let expected = started;
    for await (const batch of store.subscribe(from, new AbortController().signal)) {
      const last = batch.at(-1)?.position ?? expected;
      if (sabotage === 'checkpoint-before-rows') model.checkpoint = last;
      await life.through(time.sleep(random.between(0, lagMs())));
      if (
        model.checkpoint !== expected &&
        sabotage !== 'projection-not-fenced' &&
        sabotage !== 'checkpoint-before-rows'
      ) {
        probes.hit('projection fenced');
        break;
      }
      for (const recorded of batch) {
        const event = decodeEvent(recorded);
        if (isUndecodable(event)) throw new Error(event.undecodable);
        model.keys.set(recorded.id, { stream: recorded.stream, revision: recorded.revision });
        if (!('balance' in event)) continue;
        model.balances.set(recorded.stream, event.balance);
        model.movements.set(recorded.stream, (model.movements.get(recorded.stream) ?? 0) + 1);
      }
      model.checkpoint = last;
      expected = last;
    }
  }
}

const next = (position: Position): Position => (BigInt(position) + 1n).toString().padStart(19, '0');

/** The key index over a read model that lags. */
export class LaggingKeyIndex extends KeyIndex {
  constructor(
    private readonly model: ReadModel,
    private readonly probes: Probes,
    private readonly sabotage: Sabotage | null,
  ) {
    super();
  }

  override async locate(
    ids: readonly string[],
  ): Promise<{ places: ReadonlyMap<string, EventPlace>; through: Position }> {
    await Promise.resolve();
    if (ids.length > 0) this.probes.hit('old key looked up');
    const places = new Map(
      ids.flatMap((id) => (this.model.keys.has(id) ? [[id, this.model.keys.get(id) as EventPlace]] : [])),
    );
    return { places, through: this.sabotage === 'trusts-lagging-index' ? '9'.repeat(19) : this.model.checkpoint };
  }
}

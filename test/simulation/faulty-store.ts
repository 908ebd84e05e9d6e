import { InMemoryLog } from '#event-store/in-memory.js';
import {
  EventStore,
  OutcomeUnknown,
  START,
  StoreUnavailable,
  textBytesOf,
  type AppendRequest,
  type AppendResult,
  type EncodedEvent,
  type EventPlace,
  type Position,
  type RecordedEvent,
} from '#event-store/port/event-store.js';
import type { Probes } from './probes.js';
import type { SeededRandom } from './random.js';
import type { Sabotage } from './sabotage.js';
import { forever, type Life, type VirtualTime } from './virtual-time.js';

/** How often what goes wrong, as probabilities of one call. */
export type FaultRates = {
  readonly refused: number;
  readonly lostBefore: number;
  readonly lostAfter: number;
  /** The caller gives up, the write lands later. */
  readonly late: number;
  readonly slow: number;
};

export const noFaults: FaultRates = { refused: 0, lostBefore: 0, lostAfter: 0, late: 0, slow: 0 };

/** The server that all processes share: durable, sometimes away. */
export class SimulatedServer {
  readonly log = new InMemoryLog();
  away = false;
  faults: FaultRates = noFaults;
  /** Counts the outages, so that a call notices one that came and went while it was waiting. */
  outages = 0;

  constructor(
    readonly time: VirtualTime,
    readonly random: SeededRandom,
    readonly probes: Probes,
    readonly sabotage: Sabotage | null,
    readonly knowsEveryId: boolean,
  ) {}

  append(request: AppendRequest): AppendResult {
    if (this.sabotage === 'acknowledges-unstored' && this.random.chance(0.05)) {
      return { kind: 'appended', position: '9'.repeat(19) };
    }
    const stored = this.log.streams.get(request.stream)?.length ?? 0;
    const expectedRevision = this.sabotage === 'skips-revision-check' ? stored - 1 : request.expectedRevision;
    // A server that does not know every id takes an event again at another revision.
    if (!this.knowsEveryId) for (const { id } of request.events) this.log.byId.delete(id);
    const result = this.log.append({ ...request, expectedRevision });
    if (result.kind === 'duplicate') this.probes.hit('duplicate ids refused');
    if (result.kind === 'conflict') this.probes.hit('append conflicts');
    return result;
  }
}

/** One process's connection to the server. Implements the port; everything takes time and may fail. */
export class FaultyStore extends EventStore {
  override readonly knowsEveryId: boolean;
  override readonly maxAppendBytes = 16 * 1024 * 1024;

  constructor(
    private readonly server: SimulatedServer,
    private readonly life: Life,
  ) {
    super();
    this.knowsEveryId = server.knowsEveryId;
  }

  override append(request: AppendRequest): Promise<AppendResult> {
    return this.life.through(this.#append(request));
  }

  async #append(request: AppendRequest): Promise<AppendResult> {
    const { server } = this;
    const { faults, random, probes, time } = server;
    await this.#travel();
    if (!this.life.alive && random.chance(0.5)) return forever(); // died before it was sent
    if (server.away || random.chance(faults.refused)) throw new StoreUnavailable('refused');
    if (random.chance(faults.lostBefore)) {
      probes.hit('append lost before');
      await time.sleep(random.between(10, 3_000));
      throw new OutcomeUnknown('no answer');
    }
    if (random.chance(faults.late)) {
      time.after(random.between(500, 9_000), () => {
        if (server.away) return;
        probes.hit('append landed late');
        server.append(request);
      });
      await time.sleep(random.between(300, 4_000));
      throw new OutcomeUnknown('deadline');
    }
    const outages = server.outages;
    const result = server.append(request);
    await this.#travel();
    if (server.outages > outages || random.chance(faults.lostAfter)) {
      probes.hit('append answer lost');
      if (server.sabotage === 'unknown-told-as-failed') throw new StoreUnavailable('no answer');
      throw new OutcomeUnknown('answer lost');
    }
    return result;
  }

  override sizeOf(event: EncodedEvent): number {
    return textBytesOf(event);
  }

  override async locate(ids: readonly string[]): Promise<ReadonlyMap<string, EventPlace>> {
    return this.#read(() => {
      if (!this.knowsEveryId || this.server.sabotage === 'forgets-old-keys') return new Map();
      return new Map(
        ids.flatMap((id) =>
          this.server.log.byId.has(id) ? [[id, this.server.log.byId.get(id) as RecordedEvent]] : [],
        ),
      );
    });
  }

  override readStream(stream: string, fromRevision: number, limit: number): Promise<readonly RecordedEvent[]> {
    return this.#read(() => {
      if (this.server.sabotage === 'reads-stale-replica' && fromRevision > 0 && this.server.random.chance(0.5))
        return [];
      return this.server.log.streams.get(stream)?.slice(fromRevision, fromRevision + limit) ?? [];
    });
  }

  override readAll(after: Position, limit: number): Promise<readonly RecordedEvent[]> {
    return this.#read(() => this.server.log.events.slice(Number(after), Number(after) + limit));
  }

  override async *subscribe(after: Position, signal: AbortSignal): AsyncIterable<readonly RecordedEvent[]> {
    for (let from = after; !signal.aborted;) {
      const page = await this.readAll(from, this.server.random.between(1, 40)).catch(() => []);
      const last = page.at(-1);
      if (last === undefined) await this.life.through(this.server.time.sleep(this.server.random.between(50, 800)));
      else {
        from = last.position;
        yield page;
      }
    }
  }

  override head(): Promise<Position> {
    return this.#read(() => this.server.log.events.at(-1)?.position ?? START);
  }

  override async close(): Promise<void> {
    await Promise.resolve();
  }

  async #travel(): Promise<void> {
    const { random, faults, time } = this.server;
    await time.sleep(random.chance(faults.slow) ? random.between(500, 5_000) : random.between(0, 8));
  }

  async #read<T>(read: () => T): Promise<T> {
    await this.life.through(this.#travel());
    if (this.server.away || this.server.random.chance(this.server.faults.refused))
      throw new StoreUnavailable('refused');
    const result = read();
    await this.life.through(this.#travel());
    return result;
  }
}

import type { Clock } from '#kernel/clock.js';
import { StoreOverloaded, StoreUnavailable, type AppendRequest, type Position } from '../event-store.js';
import type { EventStoreDbConnection } from './eventstoredb-connection.js';
import { RecordPlaces } from './eventstoredb-records.js';
import { verdictOfBreak, verdictOfStatus } from './eventstoredb-status.js';
import { APPENDS, decodeAnswer, encodeAppend, type WireAnswer } from './eventstoredb-wire.js';

export type AppendAnswer =
  | {
      readonly kind: 'stored';
      /** Of the last event. */
      readonly revision: number;
      /** Of every event; null when they have to be read. */
      readonly positions: readonly Position[] | null;
      /** To be told what was read, if it was. */
      readonly read: (positions: readonly Position[]) => void;
    }
  | { readonly kind: 'conflict'; readonly actualRevision: number }
  /** Certainly not stored. */
  | { readonly kind: 'refused'; readonly why: string }
  /** Perhaps stored. `silent` when nothing was heard until the deadline. */
  | { readonly kind: 'unknown'; readonly why: string; readonly silent: boolean };

type AppendCall = {
  readonly wire: Awaited<ReturnType<typeof startAppends>>;
  readonly places: RecordPlaces;
  /** The tick of the last answer. */
  heard: number;
  broken: boolean;
};
type Waiting = {
  readonly settle: (answer: AppendAnswer) => void;
  readonly message: Buffer;
  readonly bytes: number;
  readonly recordBytes: readonly number[];
  readonly since: number;
  /** The call it was sent on; null until then. */
  call: AppendCall | null;
};

const TICK_MS = 100;
/** The longest that an append waits for others to be sent with. */
const GATHER_MS = 4;

/**
 * Appends over one long call that carries them all, each answered alone. Every append is answered within the deadline; an
 * answer that comes later is dropped. A call that breaks, ends, or is silent past the deadline is replaced by a new one.
 */
export class EventStoreDbAppends {
  readonly #waiting = new Map<number, Waiting>();
  #waitingBytes = 0;
  /** Those that are not sent yet. */
  readonly #gathered = new Set<number>();
  #count = 0;
  #opening: Promise<AppendCall> | null = null;
  #call: AppendCall | null = null;
  /** Deadlines are counted in ticks of the clock's waiting, since the time of day may jump. */
  #ticks = 0;
  #ticking = false;

  constructor(
    private readonly connection: EventStoreDbConnection,
    private readonly clock: Clock,
    private readonly limits: {
      appendDeadlineMs: number;
      maxPendingAppends: number;
      maxPendingBytes: number;
      maxAppendBytes: number;
    },
  ) {}

  /** Never rejects but with StoreOverloaded, or StoreUnavailable for an append that is larger than the server takes. */
  append(request: AppendRequest): Promise<AppendAnswer> {
    const id = (this.#count += 1);
    const { message, bytes, recordBytes } = encodeAppend(request, id);
    if (bytes > this.limits.maxAppendBytes)
      return Promise.reject(new StoreUnavailable(`an append of ${String(bytes)} bytes is too large`));
    if (this.#waiting.size >= this.limits.maxPendingAppends || this.#waitingBytes + bytes > this.limits.maxPendingBytes)
      return Promise.reject(new StoreOverloaded('too many appends are waiting for EventStoreDB'));
    return new Promise((settle) => {
      this.#waiting.set(id, { settle, message, bytes, recordBytes, since: this.#ticks, call: null });
      this.#waitingBytes += bytes;
      this.#gathered.add(id);
      void this.#tick();
      this.#sendIfEnough();
      if (this.#gathered.size === 1) void this.clock.sleep(GATHER_MS).then(() => this.#send());
    });
  }

  /** What is sent together the server takes together, for a fraction of its work: as many as are under way. */
  #sendIfEnough(): void {
    if (2 * this.#gathered.size >= this.#waiting.size) this.#send();
  }

  #send(): void {
    if (this.#gathered.size === 0) return;
    const call = this.#call;
    if (call === null) {
      this.#open().then(
        () => this.#send(),
        () => {
          for (const id of [...this.#gathered]) this.#settle(id, { kind: 'refused', why: 'no connection' });
        },
      );
      return;
    }
    for (const id of this.#gathered) {
      const waiting = this.#waiting.get(id);
      if (waiting === undefined) continue;
      waiting.call = call;
      call.wire.write(waiting.message);
    }
    this.#gathered.clear();
  }

  /** Waits for the answers of all appends, at most their deadline, and ends the call. */
  async close(): Promise<void> {
    while (this.#waiting.size > 0) await this.clock.sleep(TICK_MS / 10);
    const call = this.#call ?? (await this.#opening?.catch(() => null));
    call?.wire.cancel();
  }

  #open(): Promise<AppendCall> {
    return (this.#opening ??= this.#start().finally(() => (this.#opening = null)));
  }

  async #start(): Promise<AppendCall> {
    const wire = await startAppends(this.connection);
    const call = { wire, places: new RecordPlaces(), heard: this.#ticks, broken: false };
    this.connection.serverVersion().then(
      (version) => call.places.serverIs(version),
      () => undefined,
    );
    wire.on('data', (answer: WireAnswer) => this.#answered(call, answer));
    wire.on('error', (error: Error) => this.#broke(call, error));
    wire.on('end', () => this.#broke(call, null));
    return (this.#call = call);
  }

  #answered(call: AppendCall, { count, result }: WireAnswer): void {
    call.heard = this.#ticks;
    const waiting = this.#waiting.get(count);
    if (waiting) this.#settle(count, answerOf(result, call.places, waiting.recordBytes));
  }

  #broke(call: AppendCall, error: Error | null): void {
    this.#abandon(call);
    const { name, verdict } = verdictOfBreak(error);
    for (const [id, waiting] of this.#waiting) {
      if (waiting.call !== call) continue;
      this.#settle(
        id,
        verdict === 'refused' ? { kind: 'refused', why: name } : { kind: 'unknown', why: name, silent: false },
      );
    }
  }

  #abandon(call: AppendCall): void {
    if (this.#call === call) this.#call = null;
    if (call.broken) return;
    call.broken = true;
    call.wire.cancel();
  }

  #settle(id: number, answer: AppendAnswer): void {
    const waiting = this.#waiting.get(id);
    if (!waiting) return;
    this.#waiting.delete(id);
    this.#gathered.delete(id);
    this.#waitingBytes -= waiting.bytes;
    waiting.settle(answer);
    if (this.#gathered.size > 0) this.#sendIfEnough();
  }

  async #tick(): Promise<void> {
    if (this.#ticking) return;
    this.#ticking = true;
    while (this.#waiting.size > 0) {
      await this.clock.sleep(TICK_MS);
      this.#ticks += 1;
      this.#expire();
    }
    this.#ticking = false;
  }

  #expire(): void {
    const latest = this.#ticks - Math.ceil(this.limits.appendDeadlineMs / TICK_MS);
    for (const [id, { since, call }] of this.#waiting) {
      if (since > latest) return;
      if (call === null) {
        this.#settle(id, { kind: 'refused', why: 'no connection in time' });
        continue;
      }
      this.#settle(id, { kind: 'unknown', why: 'no answer in time', silent: true });
      if (call.heard <= since) this.#abandon(call);
    }
  }
}

/** A call that takes encoded appends and brings answers. An answer that is no message breaks it. */
const startAppends = (connection: EventStoreDbConnection) =>
  connection.start((stub, ...args) =>
    stub.makeBidiStreamRequest(APPENDS, (message: Buffer) => message, decodeAnswer, ...args),
  );

function answerOf(result: WireAnswer['result'], places: RecordPlaces, recordBytes: readonly number[]): AppendAnswer {
  switch (result.kind) {
    case 'success': {
      const { revision, position } = result;
      const positions = position === null ? null : places.of(position, recordBytes);
      const read = (actual: readonly Position[]): void => {
        if (position !== null) places.compare(position, recordBytes, actual);
      };
      return { kind: 'stored', revision, positions, read };
    }
    case 'wrong_version':
      return { kind: 'conflict', actualRevision: result.actualRevision };
    case 'status': {
      const { name, verdict } = verdictOfStatus(result.code);
      return verdict === 'refused' ? { kind: 'refused', why: name } : { kind: 'unknown', why: name, silent: false };
    }
    case 'none':
      return { kind: 'unknown', why: 'an empty answer', silent: false };
  }
}

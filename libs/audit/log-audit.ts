import { msOf } from '#kernel/instant.js';
import { accountOf, categoryOf } from '#kernel/stream-name.js';
import { chainHash, ZERO_HASH } from '#event-store/port/encode-event.js';
import {
  metadataText,
  NO_STREAM,
  positionOf,
  type Position,
  type RecordedEvent,
} from '#event-store/port/event-store.js';
import type { AccountEvent } from '#ledger/account/events.js';
import { decodeEvent, isUndecodable, type LedgerEvent, type UndecodableEvent } from '#ledger/events.js';
import type { UsageEvent } from '#ledger/usage/usage.js';
import { AccountBooks, type AccountSums } from './account-books.js';
import { TransferBooks } from './transfer-books.js';
import { UsageBooks } from './usage-books.js';

/** Something wrong with an event of the log. */
export type Finding = {
  readonly position: Position;
  readonly stream: string;
  readonly revision: number;
  /** Null when it shows only in the sums of the whole stream. */
  readonly eventId: string | null;
  readonly problem: string;
};

export type LogReport = {
  readonly events: number;
  readonly streams: number;
  readonly accounts: number;
  readonly lastPosition: Position | null;
  /** Every finding is counted, the first ones in log order are named. */
  readonly findings: readonly Finding[];
  readonly findingsTotal: number;
  /** Per unit, over all accounts whose books are in order; decimal, since totals may go beyond 2^53. */
  readonly totals: { readonly [unit: string]: { readonly [sum in keyof AccountSums]: string } };
};

type StreamRecord = {
  revision: number;
  hash: string;
  /** As numbers: texts of every stream's newest event would be most of what is kept. */
  lastPosition: number;
  lastRecordedAt: number;
  /** Null for other streams than accounts, and once the books contradict themselves. */
  books: AccountBooks | null;
  /** The same of what was used. */
  usage: UsageBooks | null;
};

const namedFindings = 100;

/**
 * Reads a log from its first event to its last and checks that it is whole: positions and revisions without gaps, every
 * stream's hash chain, time that does not go back, the books of every account and of every customer's usage, and that what one
 * customer gives another arrives or comes back.
 */
export class LogAudit {
  readonly #contiguous: boolean;
  readonly #streams = new Map<string, StreamRecord>();
  readonly #transfers = new TransferBooks();
  readonly #findings: Finding[] = [];
  #findingsTotal = 0;
  #events = 0;
  #position: Position | null = null;
  /** The same as a number; 0 before the first event. */
  #count = 0;

  /** @param contiguous whether the store counts positions without gaps, as the PostgreSQL store does. */
  constructor(options: { readonly contiguous: boolean }) {
    this.#contiguous = options.contiguous;
  }

  get events(): number {
    return this.#events;
  }

  /** Takes the next events of the log. */
  add(events: readonly RecordedEvent[]): void {
    for (const event of events) this.#check(event, decodeEvent(event));
  }

  /** Notes that something could not be read as an event at all. */
  addUnreadable(problem: string): void {
    this.#find({ position: this.#position ?? '', stream: '', revision: NO_STREAM, id: null }, problem);
  }

  /** Closes the books. */
  report(): LogReport {
    const totals = new Map<string, Map<keyof AccountSums, bigint>>();
    let accounts = 0;
    for (const [stream, record] of this.#streams) {
      if (categoryOf(stream) === 'account') accounts += 1;
      if (record.books === null) continue;
      const { sums, problem } = record.books.close();
      if (problem !== null)
        this.#find({ position: positionOf(record.lastPosition), stream, revision: record.revision, id: null }, problem);
      else addTo(totals, accountOf(stream)?.unit ?? '', sums);
    }
    const unsettled = this.#transfers.close();
    if (unsettled !== null)
      this.#find({ position: this.#position ?? '', stream: '', revision: NO_STREAM, id: null }, unsettled);
    return {
      events: this.#events,
      streams: this.#streams.size,
      accounts,
      lastPosition: this.#position,
      findings: this.#findings,
      findingsTotal: this.#findingsTotal,
      totals: Object.fromEntries(
        [...totals].map(([unit, sums]) => [
          unit,
          Object.fromEntries([...sums].map(([sum, value]) => [sum, `${value}`])),
        ]),
      ) as LogReport['totals'],
    };
  }

  #check(event: RecordedEvent, decoded: LedgerEvent | UndecodableEvent): void {
    this.#events += 1;
    this.#checkPosition(event);
    let stream = this.#streams.get(event.stream);
    if (stream === undefined) {
      const category = categoryOf(event.stream);
      const books = category === 'account' ? new AccountBooks() : null;
      const usage = category === 'usage' ? new UsageBooks() : null;
      stream = { revision: NO_STREAM, hash: ZERO_HASH, lastPosition: 0, lastRecordedAt: -Infinity, books, usage };
      this.#streams.set(event.stream, stream);
    }
    this.#checkChain(event, stream);
    this.#checkContent(event, decoded, stream);
    stream.revision = event.revision;
    stream.hash = event.hash;
    stream.lastPosition = this.#count;
  }

  #checkPosition(event: RecordedEvent): void {
    const position = Number(event.position);
    if (this.#contiguous && position !== this.#count + 1)
      this.#find(event, `the position should be ${String(this.#count + 1)}: events are missing before it`);
    else if (event.position <= (this.#position ?? '')) this.#find(event, 'the position is not after the one before it');
    this.#position = event.position;
    this.#count = position;
  }

  #checkChain(event: RecordedEvent, stream: StreamRecord): void {
    if (event.revision !== stream.revision + 1)
      this.#find(
        event,
        `the revision should be ${String(stream.revision + 1)}: events of the stream are missing before it`,
      );
    if (event.prevHash !== stream.hash)
      this.#find(event, 'prevHash is not the hash of the event before it in the stream');
    if (chainHash(event.stream, event.revision, event) !== event.hash)
      this.#find(event, 'the hash does not fit the content');
    const recordedAt = recordedAtOf(event);
    if (!(recordedAt >= stream.lastRecordedAt))
      this.#find(event, 'recordedAt is missing, or before that of the event before it');
    if (recordedAt > stream.lastRecordedAt) stream.lastRecordedAt = recordedAt;
  }

  #checkContent(event: RecordedEvent, decoded: LedgerEvent | UndecodableEvent, stream: StreamRecord): void {
    const problem = isUndecodable(decoded)
      ? decoded.undecodable
      : (entered(stream, decoded) ?? this.#followed(event.stream, decoded));
    if (problem === null) return;
    stream.books = null;
    stream.usage = null;
    this.#find(event, problem);
  }

  /** Credits that go from account to account. */
  #followed(stream: string, event: LedgerEvent): string | null {
    if (categoryOf(stream) !== 'account') return null;
    return unlessMisshapen(event, () => this.#transfers.enter(stream, event as AccountEvent));
  }

  #find(where: { position: Position; stream: string; revision: number; id: string | null }, problem: string): void {
    this.#findingsTotal += 1;
    const { position, stream, revision, id } = where;
    if (this.#findings.length < namedFindings)
      this.#findings.push({ position, stream, revision, eventId: id, problem });
  }
}

/** In milliseconds; NaN when the metadata does not say. */
function recordedAtOf(event: RecordedEvent): number {
  try {
    return msOf(metadataText(event, 'recordedAt'));
  } catch {
    return NaN;
  }
}

const entered = ({ books, usage }: StreamRecord, event: LedgerEvent): string | null =>
  unlessMisshapen(event, () => books?.enter(event as AccountEvent) ?? usage?.enter(event as UsageEvent) ?? null);

/** Data of another shape than the type promises must be a finding, not the end of the audit. */
function unlessMisshapen(event: LedgerEvent, enter: () => string | null): string | null {
  try {
    return enter();
  } catch {
    return `the data of this ${event.type} does not have its shape`;
  }
}

function addTo(totals: Map<string, Map<keyof AccountSums, bigint>>, unit: string, sums: AccountSums): void {
  const all = totals.get(unit) ?? new Map<keyof AccountSums, bigint>();
  totals.set(unit, all);
  for (const [sum, value] of Object.entries(sums) as [keyof AccountSums, number][])
    all.set(sum, (all.get(sum) ?? 0n) + BigInt(value));
}

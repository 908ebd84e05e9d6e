import pg from 'pg';
import { StoreUnavailable } from '../event-store.js';
import type { LogShares, ShareTakers } from '../log-shares.js';
import { columnsOfRows, streamIn } from './postgres-share-rows.js';
import { sessionOptions } from './postgres-session.js';

/** What stands before the rows of a binary copy: its signature, flags and the length of an extension that there is none of. */
const HEADER_BYTES = 19;
/** A row begins with the number of its fields; the end is marked by a negative one. */
const FIELD_COUNT_BYTES = 2;

const copyText = (through: string): string =>
  `copy (select ${columnsOfRows} from scrip_log.events where position <= ${String(Number(through))} order by position) to stdout (format binary)`;

/**
 * Reads the log in one statement and in PostgreSQL's binary form, and deals its rows out as fast as they are taken: what nobody
 * has come to waits in the socket, not in memory. Throws StoreUnavailable, and what the takers throw.
 */
export async function readPostgresShares({ databaseUrl, of, through }: LogShares, takers: ShareTakers): Promise<void> {
  const client = new pg.Client({
    connectionString: databaseUrl,
    application_name: 'scrip-log-shares',
    connectionTimeoutMillis: 5_000,
    keepAlive: true,
    options: sessionOptions(0),
  });
  client.on('error', () => undefined); // also told to the copy
  try {
    await client.connect().catch((cause: unknown) => {
      throw new StoreUnavailable('the database cannot be reached', { cause });
    });
    const copying = new CopyOut(copyText(through), new Dealer(of, takers));
    client.query(copying);
    await copying.ended;
  } finally {
    await client.end().catch(() => undefined);
  }
}

type Socket = { pause(): unknown; resume(): unknown };
type Hand = { bytes: Buffer<SharedArrayBuffer>; end: number };

/** Deals rows out to the shares of their streams, many at a time. */
class Dealer {
  readonly #hands: Hand[];
  readonly #takers: ShareTakers;

  constructor(of: number, takers: ShareTakers) {
    this.#takers = takers;
    this.#hands = Array.from({ length: of }, () => ({ bytes: Buffer.from(takers.room()), end: 0 }));
  }

  /** Puts a row, which begins at `start`, to its share. Answers what the taker answers when it is given something. */
  deal(row: Buffer, start: number): Promise<void> | undefined {
    const share = shareOf(row, start, this.#hands.length);
    const hand = this.#hands[share];
    if (hand === undefined) return undefined;
    const length = row.length - start;
    const full = hand.end + length > hand.bytes.length;
    const taken = full ? this.#give(share, hand) : undefined;
    if (length > hand.bytes.length) hand.bytes = Buffer.from(new SharedArrayBuffer(length));
    row.copy(hand.bytes, hand.end, start);
    hand.end += length;
    return taken;
  }

  /** Gives out what is left. */
  async end(): Promise<void> {
    await Promise.all(this.#hands.map((hand, share) => (hand.end > 0 ? this.#give(share, hand) : undefined)));
  }

  #give(share: number, hand: Hand): Promise<void> | undefined {
    const { bytes, end } = hand;
    if (end === 0) return undefined;
    const taken = this.#takers.take(share, bytes.subarray(0, end));
    hand.bytes = Buffer.from(this.#takers.room());
    hand.end = 0;
    return taken;
  }
}

const hyphen = '-'.charCodeAt(0);
const dot = '.'.charCodeAt(0);

/** Streams are told apart by what follows the category, up to a dot. */
function shareOf(row: Buffer, start: number, of: number): number {
  const { from, to } = streamIn(row, start);
  let place = from;
  while (place < to && row[place] !== hyphen) place += 1;
  let hash = 0;
  for (place += 1; place < to && row[place] !== dot; place += 1) hash = Math.imul(hash, 31) + (row[place] ?? 0);
  return (hash >>> 0) % of;
}

/** A statement that the client runs, and hands each message that it is answered with. */
class CopyOut {
  readonly ended: Promise<void>;
  readonly #text: string;
  readonly #dealer: Dealer;
  #resolve: () => void = () => undefined;
  #reject: (error: unknown) => void = () => undefined;
  #socket: Socket | null = null;
  #waitingFor = 0;
  #failed = false;
  #begun = false;

  constructor(text: string, dealer: Dealer) {
    this.#text = text;
    this.#dealer = dealer;
    this.ended = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  submit(connection: pg.Connection): void {
    const { stream } = connection as unknown as { readonly stream: Socket };
    this.#socket = stream;
    (connection as unknown as { query(text: string): void }).query(this.#text);
  }

  handleCopyData({ chunk }: { readonly chunk: Buffer }): void {
    if (this.#failed) return;
    const start = this.#begun ? 0 : HEADER_BYTES;
    this.#begun = true;
    if (chunk.length < start + FIELD_COUNT_BYTES || chunk.readInt16BE(start) < 0) return;
    try {
      const taken = this.#dealer.deal(chunk, start + FIELD_COUNT_BYTES);
      if (taken !== undefined) this.#waitFor(taken);
    } catch (error) {
      this.#fail(error);
    }
  }

  handleCommandComplete(): void {
    // What comes next is the end.
  }

  handleReadyForQuery(): void {
    if (this.#failed) return;
    this.#dealer.end().then(this.#resolve, this.#reject);
  }

  handleError(cause: unknown): void {
    this.#fail(new StoreUnavailable('the database did not answer a read', { cause }));
  }

  /** What has arrived by now is still dealt out. */
  #waitFor(taken: Promise<void>): void {
    this.#waitingFor += 1;
    this.#socket?.pause();
    taken.then(
      () => {
        this.#waitingFor -= 1;
        if (this.#waitingFor === 0) this.#socket?.resume();
      },
      (error: unknown) => {
        this.#fail(error);
      },
    );
  }

  /** The connection is then ended by who opened it, whatever is still to come. */
  #fail(error: unknown): void {
    this.#failed = true;
    this.#reject(error);
  }
}

import pg from 'pg';
import { StoreUnavailable } from '../event-store.js';
import type { LogShares, ShareTakers } from '../log-shares.js';
import { CopyOut, type CopiedRows } from './postgres-copy-out.js';
import { socketFor } from './postgres-copy-socket.js';
import { columnsOfRows, streamIn } from './postgres-share-rows.js';
import { sessionOptions } from './postgres-session.js';

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
    stream: socketFor,
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

type Hand = { bytes: Buffer<SharedArrayBuffer>; end: number };

/** Deals rows out to the shares of their streams, many at a time. */
class Dealer implements CopiedRows {
  readonly #hands: Hand[];
  readonly #takers: ShareTakers;

  constructor(of: number, takers: ShareTakers) {
    this.#takers = takers;
    this.#hands = Array.from({ length: of }, () => ({ bytes: Buffer.from(takers.room()), end: 0 }));
  }

  /** Puts a row to its share. Answers what the taker answers when it is given something. */
  row(from: Buffer, start: number, end: number): Promise<void> | undefined {
    const share = shareOf(from, start, this.#hands.length);
    const hand = this.#hands[share];
    if (hand === undefined) return undefined;
    const length = end - start;
    const full = hand.end + length > hand.bytes.length;
    const taken = full ? this.#give(share, hand) : undefined;
    if (length > hand.bytes.length) hand.bytes = Buffer.from(new SharedArrayBuffer(length));
    from.copy(hand.bytes, hand.end, start, end);
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

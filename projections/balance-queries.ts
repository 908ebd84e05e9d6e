import { instantOf, monthAfter, monthOf, type Instant } from '#kernel/instant.js';
import { accountStream } from '#kernel/stream-name.js';
import { START, type Position } from '#event-store/event-store.js';
import type { Settings, Source } from '#ledger/account-events.js';
import { toPosition } from '#read-store/generations.js';
import { ReadDatabaseError, type Reader } from '#read-store/read-database.js';
import { SCHEMA } from '#read-store/schema.js';
import { arrayText } from '#read-store/tables.js';
import { balanceAt, type BalanceAt, type Lot, type OpenHold } from './balance-at.js';

export type AccountBalance = BalanceAt & {
  readonly customerId: string;
  readonly unit: string;
  readonly status: Settings['status'];
  readonly overdraftLimit: number;
  /** Of the calendar month, UTC: what was consumed in it, less what was given back of that. */
  readonly usage: {
    readonly periodStart: Instant;
    readonly periodEnd: Instant;
    readonly consumed: number;
    readonly limit: null;
  };
  readonly asOf: { readonly position: Position; readonly time: Instant };
};

/** What a balance is made of, from wherever it was folded. */
export type BalanceParts = {
  readonly customerId: string;
  readonly unit: string;
  readonly status: Settings['status'];
  readonly overdraftLimit: number;
  readonly debt: number;
  readonly lots: readonly Lot[];
  readonly holds: readonly OpenHold[];
  /** The newest month in which something was consumed, and how much less what was given back of it. */
  readonly usage: { readonly month: string | null; readonly consumed: number };
  readonly position: Position;
};

/** The answer to "what is the balance at `now`", exact to the millisecond whatever was recorded by then. */
export function balanceAnswer(parts: BalanceParts, now: Instant): AccountBalance {
  const { customerId, unit, status, overdraftLimit, usage, position } = parts;
  const month = monthOf(now);
  return {
    customerId,
    unit,
    status,
    ...balanceAt(parts.lots, parts.holds, parts.debt, now),
    overdraftLimit,
    usage: {
      periodStart: `${month}-01T00:00:00.000Z`,
      periodEnd: monthAfter(month),
      consumed: usage.month === month ? usage.consumed : 0,
      limit: null,
    },
    asOf: { position, time: now },
  };
}

type LotColumns = readonly [
  id: string,
  source: Source,
  free: number,
  held: number,
  scheduled: boolean,
  effectiveAt: Instant,
  expiresAt: Instant | null,
];
type HoldColumns = readonly [id: string, expiresAt: Instant, allocations: string];
type Row = {
  readonly n: string;
  readonly known: boolean;
  readonly position: string | null;
  readonly status: Settings['status'] | null;
  readonly overdraft_limit: string | null;
  readonly debt: string | null;
  readonly usage_month: string | null;
  readonly usage_consumed: string | null;
  readonly lots: readonly LotColumns[] | null;
  readonly holds: readonly HoldColumns[] | null;
};
type Wanted = { readonly customerId: string; readonly unit: string };

/** One statement for any number of accounts: rows and checkpoint are of one instant. */
const statement = `
  select r.n, a.stream is not null or exists (select from ${SCHEMA}.customers c where c.customer_id = r.customer_id) as known,
    (select position from ${SCHEMA}.projection_checkpoints where name = 'balances' and role = 'live') as position,
    a.status, a.overdraft_limit, a.debt, a.usage_month, a.usage_consumed,
    (select json_agg(json_build_array(g.grant_id, g.source, g.free, g.held, g.scheduled, g.effective_at, g.expires_at))
      from ${SCHEMA}.grants g where g.stream = a.stream and g.live) as lots,
    case when a.held > 0 then (select json_agg(json_build_array(h.hold_id, h.expires_at, h.allocations))
      from ${SCHEMA}.holds h where h.stream = a.stream and h.status = 'open') end as holds
  from unnest($1::text[], $2::text[]) with ordinality as r(stream, customer_id, n)
  left join ${SCHEMA}.account_balances a on a.stream = r.stream`;

async function partsOf(reader: Reader, wanted: readonly Wanted[]): Promise<readonly (BalanceParts | null)[]> {
  const streams = arrayText(wanted.map(({ customerId, unit }) => accountStream(customerId, unit)));
  const rows = await reader.query<Row>({
    name: 'balances',
    text: statement,
    values: [streams, arrayText(wanted.map(({ customerId }) => customerId))],
  });
  const answers: (BalanceParts | null)[] = wanted.map(() => null);
  for (const row of rows) {
    const index = Number(row.n) - 1;
    const of = wanted[index];
    if (of !== undefined && row.known) answers[index] = toParts(of, row);
  }
  return answers;
}

const toParts = ({ customerId, unit }: Wanted, row: Row): BalanceParts => ({
  customerId,
  unit,
  status: row.status ?? 'active',
  overdraftLimit: Number(row.overdraft_limit ?? 0),
  debt: Number(row.debt ?? 0),
  lots: (row.lots ?? []).map(([id, source, free, held, scheduled, effectiveAt, expiresAt]) => ({
    id,
    source,
    free,
    held,
    scheduled,
    effectiveAt,
    expiresAt,
  })),
  holds: (row.holds ?? []).map(([id, expiresAt, allocations]) => ({
    id,
    expiresAt,
    allocations: JSON.parse(allocations) as OpenHold['allocations'],
  })),
  usage: { month: row.usage_month, consumed: Number(row.usage_consumed ?? 0) },
  position: row.position === null ? START : toPosition(row.position),
});

/**
 * The balance of one account at `now` (milliseconds since the epoch); zeros for a customer without an account in that unit,
 * null for a customer never heard of. One statement; usable inside `asCustomer`.
 */
export async function balanceOf(
  reader: Reader,
  customerId: string,
  unit: string,
  now: number,
): Promise<AccountBalance | null> {
  const [parts] = await partsOf(reader, [{ customerId, unit }]);
  return parts == null ? null : balanceAnswer(parts, instantOf(now));
}

/** Whether a customer was ever heard of, as `balanceOf` sees it. Usable inside `asCustomer`. */
export async function isKnownCustomer(reader: Reader, customerId: string, unit: string): Promise<boolean> {
  const [row] = await reader.query<{ readonly known: boolean }>({
    name: 'known customer',
    text: `select exists (select from ${SCHEMA}.customers where customer_id = $1)
      or exists (select from ${SCHEMA}.account_balances where stream = $2) as known`,
    values: [customerId, accountStream(customerId, unit)],
  });
  return row?.known === true;
}

type Waiting = Wanted & {
  readonly now: Instant;
  readonly resolve: (balance: AccountBalance | null) => void;
  readonly reject: (error: unknown) => void;
};

const IN_FLIGHT_MAX = 2;
const BATCH_MAX = 256;
const WAITING_MAX = 10_000;

/**
 * `balanceOf` for many callers at once: requests that come while queries are under way share the next one, so the database
 * answers hundreds of balances with one statement. For callers that may see every customer.
 */
export class BalanceReader {
  readonly #reader: Reader;
  #waiting: Waiting[] = [];
  #inFlight = 0;

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  /** As `balanceOf`. Errors: ReadDatabaseError, also when too many requests wait. */
  balanceOf(customerId: string, unit: string, now: number): Promise<AccountBalance | null> {
    if (this.#waiting.length >= WAITING_MAX)
      return Promise.reject(new ReadDatabaseError('53400', 'too many balance requests are waiting'));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ customerId, unit, now: instantOf(now), resolve, reject });
      if (this.#waiting.length === 1) queueMicrotask(() => this.#flush());
    });
  }

  #flush(): void {
    while (this.#waiting.length > 0 && this.#inFlight < IN_FLIGHT_MAX) {
      const batch = this.#waiting.slice(0, BATCH_MAX);
      this.#waiting = this.#waiting.slice(BATCH_MAX);
      this.#inFlight += 1;
      void this.#answer(batch).finally(() => {
        this.#inFlight -= 1;
        this.#flush();
      });
    }
  }

  async #answer(batch: readonly Waiting[]): Promise<void> {
    try {
      const parts = await partsOf(this.#reader, batch);
      batch.forEach(({ now, resolve }, index) => {
        const found = parts[index];
        resolve(found == null ? null : balanceAnswer(found, now));
      });
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }
}

import { instantOf, type Instant } from '#kernel/instant.js';
import type { Json } from '#kernel/json.js';
import { accountStream } from '#kernel/stream-name.js';
import { START, type Position } from '#event-store/port/event-store.js';
import { timePassed } from '#ledger/account/at.js';
import type { Settings, Source } from '#ledger/account/events.js';
import { defaultSettings } from '#ledger/account/state.js';
import { decodeUsage, NO_USAGE, usageAt, type PeriodUsage, type Usage } from '#ledger/account/usage.js';
import { toPosition } from '#projecting/generations.js';
import type { Reader } from '#database/database.js';
import { DatabaseError } from '#database/errors.js';
import { SCHEMA } from '#projecting/schema.js';
import { arrayText } from '#database/values.js';
import type { AccountLog, LoggedAccount } from './account-log.js';
import { sumsOf, type BalanceSums, type Lot } from './sums.js';

export type AccountBalance = BalanceSums & {
  readonly customerId: string;
  readonly unit: string;
  readonly status: Settings['status'];
  readonly debt: number;
  readonly overdraftLimit: number;
  readonly usage: PeriodUsage;
  readonly asOf: { readonly position: Position; readonly time: Instant };
};

/** What a balance is made of, where nothing is due. */
type BalanceParts = {
  readonly customerId: string;
  readonly unit: string;
  readonly status: Settings['status'];
  readonly overdraftLimit: number;
  readonly debt: number;
  readonly lots: Iterable<Lot>;
  readonly usage: Usage;
  readonly position: Position;
};

function balanceAnswer(parts: BalanceParts, now: Instant): AccountBalance {
  const { customerId, unit, status, debt, overdraftLimit, usage, position } = parts;
  const sums = sumsOf(parts.lots, now);
  return {
    customerId,
    unit,
    status,
    available: sums.available,
    held: sums.held,
    debt,
    bySource: sums.bySource,
    expiryBuckets: sums.expiryBuckets,
    nextExpiry: sums.nextExpiry,
    overdraftLimit,
    usage: usageAt(usage, now),
    asOf: { position, time: now },
  };
}

/** The balance of an account at `now`: what its events left, and what time has done since by the ledger's own rules. */
export function balanceAt(account: LoggedAccount, now: Instant, position: Position): AccountBalance {
  const { state } = timePassed(account.state, now, account.revision);
  const { customerId, unit, settings, balance, grants, usage } = state;
  const { status, overdraftLimit } = settings;
  const lots = grants.values();
  return balanceAnswer({ customerId, unit, status, overdraftLimit, debt: balance.debt, lots, usage, position }, now);
}

type LotColumns = readonly [source: Source, free: number, held: number, scheduled: boolean, expiresAt: Instant | null];
type Row = {
  readonly n: string;
  readonly known: boolean;
  readonly position: string | null;
  readonly status: Settings['status'] | null;
  readonly overdraft_limit: string | null;
  readonly debt: string | null;
  readonly revision: string | null;
  readonly next_due_at: Instant | null;
  readonly usage: string | null;
  readonly lots: readonly LotColumns[] | null;
};
/** Whose balance is wanted. */
export type Wanted = { readonly customerId: string; readonly unit: string };

/** One statement for any number of accounts: rows and checkpoint are of one instant. */
const statement = `
  select r.n, a.stream is not null or exists (select from ${SCHEMA}.customers c where c.customer_id = r.customer_id) as known,
    (select position from ${SCHEMA}.projection_checkpoints where name = 'balances' and role = 'live') as position,
    a.status, a.overdraft_limit, a.debt, a.revision, a.next_due_at, a.usage,
    (select json_agg(json_build_array(g.source, g.free, g.held, g.scheduled, g.expires_at))
      from ${SCHEMA}.grants g where g.stream = a.stream and g.live) as lots
  from unnest($1::text[], $2::text[]) with ordinality as r(stream, customer_id, n)
  left join ${SCHEMA}.account_balances a on a.stream = r.stream`;

/** What the rows say of each account that is asked for; null for an unknown customer. */
async function rowsOf(reader: Reader, wanted: readonly Wanted[]): Promise<readonly (Row | null)[]> {
  const streams = arrayText(wanted.map(({ customerId, unit }) => accountStream(customerId, unit)));
  const rows = await reader.query<Row>({
    name: 'balances',
    text: statement,
    values: [streams, arrayText(wanted.map(({ customerId }) => customerId))],
  });
  const answers: (Row | null)[] = wanted.map(() => null);
  for (const row of rows) if (row.known) answers[Number(row.n) - 1] = row;
  return answers;
}

/** Rows are as old as their newest event: where time has done something since, the account itself is asked. */
function balanceOfRow(
  log: AccountLog,
  { customerId, unit }: Wanted,
  row: Row,
  now: Instant,
): AccountBalance | Promise<AccountBalance> {
  const position = row.position === null ? START : toPosition(row.position);
  if (row.next_due_at !== null && row.next_due_at <= now)
    return log
      .load(accountStream(customerId, unit), { revision: Number(row.revision) })
      .then((account) => balanceAt(account, now, position));
  return balanceAnswer(
    {
      customerId,
      unit,
      status: row.status ?? 'active',
      overdraftLimit: Number(row.overdraft_limit ?? 0),
      debt: Number(row.debt ?? 0),
      lots: (row.lots ?? []).map(([source, free, held, scheduled, expiresAt]) => ({
        source,
        free,
        held,
        scheduled,
        expiresAt,
      })),
      usage: row.usage === null ? NO_USAGE : decodeUsage(JSON.parse(row.usage) as Json),
      position,
    },
    now,
  );
}

/**
 * The balance of one account at `now` (milliseconds since the epoch); zeros for a customer without an account in that unit,
 * null for a customer never heard of. One statement; usable inside `asCustomer`.
 */
export async function balanceOf(
  reader: Reader,
  log: AccountLog,
  wanted: Wanted,
  now: number,
): Promise<AccountBalance | null> {
  const [row] = await rowsOf(reader, [wanted]);
  return row == null ? null : balanceOfRow(log, wanted, row, instantOf(now));
}

/** What is set for an account. */
export type AccountSettings = Settings & { readonly customerId: string; readonly unit: string };

type SettingsRow = {
  readonly status: Settings['status'];
  readonly burn_order: Settings['burnOrder'];
  readonly overdraft_limit: string;
  readonly debt_policy: Settings['debtPolicy'];
  readonly low_balance_threshold: string | null;
};

/** The settings of an account; those of a new one where it was never opened. Usable inside `asCustomer`. */
export async function settingsOf(reader: Reader, { customerId, unit }: Wanted): Promise<AccountSettings> {
  const [row] = await reader.query<SettingsRow>({
    name: 'account settings',
    text: `select status, burn_order, overdraft_limit, debt_policy, low_balance_threshold
      from ${SCHEMA}.account_balances where stream = $1`,
    values: [accountStream(customerId, unit)],
  });
  if (row === undefined) return { customerId, unit, ...defaultSettings };
  const { low_balance_threshold: threshold } = row;
  return {
    customerId,
    unit,
    status: row.status,
    burnOrder: row.burn_order,
    overdraftLimit: Number(row.overdraft_limit),
    debtPolicy: row.debt_policy,
    lowBalanceThreshold: threshold === null ? null : Number(threshold),
  };
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
  readonly resolve: (balance: AccountBalance | Promise<AccountBalance> | null) => void;
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
  readonly #log: AccountLog;
  #waiting: Waiting[] = [];
  #inFlight = 0;

  constructor(reader: Reader, log: AccountLog) {
    this.#reader = reader;
    this.#log = log;
  }

  /** As `balanceOf`. Errors: DatabaseError, also when too many requests wait. */
  balanceOf(customerId: string, unit: string, now: number): Promise<AccountBalance | null> {
    if (this.#waiting.length >= WAITING_MAX)
      return Promise.reject(new DatabaseError('53400', 'too many balance requests are waiting'));
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
      const rows = await rowsOf(this.#reader, batch);
      batch.forEach((wanted, index) => {
        const row = rows[index];
        wanted.resolve(row == null ? null : balanceOfRow(this.#log, wanted, row, wanted.now));
      });
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }
}

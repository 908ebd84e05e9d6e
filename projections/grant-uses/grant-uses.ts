import type { AccountEvent } from '#ledger/account/events.js';
import { usesOf } from '#ledger/account/reading/uses.js';
import type { LedgerEvent } from '#ledger/events.js';
import type { Reader } from '#database/database.js';
import { arrayText, document } from '#database/values.js';
import type { ProjectionWriter } from '#projecting/projection.js';
import { TableWriter } from '#projecting/tables.js';
import {
  dispatch,
  ownerOf,
  settingsIgnored,
  type Handlers,
  type LedgerProjection,
  type Projected,
} from '../ledger-projection.js';
import { grantUsesOracle } from './oracle.js';
import { grantUses, holdRaises, reversals, type RaiseRow, type ReversalRow, type UseRow } from './tables.js';

type Fold = { readonly uses: UseRow[]; readonly reversals: ReversalRow[]; readonly raises: RaiseRow[] };

/** How many grants are known by their number of uses between batches. */
const KNOWN_MAX = 100_000;
const keyOf = ({ stream, grant_id }: Pick<UseRow, 'stream' | 'grant_id'>): string => `${stream} ${grant_id}`;

const placeOf = ({ recorded }: Projected, { at }: AccountEvent) => ({
  stream: recorded.stream,
  revision: recorded.revision,
  customer_id: ownerOf(recorded).customer_id,
  at,
  event_id: recorded.id,
  position: recorded.position,
});

/** A row for each use; its number comes when all rows of the batch are there. */
const addUses = (fold: Fold, event: AccountEvent, projected: Projected): void => {
  for (const { grantId, type, amount, cost, consumptionId, holdId } of usesOf(event))
    fold.uses.push({
      ...placeOf(projected, event),
      grant_id: grantId,
      type,
      n: 0,
      amount,
      cost_amount: cost?.amount ?? null,
      cost_currency: cost?.currency ?? null,
      consumption_id: consumptionId,
      hold_id: holdId,
    });
};

const handlers: Handlers<Fold, AccountEvent> = {
  AccountOpened: 'ignored',
  CreditsGranted: 'ignored',
  CreditsActivated: 'ignored',
  CreditsConsumed: addUses,
  CreditsHeld: 'ignored',
  HoldExtended: 'ignored',
  HoldRaised: (fold, { holdId: hold_id }, { recorded }) => {
    const { stream, revision } = recorded;
    fold.raises.push({ stream, hold_id, revision, customer_id: ownerOf(recorded).customer_id });
  },
  HoldCaptured: addUses,
  HoldReleased: 'ignored',
  CreditsExpired: addUses,
  CreditsRevoked: addUses,
  CreditsReinstated: addUses,
  ConsumptionReversed: (fold, event, projected) => {
    addUses(fold, event, projected);
    fold.reversals.push({
      ...placeOf(projected, event),
      consumption_revision: event.consumptionRevision,
      reversal_id: event.reversalId,
      amount: event.amount,
      debt_reversed: event.debtReversed,
      restored: document(event.restored),
      reason: event.reason,
    });
  },
  DebtIncurred: 'ignored',
  DebtRepaid: addUses,
  DebtForgiven: addUses,
  TransferSent: addUses,
  TransferReceived: 'ignored',
  TransferReturned: addUses,
  TransferClaimed: 'ignored',
  PaymentClaimed: 'ignored',
  PeriodChanged: 'ignored',
  TrialChanged: 'ignored',
  TermsEnded: 'ignored',
  BillingRequested: 'ignored',
  ...settingsIgnored,
};

class GrantUsesWriter implements ProjectionWriter<LedgerEvent> {
  readonly #uses: TableWriter<typeof grantUses>;
  readonly #reversals: TableWriter<typeof reversals>;
  readonly #raises: TableWriter<typeof holdRaises>;
  readonly #usesTable: string;
  /** How many uses of a grant are written. */
  readonly #counts = new Map<string, number>();

  constructor(table: (name: string) => string) {
    this.#usesTable = table(grantUses.name);
    this.#uses = new TableWriter(grantUses, this.#usesTable);
    this.#reversals = new TableWriter(reversals, table(reversals.name));
    this.#raises = new TableWriter(holdRaises, table(holdRaises.name));
  }

  async apply(transaction: Reader, batch: readonly Projected[]): Promise<void> {
    if (this.#counts.size > KNOWN_MAX) this.#counts.clear();
    const fold: Fold = { uses: [], reversals: [], raises: [] };
    for (const projected of batch) dispatch(handlers, fold, projected);
    await this.#load(transaction, fold.uses);
    for (const row of fold.uses) {
      const key = keyOf(row);
      row.n = (this.#counts.get(key) ?? 0) + 1;
      this.#counts.set(key, row.n);
    }
    await this.#uses.insert(transaction, fold.uses);
    await this.#reversals.insert(transaction, fold.reversals);
    await this.#raises.insert(transaction, fold.raises);
  }

  /** Looks up how many uses were written of the grants that are not known any more. */
  async #load(on: Reader, rows: readonly UseRow[]): Promise<void> {
    const missing = new Map(rows.filter((row) => !this.#counts.has(keyOf(row))).map((row) => [keyOf(row), row]));
    if (missing.size === 0) return;
    const wanted = [...missing.values()];
    const found = await on.query<{ stream: string; grant_id: string; n: string }>({
      name: `counts ${this.#usesTable}`,
      text: `select k.stream, k.grant_id, u.n from unnest($1::text[], $2::text[]) as k(stream, grant_id) cross join lateral
        (select n from ${this.#usesTable} t where t.stream = k.stream and t.grant_id = k.grant_id
          order by revision desc, type desc limit 1) u`,
      values: [arrayText(wanted.map(({ stream }) => stream)), arrayText(wanted.map(({ grant_id }) => grant_id))],
    });
    for (const { n, ...key } of found) this.#counts.set(keyOf(key), Number(n));
  }
}

/** Which uses were made of each grant, what was given back of each consumption, and when holds were raised. */
export const grantUsesProjection: LedgerProjection = {
  name: 'grant-uses',
  version: 2,
  categories: ['account'],
  tables: [grantUses, reversals, holdRaises],
  handlers,
  open: (table) => new GrantUsesWriter(table),
  oracle: grantUsesOracle,
};

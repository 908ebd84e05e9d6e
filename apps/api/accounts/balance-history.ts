import { Injectable } from '@nestjs/common';
import { EventStore, START, type Position } from '#event-store/event-store.js';
import { assert } from '#kernel/assert.js';
import { Clock } from '#kernel/clock.js';
import { instantOf, monthOf, type Instant } from '#kernel/instant.js';
import { accountStream, customerStream, type StreamName } from '#kernel/stream-name.js';
import type { AccountEvent } from '#ledger/account-events.js';
import { evolveAccount } from '#ledger/account-evolve.js';
import { initialAccount, type AccountState } from '#ledger/account-state.js';
import { ledgerCodec } from '#ledger/events.js';
import { balanceAnswer, type AccountBalance } from '#projections/balance-queries.js';
import { soon } from '../reads/soon.js';

/** The moment in the past that a balance is asked for. */
export type PastMoment = { readonly at: Instant } | { readonly position: Position };

const pageSize = 1_000;

type Folded = {
  readonly state: AccountState;
  readonly usage: { month: string | null; consumed: number; since: number };
  readonly lastAt: Instant | null;
  readonly position: Position;
};

/**
 * Balances of the past, folded from the log alone. Reads the account's stream in pages, so memory grows with the account's
 * grants and holds, not with its events.
 */
@Injectable()
export class BalanceHistory {
  constructor(
    private readonly store: EventStore,
    private readonly clock: Clock,
  ) {}

  /** Null when nothing was ever heard of the customer. Errors: StoreUnavailable. */
  async balanceAt(customerId: string, unit: string, moment: PastMoment): Promise<AccountBalance | null> {
    const stream = accountStream(customerId, unit);
    const folded = await this.#fold(stream, moment);
    if (folded.position === START && !(await this.#isKnown(stream, customerId))) return null;
    const { state, usage, position } = folded;
    const now = 'at' in moment ? moment.at : (folded.lastAt ?? instantOf(this.clock.now()));
    const { settings, balance } = state;
    return balanceAnswer(
      {
        customerId,
        unit,
        status: settings.status,
        overdraftLimit: settings.overdraftLimit,
        debt: balance.debt,
        lots: [...state.grants.values()],
        holds: [...state.holds.values()],
        usage,
        position,
      },
      now,
    );
  }

  async #fold(stream: StreamName, moment: PastMoment): Promise<Folded> {
    let state = initialAccount(stream);
    const usage: Folded['usage'] = { month: null, consumed: 0, since: 0 };
    let lastAt: Instant | null = null;
    let position = START;
    for (let from = 0; ; from += pageSize) {
      const page = await soon(this.clock, this.store.readStream(stream, from, pageSize));
      for (const recorded of page) {
        if ('position' in moment && recorded.position > moment.position) return { state, usage, lastAt, position };
        const event = ledgerCodec.decode(recorded);
        assert(!('undecodable' in event), `event ${recorded.id} cannot be read`);
        const accountEvent = event as AccountEvent;
        if ('at' in moment && accountEvent.at > moment.at) return { state, usage, lastAt, position };
        state = evolveAccount(state, accountEvent, recorded.revision);
        count(usage, accountEvent, recorded.revision);
        lastAt = accountEvent.at;
        position = recorded.position;
      }
      if (page.length < pageSize) return { state, usage, lastAt, position };
    }
  }

  async #isKnown(stream: StreamName, customerId: string): Promise<boolean> {
    const first = await Promise.all(
      [stream, customerStream(customerId)].map((name) => soon(this.clock, this.store.readStream(name, 0, 1))),
    );
    return first.some((events) => events.length > 0);
  }
}

/** The consumption of the newest month with any, less what was given back of it, as the balance's read model counts it. */
function count(usage: Folded['usage'], event: AccountEvent, revision: number): void {
  if (event.type === 'ConsumptionReversed' && event.consumptionRevision >= usage.since) usage.consumed -= event.amount;
  if (event.type !== 'CreditsConsumed' && event.type !== 'HoldCaptured') return;
  const month = monthOf(event.at);
  if (usage.month !== month) Object.assign(usage, { month, consumed: 0, since: revision });
  usage.consumed += event.amount;
}

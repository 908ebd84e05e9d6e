import { accountDecider } from '#ledger/account/account.js';
import { isRefused, type Moment } from '#kernel/decider.js';
import type { AccountCommand, AccountRefusal } from '#ledger/account/commands.js';
import type { AccountEvent } from '#ledger/account/events.js';
import type { ModelEvent } from '../model/books.js';

export const stream = 'account-acme';
type State = ReturnType<typeof accountDecider.initial>;

/** The bytes of a state: what a snapshot of it would hold. */
export const bytesOf = (state: State): string => JSON.stringify(accountDecider.snapshot!.encode(state));
export const roundTrip = (state: State): State => accountDecider.snapshot!.decode(JSON.parse(bytesOf(state)), stream);

export function foldAll(
  events: readonly AccountEvent[],
  from: State = accountDecider.initial(stream),
  firstRevision = 0,
): State {
  return events.reduce((state, event, index) => accountDecider.evolve(state, event, firstRevision + index), from);
}

const idField: Partial<Record<AccountEvent['type'], [prefix: string, field: string]>> = {
  CreditsGranted: ['gr', 'grantId'],
  CreditsConsumed: ['con', 'consumptionId'],
  HoldCaptured: ['con', 'consumptionId'],
  CreditsHeld: ['hold', 'holdId'],
  DebtIncurred: ['debt', 'debtId'],
  TransferSent: ['tr', 'transferId'],
};

/** The decider at work on one account: its state, its log, and symbolic names for the ids that it makes. */
export class Subject {
  state: State = accountDecider.initial(stream);
  readonly log: AccountEvent[] = [];
  readonly #names = new Map<string, string>();
  readonly #ids = new Map<string, string>();
  readonly #counts = new Map<string, number>();
  #commands = 0;

  /** What `decide` says to a command with symbolic ids. Decides twice: the same state and command must give the same answer. */
  decide(command: AccountCommand, at: string, state: State = this.state): readonly AccountEvent[] | AccountRefusal {
    const real = this.#withRealIds(command);
    const needed = accountDecider.needs?.(state, real) ?? null;
    const past = needed === null ? null : (this.log[needed] ?? null);
    const commandId = `00000000-0000-5000-8000-${String(this.#commands).padStart(12, '0')}`;
    const moment: Moment<AccountEvent> = { at, revision: this.log.length, commandId, past };
    return accountDecider.decide(state, real, moment);
  }

  /** Records events that were decided, on a fork that becomes the state. */
  record(events: readonly AccountEvent[]): ModelEvent[] {
    this.#commands += 1;
    const fork = accountDecider.fork(this.state);
    const next = events.reduce(
      (state, event, index) => accountDecider.evolve(state, event, this.log.length + index),
      fork,
    );
    this.state = accountDecider.merge(next);
    this.log.push(...events);
    return events.map((event) => this.#named(event));
  }

  /** Decides and records; null when refused. */
  run(command: AccountCommand, at: string): ModelEvent[] | null {
    const decision = this.decide(command, at);
    return isRefused(decision) ? null : this.record(decision);
  }

  /** The open holds that callers placed, by their symbolic ids. */
  holdsOfCallers(): readonly string[] {
    return [...this.state.holds.values()]
      .filter(({ owner }) => owner === 'caller')
      .map(({ id }) => this.#names.get(id) ?? id);
  }

  #withRealIds(command: AccountCommand): AccountCommand {
    const ids = (value: unknown): unknown => (typeof value === 'string' ? (this.#ids.get(value) ?? value) : value);
    return Object.fromEntries(Object.entries(command).map(([key, value]) => [key, ids(value)])) as AccountCommand;
  }

  /** The event with symbolic ids, without what the model does not tell. */
  #named(event: AccountEvent): ModelEvent {
    const naming = idField[event.type];
    // What claims reserve is nobody's to name.
    const isClaims = event.type === 'CreditsHeld' && event.owner !== 'caller';
    if (naming !== undefined && !isClaims)
      this.#name(naming[0], (event as unknown as Record<string, string>)[naming[1]]!);
    const adjusted = event.type === 'CreditsGranted' ? { adjusted: event.adjustmentId !== null } : {};
    const ignored = new Set([
      'description',
      'metadata',
      'adjustmentId',
      'revocationId',
      'reinstatementId',
      'reversalId',
      'heldAmount',
      'consumptionRevision',
    ]);
    const text = JSON.stringify({ ...event, ...adjusted }, (key, value: unknown) => {
      if (ignored.has(key)) return undefined;
      if (typeof value !== 'string') return value;
      if (value.startsWith('adj_')) return 'adj';
      if (value.startsWith('rvk_')) return 'rvk';
      return value.startsWith('rev_') ? 'rev' : (this.#names.get(value) ?? value);
    });
    return JSON.parse(text) as ModelEvent;
  }

  #name(prefix: string, id: string): void {
    const count = this.#counts.get(prefix) ?? 0;
    this.#counts.set(prefix, count + 1);
    if (this.#names.has(id)) throw new Error(`the id ${id} was made twice`);
    this.#names.set(id, `${prefix}#${String(count)}`);
    this.#ids.set(`${prefix}#${String(count)}`, id);
  }
}

import { randomUUID } from 'node:crypto';
import type { LedgerHandlers } from '#composition/ledger-handlers.js';
import type { CommandRequest } from '#event-store/writing/command.js';
import type { Clock } from '#kernel/clock.js';
import { instantOf } from '#kernel/instant.js';
import { accountStream } from '#kernel/stream-name.js';
import type { AccountCommand, AccountRefusal } from '#ledger/account/commands.js';
import type { AccountEvent, AccountEventOf } from '#ledger/account/events.js';
import type { CustomerImport } from './customers.js';
import { keyOf } from './import-name.js';
import { contactOfSource, grantOf, planLot, refusalOfCustomer, type GrantCommand, type LotPlan } from './lot-plan.js';
import { resultOfLot, resultOfOther, type GrantView, type RecordResult } from './record-result.js';
import { SeenIds } from './seen-ids.js';
import { settledOutcome } from './settled-outcome.js';
import type { SourceLot, SourceRecord } from './source.js';

export type ImportParts = {
  readonly accounts: LedgerHandlers['account'];
  readonly customers: CustomerImport;
  readonly clock: Clock;
};

type Granted = AccountEventOf<'CreditsGranted'>;
type ToGrant = Extract<LotPlan, { kind: 'grant' }>;

/** Brings the records of a source into the ledger, or finds out what would come of it. */
export class LotImport {
  readonly #seen = new SeenIds();

  constructor(
    private readonly parts: ImportParts,
    private readonly name: string,
    private readonly dryRun: boolean,
  ) {}

  /** What becomes of one record: exactly once under its id, for ever. To be called in the order of the source. */
  bring(record: SourceRecord): Promise<RecordResult> {
    if (record.kind === 'unreadable')
      return Promise.resolve(resultOfOther(record, { outcome: 'refused', reasons: [record.reason] }));
    if (record.kind === 'customer') return this.#customer(record);
    if (!this.#seen.add(record.externalId)) {
      const reasons = [`the id ${JSON.stringify(record.externalId)} stands in the source twice`];
      return Promise.resolve(resultOfLot(record, { outcome: 'refused', reasons }));
    }
    return this.#lot(record);
  }

  async #customer(record: Extract<SourceRecord, { kind: 'customer' }>): Promise<RecordResult> {
    const refusal = refusalOfCustomer(record.customer);
    if (refusal !== null) return resultOfOther(record, { outcome: 'refused', reasons: [refusal] });
    const { customer, adjustments } = contactOfSource(record.customer);
    const refused = await this.parts.customers.register(customer);
    return refused === null
      ? resultOfOther(record, { outcome: 'customer', reasons: adjustments })
      : resultOfOther(record, { outcome: 'refused', reasons: [refused] });
  }

  async #lot(lot: SourceLot): Promise<RecordResult> {
    const plan = planLot(lot, instantOf(this.parts.clock.now()), this.name);
    if (plan.kind === 'refused') return resultOfLot(lot, { outcome: 'refused', reasons: [plan.reason] });
    const { customer, adjustments } = contactOfSource(lot.customer);
    if (refusalOfCustomer(customer) === null) {
      const refusal = await this.parts.customers.register(customer);
      if (refusal !== null) return resultOfLot(lot, { outcome: 'refused', reasons: [refusal] });
    }
    if (plan.kind !== 'grant') return this.#ended(lot, plan);
    const wanted = { ...plan, adjustments: [...plan.adjustments, ...adjustments] };
    return this.#grant(lot, wanted);
  }

  /** Nothing is to be granted now; it may have been imported while there was something in it. */
  async #ended(lot: SourceLot, plan: Extract<LotPlan, { kind: 'fraction' | 'empty' }>): Promise<RecordResult> {
    const verdict = { outcome: plan.kind === 'empty' ? 'empty' : 'adjusted', reasons: [plan.reason] } as const;
    const granted = await this.#grantedBefore(lot);
    if (granted === null) return resultOfLot(lot, verdict);
    const found = { ...verdict, inScrip: viewOf(granted), before: true };
    const endedAlike = plan.kind === 'empty' && lot.endedBecause === null && granted.expiresAt === lot.expiresAt;
    const { expiresAt } = lot;
    const isOver = expiresAt !== null && expiresAt <= instantOf(this.parts.clock.now());
    return resultOfLot(lot, endedAlike && isOver ? found : { ...found, outcome: 'differs' });
  }

  async #grant(lot: SourceLot, plan: ToGrant): Promise<RecordResult> {
    const request = this.#request(lot, plan.command);
    const { accounts, clock } = this.parts;
    const outcome = await settledOutcome(clock, () =>
      this.dryRun ? accounts.preview(request) : accounts.execute(request),
    );
    if (outcome.kind === 'refused')
      return resultOfLot(lot, { outcome: 'refused', reasons: [inWords(outcome.refusal)] });
    const granted = grantAmong(outcome);
    if (granted === null) throw new Error(`${lot.at}: a grant was recorded without its event`);
    if (outcome.kind === 'recorded' && outcome.replayed) return this.#imported(lot, plan, granted);
    const inScrip = viewOf(this.dryRun ? { ...granted, grantId: null } : granted);
    return resultOfLot(lot, { ...verdictOf(plan), inScrip });
  }

  #request(lot: SourceLot, command: GrantCommand): CommandRequest<AccountCommand> {
    return {
      stream: accountStream(lot.customer.id, lot.unit),
      command,
      key: keyOf(this.name, lot.externalId),
      origin: 'cli',
      fingerprint: null, // a lot that has changed since is compared with what was granted, see #imported
      actor: 'cli',
      causationId: null,
      correlationId: randomUUID(),
    };
  }

  /** Of a lot that an earlier run granted: whether the source still says the same. */
  async #imported(lot: SourceLot, plan: ToGrant, granted: Granted): Promise<RecordResult> {
    const found = { inScrip: viewOf(granted), before: true };
    const { state } = await this.parts.accounts.load(accountStream(lot.customer.id, lot.unit));
    const revocations = state.grants.get(granted.grantId)?.revocations ?? [];
    const taken = revocations
      .filter(({ cause }) => cause.kind === 'operator')
      .reduce((sum, { amount }) => sum + amount, 0);
    if (taken > 0) {
      const reasons = [`${String(taken)} credits of it were taken back since: to import it again, give another --name`];
      return resultOfLot(lot, { ...found, outcome: 'differs', reasons });
    }
    const changes = changesSince(granted, plan.command);
    if (changes.length === 0) return resultOfLot(lot, { ...found, ...verdictOf(plan) });
    return resultOfLot(lot, { ...found, outcome: 'differs', reasons: changes });
  }

  /** What an earlier run granted for a lot that has nothing left now; null where none did. */
  async #grantedBefore(lot: SourceLot): Promise<Granted | null> {
    const request = this.#request(lot, grantOf(lot, 1, this.name));
    const outcome = await settledOutcome(this.parts.clock, () => this.parts.accounts.preview(request));
    return outcome.kind === 'recorded' ? grantAmong(outcome) : null;
  }
}

type Ended = { readonly kind: string; readonly events?: readonly { readonly event: AccountEvent }[] };

/** The grant among the events of a command; before it may stand what time had done by then. */
const grantAmong = ({ events = [] }: Ended): Granted | null =>
  events.map(({ event }) => event).find((event) => event.type === 'CreditsGranted') ?? null;

const verdictOf = ({ adjustments }: ToGrant) =>
  ({ outcome: adjustments.length === 0 ? 'equal' : 'adjusted', reasons: adjustments }) as const;

const viewOf = (grant: GrantView): GrantView => {
  const { grantId, amount, source, priority, effectiveAt, expiresAt, costBasis } = grant;
  return { grantId, amount, source, priority, effectiveAt, expiresAt, costBasis };
};

function changesSince(granted: Granted, wanted: GrantCommand): readonly string[] {
  const money = (value: GrantCommand['costBasis']): string =>
    value === null ? 'nothing' : `${String(value.amount)} ${value.currency}`;
  const pairs: readonly (readonly [string, string, string])[] = [
    ['amount', String(granted.amount), String(wanted.amount)],
    ['source', granted.source, wanted.source],
    ['priority', String(granted.priority), String(wanted.priority)],
    ['effective', granted.effectiveAt, wanted.effectiveAt ?? granted.effectiveAt],
    ['expires', granted.expiresAt ?? 'never', wanted.expiresAt ?? 'never'],
    ['cost', money(granted.costBasis), money(wanted.costBasis)],
  ];
  return pairs
    .filter(([, then, now]) => then !== now)
    .map(([what, then, now]) => `${what} ${then} when it was imported, ${now} in the source now`);
}

function inWords(refusal: AccountRefusal): string {
  switch (refusal.rejected) {
    case 'account_closed':
      return 'the account is closed: it takes no more grants';
    case 'balance_limit_exceeded':
      return 'all grants of the account would sum to more than 2^53-1';
    case 'grant_expired':
      return 'it expired while it was imported';
    case 'invalid_expiry':
      return 'it expires before it becomes effective';
    default:
      return `the ledger refuses it: ${refusal.rejected}`;
  }
}

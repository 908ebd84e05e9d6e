import { expect, test } from '@jest/globals';
import { isRefused } from '#kernel/decider.js';
import { instantOf } from '#kernel/instant.js';
import { AccountBooks } from '#audit/account-books.js';
import { accountDecider, conservationOf } from '#ledger/account/account.js';
import type { AccountCommand } from '#ledger/account/commands.js';
import type { AccountEvent } from '#ledger/account/events.js';
import { consume, grant, hold } from '../support/ledger/account-commands.js';
import { SeededRandom } from '../simulation/random.js';
import { NaiveBudgets, type ModelBudget } from './model/budgets.js';

/** More with BUDGET_OPERATIONS=1000000, as before a release. */
const OPERATIONS = Number(process.env['BUDGET_OPERATIONS'] ?? 100_000);
const LEAVES = OPERATIONS >= 1_000_000 ? 10_000 : 2_000;
const CREDITS = OPERATIONS * 10;
const zones = ['UTC', 'Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Africa/Cairo'];
const windows = ['day', 'week', 'month', 'total'] as const;

/** Five levels below `org`: teams, members, keys, agents, runs. */
const leafOf = (number: number): string =>
  `team:t${String(number % 4)}/member:m${String(number % 20)}/key:k${String(number % 100)}/agent:a${String(number % 500)}/run:r${String(number)}`;

class Play {
  readonly #model = new NaiveBudgets(CREDITS);
  readonly #books = new AccountBooks();
  readonly #past = new Map<number, AccountEvent>();
  #state = accountDecider.initial('account-acme');
  #revision = 0;
  #now = Date.parse('2026-02-20T12:00:00.000Z');
  readonly seen = new Map<string, number>();

  constructor(private readonly random: SeededRandom) {
    this.#decide(grant(CREDITS));
    for (let number = 0; number < LEAVES; number += 1) this.#setBudget(leafOf(number));
  }

  run(): void {
    this.#wait();
    const doing = this.#below(100);
    if (doing < 45) this.#consume();
    else if (doing < 60) this.#hold();
    else if (doing < 68) this.#raise();
    else if (doing < 78) this.#capture();
    else if (doing < 83) this.#release();
    else if (doing < 94) this.#reverse();
    else if (doing < 99) this.#setBudget(this.#scope());
    else this.#removeBudget(this.#scope());
  }

  /** Through a snapshot; and what the model and the account know must be the same. */
  restart(): void {
    const kept = JSON.stringify(accountDecider.snapshot!.encode(this.#state));
    this.#state = accountDecider.snapshot!.decode(JSON.parse(kept) as never, 'account-acme');
    expect(conservationOf(this.#state).violations).toEqual([]);
    expect([...this.#state.budgets.entries()].map(([scope]) => scope).sort()).toEqual(
      [...this.#model.budgets.keys()].sort(),
    );
    expect(this.#state.balance.available).toBe(this.#model.available);
  }

  /** Until the end of all windows but the totals nothing is held any more. */
  end(): void {
    this.#now += 40 * 86_400_000;
    this.#model.passTime(this.#now);
    this.#decide({ type: 'RecordDue' });
    this.restart();
    expect(this.#books.close().problem).toBeNull();
    for (const { count } of this.#state.budgets.values()) expect(count.held).toBe(0);
  }

  #wait(): void {
    const long = this.#below(200) === 0 ? 9 * 3_600_000 : 120_000;
    this.#now += this.#below(long);
    // To the very second in which days begin somewhere.
    const edge = Math.ceil(this.#now / 1_800_000) * 1_800_000 - this.#below(2);
    if (this.#below(50) === 0) this.#now = Math.max(this.#now, edge);
    this.#model.passTime(this.#now);
  }

  #below(bound: number): number {
    return this.random.between(0, bound - 1);
  }

  #scope(): string {
    const segments = leafOf(this.#below(LEAVES)).split('/');
    const depth = this.#below(7);
    return depth === 0 ? 'org' : segments.slice(0, depth).join('/');
  }

  #amount(): number {
    return 1 + this.#below(20);
  }

  #decide(command: AccountCommand): readonly AccountEvent[] | { readonly rejected: string } {
    const needed = accountDecider.needs?.(this.#state, command) ?? null;
    const moment = {
      at: instantOf(this.#now),
      revision: this.#revision,
      commandId: '00000000-0000-5000-8000-000000000001',
      past: needed === null ? null : (this.#past.get(needed) ?? null),
    };
    const decision = accountDecider.decide(this.#state, command, moment);
    if (isRefused(decision)) return decision;
    for (const event of decision) {
      this.#state = accountDecider.evolve(this.#state, event, this.#revision);
      this.#past.set(this.#revision, event);
      const problem = this.#books.enter(event);
      if (problem !== null) throw new Error(`the books contradict ${JSON.stringify(event)}: ${problem}`);
      this.#revision += 1;
    }
    return decision;
  }

  /** Decides it here, and by the model; both must end in the same way. */
  #compare(command: AccountCommand, expected: (id: (field: string) => string) => unknown): void {
    const decision = this.#decide(command);
    const idIn = (field: string): string => {
      const made = isRefused(decision) ? null : decision.findLast((event) => field in event);
      if (made == null) throw new Error(`the model allows what was refused: ${JSON.stringify([command, decision])}`);
      return (made as unknown as Record<string, string>)[field]!;
    };
    const wanted = expected(idIn);
    const found = isRefused(decision) ? outcomeOf(decision) : 'done';
    if (JSON.stringify(found) !== JSON.stringify(wanted))
      throw new Error(`${JSON.stringify(command)} ends in ${JSON.stringify(found)}, not ${JSON.stringify(wanted)}`);
    const name = `${command.type} ${typeof found === 'string' ? found : Object.keys(found as object).join()}`;
    this.seen.set(name, (this.seen.get(name) ?? 0) + 1);
  }

  #consume(): void {
    const [scope, amount] = [this.#scope(), this.#amount()];
    this.#compare(consume(amount, { scope }), (id) =>
      this.#model.consume(scope, amount, this.#now, () => id('consumptionId')),
    );
  }

  #hold(): void {
    const [scope, amount, seconds] = [this.#scope(), this.#amount(), 60 + this.#below(100_000)];
    this.#compare({ ...hold(amount, seconds), scope }, (id) =>
      this.#model.hold(scope, amount, this.#now, this.#now + seconds * 1000, () => id('holdId')),
    );
  }

  #openHold(): string {
    const open = [...this.#model.holds.keys()];
    return open[this.#below(Math.max(1, open.length))] ?? '';
  }

  #raise(): void {
    const [holdId, amount] = [this.#openHold(), this.#amount()];
    if (holdId !== '')
      this.#compare({ type: 'RaiseHold', holdId, amount }, () => this.#model.raise(holdId, amount, this.#now));
  }

  #capture(): void {
    const holdId = this.#openHold();
    if (holdId === '') return;
    const amount = 1 + this.#below(this.#model.heldBy(holdId));
    this.#compare({ type: 'CaptureHold', holdId, amount, final: true }, (id) =>
      this.#model.capture(holdId, amount, () => id('consumptionId')),
    );
  }

  #release(): void {
    const holdId = this.#openHold();
    if (holdId !== '') this.#compare({ type: 'ReleaseHold', holdId }, () => this.#model.release(holdId));
  }

  #reverse(): void {
    const known = this.#model.consumptions;
    let [consumptionId] = known.keys();
    // Old ones and new ones; what is not reversed soon never is.
    const skip = this.#below(Math.min(known.size, 50));
    const ids = known.keys();
    for (let count = 0; count <= skip; count += 1) consumptionId = ids.next().value ?? consumptionId;
    if (consumptionId === undefined) return;
    const amount = 1 + this.#below(this.#model.leftOf(consumptionId));
    this.#compare({ type: 'ReverseConsumption', consumptionId, amount, reason: null }, () => {
      this.#model.reverse(consumptionId, amount);
      return 'done';
    });
    while (known.size > 500) known.delete(known.keys().next().value!);
  }

  #setBudget(scope: string): void {
    const before = this.#model.budgets.get(scope);
    const isKept = before !== undefined && this.#below(2) === 0;
    const depth = scope === 'org' ? 0 : scope.split('/').length;
    const budget: ModelBudget = {
      limit: 1 + this.#below([3_000, 1_000, 400, 200, 100, 40][depth]!),
      window: isKept ? before.window : windows[this.#below(depth < 3 ? 3 : 4)]!,
      zone: isKept ? before.zone : zones[this.#below(zones.length)]!,
      hard: this.#below(5) > 0,
    };
    const { limit, window, zone: timeZone, hard } = budget;
    const command = { type: 'SetBudget', scope, limit, window, timeZone, mode: hard ? 'hard' : 'soft' } as const;
    this.#compare(command, () => this.#model.set(scope, budget, this.#now));
  }

  #removeBudget(scope: string): void {
    const wanted = this.#model.budgets.has(scope) ? 'done' : 'budget_not_found';
    this.#compare({ type: 'RemoveBudget', scope }, () => wanted);
    this.#model.budgets.delete(scope);
  }
}

function outcomeOf(refusal: { readonly rejected: string; readonly [member: string]: unknown }): unknown {
  if (refusal.rejected === 'budget_exceeded') return { exceeded: refusal['scope'] };
  if (refusal.rejected === 'budget_below_used') return { below: refusal['used'] };
  return refusal.rejected === 'insufficient_credits' ? 'short' : refusal.rejected;
}

test('thousands of budgets on five levels allow what an independent model allows', () => {
  const play = new Play(new SeededRandom(Number(process.env['BUDGET_SEED'] ?? 1)));
  for (let count = 1; count <= OPERATIONS; count += 1) {
    play.run();
    if (count % 20_000 === 0) play.restart();
  }
  play.end();
  // Nothing of it is there by chance.
  for (const [name, least] of [
    ['ConsumeCredits done', 1_000],
    ['ConsumeCredits exceeded', 1_000],
    ['HoldCredits exceeded', 1_000],
    ['RaiseHold exceeded', 100],
    ['RaiseHold done', 100],
    ['CaptureHold done', 1_000],
    ['ReleaseHold done', 500],
    ['ReverseConsumption done', 1_000],
    ['SetBudget below', 20],
    ['RemoveBudget done', 100],
  ] as const)
    expect([name, (play.seen.get(name) ?? 0) >= least]).toEqual([name, true]);
}, 600_000);

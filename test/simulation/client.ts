import type { CommandRequest } from '#event-store/writing/command.js';
import type { Position } from '#event-store/port/event-store.js';
import { canonicalJson, type Json } from '#kernel/json.js';
import { accountOf } from '#kernel/stream-name.js';
import type { AccountCommand } from '#ledger/account/commands.js';
import { LEAVING, type Step, type What } from './plan.js';
import type { SeededRandom } from './random.js';
import { accounts, type Outcome, type World } from './world.js';

type CommandStep = Extract<Step, { kind: 'command' }>;

/** A command that a client sends, and the answers it got. */
export type ClientCommand = {
  readonly key: string;
  readonly stream: string;
  readonly command: AccountCommand;
  /** Answers that say it is done, as far as two of them must be equal. */
  readonly answers: string[];
  /** The events of these answers, each with the position that was answered for it. */
  readonly recorded: { readonly id: string; readonly position: Position }[];
  readonly refusals: Refusal[];
  /** How often somebody set out to have it done. */
  pursuits: number;
  /** True once the only one who asked was told that nothing was recorded; then nothing may ever be. */
  gaveUp: boolean;
};
/** A refusal with what the log was when it was asked and when it was given. */
export type Refusal = {
  readonly from: number;
  readonly to: number;
  readonly fromMs: number;
  readonly toMs: number;
  readonly command: AccountCommand;
  readonly stream: string;
};

const scopes = ['team:a/agent:x', 'team:a', 'team:b/agent:y', 'org'] as const;

/** For whom a consumption or a hold is; some name nobody. */
const scopeFor = (roll: number): { readonly scope?: string } => {
  const scope = scopes[Math.floor(roll * 1000) % 5];
  return scope === undefined ? {} : { scope };
};

const zones = ['UTC', 'Europe/Berlin', 'America/New_York'] as const;
const budgetFor = (limit: number, roll: number): AccountCommand => {
  const pick = Math.floor(roll * 10_000);
  return {
    type: 'SetBudget',
    scope: scopes[pick % 4] ?? 'org',
    limit,
    window: (['day', 'week', 'period', 'total'] as const)[Math.floor(pick / 4) % 4] ?? 'day',
    timeZone: zones[pick % 3] ?? 'UTC',
    mode: pick % 5 === 0 ? 'soft' : 'hard',
  };
};

const annotations = { description: null, metadata: {} as Json };

/** Clients that retry with the same key until they know how it ended, each as patient as it is. */
export class Clients {
  readonly commands: ClientCommand[] = [];
  readonly #random: SeededRandom;
  #busy = 0;

  constructor(private readonly world: World) {
    this.#random = world.random.fork(3);
  }

  get idle(): boolean {
    return this.#busy === 0;
  }

  send(step: CommandStep): void {
    const stream = accounts[step.account] ?? '';
    const command = this.#commandOf(step, stream);
    if (command === null) return;
    const intended: ClientCommand = {
      key: step.name,
      stream,
      command,
      answers: [],
      recorded: [],
      refusals: [],
      pursuits: 0,
      gaveUp: false,
    };
    this.commands.push(intended);
    this.#track(this.#pursue(intended, intended.command));
  }

  sendAgain(index: number, otherBody: boolean): void {
    const intended = this.commands[index % Math.max(1, this.commands.length)];
    if (intended === undefined || intended.gaveUp) return;
    if (!otherBody) {
      this.#track(this.#pursue(intended, intended.command));
      return;
    }
    intended.pursuits += 1;
    const request = this.#request(intended, { type: 'AdjustCredits', amount: 1, reason: 'another body' });
    this.#track(
      this.#attempt(this.#random.between(0, 1), request).then((outcome) => {
        if (outcome?.kind === 'key_reused') this.world.probes.hit('key reused');
      }),
    );
  }

  deliverWebhook(index: number): void {
    const deliver = async (): Promise<void> => {
      for (let tries = 0; tries < 200; tries += 1) {
        const api = this.#random.between(0, 1);
        const done = await Promise.race([
          this.world.deliverWebhook(api, index),
          this.world.time.sleep(15_000).then(() => false),
        ]);
        if (done) return;
        await this.world.time.sleep(this.#random.between(100, 3_000));
      }
    };
    this.#track(deliver());
  }

  #track(work: Promise<void>): void {
    this.#busy += 1;
    work.then(
      () => (this.#busy -= 1),
      (error: unknown) => {
        this.#busy -= 1;
        this.world.crashes.push(error);
      },
    );
  }

  #request(intended: ClientCommand, command: AccountCommand): CommandRequest<AccountCommand> {
    return {
      stream: intended.stream,
      command,
      key: intended.key,
      origin: 'api',
      fingerprint: JSON.stringify(command),
      actor: 'client',
      causationId: null,
      correlationId: `${intended.stream}/${intended.key}`,
    };
  }

  /** One try at one process; null when no answer came in time. */
  async #attempt(api: number, request: CommandRequest<AccountCommand>): Promise<Outcome | null> {
    const handler = this.world.handlersOf(api)?.account;
    if (handler === undefined) return null;
    return Promise.race([handler.execute(request), this.world.time.sleep(15_000).then(() => null)]);
  }

  async #pursue(intended: ClientCommand, command: AccountCommand): Promise<void> {
    const { probes, time, server } = this.world;
    intended.pursuits += 1;
    const request = this.#request(intended, command);
    let first: number | null = null;
    for (let tries = 0; tries < 200; tries += 1) {
      const api = this.#random.between(0, 1);
      first ??= api;
      const from = { revision: server.log.streams.get(intended.stream)?.length ?? 0, ms: time.now };
      const outcome = await this.#attempt(api, request);
      if (outcome === null || ['conflict', 'overloaded', 'unavailable', 'outcome_unknown'].includes(outcome.kind)) {
        if (outcome?.kind === 'outcome_unknown') probes.hit('outcome stayed unknown');
        if (outcome?.kind === 'unavailable') probes.hit('unavailable');
        // "Nothing was recorded" is a promise, when this was the only one who asked.
        if (outcome?.kind === 'unavailable' && tries === 0 && intended.pursuits === 1 && this.#random.chance(0.3)) {
          intended.gaveUp = true;
          return;
        }
        await time.sleep(this.#random.between(50, 2_000));
        continue;
      }
      if (outcome.kind === 'refused') {
        probes.hit('refused');
        if (outcome.refusal.rejected === 'budget_exceeded') probes.hit('budget exceeded');
        const to = server.log.streams.get(intended.stream)?.length ?? 0;
        intended.refusals.push({
          from: from.revision,
          to,
          fromMs: from.ms,
          toMs: time.now,
          command,
          stream: intended.stream,
        });
      }
      if (outcome.kind === 'recorded') {
        if (outcome.replayed) probes.hit(api === first ? 'replayed' : 'replayed by another process');
        const events = outcome.events.map(({ event, id, revision }) => ({ event, id, revision }));
        intended.answers.push(canonicalJson(events as unknown as Json));
        intended.recorded.push(...outcome.events);
      }
      return;
    }
  }

  #commandOf(step: CommandStep, stream: string): AccountCommand | null {
    const { amount, roll } = step;
    const at = this.world.time.now;
    const inSeconds = (seconds: number): string => new Date(at + seconds * 1000).toISOString();
    const grant = {
      type: 'GrantCredits',
      amount,
      priority: 50,
      costBasis: { amount: 7 * amount, currency: 'usd' },
      paymentReference: null,
      ...annotations,
    } as const;
    const simple: Partial<Record<What, AccountCommand>> = {
      grant: { ...grant, source: 'purchase', effectiveAt: null, expiresAt: null },
      'expiring grant': { ...grant, source: 'promotion', effectiveAt: null, expiresAt: inSeconds(11 + roll * 30) },
      'scheduled grant': {
        ...grant,
        source: 'free_tier',
        effectiveAt: inSeconds(1 + roll * 20),
        expiresAt: inSeconds(22 + roll * 40),
      },
      consume: { type: 'ConsumeCredits', amount, usage: null, resource: null, ...scopeFor(roll), ...annotations },
      hold: {
        type: 'HoldCredits',
        amount,
        resource: null,
        expiresInSeconds: 1 + Math.floor(roll * 30),
        ...scopeFor(roll),
        ...annotations,
      },
      budget: budgetFor(amount, roll),
      overdraft: { type: 'ChangeSettings', overdraftLimit: Math.floor(roll * 20) },
      freeze: { type: 'FreezeAccount', reason: 'simulated' },
      unfreeze: { type: 'UnfreezeAccount', reason: 'simulated' },
      transfer: this.#transferOf(step),
      close: { type: 'CloseAccount', reason: 'simulated' },
      adjust: { type: 'AdjustCredits', amount: roll < 0.5 ? -amount : amount, reason: 'simulated' },
    };
    return simple[step.what] ?? this.#commandOnPast(step, stream);
  }

  /** To one of the others, every third time to the one who leaves. */
  #transferOf({ account, amount, roll }: CommandStep): AccountCommand {
    const others = [LEAVING, ...accounts.keys()].filter((index) => index !== account);
    const stream = accounts[others[Math.floor(roll * others.length)] ?? LEAVING] ?? '';
    const toCustomerId = accountOf(stream)?.customerId ?? '';
    return { type: 'TransferCredits', toCustomerId, amount, reason: null, receiver: 'ready' };
  }

  /** Commands about an earlier hold or consumption that some client has an answer for. */
  #commandOnPast({ what, amount, roll }: CommandStep, stream: string): AccountCommand | null {
    const ids = (field: string): string[] =>
      this.commands
        .filter((intended) => intended.stream === stream)
        .flatMap((intended) =>
          intended.answers
            .slice(0, 1)
            .flatMap((answer) =>
              [...answer.matchAll(new RegExp(`"${field}":"([^"]+)"`, 'g'))].map((match) => match[1] ?? ''),
            ),
        );
    const pickOf = (list: string[]): string | undefined => list[Math.floor(roll * list.length)];
    const [holdId, consumptionId] = [pickOf(ids('holdId')), pickOf(ids('consumptionId'))];
    if (what === 'reverse')
      return consumptionId === undefined
        ? null
        : { type: 'ReverseConsumption', consumptionId, amount: roll < 0.5 ? null : amount, reason: null };
    if (holdId === undefined) return null;
    if (what === 'capture')
      return { type: 'CaptureHold', holdId, amount: roll < 0.5 ? null : amount, final: roll < 0.7 };
    return { type: 'ReleaseHold', holdId };
  }
}

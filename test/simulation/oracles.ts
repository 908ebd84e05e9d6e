import { chainHash, ZERO_HASH } from '#event-store/port/encode-event.js';
import { metadataOf, type RecordedEvent } from '#event-store/port/event-store.js';
import { isRefused } from '#kernel/decider.js';
import { instantOf, msOf } from '#kernel/instant.js';
import type { AccountEvent } from '#ledger/account/events.js';
import { forkAccount, type AccountState } from '#ledger/account/state.js';
import { BudgetBooks } from '#audit/budget-books.js';
import { nextDueAt } from '#ledger/account/time.js';
import { accountDecider, conservationOf } from '#ledger/account/account.js';
import { decodeEvent, isUndecodable } from '#ledger/events.js';
import type { Refusal, ClientCommand } from './client.js';
import { settlements } from './settlements.js';
import { transfers } from './transfers.js';
import { accounts, type World } from './world.js';

/** What is wrong with the world; empty when all is as promised. Each begins with the name of its oracle. */
export function judge(world: World, commands: readonly ClientCommand[]): string[] {
  const wrong: string[] = [];
  for (const crash of world.crashes)
    wrong.push(`O0 a bug came to light: ${crash instanceof Error ? `${crash.name}: ${crash.message}` : String(crash)}`);
  const { events, streams } = world.server.log;
  for (const [stream, stored] of streams) wrong.push(...chainOf(stream, stored));
  wrong.push(...orderOf(events));
  if (wrong.length > 0) return wrong; // what follows folds the log
  wrong.push(...onceEach(events, commands));
  for (const stream of accounts) {
    try {
      wrong.push(
        ...booksOf(
          world,
          stream,
          streams.get(stream) ?? [],
          commands.flatMap((intended) => intended.refusals),
        ),
      );
    } catch (error) {
      wrong.push(`O3 ${stream} cannot be folded: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  wrong.push(...stripeBooks(events));
  wrong.push(...settlements(world), ...transfers(world));
  return wrong;
}

/** O2: revisions without gap, hashes that follow from each other, time that never goes back. */
function chainOf(stream: string, stored: readonly RecordedEvent[]): string[] {
  let [hash, recordedAt] = [ZERO_HASH, ''];
  for (const [revision, event] of stored.entries()) {
    if (event.revision !== revision || event.prevHash !== hash || chainHash(stream, revision, event) !== event.hash) {
      return [`O2 ${stream} is not one chain at revision ${String(revision)}`];
    }
    const metadata = metadataOf(event);
    if (metadata.recordedAt < recordedAt) return [`O2 time goes back in ${stream} at revision ${String(revision)}`];
    ({ hash } = event);
    ({ recordedAt } = metadata);
  }
  return [];
}

function orderOf(events: readonly RecordedEvent[]): string[] {
  const ids = new Set(events.map(({ id }) => id));
  return ids.size === events.length ? [] : ['O1 an event id is in the log twice'];
}

/** O1, O5: an acknowledged command is in the log once, as it was answered; one that was given up as not recorded is not there. */
function onceEach(events: readonly RecordedEvent[], commands: readonly ClientCommand[]): string[] {
  const wrong: string[] = [];
  const runs = new Map<string, number>();
  const ids = new Map(events.map((event) => [event.id, event]));
  let previous = '';
  for (const event of events) {
    const { correlationId, commandKey } = metadataOf(event);
    const name = `${event.stream}/${commandKey ?? ''}`;
    const run = `${event.stream} ${correlationId}`;
    if (!accounts.includes(event.stream) || correlationId !== name) {
      if (accounts.some((stream) => correlationId.startsWith(`${stream}/`)) && run !== previous)
        runs.set(correlationId, (runs.get(correlationId) ?? 0) + 1);
    } else if (run !== previous) runs.set(correlationId, (runs.get(correlationId) ?? 0) + 1);
    previous = run;
  }
  for (const intended of commands) {
    const name = `${intended.stream}/${intended.key}`;
    const times = runs.get(name) ?? 0;
    if (times > 1) wrong.push(`O1 the command ${name} is in the log ${String(times)} times`);
    if (intended.gaveUp && times > 0)
      wrong.push(`O1 the command ${name} is in the log though it was told that it is not`);
    if (new Set(intended.answers).size > 1) wrong.push(`O5 the command ${name} was answered in two ways`);
    const stored = events.filter((event) => event.stream === intended.stream);
    for (const { from } of intended.refusals) {
      const known = stored.some((event) => event.revision < from && metadataOf(event).correlationId === name);
      if (known) wrong.push(`O5 the command ${name} was refused though it had been done before it was asked again`);
    }
    for (const { id, position } of intended.recorded) {
      const event = ids.get(id);
      if (event === undefined) wrong.push(`O1 ${name} was acknowledged and its event ${id} is not in the log`);
      else if (position < event.position || !stored.some((other) => other.position === position))
        wrong.push(
          `O1 ${name} was answered with a position that is neither its event's nor a later one's of the stream`,
        );
    }
  }
  return wrong;
}

/** O3, O4, O9: budgets hold; every credit is accounted for at every step, nothing expired is spent, refusals were right, rows are the fold. */
function booksOf(
  world: World,
  stream: string,
  stored: readonly RecordedEvent[],
  refusals: readonly Refusal[],
): string[] {
  const wrong: string[] = [];
  const asked = refusals.filter((refusal) => refusal.stream === stream);
  const justified = new Set<Refusal>();
  let state = accountDecider.initial(stream);
  const budgets = new BudgetBooks();
  const look = (length: number): void => {
    for (const refusal of asked) {
      if (length >= refusal.from && length <= refusal.to && wouldRefuse(state, stored, refusal)) justified.add(refusal);
    }
  };
  look(0);
  for (const [revision, recorded] of stored.entries()) {
    const event = decodeEvent(recorded);
    if (isUndecodable(event)) return [`O3 ${event.undecodable}`];
    wrong.push(...spendsOnlyWhatIsUsable(state, event as AccountEvent));
    const overspent = budgets.enter(event as AccountEvent);
    if (overspent !== null) return [`O9 ${stream} at revision ${String(revision)}: ${overspent}`];
    countProbes(world, event as AccountEvent, recorded);
    state = accountDecider.evolve(state, event as AccountEvent, revision);
    for (const violation of conservationOf(state).violations)
      wrong.push(`O3 ${stream} at revision ${String(revision)}: ${violation}`);
    look(revision + 1);
  }
  for (const refusal of asked) {
    if (!justified.has(refusal))
      wrong.push(`O3 ${stream} refused ${refusal.command.type} though at no moment of the request it had to`);
  }
  const due = nextDueAt(state);
  if (due !== null && due < instantOf(world.time.now - 15_000))
    wrong.push(`O6 ${stream} has had something due since ${due}`);
  if (stored.length > 0) {
    const shown = JSON.stringify(world.readModel.balances.get(stream));
    if (shown !== JSON.stringify(state.balance))
      wrong.push(`O4 ${stream} is shown as ${shown}, the log says ${JSON.stringify(state.balance)}`);
    if (world.readModel.movements.get(stream) !== stored.length)
      wrong.push(`O4 ${stream} shows another number of movements than the log has`);
  }
  return wrong;
}

/** A refusal is right when it was right at some moment between the question and the answer, by any clock that was around. */
function wouldRefuse(
  state: AccountState,
  stored: readonly RecordedEvent[],
  { command, fromMs, toMs }: Refusal,
): boolean {
  const needed = accountDecider.needs?.(state, command) ?? null;
  const past = needed === null ? undefined : stored[needed];
  const decoded = past === undefined ? null : decodeEvent(past);
  const [earliest, latest] = [fromMs - 10_000, toMs + 10_000];
  // What falls due in between changes what is right: credits may expire before others can be spent.
  const dues = state.timeline.map(({ at }) => msOf(at)).filter((ms) => earliest < ms && ms < latest);
  const moments = [earliest, fromMs, toMs, latest, ...dues];
  return moments.some((ms) => {
    const at = instantOf(ms) < state.lastAt ? state.lastAt : instantOf(ms);
    const moment = {
      at,
      revision: 0,
      commandId: '0000000000',
      past: decoded === null || isUndecodable(decoded) ? null : (decoded as AccountEvent),
    };
    return isRefused(accountDecider.decide(forkAccount(state), command, moment));
  });
}

function spendsOnlyWhatIsUsable(state: AccountState, event: AccountEvent): string[] {
  if (event.type !== 'CreditsConsumed' && event.type !== 'CreditsHeld' && event.type !== 'TransferSent') return [];
  return ('lots' in event ? event.lots : event.allocations).flatMap(({ grantId }) => {
    const grant = state.grants.get(grantId);
    const usable =
      grant !== undefined && grant.effectiveAt <= event.at && (grant.expiresAt === null || grant.expiresAt > event.at);
    return usable ? [] : [`O3 ${event.type} at ${event.at} takes from ${grantId}, which cannot be spent then`];
  });
}

/** O7: every payment that Stripe reported has its grant, once, however often and in whatever shape it was reported. */
function stripeBooks(events: readonly RecordedEvent[]): string[] {
  const grants = new Map<string, number>();
  const seen = new Set(events.filter(({ type }) => type === 'StripeEventReceived').map(({ stream }) => stream));
  for (const event of events) {
    if (event.type !== 'CreditsGranted' || metadataOf(event).actor !== 'stripe') continue;
    const { paymentReference } = JSON.parse(event.data) as { paymentReference: string };
    grants.set(paymentReference, (grants.get(paymentReference) ?? 0) + 1);
  }
  const facts = [
    ['stripeEvent-evt_1', 'stripeEvent-evt_2'],
    ['stripeEvent-evt_3', 'stripeEvent-evt_4'],
  ];
  const delivered = facts.filter((streams) => streams.some((stream) => seen.has(stream))).length;
  const wrong = [...grants]
    .filter(([, times]) => times > 1)
    .map(([reference]) => `O7 the payment ${reference} was granted more than once`);
  if (grants.size !== delivered)
    wrong.push(`O7 ${String(delivered)} payments were told, ${String(grants.size)} have grants`);
  return wrong;
}

function countProbes({ probes }: World, event: AccountEvent, recorded: RecordedEvent): void {
  if (event.type === 'CreditsExpired')
    probes.hit(
      metadataOf(recorded).actor === 'scheduler' ? 'expiry recorded by the scheduler' : 'expiry recorded by a command',
    );
  if (event.type === 'HoldReleased' && event.reason === 'expired') probes.hit('hold timed out');
  if (event.type === 'HoldReleased' && event.charges !== undefined)
    probes.hit('hold counted in a budget and given back');
  if (event.type === 'DebtRepaid') probes.hit('debt repaid');
  if (event.type === 'ConsumptionReversed') probes.hit('reversed');
}

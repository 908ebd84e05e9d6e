import { instantOf, parseInstant, type Instant } from '#kernel/instant.js';
import { accountStream, DEFAULT_UNIT, isCustomerId, isUnit } from '#kernel/stream-name.js';
import { metadataOf, type EventStore, type RecordedEvent } from '#event-store/port/event-store.js';
import type { AccountEvent } from '#ledger/account/events.js';
import { accountAt } from '#ledger/account/at.js';
import { accountDecider, conservationOf } from '#ledger/account/account.js';
import { ledgerCodec } from '#ledger/events.js';
import { WrongUse, type Call, type Command, type ExitCode } from '../terminal/command.js';
import { table } from '../terminal/output.js';

const pageSize = 1_000;

type Line = {
  readonly position: string;
  readonly revision: number;
  readonly recordedAt: Instant;
  readonly type: string;
  readonly balance: AccountEvent['balance'];
};

/** The events of a stream, oldest first. */
export async function* eventsOf(store: EventStore, stream: string): AsyncGenerator<RecordedEvent> {
  for (let revision = 0; ;) {
    const page = await store.readStream(stream, revision, pageSize);
    yield* page;
    revision += page.length;
    if (page.length < pageSize) return;
  }
}

async function replay({ environment, output, ...call }: Replaying): Promise<ExitCode> {
  const { customerId, unit, at } = call;
  const stream = accountStream(customerId, unit);
  let state = accountDecider.initial(stream);
  const lines: Line[] = [];
  const store = await environment.store();
  if ((await store.readStream(stream, 0, 1)).length === 0) {
    output.progress(`there is no account of ${customerId} in ${unit}`);
    return 1;
  }
  for await (const stored of eventsOf(store, stream)) {
    const { recordedAt } = metadataOf(stored);
    if (recordedAt > at) break;
    const event = ledgerCodec.decode<AccountEvent>(stored);
    if ('undecodable' in event) throw new Error(`position ${stored.position}: ${event.undecodable}`);
    state = accountDecider.evolve(state, event, stored.revision);
    const { position, revision, type } = stored;
    lines.push({ position, revision, recordedAt, type, balance: event.balance });
  }
  const then = accountAt(state, at);
  const { violations, ...sums } = conservationOf(then);
  const result = { customerId, unit, at, balance: then.balance, sums, violations, events: lines };
  await output.answer(result, () => describe(result));
  return violations.length === 0 ? 0 : 1;
}

type Replaying = Pick<Call, 'environment' | 'output'> & {
  readonly customerId: string;
  readonly unit: string;
  readonly at: Instant;
};

function describe(result: {
  readonly customerId: string;
  readonly unit: string;
  readonly at: Instant;
  readonly balance: AccountEvent['balance'];
  readonly violations: readonly string[];
  readonly events: readonly Line[];
}): string {
  const rows = result.events.map(({ position, revision, recordedAt, type, balance }) => [
    position.replace(/^0+/, ''),
    String(revision),
    recordedAt,
    type,
    String(balance.available),
    String(balance.held),
    String(balance.debt),
  ]);
  const { available, held, debt } = result.balance;
  return [
    table(['position', 'revision', 'recorded', 'event', 'available', 'held', 'debt'], rows),
    '',
    `${result.customerId} at ${result.at}: ${String(available)} ${result.unit} available, ${String(held)} held, ${String(debt)} owed`,
    ...result.violations,
  ].join('\n');
}

function parsed(call: Call): Replaying {
  const customerId = call.required('customer');
  const unit = call.text('unit') ?? DEFAULT_UNIT;
  const time = call.text('at');
  if (!isCustomerId(customerId)) throw new WrongUse('--customer is not a customer id');
  if (!isUnit(unit)) throw new WrongUse('--unit is not a unit');
  const at = time === null ? instantOf(call.environment.clock.now()) : parseInstant(time);
  if (at === null) throw new WrongUse('--at must be a time such as 2026-11-21T08:00:00Z');
  return { environment: call.environment, output: call.output, customerId, unit, at };
}

export const replayCommands: readonly Command[] = [
  {
    name: 'replay',
    summary: "An account's events and balance at an instant, from the log alone",
    options: [
      { name: 'customer', value: 'ID', help: 'whose account' },
      { name: 'unit', value: 'UNIT', help: `which of their accounts (default ${DEFAULT_UNIT})` },
      { name: 'at', value: 'TIME', help: 'the instant (default now)' },
    ],
    run: (call) => replay(parsed(call)),
  },
];

import { randomUUID } from 'node:crypto';
import { stripeEventStream } from '#kernel/stream-name.js';
import { decodeCursor, isInvalidCursor } from '#read-store/cursor.js';
import type { ReadDatabase } from '#read-store/read-database.js';
import { parkedCursor, parkedEvents, type ParkedEvent } from '#projections/parked-events-queries.js';
import { WrongUse, type Call, type Command, type ExitCode } from './command.js';
import { table } from './output.js';

const pageSize = 200;

async function allParked(database: ReadDatabase): Promise<readonly ParkedEvent[]> {
  const all: ParkedEvent[] = [];
  for (let next: string | null = null; ;) {
    const cursor = next === null ? null : decodeCursor(next, parkedCursor);
    if (cursor !== null && isInvalidCursor(cursor)) throw new Error('a list gave a cursor that it does not take');
    const page = await parkedEvents(database, pageSize, cursor);
    all.push(...page.data);
    next = page.nextCursor;
    if (next === null) return all;
  }
}

async function parked({ environment, output }: Call): Promise<ExitCode> {
  const events = await allParked(await environment.readDatabase());
  await output.answer({ parked: events }, () =>
    events.length === 0
      ? 'no event is parked'
      : table(
          ['event', 'type', 'parked', 'reason', 'detail'],
          events.map(({ id, type, parkedAt, reason, retryRequestedAt }) => [
            ...[id, type, parkedAt, reason.code],
            `${reason.detail}${retryRequestedAt === null ? '' : ' (a retry is under way)'}`,
          ]),
        ),
  );
  return events.length === 0 ? 0 : 1;
}

async function retry({ environment, output }: Call, ids: readonly string[]): Promise<ExitCode> {
  const handler = await environment.stripeEventHandler();
  const results: { readonly id: string; readonly result: string }[] = [];
  for (const id of ids) {
    const outcome = await handler.execute({
      stream: stripeEventStream(id),
      command: { type: 'RequestRetry' },
      key: null, // harmless to repeat: only a parked event is tried again
      origin: 'cli',
      fingerprint: null,
      actor: 'cli',
      causationId: null,
      correlationId: randomUUID(),
    });
    const words = { recorded: 'will be tried again', unchanged: 'is not parked', refused: 'is not known' };
    results.push({ id, result: outcome.kind in words ? words[outcome.kind as keyof typeof words] : outcome.kind });
  }
  await output.answer(
    { results },
    () => results.map(({ id, result }) => `${id} ${result}`).join('\n') || 'no event is parked',
  );
  return results.every(({ result }) => result === 'will be tried again') ? 0 : 1;
}

export const stripeCommands: readonly Command[] = [
  {
    name: 'stripe parked',
    summary: 'The Stripe events that wait for a person, and why (exit 1 when there are any)',
    run: parked,
  },
  {
    name: 'stripe retry',
    summary: 'Try a parked Stripe event again',
    positionals: ['[EVENT]'],
    options: [{ name: 'all', value: null, help: 'all parked events' }],
    run: async (call) => {
      const event = call.argument(0);
      if ((event === null) !== call.flag('all')) throw new WrongUse('name an event, or give --all');
      const ids =
        event === null ? (await allParked(await call.environment.readDatabase())).map(({ id }) => id) : [event];
      return retry(call, ids);
    },
  },
];

import { randomUUID } from 'node:crypto';
import { stripeEventStream } from '#kernel/stream-name.js';
import type { StripeEventCommand } from '#ledger/stripe/event.js';
import { inSlices } from '#stripe/operations/in-slices.js';
import { itemsOf } from '#database/page.js';
import type { Database } from '#database/database.js';
import { parkedEvents, type ParkedEvent, type ParkedFilter } from '#projections/parked-events/queries.js';
import { WrongUse, type Call, type Command, type ExitCode, type Option } from '../terminal/command.js';
import { table } from '../terminal/output.js';

const pageSize = 200;

const allParked = (database: Database, wanted: ParkedFilter): Promise<readonly ParkedEvent[]> =>
  Array.fromAsync(itemsOf((cursor) => parkedEvents(database, wanted, pageSize, cursor)));

const filters: readonly Option[] = [
  { name: 'code', value: 'CODE', help: 'only what is parked for this reason, such as unknown_customer' },
  { name: 'type', value: 'TYPE', help: 'only events of this type' },
  { name: 'subject', value: 'ID', help: 'only what is about this object of Stripe' },
];

function filterOf(call: Call, status: ParkedFilter['status']): ParkedFilter {
  const of = (option: string): string | undefined => call.text(option) ?? undefined;
  return { status, reason: of('code'), type: of('type'), subject: of('subject') };
}

async function parked(call: Call): Promise<ExitCode> {
  const { environment, output } = call;
  const status = call.flag('set-aside') ? 'set_aside' : 'parked';
  const events = await allParked(await environment.database(), filterOf(call, status));
  await output.answer({ parked: events }, () =>
    events.length === 0
      ? `no event is ${status === 'parked' ? 'parked' : 'set aside'}`
      : table(
          ['event', 'type', 'parked', 'reason', 'detail'],
          events.map(({ id, type, parkedAt, reason, retryRequestedAt, setAside }) => [
            ...[id, type, parkedAt, reason.code],
            setAside === null
              ? `${reason.detail}${retryRequestedAt === null ? '' : ' (a retry is under way)'}`
              : `${setAside.reason} (${setAside.by ?? 'by a rule'}, ${setAside.at})`,
          ]),
        ),
  );
  return events.length === 0 || status === 'set_aside' ? 0 : 1;
}

/** Runs a command for each of the events; exit 0 when it had its effect on all. */
async function forEach(
  { environment, output }: Call,
  ids: readonly string[],
  command: StripeEventCommand,
  done: string,
): Promise<ExitCode> {
  const { stripeEvent: handler } = await environment.ledger();
  const results = await inSlices(ids, async (id) => {
    const outcome = await handler.execute({
      stream: stripeEventStream(id),
      command,
      key: null, // harmless to repeat: the state tells whether it is done
      origin: 'cli',
      fingerprint: null,
      actor: 'cli',
      causationId: null,
      correlationId: randomUUID(),
    });
    const words = { recorded: done, unchanged: 'is not parked', refused: 'is not known' };
    return { id, result: outcome.kind in words ? words[outcome.kind as keyof typeof words] : outcome.kind };
  });
  await output.answer(
    { results },
    () => results.map(({ id, result }) => `${id} ${result}`).join('\n') || 'no event is parked',
  );
  return results.every(({ result }) => result === done) ? 0 : 1;
}

async function setAside(call: Call): Promise<ExitCode> {
  const event = call.argument(0);
  const wanted = filterOf(call, 'parked');
  const isFiltered = [wanted.reason, wanted.type, wanted.subject].some((each) => each !== undefined);
  if ((event === null) !== isFiltered) throw new WrongUse('name an event, or filter by --code, --type or --subject');
  const reason = call.required('reason');
  const ids =
    event === null ? (await allParked(await call.environment.database(), wanted)).map(({ id }) => id) : [event];
  return forEach(call, ids, { type: 'SetAsideStripeEvent', actor: 'cli', reason }, 'is set aside');
}

export const stripeCommands: readonly Command[] = [
  {
    name: 'stripe parked',
    summary: 'The Stripe events that wait for a person, and why (exit 1 when there are any)',
    options: [...filters, { name: 'set-aside', value: null, help: 'those that were set aside instead' }],
    run: parked,
  },
  {
    name: 'stripe set-aside',
    summary: 'Say that nobody has to look at a parked Stripe event, or at all that the filters take',
    positionals: ['[EVENT]'],
    options: [{ name: 'reason', value: 'TEXT', help: 'why; kept in the log' }, ...filters],
    help: '`scrip stripe retry EVENT` undoes it. Rules that do it by themselves stand in the catalogue file (`ignore`).',
    run: setAside,
  },
  {
    name: 'stripe retry',
    summary: 'Try a Stripe event again that is parked or was set aside',
    positionals: ['[EVENT]'],
    options: [{ name: 'all', value: null, help: 'all parked events' }],
    run: async (call) => {
      const event = call.argument(0);
      if ((event === null) !== call.flag('all')) throw new WrongUse('name an event, or give --all');
      const ids =
        event === null
          ? (await allParked(await call.environment.database(), { status: 'parked' })).map(({ id }) => id)
          : [event];
      return forEach(call, ids, { type: 'RequestRetry' }, 'will be tried again');
    },
  },
];

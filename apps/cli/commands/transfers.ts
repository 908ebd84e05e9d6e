import { hash } from 'node:crypto';
import { receiverOf } from '#composition/receiver.js';
import { isAmount } from '#kernel/amount.js';
import { canonicalJson } from '#kernel/json.js';
import { accountStream, DEFAULT_UNIT, isCustomerId, isUnit } from '#kernel/stream-name.js';
import { transfersOf } from '#projections/transfers/queries.js';
import { WrongUse, type Call, type Command, type ExitCode } from '../terminal/command.js';
import { table } from '../terminal/output.js';

const LISTED = 200;

type Gift = { readonly toCustomerId: string; readonly amount: number; readonly reason: string | null };

async function send({ environment, output }: Call, from: Account, gift: Gift, key: string | null): Promise<ExitCode> {
  const { customerId, unit } = from;
  const handlers = await environment.ledger();
  const receiver = await receiverOf(handlers, gift.toCustomerId, unit);
  const outcome = await handlers.account.execute({
    stream: accountStream(customerId, unit),
    command: { type: 'TransferCredits', ...gift, receiver },
    key,
    origin: 'cli',
    fingerprint: key === null ? null : hash('sha256', canonicalJson(gift), 'hex').slice(0, 32),
    actor: 'cli',
    causationId: null,
    correlationId: 'cli',
  });
  if (outcome.kind === 'refused') {
    output.progress(`not sent: ${outcome.refusal.rejected}`);
    return 1;
  }
  const events = outcome.kind === 'recorded' ? outcome.events.map(({ event }) => event) : [];
  const sent = events.find((event) => event.type === 'TransferSent');
  if (sent === undefined) {
    const unknown = outcome.kind === 'outcome_unknown' && key === null;
    output.progress(`it ended with ${outcome.kind}; ${unknown ? 'list before you repeat it' : 'try it again'}`);
    return 1;
  }
  const { transferId: id, toCustomerId, amount, lots } = sent;
  const replayed = outcome.kind === 'recorded' && outcome.replayed;
  await output.answer(
    { id, fromCustomerId: customerId, toCustomerId, unit, amount, lots, replayed },
    () =>
      `${id}: ${String(amount)} ${unit} from ${customerId} to ${toCustomerId}${replayed ? ', sent before' : ''}; a worker brings them`,
  );
  return 0;
}

async function list({ environment, output }: Call, account: Account): Promise<ExitCode> {
  const { data: transfers } = await transfersOf(await environment.database(), account, LISTED, null);
  await output.answer({ ...account, transfers }, () =>
    transfers.length === 0
      ? 'no transfers'
      : table(
          ['transfer', 'from', 'to', 'amount', 'status', 'sent'],
          transfers.map(({ id, fromCustomerId, toCustomerId, amount, status, returnedBecause, createdAt }) => [
            ...[id, fromCustomerId, toCustomerId, String(amount)],
            returnedBecause === null ? status : `${status}: ${returnedBecause}`,
            createdAt,
          ]),
        ),
  );
  return 0;
}

type Account = { readonly customerId: string; readonly unit: string };

function customerIn(call: Call, option: string): string {
  const customerId = call.required(option);
  if (!isCustomerId(customerId)) throw new WrongUse(`--${option} is not a customer id`);
  return customerId;
}

function accountIn(call: Call): Account {
  const unit = call.text('unit') ?? DEFAULT_UNIT;
  if (!isUnit(unit)) throw new WrongUse('--unit is not a unit');
  return { customerId: customerIn(call, 'customer'), unit };
}

function giftIn(call: Call, { customerId }: Account): Gift {
  const toCustomerId = customerIn(call, 'to');
  if (toCustomerId === customerId) throw new WrongUse('--to must be another customer');
  const amount = Number(call.required('amount'));
  if (!isAmount(amount) || amount < 1) throw new WrongUse('--amount must be a whole number from 1');
  return { toCustomerId, amount, reason: call.text('reason') };
}

const ofUnit = { name: 'unit', value: 'UNIT', help: 'of which unit (default credits)' } as const;

export const transferCommands: readonly Command[] = [
  {
    name: 'transfers send',
    summary: 'Give credits of a customer to another one (exit 1 when it is refused)',
    options: [
      { name: 'customer', value: 'ID', help: 'who gives' },
      { name: 'to', value: 'ID', help: 'who receives' },
      { name: 'amount', value: 'N', help: 'how many credits' },
      { name: 'reason', value: 'TEXT', help: 'why; both see it' },
      ofUnit,
      { name: 'key', value: 'KEY', help: 'the same key sends once; without one each call sends' },
    ],
    run: (call) => {
      const from = accountIn(call);
      return send(call, from, giftIn(call, from), call.text('key'));
    },
  },
  {
    name: 'transfers list',
    summary: 'What a customer gave and was given, newest first, and whether it has arrived',
    options: [{ name: 'customer', value: 'ID', help: 'who' }, ofUnit],
    run: (call) => list(call, accountIn(call)),
  },
];

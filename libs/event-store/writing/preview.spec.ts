import { expect, test } from '@jest/globals';
import type { AccountCommand } from '#ledger/account/commands.js';
import { InMemoryEventStore, InMemoryLog } from '../in-memory.js';
import { consume, grant, hold } from '../../../test/support/ledger/account-commands.js';
import { process, request } from '../../../test/support/ledger/account-process.js';

test('a preview ends as the command then does, records nothing and leaves the key free', async () => {
  const log = new InMemoryLog();
  const handler = process(new InMemoryEventStore(log));
  await handler.execute(request(grant(100), 'g'));
  const before = log.events.length;
  for (const [key, command] of [['c', consume(30)] as const, ['h', hold(20)] as const, ['x', consume(500)] as const]) {
    const foreseen = await handler.preview(request(command, key));
    expect(log.events.length).toBe(before);
    if (foreseen.kind === 'would_record') {
      expect(foreseen.events.map(({ event }) => event.type)).toEqual([
        command.type === 'HoldCredits' ? 'CreditsHeld' : 'CreditsConsumed',
      ]);
      expect(foreseen.events[0]?.event.balance.available).toBe(command.type === 'HoldCredits' ? 80 : 70);
    } else expect(foreseen).toEqual(await handler.execute(request(command, key)));
  }
  expect(await handler.execute(request(consume(30), 'c'))).toMatchObject({ kind: 'recorded', replayed: false });
});

test('a preview sees what another process wrote, and past events that it needs', async () => {
  const log = new InMemoryLog();
  const [here, there] = [process(new InMemoryEventStore(log)), process(new InMemoryEventStore(log))];
  await here.execute(request(grant(10), 'g'));
  const consumed = await there.execute(request(consume(10), 'c'));
  const event = consumed.kind === 'recorded' ? consumed.events[0]?.event : undefined;
  expect(await here.preview(request(consume(1), 'd'))).toMatchObject({ kind: 'refused' });
  const consumptionId = event?.type === 'CreditsConsumed' ? event.consumptionId : '';
  const reverse: AccountCommand = { type: 'ReverseConsumption', consumptionId, amount: 4, reason: null };
  expect(await here.preview(request(reverse, 'r'))).toMatchObject({
    kind: 'would_record',
    events: [{ event: { type: 'ConsumptionReversed', balance: { available: 4 } } }],
  });
});

test('a preview under a key that was used is answered as the command would be', async () => {
  const handler = process(new InMemoryEventStore());
  await handler.execute(request(grant(10), 'g'));
  expect(await handler.preview(request(grant(10), 'g'))).toMatchObject({ kind: 'recorded', replayed: true });
  expect(await handler.preview(request(grant(11), 'g'))).toEqual({ kind: 'key_reused' });
});

test('a preview beside commands under way leaves them alone', async () => {
  const handler = process(new InMemoryEventStore());
  await handler.execute(request(grant(50), 'g'));
  const [commands, previews] = await Promise.all([
    Promise.all(Array.from({ length: 50 }, (_, i) => handler.execute(request(consume(1), `c${String(i)}`)))),
    Promise.all(Array.from({ length: 50 }, (_, i) => handler.preview(request(consume(1), `p${String(i)}`)))),
  ]);
  expect(commands.every(({ kind }) => kind === 'recorded')).toBe(true);
  expect(previews.every(({ kind }) => kind === 'would_record' || kind === 'refused')).toBe(true);
  expect((await handler.load('account-ada')).state.balance.available).toBe(0);
});

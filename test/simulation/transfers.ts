import type { RecordedEvent } from '#event-store/port/event-store.js';
import { accountDecider } from '#ledger/account/account.js';
import type { AccountEvent, AccountEventOf } from '#ledger/account/events.js';
import { nameOfLot } from '#ledger/account/grants/lots.js';
import type { AccountState } from '#ledger/account/state.js';
import { decodeEvent } from '#ledger/events.js';
import { accounts, type World } from './world.js';

type Logged<Type extends AccountEvent['type']> = { readonly stream: string; readonly event: AccountEventOf<Type> };

/** O9: what one customer gave has arrived at the other, or is back, once and whole; and what is claimed of it has followed. */
export function transfers({ server, probes }: World): readonly string[] {
  const { streams } = server.log;
  const wrong: string[] = [];
  const events = accounts.flatMap((stream) =>
    (streams.get(stream) ?? []).map((recorded) => ({ stream, event: decodeEvent(recorded) as AccountEvent })),
  );
  const of = <Type extends AccountEvent['type']>(type: Type): readonly Logged<Type>[] =>
    events.filter((each): each is Logged<Type> & typeof each => each.event.type === type);
  const states = new Map(accounts.map((stream) => [stream, folded(stream, streams.get(stream) ?? [])]));
  const grants = of('CreditsGranted').filter(({ event }) => event.received !== undefined);
  for (const { event: sent } of of('TransferSent')) {
    const { transferId: id, toCustomerId, amount } = sent;
    const received = of('TransferReceived').filter(({ event }) => event.transferId === id);
    const returned = of('TransferReturned').filter(({ event }) => event.transferId === id);
    if (received.length > 0) probes.hit('transfer arrived');
    if (returned.length > 0) probes.hit('transfer came back');
    if (received.length + returned.length !== 1)
      wrong.push(
        `O9 ${id} has arrived ${String(received.length)} times and come back ${String(returned.length)} times`,
      );
    const lots = grants.filter(({ event }) => event.received?.transferId === id);
    const arrived = lots.reduce((sum, { event }) => sum + event.amount, 0);
    if (
      arrived !== (received.length > 0 ? amount : 0) ||
      lots.some(({ stream }) => stream !== `account-${toCustomerId}`)
    )
      wrong.push(`O9 ${id} of ${String(amount)} became ${String(arrived)}, or of somebody else`);
  }
  for (const state of states.values())
    for (const { id: transferId, toCustomerId, lots } of state.transfers.values())
      for (const { grantId, claims } of lots) {
        const known = states.get(`account-${toCustomerId}`)?.claims.get(nameOfLot({ transferId, grantId }));
        if (claims.length > 0) probes.hit('claims followed a transfer');
        if (JSON.stringify(known?.claims ?? []) !== JSON.stringify(claims))
          wrong.push(`O9 what is claimed of ${transferId} did not follow it`);
      }
  return wrong;
}

function folded(stream: string, stored: readonly RecordedEvent[]): AccountState {
  return stored.reduce(
    (state, recorded, revision) => accountDecider.evolve(state, decodeEvent(recorded) as AccountEvent, revision),
    accountDecider.initial(stream),
  );
}

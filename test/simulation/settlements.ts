import type { RecordedEvent } from '#event-store/port/event-store.js';
import type { Decider, Refused, TypedEvent } from '#kernel/decider.js';
import { categoryOf, paymentStream, type StreamName } from '#kernel/stream-name.js';
import { accountDecider } from '#ledger/account/account.js';
import { decodeEvent } from '#ledger/events.js';
import { paymentDecider } from '#ledger/payment/payment.js';
import { settlementOf, type Settlement } from '#ledger/payment/settlement.js';
import type { World } from './world.js';

type Streams = ReadonlyMap<StreamName, readonly RecordedEvent[]>;

/** The account that Stripe pays into. */
const ACCOUNT = 'account-acme';

/** O8: what is claimed of a payment has come to where it belongs, as it stands, and each telling of it once. */
export function settlements({ server, probes }: World): readonly string[] {
  const { streams } = server.log;
  const wrong: string[] = [];
  const payments = [...streams.keys()].filter((stream) => categoryOf(stream) === 'payment');
  for (const stream of payments) {
    const settlement = settlementOf(folded(paymentDecider, stream, streams));
    if (settlement === null) continue;
    probes.hit(settlement.to === 'account' ? 'payment settled' : 'claims passed on');
    const { version, claims } = settlement;
    const arrived = arrivedOf(settlement, streams);
    if (arrived?.version !== version || JSON.stringify(arrived.claims) !== JSON.stringify(claims))
      wrong.push(`O8 what ${stream} claims at revision ${String(version)} did not arrive`);
  }
  const tellings = [ACCOUNT, ...payments].flatMap((stream) => (streams.get(stream) ?? []).flatMap(tellingIn));
  if (new Set(tellings).size < tellings.length) wrong.push('O8 claims were settled twice');
  return wrong;
}

function arrivedOf(settlement: Settlement, streams: Streams) {
  if (settlement.to === 'account')
    return folded(accountDecider, ACCOUNT, streams).claims.get(settlement.paymentReference);
  const { linked } = folded(paymentDecider, paymentStream(settlement.paymentId), streams);
  return linked.find(({ from }) => from === settlement.from);
}

/** Whose claims, and at which revision, an event says to have arrived. */
function tellingIn({ stream, type, data }: RecordedEvent): readonly string[] {
  const { paymentReference, from, version } = JSON.parse(data) as { readonly [member: string]: unknown };
  if (type === 'PaymentClaimed') return [JSON.stringify([stream, paymentReference, version])];
  return type === 'ClaimsTakenOver' ? [JSON.stringify([stream, from, version])] : [];
}

function folded<Command, Event extends TypedEvent, State, Refusal extends Refused>(
  decider: Decider<Command, Event, State, Refusal>,
  stream: StreamName,
  streams: Streams,
): State {
  let state = decider.initial(stream);
  for (const [revision, recorded] of (streams.get(stream) ?? []).entries())
    state = decider.evolve(state, decodeEvent(recorded) as unknown as Event, revision);
  return state;
}

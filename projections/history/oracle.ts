import { accountOf } from '#kernel/stream-name.js';
import type { AccountEvent } from '#ledger/account/events.js';
import type { LedgerEvent } from '#ledger/events.js';
import type { ExpectedRow, Oracle, OracleFold } from '#projecting/projection.js';
import { document, type Value } from '#database/values.js';
import type { Projected } from '../ledger-projection.js';

type Columns = { readonly [column: string]: Value };
type Balance = { readonly available: number; readonly debt: number };

const nothing: Columns = Object.fromEntries(
  ['grant_id', 'consumption_id', 'hold_id', 'reversal_id', 'adjustment_id', 'resource_type', 'resource_id']
    .concat('transfer_id', 'description', 'metadata', 'payment_reference')
    .map((column) => [column, null]),
);

/** Derives each amount from the balances before and after, not from what the event says it moved. */
class HistoryOracle implements OracleFold<LedgerEvent> {
  readonly #balances = new Map<string, Balance>();

  add({ recorded: { stream, position, id }, event: anything, actor }: Projected): readonly ExpectedRow[] {
    const event = anything as AccountEvent;
    const { at, balance } = event;
    const { available, debt } = this.#balances.get(stream) ?? { available: 0, debt: 0 };
    this.#balances.set(stream, balance);
    const shown = shownOf(event);
    if (shown === null) return [];
    const account = accountOf(stream);
    const row = {
      ...nothing,
      ...shown,
      customer_id: account?.customerId ?? null,
      unit: account?.unit ?? null,
      ...{ position, event_id: id, at, actor },
      amount: balance.available - available,
      balance_after: balance.available,
      debt_change: balance.debt - debt,
    };
    const of = { customer_id: row.customer_id, unit: row.unit, position };
    const terms = foundBy(event).map((term) => ({ table: 'history_terms', row: { ...of, term } }));
    return [{ table: 'history', row }, ...terms];
  }

  rest(): readonly ExpectedRow[] {
    return [];
  }
}

/** What of an event stands in its row; null where it has none. */
function shownOf(event: AccountEvent): Columns | null {
  switch (event.type) {
    case 'CreditsGranted': {
      const { grantId, adjustmentId, paymentReference, received } = event;
      const type = adjustmentId === null ? 'granted' : 'adjusted';
      return {
        ...(received === undefined ? { type } : { type: 'transfer_received', transfer_id: received.transferId }),
        grant_id: grantId,
        adjustment_id: adjustmentId,
        payment_reference: paymentReference,
        ...notes(event),
      };
    }
    case 'CreditsActivated':
      return { type: 'granted', grant_id: event.grantId };
    case 'CreditsConsumed':
      return { type: 'consumed', consumption_id: event.consumptionId, ...boughtBy(event), ...notes(event) };
    case 'CreditsHeld':
      return { type: 'held', hold_id: event.holdId, ...boughtBy(event), ...notes(event) };
    case 'HoldRaised':
      return { type: 'held', hold_id: event.holdId };
    case 'HoldCaptured':
      return { type: 'captured', hold_id: event.holdId, consumption_id: event.consumptionId, ...boughtBy(event) };
    case 'HoldReleased':
      return { type: 'released', hold_id: event.holdId };
    case 'CreditsExpired':
      return { type: 'expired', grant_id: event.grantId };
    case 'CreditsRevoked': {
      const of = { grant_id: event.grantId, description: event.reason };
      const { kind, id } = event.cause;
      return kind === 'adjustment' ? { type: 'adjusted', adjustment_id: id, ...of } : { type: 'revoked', ...of };
    }
    case 'CreditsReinstated':
      return { type: 'reinstated', grant_id: event.grantId };
    case 'ConsumptionReversed': {
      const { reversalId: reversal_id, consumptionId: consumption_id, reason: description } = event;
      return { type: 'reversed', reversal_id, consumption_id, description };
    }
    case 'DebtIncurred':
      return { type: 'debt_incurred', grant_id: event.cause.grantId };
    case 'DebtRepaid':
      return { type: 'debt_repaid', grant_id: event.grantId };
    case 'DebtForgiven': {
      const { kind, id } = event.cause;
      return kind === 'reversal' ? { type: 'reversed', reversal_id: id } : { type: 'reinstated' };
    }
    case 'TransferSent':
      return { type: 'transfer_sent', transfer_id: event.transferId, description: event.reason };
    case 'TransferReturned':
      return { type: 'transfer_returned', transfer_id: event.transferId };
    default:
      return null;
  }
}

const boughtBy = ({
  resource,
}: {
  readonly resource?: { readonly type: string; readonly id: string } | null;
}): Columns => (resource == null ? {} : { resource_type: resource.type, resource_id: resource.id });

/** What a movement is found by. */
function foundBy(event: AccountEvent): readonly string[] {
  const found: string[] = [];
  const { resource_type: type, resource_id: id } = 'resource' in event ? boughtBy(event) : {};
  if (typeof type === 'string') found.push(`resource.type=${type}`, `resource.id=${String(id)}`);
  if (event.type === 'CreditsGranted' || event.type === 'CreditsConsumed' || event.type === 'CreditsHeld') {
    for (const [name, value] of Object.entries(event.metadata as object)) {
      const text = typeof value === 'string' ? value : JSON.stringify(value);
      if (text.length < 256) found.push(`metadata=["${inJson(name)}","${inJson(text)}"]`);
    }
  }
  return found;
}

const inJson = (text: string): string => JSON.stringify(text).slice(1, -1);

type Noted = Pick<Extract<AccountEvent, { type: 'CreditsGranted' }>, 'description' | 'metadata'>;

/** Empty metadata is not kept. */
function notes({ description, metadata }: Noted): Columns {
  const text = document(metadata);
  return { description, metadata: text === document({}) ? null : text };
}

/** A row for each movement of an account, at once. */
export const historyOracle: Oracle<LedgerEvent> = {
  keyOf: ({ stream }) => stream,
  streaming: true,
  fold: () => new HistoryOracle(),
};

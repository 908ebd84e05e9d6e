import { accountOf } from '#kernel/stream-name.js';
import type { AccountEvent } from '#ledger/account/events.js';
import type { LedgerEvent } from '#ledger/events.js';
import { document } from '#database/values.js';
import type { ExpectedRow, Oracle } from '#projecting/projection.js';
import type { Projected } from '../ledger-projection.js';

/** The rows of an event, from its own fields and nothing else. */
function rowsOf({ recorded: { stream, position }, event: anything }: Projected): readonly ExpectedRow[] {
  const event = anything as AccountEvent;
  if (event.type === 'TransferSent') {
    const { transferId: id, toCustomerId: to_customer_id, amount, lots, reason, at: created_at } = event;
    const { customerId: customer_id = '', unit = '' } = accountOf(stream) ?? {};
    const row = { id, customer_id, to_customer_id, unit, amount, lots: document(lots), reason, created_at, position };
    return [{ table: 'transfers', row }];
  }
  if (event.type !== 'TransferReceived' && event.type !== 'TransferReturned') return [];
  const isBack = event.type === 'TransferReturned';
  const end = { status: isBack ? 'returned' : 'completed', because: isBack ? event.because : null };
  return [{ table: 'transfer_ends', row: { id: event.transferId, ...end, ended_at: event.at, position } }];
}

/** A row for each transfer that was sent, and one for each that ended, at once. */
export const transfersOracle: Oracle<LedgerEvent> = {
  keyOf: ({ stream }) => stream,
  streaming: true,
  fold: () => ({ add: rowsOf, rest: () => [] }),
};

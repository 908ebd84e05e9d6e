import { accountStream, customerStream, DEFAULT_UNIT, type StreamName } from '#kernel/stream-name.js';
import type { AccountState } from '#ledger/account/state.js';
import type { CustomerState } from '#ledger/customer.js';

/** What reads streams of accounts and of customers. */
export type Readers = {
  readonly account: { load(stream: StreamName): Promise<{ readonly state: AccountState }> };
  readonly customer: { load(stream: StreamName): Promise<{ readonly state: CustomerState }> };
};

/**
 * What the log says of who is to receive credits. `unknown`: was never heard of, or was erased; `closed`: the account of that unit is. It
 * may be neither any more when the credits arrive: then they go back.
 */
export async function receiverOf(
  { account, customer }: Readers,
  customerId: string,
  unit: string,
): Promise<'ready' | 'unknown' | 'closed'> {
  const { state: person } = await customer.load(customerStream(customerId));
  if (person.erased) return 'unknown';
  const { state: own } = await account.load(accountStream(customerId, unit));
  if (own.settings.status === 'closed') return 'closed';
  if (person.registered || own.opened) return 'ready';
  const { state: other } = await account.load(accountStream(customerId, DEFAULT_UNIT));
  return other.opened ? 'ready' : 'unknown';
}

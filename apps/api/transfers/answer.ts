import { assert } from '#kernel/assert.js';
import { accountOf } from '#kernel/stream-name.js';
import type { AccountAnswer } from '../accounts/commands/answers.js';

/**
 * A transfer as it was sent. Whether it has arrived is for GET: the first answer to a key stays the answer to it.
 */
export const transferAnswer: AccountAnswer = (stream, events) => {
  const account = accountOf(stream);
  const sent = events.map(({ event }) => event).find((event) => event.type === 'TransferSent');
  const last = events.at(-1);
  assert(account !== null && sent !== undefined && last !== undefined, 'a transfer was recorded without being sent');
  const { transferId: id, toCustomerId, amount, lots, reason, at } = sent;
  return {
    ...{ id, fromCustomerId: account.customerId, toCustomerId, unit: account.unit, amount, lots, reason },
    ...{ status: 'pending', returnedBecause: null, createdAt: at, endedAt: null },
    balance: last.event.balance,
    position: last.position,
  };
};

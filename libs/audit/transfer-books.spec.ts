import { describe, expect, it } from '@jest/globals';
import type { AccountEvent, AccountEventType } from '#ledger/account/events.js';
import { TransferBooks } from './transfer-books.js';

type Entry = readonly [customerId: string, event: AccountEvent];

const event = (customerId: string, type: AccountEventType, fields: object): Entry => [
  customerId,
  { type, at: '2026-10-01T00:00:00.000Z', balance: { available: 0, held: 0, debt: 0 }, ...fields } as AccountEvent,
];
const cost = { amount: 40, currency: 'usd' };
const lots = [
  { grantId: 'gr_1', amount: 4, cost },
  { grantId: 'gr_2', amount: 6, cost: null },
];
const sent = (more: object = {}): Entry =>
  event('ada', 'TransferSent', { transferId: 'tr_1', toCustomerId: 'bob', amount: 10, lots, ...more });
const received = (customerId = 'bob', more: object = {}): Entry =>
  event(customerId, 'TransferReceived', { transferId: 'tr_1', fromCustomerId: 'ada', amount: 10, ...more });
const grant = (grantId: string, amount: number, costBasis: object | null): Entry => {
  const of = { transferId: 'tr_1', fromCustomerId: 'ada', grantId };
  return event('bob', 'CreditsGranted', { grantId: 'gr_9', amount, costBasis, received: of });
};
const returned = (restored: readonly object[] = lots): Entry =>
  event('ada', 'TransferReturned', { transferId: 'tr_1', toCustomerId: 'bob', amount: 10, restored });

/** What the books say to the last of the events, to which they must agree until then; at the end where all agree. */
function foundIn(...entries: readonly Entry[]): string | null {
  const books = new TransferBooks();
  for (const [index, [customerId, entered]] of entries.entries()) {
    const problem = books.enter(`account-${customerId}`, entered);
    if (index === entries.length - 1 && problem !== null) return problem;
    expect(problem).toBeNull();
  }
  return books.close();
}

describe('the books of transfers', () => {
  it('agree with what arrives, comes back, or is under way', () => {
    expect(foundIn(sent())).toBeNull();
    expect(foundIn(sent(), received(), grant('gr_1', 4, cost), grant('gr_2', 6, null))).toBeNull();
    expect(foundIn(sent(), returned())).toBeNull();
  });

  it.each<readonly [string, readonly Entry[], string]>([
    ['what was never sent', [received()], 'never sent'],
    ['what is sent twice', [sent(), sent()], 'was sent before'],
    ['a gift to oneself', [sent({ toCustomerId: 'ada' })], 'its own sender'],
    ['lots that are not the amount', [sent({ amount: 11 })], 'sum up to 10, not to 11'],
    ['another receiver', [sent(), received('carl')], 'from ada to bob'],
    ['another unit', [sent(), received('bob.tokens')], 'in credits'],
    ['another amount', [sent(), received('bob', { amount: 9 })], '10 were sent'],
    ['an arrival after the return', [sent(), returned(), received()], 'was returned before'],
    ['a return after the arrival', [sent(), received(), returned()], 'was received before'],
    ['a second arrival', [sent(), received(), received()], 'was received before'],
    ['a lot too large', [sent(), received(), grant('gr_1', 5, cost)], 'not what transfer tr_1 took'],
    ['a lot of another cost', [sent(), received(), grant('gr_2', 6, cost)], 'not what transfer tr_1 took'],
    ['a lot twice', [sent(), received(), grant('gr_2', 6, null), grant('gr_2', 6, null)], 'not the first of it'],
    ['a lot before the rest is received', [sent(), grant('gr_1', 4, cost)], 'was not received'],
    ['a lot that is lost', [sent(), received(), grant('gr_1', 4, cost)], '1 of its lots became no grants'],
    ['less that comes back', [sent(), returned(lots.slice(1))], 'is not what was sent'],
  ])('find %s', (_what, entries, problem) => {
    expect(foundIn(...entries)).toContain(problem);
  });
});

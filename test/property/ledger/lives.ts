import type fc from 'fast-check';
import { isRefused } from '#kernel/decider.js';
import type { AccountCommand } from '#ledger/account/commands.js';
import type { AccountEvent } from '#ledger/account/events.js';
import { resolve, type Step } from './commands.js';
import { booksAt, runModel } from '../model/account.js';
import { emptyBooks, type Books, type ModelAnswer } from '../model/books.js';
import { Subject } from './subject.js';

export const dawn = '2026-11-01T00:00:00.000Z';
export const later = (at: string, ms: number): string => new Date(Date.parse(at) + ms).toISOString();
/** PROPERTY_FACTOR=50 looks fifty times as long. */
const factor = Number(process.env['PROPERTY_FACTOR'] ?? 1);
export const runs = (numRuns: number): fc.Parameters<unknown> => ({ numRuns: numRuns * factor });

/** Runs the steps through model and decider, calling `check` after each with both answers. */
export function live(
  taken: readonly Step[],
  check: (
    subject: Subject,
    books: Books,
    step: { command: AccountCommand; model: ModelAnswer; decided: ModelAnswer; at: string },
  ) => void,
): Subject {
  const subject = new Subject();
  let books = emptyBooks();
  let at = dawn;
  for (const step of taken) {
    at = later(at, step.wait);
    const command = resolve(step.draft, booksAt(books, at), at);
    const { answer, books: next } = runModel(books, command, at);
    const decision = subject.decide(command, at);
    const decided: ModelAnswer = isRefused(decision)
      ? {
          kind: 'refused',
          code: decision.rejected,
          ...('available' in decision ? { available: decision.available, required: decision.required } : {}),
          ...('unspent' in decision ? { unspent: decision.unspent } : {}),
        }
      : { kind: 'recorded', events: subject.record(decision) };
    books = next;
    check(subject, books, { command, model: answer, decided, at });
  }
  return subject;
}

/** What has become of a grant's credits, by the events alone. */
export function audit(
  events: readonly AccountEvent[],
): Map<string, { granted: number; left: number; cost: number; spent: number }> {
  const lots = new Map<string, { granted: number; left: number; cost: number; spent: number }>();
  const use = (
    slices: readonly { grantId: string; amount: number; cost: { amount: number } | null }[],
    sign: 1 | -1,
  ): void => {
    for (const slice of slices) {
      const lot = lots.get(slice.grantId)!;
      lot.left -= sign * slice.amount;
      lot.spent += sign * (slice.cost?.amount ?? 0);
    }
  };
  for (const event of events) {
    if (event.type === 'CreditsGranted')
      lots.set(event.grantId, {
        granted: event.amount,
        left: event.amount,
        cost: event.costBasis?.amount ?? 0,
        spent: 0,
      });
    if (event.type === 'CreditsConsumed' || event.type === 'HoldCaptured' || event.type === 'CreditsRevoked')
      use(event.allocations, 1);
    if (event.type === 'CreditsExpired' || event.type === 'DebtRepaid') use([event], 1);
    if (event.type === 'ConsumptionReversed' || event.type === 'DebtForgiven') use(event.restored, -1);
    if (event.type === 'CreditsReinstated') use([event], -1);
    if (event.type === 'TransferSent') use(event.lots, 1);
    if (event.type === 'TransferReturned') use(event.restored, -1);
  }
  return lots;
}

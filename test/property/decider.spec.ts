import fc from 'fast-check';
import { describe, expect, it } from '@jest/globals';
import { accountDecider } from '#ledger/account/account.js';
import { isRefused } from '#kernel/decider.js';
import { resolve, steps } from './ledger/commands.js';
import { dawn, later, live, runs } from './ledger/lives.js';
import { booksAt, runModel } from './model/account.js';
import { balanceOf, emptyBooks } from './model/books.js';
import { bytesOf, foldAll, roundTrip, Subject } from './ledger/subject.js';

describe('the decider', () => {
  it('changes nothing when it decides, and decides the same again', () => {
    fc.assert(
      fc.property(steps(30), (taken) => {
        const subject = new Subject();
        let books = emptyBooks();
        let at = dawn;
        for (const step of taken) {
          at = later(at, step.wait);
          const command = resolve(step.draft, booksAt(books, at), at);
          const before = bytesOf(subject.state);
          const decision = subject.decide(command, at);
          expect(subject.decide(command, at)).toEqual(decision);
          expect(bytesOf(subject.state)).toBe(before);
          books = runModel(books, command, at).books;
          if (isRefused(decision)) continue;
          const dropped = accountDecider.fork(subject.state);
          decision.reduce(
            (state, event, index) => accountDecider.evolve(state, event, subject.log.length + index),
            dropped,
          );
          expect(bytesOf(subject.state)).toBe(before);
          subject.record(decision);
        }
      }),
      runs(150),
    );
  });

  it('goes on from a snapshot as it would have gone on without', () => {
    fc.assert(
      fc.property(steps(30), (taken) => {
        const subject = new Subject();
        let books = emptyBooks();
        let restored = roundTrip(subject.state);
        let at = dawn;
        for (const step of taken) {
          at = later(at, step.wait);
          const command = resolve(step.draft, booksAt(books, at), at);
          const decision = subject.decide(command, at);
          expect(subject.decide(command, at, restored)).toEqual(decision);
          books = runModel(books, command, at).books;
          if (isRefused(decision)) continue;
          restored = roundTrip(foldAll(decision, restored, subject.log.length));
          subject.record(decision);
          expect(bytesOf(restored)).toBe(bytesOf(subject.state));
        }
      }),
      runs(150),
    );
  });

  it('gives back with all reversals of a consumption exactly the credits and the money that it took', () => {
    fc.assert(
      fc.property(
        steps(20),
        fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 8 }),
        (taken, parts) => {
          const subject = live(taken, () => undefined);
          const closed = subject.state.settings.status === 'closed';
          const consumptions = subject.log.filter(
            (event) => event.type === 'CreditsConsumed' || event.type === 'HoldCaptured',
          );
          for (const [index, consumption] of consumptions.entries()) {
            if (closed) continue;
            const consumptionId = `con#${String(index)}`;
            for (const amount of [...parts, null])
              subject.run(
                { type: 'ReverseConsumption', consumptionId, amount, reason: null },
                later(subject.state.lastAt, 0),
              );
            const slices = subject.log.flatMap((event) =>
              event.type === 'ConsumptionReversed' && event.consumptionId === consumption.consumptionId
                ? event.restored
                : [],
            );
            for (const slice of consumption.allocations) {
              const back = slices.filter(({ grantId }) => grantId === slice.grantId);
              expect(back.reduce((sum, { amount }) => sum + amount, 0)).toBe(slice.amount);
              expect(back.reduce((sum, { cost }) => sum + (cost?.amount ?? 0), 0)).toBe(slice.cost?.amount ?? 0);
            }
          }
        },
      ),
      runs(100),
    );
  });

  it('has one state for one log, wherever the fold is cut', () => {
    fc.assert(
      fc.property(steps(30), fc.nat(), (taken, cut) => {
        const { log, state } = live(taken, () => undefined);
        const at = cut % (log.length + 1);
        const suffix = foldAll(log.slice(at), foldAll(log.slice(0, at)), at);
        expect(bytesOf(suffix)).toBe(bytesOf(foldAll(log)));
        expect(bytesOf(suffix)).toBe(bytesOf(state));
      }),
      runs(150),
    );
  });

  it('says the same about every instant whether time is recorded early or late', () => {
    fc.assert(
      fc.property(steps(30), fc.array(fc.nat(4), { minLength: 1, maxLength: 10 }), (taken, pauses) => {
        const [lazy, eager] = [new Subject(), new Subject()];
        const logs: { lazy: unknown[]; eager: unknown[] } = { lazy: [], eager: [] };
        let books = emptyBooks();
        let at = dawn;
        for (const [index, step] of taken.entries()) {
          const parts = pauses[index % pauses.length]!;
          for (let part = 1; part <= parts; part += 1) {
            logs.eager.push(
              ...(eager.run({ type: 'RecordDue' }, later(at, Math.floor((step.wait * part) / (parts + 1)))) ?? []),
            );
          }
          at = later(at, step.wait);
          const command = resolve(step.draft, booksAt(books, at), at);
          books = runModel(books, command, at).books;
          logs.lazy.push(...(lazy.run(command, at) ?? []));
          logs.eager.push(...(eager.run(command, at) ?? []));
        }
        const end = later(at, 1000);
        logs.lazy.push(...(lazy.run({ type: 'RecordDue' }, end) ?? []));
        logs.eager.push(...(eager.run({ type: 'RecordDue' }, end) ?? []));
        expect(logs.eager).toEqual(logs.lazy);
        expect(lazy.log.at(-1)?.balance ?? balanceOf(emptyBooks())).toEqual(balanceOf(booksAt(books, end)));
      }),
      runs(200),
    );
  });
});

import fc from 'fast-check';
import { describe, expect, it } from '@jest/globals';
import { conservationOf } from '#ledger/account/account.js';
import { permutations } from '../../support/permutations.js';
import { claimsOfPayments, stepsWithClaims } from './commands.js';
import { later, live, runs } from './lives.js';
import { placesIn, placesOf } from './places.js';

describe('refunds and disputes of payments, against the naive model', () => {
  it('leave of every grant what the model leaves, after every command', () => {
    fc.assert(
      fc.property(stepsWithClaims(30), (taken) => {
        const subject = live(taken, (now, books, { model, decided }) => {
          expect(decided.kind).toEqual(model.kind);
          if (decided.kind === 'refused') expect(decided).toEqual(model);
          expect(placesOf(now)).toEqual(placesIn(books));
        });
        expect(conservationOf(subject.state).violations).toEqual([]);
      }),
      runs(600),
    );
  });

  it('end in the same places, whatever the order in which payments are settled and holds are released', () => {
    fc.assert(
      fc.property(stepsWithClaims(15), claimsOfPayments, (taken, settlements) => {
        const ends = [...permutations([0, 1, 2])].map((order) => {
          let at = '';
          const subject = live(taken, (_subject, _books, step) => {
            at = step.at;
          });
          const before = subject.log.length;
          const newest = Math.max(0, ...[...subject.state.claims.values()].map(({ version }) => version));
          for (const which of order) {
            if (which === 2)
              for (const hold of subject.holdsOfCallers()) subject.run({ type: 'ReleaseHold', holdId: hold }, at);
            else subject.run(settlements(which, newest + 1, at), at);
          }
          // Who pays a debt depends on who has credits first, and so does what expires later; how much is owed does not.
          const owed = subject.log.slice(before).some(({ type }) => type === 'DebtIncurred' || type === 'DebtRepaid');
          const { balance } = subject.state;
          subject.run({ type: 'RecordDue' }, later(at, 40 * 86_400_000));
          return { owed, balance, places: placesOf(subject) };
        });
        const someOwed = ends.some(({ owed }) => owed);
        for (const { balance, places } of ends) {
          expect(balance).toEqual(ends[0]!.balance);
          if (!someOwed) expect(places).toEqual(ends[0]!.places);
        }
      }),
      runs(60),
    );
  });

  it('come in every form: met by what has expired, by months to come and by debt, reserved, and undone', () => {
    const seen = new Set<string>();
    for (const taken of fc.sample(stepsWithClaims(30), { numRuns: 600, seed: 1 })) {
      const { log } = live(taken, () => undefined);
      for (const event of log) {
        if (event.type === 'PaymentClaimed') seen.add('claimed');
        if (event.type === 'PaymentClaimed' && event.paymentReference.startsWith('received')) seen.add('lot followed');
        if (event.type === 'TransferClaimed') seen.add('passed on to a receiver');
        if (event.type === 'CreditsHeld' && event.owner !== 'caller') seen.add('reserved');
        if (event.type === 'CreditsRevoked' && event.expired > 0) seen.add('expired credits taken');
        if (event.type === 'CreditsRevoked' && event.scheduled > 0) seen.add('credits to come taken');
        if (event.type === 'CreditsRevoked' && event.writtenOff > 0) seen.add('written off');
        if (event.type === 'DebtIncurred' && event.cause.kind !== 'overdraft') seen.add('spent credits owed');
        if (event.type === 'DebtForgiven' && event.cause.kind !== 'reversal') seen.add('debt undone');
        if (event.type === 'DebtForgiven' && event.cause.kind !== 'reversal' && event.restored.length > 0)
          seen.add('repaid debt returned');
        if (event.type === 'CreditsReinstated') seen.add('given back');
        if (event.type === 'CreditsReinstated' && event.scheduled) seen.add('credits to come given back');
        if (event.type === 'CreditsReinstated' && event.writtenOff > 0) seen.add('write-off undone');
      }
    }
    expect([...seen].sort()).toEqual([
      'claimed',
      'credits to come given back',
      'credits to come taken',
      'debt undone',
      'expired credits taken',
      'given back',
      'lot followed',
      'passed on to a receiver',
      'repaid debt returned',
      'reserved',
      'spent credits owed',
      'write-off undone',
      'written off',
    ]);
  });
});

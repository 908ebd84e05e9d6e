import fc from 'fast-check';
import { describe, expect, it } from '@jest/globals';
import { conservationOf } from '#ledger/account/account.js';
import { placesIn, placesOf } from './places.js';
import { live, runs } from './lives.js';
import { stepsOfTerms } from '../term-commands.js';

describe('periods, changes of plan, trials, ends and free months, against the naive model', () => {
  it('leave of every grant what the model leaves, after every command', () => {
    fc.assert(
      fc.property(stepsOfTerms(12), (taken) => {
        // What is drawn is worked out only when its turn comes: a failure names the commands.
        const story: string[] = [];
        const subject = live(taken, (now, books, { command, model, decided, at }) => {
          story.push(`${at} ${JSON.stringify(command)}`);
          expect({ kind: decided.kind, places: placesOf(now), story }).toEqual({
            story,
            kind: model.kind,
            places: placesIn(books),
          });
        });
        expect(conservationOf(subject.state).violations).toEqual([]);
      }),
      runs(300),
    );
  });
});

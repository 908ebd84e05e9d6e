import { describe, test } from '@jest/globals';
import type { Instant } from '#kernel/instant.js';
import {
  changeOfPlan,
  day,
  expectEnds,
  november,
  periodOf,
  plan,
  type Bought,
} from '../../../../test/support/ledger/plan-commands.js';

const year: Bought = { from: day(1, 1), to: day(1, 1, 2027), interval: 'year' };

describe('what a change gives back is worth what was agreed', () => {
  test.each([8000, 1000, 5000])('of a year, though the catalogue says %i since', (now) => {
    const facts = [
      periodOf(plan('pro', 5000), year),
      changeOfPlan('in_2', [plan('pro', now), plan('plus', 12_000)], day(1, 4), year),
    ];
    expectEnds(facts, day(1, 4), { [day(2, 5)]: 12_000, [day(2, 12)]: 12_000 });
  });

  test.each([8000, 1000])('of a month, to less, though the catalogue says %i since', (now) => {
    const facts = [
      periodOf(plan('pro', 5000), november),
      changeOfPlan('in_2', [plan('pro', now), plan('starter', 1000)], day(16, 11), november),
    ];
    expectEnds(facts, day(16, 11), { [day(17, 11)]: 3000 });
  });

  test('of a month for a year: what is kept is half of the month as agreed', () => {
    const facts = [
      periodOf(plan('pro', 5000), november),
      changeOfPlan('in_2', [plan('pro', 8000), null], day(16, 11), november, { takesBack: false }),
      periodOf(plan('pro', 8000), { from: day(16, 11), to: day(16, 11, 2027), interval: 'year' }),
    ];
    expectEnds(facts, day(16, 11), { [day(17, 11)]: 5000 + 8000 - 2500 });
  });

  test('by the change that bought it last, also within one second', () => {
    const [starter, pro, plus] = [plan('starter', 1000), plan('pro', 5000), plan('plus', 12_000)];
    const dearer = plan('pro', 8000);
    const whole = day(1, 11);
    const to = (since: Instant) => [
      periodOf(starter, november),
      changeOfPlan('in_2', [starter, pro], since, november),
      changeOfPlan('in_3', [dearer, plus], whole, november),
    ];
    expectEnds(to(whole), day(2, 11), { [day(3, 11)]: 12_000 });
    const later = [
      periodOf(starter, november),
      changeOfPlan('in_2', [starter, pro], day(11, 11), november),
      changeOfPlan('in_3', [dearer, plus], day(16, 11), november),
    ];
    const [toPro, toPlus] = [Math.round((4000 * 20) / 30), (7000 * 15) / 30];
    expectEnds(later, day(16, 11), { [day(17, 11)]: 1000 + toPro + toPlus });
  });

  test('in its own period; else what the catalogue says', () => {
    const december: Bought = { from: day(1, 12), to: day(1, 1, 2027), interval: 'month' };
    const facts = [
      periodOf(plan('pro', 5000), november),
      periodOf(plan('pro', 8000), december),
      changeOfPlan('in_2', [plan('pro', 9000), plan('plus', 12_000)], day(1, 12), december),
    ];
    expectEnds(facts, day(30, 11), { [day(2, 12)]: 12_000 });
    const unknown = [
      periodOf(plan('pro', 5000), november),
      changeOfPlan('in_2', [plan('other', 9000), plan('plus', 12_000)], day(1, 11), november),
    ];
    expectEnds(unknown, day(1, 11), { [day(2, 11)]: 8000 });
  });
});

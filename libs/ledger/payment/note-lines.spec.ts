import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Instant } from '#kernel/instant.js';
import { allocate } from '../account/claims/allocation.js';
import type { ClaimedLot } from '../account/claims/demands.js';
import { byLinesOfNotes, creditedBefore } from './note-lines.js';
import type { Claim, CreditNoteFact, NoteContent } from './claims.js';

const at = '2026-10-01T00:00:00.000Z';
const claim = (id: string, amount: number): Claim => ({
  cause: { kind: 'refund', id },
  state: 'taken',
  amount,
  since: at,
});
const note = (amount: number, content: Partial<NoteContent>, more: Partial<CreditNoteFact> = {}): CreditNoteFact => ({
  creditNoteId: 'cn_1',
  amount,
  status: 'issued',
  createdAt: at,
  content: { total: amount, before: 0, lines: [], other: 0, ...content },
  ...more,
});
/** An invoice of a fee (100.00) and a plan of 5,000 credits (49.00). */
const plan: ClaimedLot = {
  id: 'gr_1',
  amount: 5000,
  effectiveAt: at,
  expiresAt: null,
  lines: [{ id: 'il_plan', amount: 4900 }],
  cost: 4900,
  unspent: 5000,
  withdrawn: 0,
  given: 0,
  spent: 0,
};
const taken = (claims: readonly Claim[], lots: readonly ClaimedLot[] = [plan], paid = 14_900): number =>
  allocate(lots, { paid }, claims)
    .flatMap(({ unspent }) => unspent)
    .reduce((sum, { amount }) => sum + amount, 0);

describe('a credit note', () => {
  test('on a line that bought no credits takes none, on the plan’s line its share of that', () => {
    const fee = note(10_000, { lines: [{ id: 'il_fee', amount: 10_000 }] });
    expect(taken(byLinesOfNotes([claim('cn_1', 10_000)], [fee]))).toBe(0);
    const half = note(2450, { lines: [{ id: 'il_plan', amount: 2450 }] });
    expect(taken(byLinesOfNotes([claim('cn_1', 2450)], [half]))).toBe(2500);
  });

  test('without lines, or with lines of its own, is a share of all', () => {
    expect(taken([claim('cn_1', 1490)])).toBe(500);
    const custom = note(1490, { other: 1490 });
    expect(taken(byLinesOfNotes([claim('cn_1', 1490)], [custom]))).toBe(500);
    const both = note(2980, { lines: [{ id: 'il_fee', amount: 1490 }], other: 1490 });
    expect(taken(byLinesOfNotes([claim('cn_1', 2980)], [both]))).toBe(500);
  });

  test('reads the refund that it names by its lines, and leaves the rest of the refund a share of all', () => {
    const lines = [{ id: 'il_fee', amount: 10_000 }];
    const fee = note(0, { total: 10_000, lines }, { refunds: [{ id: 're_1', amount: 10_000 }] });
    expect(taken(byLinesOfNotes([claim('re_1', 10_000)], [fee]))).toBe(0);
    expect(taken(byLinesOfNotes([claim('re_1', 11_490)], [fee]))).toBe(500);
    const old = note(10_000, { lines }, { refundId: 're_1' });
    expect(taken(byLinesOfNotes([claim('re_1', 10_000)], [old]))).toBe(0);
    expect(taken(byLinesOfNotes([claim('re_1', 1490)], [{ ...fee, status: 'void' }]))).toBe(500);
  });

  test('that made the invoice smaller before it was paid gives back only the rest', () => {
    const mixed = note(1225, { total: 2450, before: 1225, lines: [{ id: 'il_plan', amount: 2450 }] });
    expect(taken(byLinesOfNotes([claim('cn_1', 1225)], [mixed]))).toBe(1250);
  });

  test('counts lines before discount and tax on both sides', () => {
    // 20 % off and 19 % tax: 49.00 cost 46.65, half of which goes back.
    const half = note(2332, { lines: [{ id: 'il_plan', amount: 2450 }] });
    expect(taken(byLinesOfNotes([claim('cn_1', 2332)], [half]), [plan], 4665)).toBe(2500);
  });

  test('is a share of all where it is not known which lines bought what', () => {
    const fee = note(10_000, { lines: [{ id: 'il_fee', amount: 10_000 }] });
    expect(taken(byLinesOfNotes([claim('cn_1', 10_000)], [fee]), [{ ...plan, lines: null }], 20_000)).toBe(2500);
  });
});

test('the parts of a line add up exactly, however they are cut and by whatever refunds they are paid', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 999 }), { minLength: 1, maxLength: 6 }),
      fc.integer({ min: 1, max: 99_999 }),
      (parts, credits) => {
        const cost = parts.reduce((sum, part) => sum + part, 0);
        const lot = { ...plan, amount: credits, unspent: credits, lines: [{ id: 'il_plan', amount: cost }] };
        const notes = parts.map((part, index) =>
          note(
            index % 2 === 0 ? part : 0,
            { total: part, lines: [{ id: 'il_plan', amount: part }] },
            {
              creditNoteId: `cn_${String(index)}`,
              ...(index % 2 === 0 ? {} : { refunds: [{ id: `re_${String(index)}`, amount: part }] }),
            },
          ),
        );
        const claims = parts.map((part, index) => claim(`${index % 2 === 0 ? 'cn' : 're'}_${String(index)}`, part));
        expect(taken(byLinesOfNotes(claims, notes), [lot], cost * 3)).toBe(credits);
      },
    ),
  );
});

describe('money for other lines', () => {
  const feeNote = note(10_000, { lines: [{ id: 'il_fee', amount: 10_000 }] });
  const planNote = (amount: number): CreditNoteFact => note(amount, { lines: [{ id: 'il_plan', amount }] });

  test('that is back is not in what a plain refund is a share of, whichever came first', () => {
    const claims = byLinesOfNotes([claim('cn_1', 10_000)], [feeNote]);
    expect(taken([...claims, claim('re_1', 2450)])).toBe(2500);
    expect(taken([...claims, claim('re_1', 4900)])).toBe(5000);
    expect(taken([claim('re_1', 4900)])).toBe(1644);
    expect(taken([claim('re_1', 4900), ...claims])).toBe(5000);
  });

  test('that a note took off before the payment is not, either', () => {
    const before = creditedBefore([
      note(0, { total: 10_000, before: 10_000, lines: [{ id: 'il_fee', amount: 10_000 }] }),
    ]);
    const all = (amount: number): number =>
      allocate([plan], { paid: 14_900, creditedBefore: before }, [claim('re_1', amount)])
        .flatMap(({ unspent }) => unspent)
        .reduce((sum, each) => sum + each.amount, 0);
    expect([all(2450), all(4900)]).toEqual([2500, 5000]);
  });

  test('takes nothing of a plan that was free', () => {
    const free = { ...plan, cost: 0 };
    expect(taken([claim('re_1', 1000)], [free], 1000)).toBe(0);
    // Of months of one line the cost may be one month's alone.
    expect(taken([claim('re_1', 4900)], [plan, { ...free, id: 'gr_2' }], 4900)).toBe(10_000);
  });

  test('of credits that were sold beside a plan takes their share of the whole, and the last of it what is left', () => {
    const pack = { ...plan, id: 'gr_2', amount: 1000, unspent: 1000, cost: 500, lines: null };
    const packNote = note(500, { lines: [{ id: 'il_pack', amount: 500 }] });
    const claims = byLinesOfNotes([claim('cn_1', 500)], [packNote]);
    expect(taken(claims, [plan, pack], 5400)).toBe(93);
    expect(taken([...claims, claim('re_1', 4900)], [plan, pack], 5400)).toBe(6000);
  });

  test('that a discount line gave takes the rest with the last of the money', () => {
    expect(taken(byLinesOfNotes([claim('cn_1', 3800)], [planNote(3800)]), [plan], 3900)).toBe(3878);
    expect(taken(byLinesOfNotes([claim('cn_1', 3900)], [planNote(3900)]), [plan], 3900)).toBe(5000);
  });
});

test('a note on the charged line of an upgrade is a share of that line’s own amount', () => {
  const lines = [
    { id: 'il_old', amount: -2450 },
    { id: 'il_plan', amount: 4950 },
  ];
  const upgrade = { ...plan, amount: 3500, unspent: 3500, cost: 2500, lines };
  const half = note(2475, { lines: [{ id: 'il_plan', amount: 2475 }] });
  const claims = byLinesOfNotes([claim('cn_1', 2475)], [half]);
  expect(taken(claims, [upgrade], 2500)).toBe(1750);
  expect(taken([...claims, claim('re_1', 25)], [upgrade], 2500)).toBe(3500);
});

describe('two plans of one invoice, a year of each', () => {
  const year = (line: string, amount: number, monthly: number): readonly ClaimedLot[] =>
    ['11', '12'].map((month) => ({
      ...{ ...plan, id: `gr_${String(monthly)}_${month}`, amount: monthly, unspent: monthly, cost: amount / 2 },
      lines: [{ id: line, amount }],
      effectiveAt: `2026-${month}-01T00:00:00.000Z` as Instant,
      expiresAt: `2026-${month}-30T00:00:00.000Z` as Instant,
    }));
  const lots = [...year('il_2', 4900, 1000), ...year('il_1', 4900, 5000)];
  const credited = note(2450, { lines: [{ id: 'il_1', amount: 2450 }] });
  const met = (since: Instant, all: readonly ClaimedLot[]): readonly string[] =>
    allocate(
      all,
      { paid: 9800 },
      byLinesOfNotes([claim('re_1', 2450), claim('cn_1', 2450)], [credited]).map((one) => ({ ...one, since })),
    ).map(({ unspent }) => unspent.map(({ lotId, amount }) => `${String(amount)} of ${lotId}`).join(', '));

  test('meet a claim in the order of their lines, so that what a note on a line then finds does not depend on who was recorded first', () => {
    const ahead = ['3000 of gr_5000_12', '2000 of gr_5000_12, 3000 of gr_5000_11'];
    expect(met(at, lots)).toEqual(ahead);
    expect(met(at, lots.toReversed())).toEqual(ahead);
    const begun = ['3000 of gr_5000_11', '2000 of gr_5000_11, 3000 of gr_5000_12'];
    expect(met('2026-12-31T00:00:00.000Z', lots)).toEqual(begun);
    expect(met('2026-12-31T00:00:00.000Z', lots.toReversed())).toEqual(begun);
  });
});

test('what was overpaid goes back first, and takes nothing', () => {
  const credits = (amount: number): number =>
    allocate([plan], { paid: 4900, overpaid: 1000 }, [claim('re_1', amount)])
      .flatMap(({ unspent }) => unspent)
      .reduce((sum, each) => sum + each.amount, 0);
  expect([credits(1000), credits(3450), credits(5900)]).toEqual([0, 2500, 5000]);
});

test('when all the money is back nothing is left of what it paid for, in whatever order and by whatever means', () => {
  const part = fc.record({ line: fc.constantFrom('il_plan', 'il_fee', null), weight: fc.integer({ min: 1, max: 99 }) });
  fc.assert(
    fc.property(
      fc.array(part, { minLength: 1, maxLength: 6 }),
      fc.integer({ min: 1, max: 99_999 }),
      fc.integer({ min: 0, max: 9999 }),
      (parts, credits, seats) => {
        const paid = parts.reduce((sum, { weight }) => sum + weight, 0);
        const lots = [
          { ...plan, amount: credits, unspent: credits },
          { ...plan, id: 'gr_2', amount: seats, unspent: 0, spent: seats, lines: [{ id: 'il_seats', amount: 100 }] },
        ];
        const notes = parts.flatMap(({ line, weight }, index) =>
          line === null
            ? []
            : [note(weight, { lines: [{ id: line, amount: weight }] }, { creditNoteId: `cn_${String(index)}` })],
        );
        const claims = parts.map(({ line, weight }, index) =>
          claim(`${line === null ? 're' : 'cn'}_${String(index)}`, weight),
        );
        const met = allocate(lots, { paid }, byLinesOfNotes(claims, notes)).flatMap(({ unspent, spent }) => [
          ...unspent,
          ...spent,
        ]);
        expect(met.reduce((sum, { amount }) => sum + amount, 0)).toBe(credits + seats);
      },
    ),
  );
});

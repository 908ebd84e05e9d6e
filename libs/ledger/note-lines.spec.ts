import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { allocate, type ClaimedLot } from './claim-allocation.js';
import { byLinesOfNotes } from './note-lines.js';
import type { Claim, CreditNoteFact, NoteContent } from './payment-claims.js';

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
  unspent: 5000,
  spent: 0,
};
const taken = (claims: readonly Claim[], lots: readonly ClaimedLot[] = [plan], paid = 14_900): number =>
  allocate(lots, paid, claims)
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

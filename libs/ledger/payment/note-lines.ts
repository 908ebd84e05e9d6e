import { proportion } from '#kernel/amount.js';
import type { ByLines, Claim, CreditNoteFact, NoteContent } from './claims.js';

/** A part of a note's money: the refund or the note itself that gives it back. */
type Part = { readonly cause: string; readonly amount: number };

/**
 * The claims, each of which a note is known to be about read by the note's lines: the note's own claim, and those of the refunds that
 * it names. The parts of a note are set against its lines by the running total, so that they add up exactly.
 */
export function byLinesOfNotes(claims: readonly Claim[], notes: readonly CreditNoteFact[]): readonly Claim[] {
  const read = new Map<string, ByLines>();
  for (const note of notes) {
    const { content } = note;
    if (note.status !== 'issued' || content === undefined || content.lines.length === 0) continue;
    let given = content.before;
    for (const { cause, amount } of partsOf(note, claims)) {
      read.set(cause, together(read.get(cause), linesOf(content, given, amount)));
      given += amount;
    }
  }
  if (read.size === 0) return claims;
  return claims.map((claim) => {
    const byLines = claim.cause.kind === 'refund' ? read.get(claim.cause.id) : undefined;
    return byLines === undefined ? claim : { ...claim, byLines };
  });
}

/** What the notes took off lines of the invoice before it was paid. */
export const creditedBefore = (notes: readonly CreditNoteFact[]): readonly ByLines[] =>
  notes
    .toSorted((a, b) => (a.creditNoteId < b.creditNoteId ? -1 : 1))
    .flatMap(({ status, content }) =>
      status === 'issued' && content !== undefined && content.before > 0 && content.lines.length > 0
        ? [linesOf(content, 0, content.before)]
        : [],
    );

function partsOf(note: CreditNoteFact, claims: readonly Claim[]): readonly Part[] {
  const claimed = (id: string): number =>
    claims.find(({ cause }) => cause.kind === 'refund' && cause.id === id)?.amount ?? 0;
  // One that was named without its amount is the note's as far as the note goes.
  const named = note.refundId === undefined ? (note.refunds ?? []) : [{ id: note.refundId, amount: note.amount }];
  const refunds = named
    .toSorted((a, b) => (a.id < b.id ? -1 : 1))
    .map(({ id, amount }) => ({
      cause: id,
      amount: Math.min(amount, claimed(id)),
    }));
  return [...refunds, { cause: note.creditNoteId, amount: claimed(note.creditNoteId) }];
}

/** What the minor units from `given` on, `amount` of them, are for. */
function linesOf({ total, lines, other }: NoteContent, given: number, amount: number): ByLines {
  const part = (whole: number): number =>
    total <= 0
      ? 0
      : proportion(whole, Math.min(total, given + amount), total) - proportion(whole, Math.min(total, given), total);
  const ofLines = lines.reduce((sum, line) => sum + line.amount, 0);
  const money = other === 0 ? amount : proportion(amount, ofLines, ofLines + other);
  return { money, lines: lines.map((line) => ({ id: line.id, amount: part(line.amount) })) };
}

const together = (a: ByLines | undefined, b: ByLines): ByLines =>
  a === undefined ? b : { money: a.money + b.money, lines: [...a.lines, ...b.lines] };

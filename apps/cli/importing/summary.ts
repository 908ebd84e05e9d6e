import { decimalOf, decimalText, parseDecimal, plus, type Decimal } from './decimal.js';
import { outcomes, type Outcome, type RecordResult } from './record-result.js';

type Sums = { lots: number; inSource: Decimal; inScrip: bigint };

/** Counts results, and sums their credits by unit and outcome, exactly. */
export class Summary {
  readonly #counts = new Map<Outcome, number>(outcomes.map((outcome) => [outcome, 0]));
  readonly #sums = new Map<string, Map<Outcome, Sums>>();
  #records = 0;
  #before = 0;

  add(result: RecordResult): void {
    const { outcome, unit, inSource, inScrip, before } = result;
    this.#records += 1;
    if (before) this.#before += 1;
    this.#counts.set(outcome, this.count(outcome) + 1);
    if (unit === null || inSource === null) return;
    const ofUnit = this.#sums.get(unit) ?? new Map<Outcome, Sums>();
    this.#sums.set(unit, ofUnit);
    const sums = ofUnit.get(outcome) ?? { lots: 0, inSource: decimalOf(0), inScrip: 0n };
    ofUnit.set(outcome, sums);
    sums.lots += 1;
    sums.inSource = plus(sums.inSource, parseDecimal(inSource.amount) ?? decimalOf(0));
    sums.inScrip += BigInt(inScrip?.amount ?? 0);
  }

  count(outcome: Outcome): number {
    return this.#counts.get(outcome) ?? 0;
  }

  get records(): number {
    return this.#records;
  }

  /** Records that were refused, or are not what was imported before. */
  get troubles(): number {
    return this.count('refused') + this.count('differs');
  }

  view(): {
    readonly records: number;
    readonly before: number;
    readonly outcomes: { readonly [outcome: string]: number };
    readonly credits: readonly object[];
  } {
    const credits = [...this.#sums].flatMap(([unit, ofUnit]) =>
      [...ofUnit].map(([outcome, { lots, inSource, inScrip }]) => ({
        unit,
        outcome,
        lots,
        inSource: decimalText(inSource),
        inScrip: inScrip.toString(),
      })),
    );
    return { records: this.#records, before: this.#before, outcomes: Object.fromEntries(this.#counts), credits };
  }
}

import { parseInstant, type Instant } from '#kernel/instant.js';
import { parseDecimal, type Decimal } from './decimal.js';

/** Reads the fields of one record and keeps what is wrong with each, so that a person hears all of it at once. */
export class Fields {
  readonly problems: string[] = [];

  constructor(private readonly values: { readonly [name: string]: unknown }) {}

  /** A text, or a number as its text; null where it is absent or empty. */
  text(name: string): string | null {
    const value = this.values[name];
    if (typeof value === 'string') return value.trim() === '' ? null : value.trim();
    if (typeof value === 'number') return String(value);
    if (value !== undefined && value !== null) this.#wrong(name, 'must be a text');
    return null;
  }

  /** The same, which has to be there; empty where it is not. */
  needed(name: string): string {
    const value = this.text(name);
    if (value === null) this.#wrong(name, 'is needed');
    return value ?? '';
  }

  /** A decimal number, as text or as a JSON number. */
  decimal(name: string): Decimal | null {
    const text = this.text(name);
    if (text === null) return null;
    const value = parseDecimal(text);
    if (value === null) this.#wrong(name, `must be a decimal number such as 12.5, not ${shown(text)}`);
    return value;
  }

  whole(name: string, least: number, most: number): number | null {
    const text = this.text(name);
    if (text === null) return null;
    const value = /^\d{1,16}$/.test(text) ? Number(text) : NaN;
    if (value >= least && value <= most) return value;
    this.#wrong(name, `must be a whole number from ${String(least)} to ${String(most)}, not ${shown(text)}`);
    return null;
  }

  instant(name: string): Instant | null {
    const text = this.text(name);
    if (text === null) return null;
    const value = parseInstant(text);
    if (value === null) this.#wrong(name, `must be a time such as 2026-11-21T08:00:00Z, not ${shown(text)}`);
    return value;
  }

  oneOf<Choice extends string>(name: string, choices: readonly Choice[]): Choice | null {
    const text = this.text(name);
    const found = choices.find((choice) => choice === text) ?? null;
    if (text !== null && found === null) this.#wrong(name, `must be one of ${choices.join(', ')}, not ${shown(text)}`);
    return found;
  }

  object(name: string): { readonly [name: string]: unknown } | null {
    const value = this.values[name];
    return isObject(value) ? value : null;
  }

  #wrong(name: string, problem: string): void {
    this.problems.push(`${name} ${problem}`);
  }
}

export const isObject = (value: unknown): value is { readonly [name: string]: unknown } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** What a person wrote, short enough for a report. */
const shown = (text: string): string => JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);

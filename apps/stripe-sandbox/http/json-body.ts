import { invalid } from '../core/api/errors.js';

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  value !== null && typeof value === 'object' && !Array.isArray(value);

/** Reads the members of a JSON body of the control API; a member of the wrong type is refused by name. */
export class Body {
  readonly #values: Readonly<Record<string, unknown>>;

  constructor(values: Readonly<Record<string, unknown>>) {
    this.#values = values;
  }

  static parse(text: string): Body {
    if (text.trim() === '') return new Body({});
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      throw invalid('The body is not JSON.');
    }
    if (!isRecord(value)) throw invalid('The body must be a JSON object.');
    return new Body(value);
  }

  text(key: string): string | undefined {
    return this.#read(key, 'a string', (value): value is string => typeof value === 'string');
  }

  required(key: string): string {
    const value = this.text(key);
    if (value === undefined) throw invalid(`Missing required param: ${key}.`, key, 'parameter_missing');
    return value;
  }

  integer(key: string): number | undefined {
    return this.#read(key, 'an integer', (value): value is number => Number.isSafeInteger(value));
  }

  flag(key: string): boolean | undefined {
    return this.#read(key, 'true or false', (value): value is boolean => typeof value === 'boolean');
  }

  oneOf<const T extends string>(key: string, allowed: readonly T[]): T | undefined {
    const text = this.text(key);
    if (text === undefined) return undefined;
    const found = allowed.find((one) => one === text);
    if (found === undefined) throw invalid(`${key} must be one of ${allowed.join(', ')}`, key);
    return found;
  }

  integers(key: string): readonly number[] | undefined {
    return this.#read(
      key,
      'a list of integers',
      (value): value is number[] => Array.isArray(value) && value.every(Number.isSafeInteger),
    );
  }

  texts(key: string): readonly string[] | undefined {
    return this.#read(
      key,
      'a list of strings',
      (value): value is string[] => Array.isArray(value) && value.every((one) => typeof one === 'string'),
    );
  }

  list(key: string): readonly Body[] | undefined {
    const records = this.#read(
      key,
      'a list of objects',
      (value): value is Record<string, unknown>[] => Array.isArray(value) && value.every(isRecord),
    );
    return records?.map((one) => new Body(one));
  }

  #read<T>(key: string, what: string, is: (value: unknown) => value is T): T | undefined {
    const value = this.#values[key];
    if (value === undefined || value === null) return undefined;
    if (!is(value)) throw invalid(`${key} must be ${what}`, key);
    return value;
  }
}

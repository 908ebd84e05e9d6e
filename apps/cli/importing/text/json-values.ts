import { isObject } from '../fields.js';
import { SourceBroken } from '../source.js';

/** One record of a JSON file: `at` names its number and the line on which it begins; `value` is undefined where it is no JSON. */
export type JsonRecord = { readonly at: string; readonly value: unknown };

/** An API's page holds hundreds of records; what is larger is a brace that is never closed, or a file that has to be split. */
const MOST_CHARACTERS = 16 * 1024 * 1024;

/**
 * The records of a JSON file: elements of an array, one value a line, or the pages of a list API one after the other, whose records
 * are under one of `lists`. A record that is no JSON is given as such. Throws SourceBroken where one does not end.
 */
export async function* jsonRecords(
  chunks: AsyncIterable<string>,
  lists: readonly string[],
): AsyncGenerator<JsonRecord> {
  const splitter = new JsonSplitter();
  let number = 0;
  const recordsOf = function* (values: readonly Value[]): Generator<JsonRecord> {
    for (const { line, text } of values) {
      const value = parsed(text);
      for (const record of unwrapped(value, lists)) {
        number += 1;
        yield { at: `record ${String(number)} (line ${String(line)})`, value: record };
      }
    }
  };
  for await (const chunk of chunks) yield* recordsOf(splitter.take(chunk));
  yield* recordsOf(splitter.end());
}

function unwrapped(value: unknown, lists: readonly string[]): readonly unknown[] {
  if (!isObject(value)) return [value];
  for (const name of lists) {
    const list = value[name];
    if (Array.isArray(list)) return list;
  }
  return [value];
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

type Value = { readonly line: number; readonly text: string };

/** Cuts a text into the objects that stand in it, at its top or in one array around them. */
class JsonSplitter {
  #values: Value[] = [];
  #rest = '';
  #depth = 0;
  #inList = false;
  #inText = false;
  #escaped = false;
  #line = 1;
  #begin = 1;

  take(chunk: string): readonly Value[] {
    let start = 0;
    for (let at = 0; at < chunk.length; at += 1) {
      const character = chunk[at];
      if (character === '\n') this.#line += 1;
      if (this.#inText) this.#insideText(character);
      else if (character === '"' && this.#depth > 0) this.#inText = true;
      else if (character === '{' || (character === '[' && this.#depth > 0)) {
        if (this.#depth === 0) [start, this.#begin] = [at, this.#line];
        this.#depth += 1;
      } else if ((character === '}' || character === ']') && this.#depth > 0) {
        this.#depth -= 1;
        if (this.#depth > 0) continue;
        this.#values.push({ line: this.#begin, text: this.#rest + chunk.slice(start, at + 1) });
        [this.#rest, start] = ['', at + 1];
      } else if (this.#depth === 0) this.#between(character);
    }
    if (this.#depth > 0) this.#rest += chunk.slice(start);
    if (this.#rest.length > MOST_CHARACTERS)
      throw new SourceBroken(
        `line ${String(this.#begin)}: an object of more than 16 million characters: it is not closed, or has to be split`,
      );
    const values = this.#values;
    this.#values = [];
    return values;
  }

  end(): readonly Value[] {
    if (this.#depth > 0 || this.#inText)
      throw new SourceBroken(`line ${String(this.#begin)}: an object is not closed; nothing from there on was read`);
    if (this.#inList) throw new SourceBroken(`line ${String(this.#line)}: the list is not closed, the file is cut off`);
    return [];
  }

  #insideText(character: string | undefined): void {
    if (this.#escaped) this.#escaped = false;
    else if (character === '\\') this.#escaped = true;
    else if (character === '"') this.#inText = false;
  }

  /** What may stand around the objects of a file: white space, commas, the brackets of lists. */
  #between(character: string | undefined): void {
    if (character === '[' && !this.#inList) this.#inList = true;
    else if (character === ']' && this.#inList) this.#inList = false;
    else if (character === undefined || !/[\s,]/.test(character))
      throw new SourceBroken(`line ${String(this.#line)}: there must be a JSON object; nothing from there on was read`);
  }
}

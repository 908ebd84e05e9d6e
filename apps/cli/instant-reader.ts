const form = '0000-00-00T00:00:00.000Z';
const hourLength = '0000-00-00T00:'.length;
const hourForm = /^\d{4}-\d{2}-\d{2}T(?:[01]\d|2[0-3]):/;

/**
 * Reads instants that mostly lie in the same hour as the one before, as those of a log do. Gives what `Date.parse` gives; only
 * an hour's first instant needs it.
 */
export class InstantReader {
  /** The newest hour, `2026-11-21T08:`, and its beginning. */
  #hour = ' ';
  #hourMs = NaN;

  /** Milliseconds since the epoch; NaN when the text is no time. */
  msOf(text: string): number {
    if (text.length !== form.length || !text.startsWith(this.#hour)) return this.#read(text);
    const minutes = digits(text, hourLength, 2);
    const seconds = digits(text, hourLength + 3, 2);
    const ms = digits(text, hourLength + 6, 3);
    const marked = text[hourLength + 2] === ':' && text[hourLength + 5] === '.' && text.endsWith('Z');
    if (!marked || !(minutes < 60) || !(seconds < 60) || Number.isNaN(ms)) return Date.parse(text);
    return this.#hourMs + (minutes * 60 + seconds) * 1000 + ms;
  }

  #read(text: string): number {
    if (text.length === form.length && hourForm.test(text)) {
      this.#hour = text.slice(0, hourLength);
      this.#hourMs = Date.parse(`${this.#hour}${form.slice(hourLength)}`);
    }
    return Date.parse(text);
  }
}

/** The number that so many digits are; NaN when something else is among them. */
function digits(text: string, start: number, count: number): number {
  let value = 0;
  for (let place = start; place < start + count; place += 1) {
    const digit = text.charCodeAt(place) - 48;
    if (digit < 0 || digit > 9) return NaN;
    value = value * 10 + digit;
  }
  return value;
}

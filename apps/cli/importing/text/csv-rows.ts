import { SourceBroken } from '../source.js';

/** One row of a CSV file, and the line on which it begins; quoted cells may go over several lines. */
export type CsvRow = { readonly line: number; readonly cells: readonly string[] };

/** A row larger than this is a quote that is never closed. */
const MOST_CHARACTERS = 1024 * 1024;

/**
 * The rows of a CSV text (RFC 4180: commas, double quotes, doubled inside), in batches. Lines end by LF or CRLF; empty lines are
 * left out. Throws SourceBroken for a quote that is not closed, with the line on which it begins.
 */
export async function* csvRows(chunks: AsyncIterable<string>): AsyncGenerator<readonly CsvRow[]> {
  const parser = new CsvParser();
  for await (const chunk of chunks) yield parser.take(chunk);
  yield parser.end();
}

class CsvParser {
  #rows: CsvRow[] = [];
  #cells: string[] = [];
  #cell = '';
  /** How much of the cell was inside of quotes, where a CR ends no line. */
  #quotedLength = 0;
  #state: 'start' | 'plain' | 'quoted' | 'quote' = 'start';
  #line = 1;
  #begin = 1;
  #size = 0;

  take(text: string): readonly CsvRow[] {
    for (let at = 0; at < text.length;) at = this.#state === 'quoted' ? this.#quoted(text, at) : this.#plain(text, at);
    const rows = this.#rows;
    this.#rows = [];
    return rows;
  }

  end(): readonly CsvRow[] {
    if (this.#state === 'quoted') throw this.#unclosed();
    if (this.#cells.length > 0 || this.#cell !== '' || this.#state === 'quote') this.#endRow();
    return this.take('');
  }

  #unclosed(): SourceBroken {
    return new SourceBroken(`line ${String(this.#begin)}: a quoted cell is not closed; nothing from there on was read`);
  }

  /** Takes text inside of quotes; answers where it stopped. */
  #quoted(text: string, from: number): number {
    const quote = text.indexOf('"', from);
    const end = quote < 0 ? text.length : quote;
    const part = text.slice(from, end);
    for (let at = part.indexOf('\n'); at >= 0; at = part.indexOf('\n', at + 1)) this.#line += 1;
    this.#add(part);
    if (quote >= 0) {
      this.#state = 'quote';
      this.#quotedLength = this.#cell.length;
    }
    return end + 1;
  }

  #plain(text: string, from: number): number {
    const character = text[from];
    if (character === '"' && this.#state === 'quote') {
      this.#add('"');
      this.#state = 'quoted';
    } else if (character === '"' && this.#state === 'start') this.#state = 'quoted';
    else if (character === ',') this.#endCell();
    else if (character === '\n') this.#endLine();
    else return this.#run(text, from);
    return from + 1;
  }

  /** Takes all that has no meaning of its own at once. */
  #run(text: string, from: number): number {
    let end = from + 1;
    while (end < text.length && text[end] !== ',' && text[end] !== '\n' && text[end] !== '"') end += 1;
    // A quote inside of an unquoted cell is a character like others.
    if (end < text.length && text[end] === '"' && this.#state !== 'quote') end += 1;
    this.#add(text.slice(from, end));
    if (this.#state === 'start') this.#state = 'plain';
    return end;
  }

  #add(text: string): void {
    this.#cell += text;
    this.#size += text.length;
    if (this.#size > MOST_CHARACTERS) throw this.#unclosed();
  }

  #endCell(): void {
    this.#cells.push(this.#cell);
    this.#cell = '';
    this.#quotedLength = 0;
    this.#state = 'start';
  }

  #endLine(): void {
    if (this.#cell.length > this.#quotedLength && this.#cell.endsWith('\r')) this.#cell = this.#cell.slice(0, -1);
    this.#line += 1;
    if (this.#cells.length > 0 || this.#cell !== '' || this.#state === 'quote') this.#endRow();
    this.#state = 'start';
    this.#begin = this.#line;
    this.#size = 0;
  }

  #endRow(): void {
    this.#cells.push(this.#cell);
    this.#cell = '';
    this.#quotedLength = 0;
    this.#rows.push({ line: this.#begin, cells: this.#cells });
    this.#cells = [];
  }
}

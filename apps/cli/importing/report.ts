import { once } from 'node:events';
import { createWriteStream, type WriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';
import { WrongUse } from '../terminal/command.js';
import type { Output } from '../terminal/output.js';

/** Lines of text that a person is shown; all are in the report file. */
const MOST_SHOWN = 100;

/**
 * The report of an import, written as it comes into being: to a file, one JSON value a line, the summary last; and to stdout, as JSON
 * or, of what a person has to look at, as text.
 */
export class Report {
  #shown = 0;
  #hidden = 0;
  #begun = false;

  private constructor(
    private readonly output: Output,
    private readonly file: WriteStream | null,
    private readonly member: string,
  ) {}

  /** `member`: what the list is called in the JSON answer. Throws WrongUse where the file cannot be written. */
  static async open(output: Output, path: string | null, member: string): Promise<Report> {
    if (path === null) return new Report(output, null, member);
    const file = createWriteStream(path, { mode: 0o600 });
    await once(file, 'open').catch(() => {
      throw new WrongUse(`--report ${path} cannot be written`);
    });
    return new Report(output, file, member);
  }

  /** Adds one entry; `text` is shown to a person, null where nobody has to look at it. */
  async add(entry: object, text: string | null): Promise<void> {
    const line = this.file === null && !this.output.json ? '' : JSON.stringify(entry);
    if (this.file !== null && !this.file.write(`${line}\n`)) await once(this.file, 'drain');
    if (this.output.json) return this.#json(line);
    if (text === null) return;
    if (this.#shown === MOST_SHOWN) {
      this.#hidden += 1;
      return;
    }
    this.#shown += 1;
    this.output.endStatus();
    await this.output.write(`${text}\n`);
  }

  /** Ends it with the summary. */
  async end(summary: object, text: string): Promise<void> {
    this.output.endStatus();
    if (this.file !== null) {
      this.file.end(`${JSON.stringify({ summary })}\n`);
      await finished(this.file);
    }
    if (this.output.json) {
      await this.output.write(`${this.#begun ? '' : `{"${this.member}":[`}],"summary":${JSON.stringify(summary)}}\n`);
      return;
    }
    const more = this.#hidden === 0 ? '' : `… and ${String(this.#hidden)} more: see --report FILE\n`;
    await this.output.write(`${more}${text}\n`);
  }

  async #json(line: string): Promise<void> {
    await this.output.write(`${this.#begun ? ',' : `{"${this.member}":[`}\n${line}`);
    this.#begun = true;
  }
}

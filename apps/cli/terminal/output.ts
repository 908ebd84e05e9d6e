import { once } from 'node:events';
import type { Writable } from 'node:stream';

/** Where a command's answer goes (stdout) and where its progress goes (stderr). */
export class Output {
  #hasStatus = false;
  #hasAnswered = false;
  #lastProgress = '';

  constructor(
    readonly json: boolean,
    private readonly stdout: Writable,
    private readonly stderr: Writable,
  ) {}

  /** The command's answer: `value` as JSON when asked for, else the text made of it. */
  async answer<T>(value: T, text: (value: T) => string): Promise<void> {
    this.endStatus();
    await this.write(`${this.json ? JSON.stringify(value, null, 2) : text(value)}\n`);
  }

  /** Writes to stdout, waiting while the reader is slow. */
  async write(text: string): Promise<void> {
    this.#hasAnswered = true;
    if (!this.stdout.write(text)) await once(this.stdout, 'drain');
  }

  /** One line for whoever waits. Never on stdout. */
  progress(text: string): void {
    this.endStatus();
    this.stderr.write(`${text}\n`);
    this.#lastProgress = text;
  }

  /** The answer of a command that ended badly and gave none: where JSON was asked for, what it said last is the reason. */
  async answerFailure(): Promise<void> {
    if (!this.json || this.#hasAnswered) return;
    await this.write(`${JSON.stringify({ error: { message: this.#lastProgress } }, null, 2)}\n`);
  }

  /** Whether somebody watches: a status line can then be written over. */
  get isWatched(): boolean {
    return 'isTTY' in this.stderr && this.stderr.isTTY === true;
  }

  /** Puts `text` in the place of the last status line. For who watches only. */
  status(text: string): void {
    this.stderr.write(`\r\u001b[K${text}`);
    this.#hasStatus = true;
  }

  /** Takes the status line away. */
  endStatus(): void {
    if (this.#hasStatus) this.stderr.write('\r\u001b[K');
    this.#hasStatus = false;
  }
}

/** Rows in columns as wide as needed. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [headings, ...rows];
  const widths = headings.map((_, column) => Math.max(...all.map((row) => (row[column] ?? '').length)));
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

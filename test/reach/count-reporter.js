import { mkdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';

/** Keeps what each spec of an instrumented copy has counted, with the maps that say what was counted. */
export default class CountReporter {
  #count = 0;

  onTestResult(test, { coverage }) {
    if (coverage === undefined) return;
    const directory = join(import.meta.dirname, '../../counts');
    mkdirSync(directory, { recursive: true });
    this.#count += 1;
    writeFileSync(
      join(directory, `${basename(test.path)}-${process.pid}-${this.#count}.json`),
      JSON.stringify(coverage),
    );
  }
}

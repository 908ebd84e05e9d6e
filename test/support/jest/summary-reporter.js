import { appendFileSync } from 'node:fs';

/**
 * Adds one line `passed failed` a run to the file that TEST_SUMMARY names, for `.ci/run` to add up. A spec that could not be
 * loaded counts as one failed test.
 */
export default class SummaryReporter {
  onRunComplete(_contexts, results) {
    const file = process.env.TEST_SUMMARY;
    if (file === undefined || file === '') return;
    appendFileSync(file, `${results.numPassedTests} ${results.numFailedTests + results.numRuntimeErrorTestSuites}\n`);
  }
}

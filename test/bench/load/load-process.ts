import { fork, type ChildProcess } from 'node:child_process';
import type { Job, JobResult } from './job.js';

/** The load generator in its own process; one job at a time. */
export class LoadProcess {
  readonly #child: ChildProcess;

  /** `execArgv`: flags with which node runs the repository's TypeScript. Like the servers, it has one thread of V8's beside its own. */
  constructor(execArgv: readonly string[] = process.execArgv) {
    this.#child = fork(new URL('generator.ts', import.meta.url), { execArgv: [...execArgv, '--v8-pool-size=1'] });
  }

  /** Runs a job to its end. Rejects when the server could not be reached at all. */
  run(job: Job): Promise<JobResult> {
    return new Promise((resolve, reject) => {
      this.#child.once('message', (message: { result: JobResult } | { failed: string }) => {
        if ('result' in message) resolve(message.result);
        else reject(new Error(`load generator: ${message.failed}`));
      });
      this.#child.send(job);
    });
  }

  stop(): void {
    this.#child.disconnect();
  }
}

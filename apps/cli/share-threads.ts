import { Worker } from 'node:worker_threads';
import type { ShareBytes, ShareTakers } from '#event-store/log-shares.js';
import type { ShareModel, ShareReport } from './share-audit.js';
import type { ShareAnswer, ShareMessage } from './share-audit.worker.js';

/** Most of what an event leaves behind is garbage at once. The rest, what is newest of its stream, is too when it had time enough. */
const resourceLimits = { maxYoungGenerationSizeMb: 60 };
const roomBytes = 128 * 1024;
/** So many pieces may wait for a thread: enough that none runs out of work while others are given theirs. */
const waitingMax = 8;

type Thread = {
  readonly worker: Worker;
  /** Pieces that it has been given and is not done with. */
  waiting: number;
  /** Settled when it has caught up; null when there is nothing to catch up with. */
  behind: PromiseWithResolvers<void> | null;
  readonly report: PromiseWithResolvers<ShareReport>;
};

/** Threads that audit a share of the log each. When one of them fails, everything that is asked of them fails. */
export class ShareThreads implements ShareTakers {
  readonly #threads: readonly Thread[];
  readonly #spare: SharedArrayBuffer[] = [];
  #failure: Error | null = null;

  /** @param progress told how many events are done. */
  constructor(of: number, models: readonly ShareModel[], progress: (events: number) => void) {
    this.#threads = Array.from({ length: of }, () => this.#start(models, progress));
  }

  take(share: number, bytes: ShareBytes): Promise<void> | undefined {
    if (this.#failure !== null) throw this.#failure;
    const thread = this.#threads[share];
    if (thread === undefined) return undefined;
    tell(thread, bytes);
    thread.waiting += 1;
    if (thread.waiting >= waitingMax) thread.behind ??= Promise.withResolvers();
    return thread.behind?.promise;
  }

  room(): SharedArrayBuffer {
    return this.#spare.pop() ?? new SharedArrayBuffer(roomBytes);
  }

  /** All shares have been given out, to their end. */
  endPass(): void {
    for (const thread of this.#threads) tell(thread, 'ended');
  }

  /** What the shares came to. */
  reports(): Promise<readonly ShareReport[]> {
    for (const thread of this.#threads) tell(thread, 'report');
    return Promise.all(this.#threads.map(({ report }) => report.promise));
  }

  async end(): Promise<void> {
    await Promise.all(this.#threads.map(({ worker }) => worker.terminate()));
  }

  #start(models: readonly ShareModel[], progress: (events: number) => void): Thread {
    const program = new URL(import.meta.resolve('./share-audit.worker.js'));
    const worker = new Worker(program, { workerData: models, resourceLimits });
    const thread: Thread = { worker, waiting: 0, behind: null, report: Promise.withResolvers() };
    thread.report.promise.catch(() => undefined); // a thread may fail before it is asked
    worker.on('message', (answer: ShareAnswer) => {
      if ('report' in answer) {
        thread.report.resolve(answer.report);
        return;
      }
      if (answer.memory.byteLength === roomBytes) this.#spare.push(answer.memory);
      this.#catchUp(thread);
      progress(answer.events);
    });
    worker.once('error', (error) => {
      this.#fail(error instanceof Error ? error : new Error('a thread failed'));
    });
    worker.once('exit', () => {
      this.#fail(new Error('a thread ended early'));
    });
    return thread;
  }

  #catchUp(thread: Thread): void {
    thread.waiting -= 1;
    if (thread.waiting > waitingMax / 2) return;
    thread.behind?.resolve();
    thread.behind = null;
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const { behind, report } of this.#threads) {
      behind?.reject(error);
      report.reject(error);
    }
  }
}

const tell = ({ worker }: Thread, message: ShareMessage): void => {
  worker.postMessage(message);
};

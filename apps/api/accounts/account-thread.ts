import { Worker } from 'node:worker_threads';
import type { Config } from '#config/env.js';
import type { WriteStatistics } from '#event-store/write-limits.js';
import type { Answer } from '../http/outcomes.js';
import type { AccountOrder } from './account-order.js';
import type { ThreadMessage, ThreadNews } from './account-thread.worker.js';
import { Accounts } from './accounts.js';

/**
 * Account commands carried out in a thread of their own: it decides, hashes and stores while this one reads requests and writes
 * answers. There is one such thread in a process, so that all accounts share its group commit and none is written from two places.
 */
export class AccountThread extends Accounts {
  #statistics: WriteStatistics = {
    batches: 0,
    commands: 0,
    events: 0,
    conflicts: 0,
    duplicates: 0,
    unknownOutcomes: 0,
    waiting: 0,
  };
  #orders: AccountOrder[] = [];
  #numbered = 0;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #responding: PromiseWithResolvers<void> | null = null;
  #closing = false;

  private constructor(
    private readonly worker: Worker,
    lost: (error: unknown) => void,
  ) {
    super();
    worker.on('message', (news: ThreadNews) => {
      this.#hear(news);
    });
    worker.on('error', lost);
    worker.on('exit', () => {
      if (!this.#closing) lost(new Error('the thread of the accounts has ended'));
    });
  }

  /**
   * Starts the thread. Fails as opening the log fails: when the database cannot be reached.
   * @param lost called when the thread has ended by itself, by a bug: nobody knows what became of the commands under way.
   */
  static async start(
    config: Config & { databaseUrl: string },
    lost: (error: unknown) => void,
    program = new URL(import.meta.resolve('./account-thread.worker.js')),
  ): Promise<AccountThread> {
    const worker = new Worker(program, { workerData: config });
    await new Promise<void>((ready, failed) => {
      worker.once('message', () => {
        worker.off('error', failed);
        ready();
      });
      worker.once('error', failed);
    });
    return new AccountThread(worker, lost);
  }

  override get statistics(): WriteStatistics {
    return { ...this.#statistics, waiting: this.#waiting.size };
  }

  override answerOf(order: AccountOrder): Promise<Answer> {
    return new Promise((answered) => {
      this.#waiting.set(this.#numbered + this.#orders.length, answered);
      // What is asked in the same turn is handed over together.
      if (this.#orders.push(order) === 1) {
        setImmediate(() => {
          this.#handOver();
        });
      }
    });
  }

  override responds(): Promise<void> {
    if (this.#responding === null) {
      this.#responding = Promise.withResolvers();
      this.#tell('respond');
    }
    return this.#responding.promise;
  }

  override async close(): Promise<void> {
    this.#closing = true;
    const ended = new Promise((resolve) => this.worker.once('exit', resolve));
    this.#handOver();
    this.#tell('close');
    await ended;
  }

  #handOver(): void {
    if (this.#orders.length === 0) return;
    this.#tell({ first: this.#numbered, orders: JSON.stringify(this.#orders) });
    this.#numbered += this.#orders.length;
    this.#orders = [];
  }

  #tell(message: ThreadMessage): void {
    this.worker.postMessage(message);
  }

  #hear(news: ThreadNews): void {
    if (news === 'ready') return;
    if (news === 'responds') {
      this.#responding?.resolve();
      this.#responding = null;
      return;
    }
    this.#statistics = news.statistics;
    const { numbers, statuses, replayed, bodies, retryAfters } = news.answers;
    for (const [index, number] of numbers.entries()) {
      this.#waiting.get(number)?.({
        status: statuses[index] ?? 500,
        replayed: replayed[index] ?? false,
        body: bodies[index] ?? '',
        retryAfter: retryAfters[index] ?? null,
      });
      this.#waiting.delete(number);
    }
  }
}

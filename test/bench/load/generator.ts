import { Histogram } from '../histogram.js';
import { Connection } from './connection.js';
import type { Job, JobResult } from './job.js';
import { requestMaker } from './requests.js';

const settleMs = 10_000;

type OpenLoop = Extract<Job['loop'], { readonly kind: 'open' }>;

/** Runs one job and reports; the process then waits for the next. Its own process, so that it never blocks what it measures. */
class Generator {
  readonly #latencies = new Histogram();
  readonly #statuses: Record<string, number> = {};
  readonly #make: (n: number) => string;
  readonly #idle: Connection[] = [];
  #sent = 0;
  #answered = 0;
  #failures = 0;
  #pending = 0;
  #measureFrom = 0;
  #measureTo = 0;

  constructor(readonly job: Job) {
    this.#make = requestMaker(job);
  }

  async run(): Promise<JobResult> {
    const { job } = this;
    const connections = await Promise.all(
      Array.from({ length: job.connections }, () => Connection.open(job.host, job.port)),
    );
    this.#idle.push(...connections);
    const begin = performance.now();
    this.#measureFrom = begin + job.warmUpSeconds * 1000;
    this.#measureTo = this.#measureFrom + job.seconds * 1000;
    const cpu = process.cpuUsage();
    if (job.loop.kind === 'closed') {
      for (const connection of this.#idle.splice(0)) this.#next(connection);
      while (this.#pending > 0) await pause(5);
    } else {
      await this.#openLoop(job.loop, begin);
    }
    const end = performance.now();
    const used = process.cpuUsage(cpu);
    for (const connection of connections) connection.close();
    const seconds = (Math.min(end, this.#measureTo) - this.#measureFrom) / 1000;
    return {
      seconds,
      sent: this.#sent,
      answers: this.#answered,
      perSecond: this.#answered / seconds,
      statuses: this.#statuses,
      failures: this.#failures,
      latency: this.#latencies.summary(),
      generatorCpu: (used.user + used.system) / 1000 / (end - begin),
    };
  }

  #done(now: number): boolean {
    return now >= this.#measureTo || (this.job.atMost !== null && this.#sent >= this.job.atMost);
  }

  /** Closed loop: the next request when the last is answered. */
  #next(connection: Connection): void {
    const now = performance.now();
    if (!connection.isOpen || this.#done(now)) return;
    this.#send(connection, now, () => {
      this.#next(connection);
    });
  }

  /** Open loop: a request is due at a fixed instant; what has to wait for a free connection waits on the clock's account. */
  async #openLoop({ rate, giveUp = false }: OpenLoop, begin: number): Promise<void> {
    let due = 0;
    const at = (n: number): number => begin + (n * 1000) / rate;
    const ended = (): boolean => this.#done(giveUp ? performance.now() : at(due));
    const sendDue = (): void => {
      const now = performance.now();
      while (at(due) <= now && !ended()) {
        const connection = this.#idle.shift(); // in turn: none may be idle for so long that the server closes it
        if (connection === undefined) return;
        if (!connection.isOpen) continue;
        this.#send(connection, at(due), () => {
          this.#idle.push(connection);
          sendDue();
        });
        due += 1;
      }
    };
    while (!ended()) {
      sendDue();
      if (this.#idle.length === 0 && this.#pending === 0) return; // the server is gone
      await pause(1);
    }
    const settledBy = performance.now() + settleMs;
    while (this.#pending > 0 && performance.now() < settledBy) await pause(5);
    this.#failures += this.#pending;
  }

  #send(connection: Connection, from: number, then: () => void): void {
    this.#sent += 1;
    this.#pending += 1;
    const request = this.#make(this.#sent);
    connection.send(
      request,
      (status) => {
        this.#pending -= 1;
        const now = performance.now();
        const counts =
          this.job.loop.kind === 'open' ? from >= this.#measureFrom : now >= this.#measureFrom && now < this.#measureTo;
        if (counts) {
          this.#answered += 1;
          this.#statuses[status] = (this.#statuses[status] ?? 0) + 1;
          this.#latencies.record((now - from) * 1000);
        }
        then();
      },
      () => {
        this.#pending -= 1;
        this.#failures += 1;
      },
    );
  }
}

const pause = (ms: number): Promise<void> => new Promise((resume) => setTimeout(resume, ms));

process.on('message', (job: Job) => {
  void new Generator(job).run().then(
    (result) => process.send?.({ result }),
    (error: unknown) => process.send?.({ failed: error instanceof Error ? error.message : String(error) }),
  );
});
process.on('disconnect', () => {
  process.exit(0);
});

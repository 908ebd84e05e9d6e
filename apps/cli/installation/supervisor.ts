import type { Clock } from '#kernel/clock.js';
import { Child, type Exit, type ProgramName } from './child.js';

const readyWithinMs = 60_000;
/** The programs themselves drain for at most ten seconds. */
const drainMs = 12_000;
const firstBackOffMs = 500;
const longestBackOffMs = 15_000;
/** A program that ran this long before it crashed starts again without delay. */
const healthyMs = 60_000;
const crashesInARow = 10;

/** A program did not start, or crashed again and again. */
export class ProgramFailed extends Error {
  override readonly name = 'ProgramFailed';
}

/** What everything else is stopped for when it cannot be kept running. */
const essential: ReadonlySet<ProgramName> = new Set<ProgramName>(['api', 'worker']);

/**
 * Keeps programs running: starts one again when it crashes, ever more slowly, and gives up after ten crashes in a row. The ledger
 * goes on without a sandbox.
 */
export class Supervisor {
  readonly #children = new Map<ProgramName, Child>();
  readonly #stopping = new AbortController();
  #giveUp: (reason: ProgramFailed) => void = () => undefined;
  /** Rejects with ProgramFailed when a program cannot be kept running. */
  readonly failed = new Promise<never>((_resolve, reject) => {
    this.#giveUp = reject;
  });

  constructor(
    private readonly clock: Clock,
    private readonly print: (text: string) => void,
    private readonly onLine: (line: string) => void,
    private readonly onChange: (pids: { readonly [name: string]: number }) => Promise<void>,
  ) {
    this.failed.catch(() => undefined);
  }

  /** Starts a program and resolves when it is ready. Throws ProgramFailed. */
  async start(name: ProgramName, environment: NodeJS.ProcessEnv): Promise<{ readonly url?: string }> {
    const child = await this.#spawn(name, environment);
    const timeout = new AbortController();
    const ready = await Promise.race([
      child.ready,
      child.exited,
      this.clock.sleep(readyWithinMs, timeout.signal).then(() => null),
    ]);
    timeout.abort();
    if (ready === null) throw new ProgramFailed(`${name} was not ready within ${String(readyWithinMs / 1_000)} s`);
    if ('code' in ready) throw new ProgramFailed(`${name} did not start (${wordsOf(ready)})`);
    void this.#watch(child, environment);
    return ready;
  }

  /** Ends all programs: in order, and by force when they take too long. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all([...this.#children.values()].map((child) => this.#end(child)));
  }

  async #spawn(name: ProgramName, environment: NodeJS.ProcessEnv): Promise<Child> {
    const child = Child.start(name, environment, this.onLine);
    this.#children.set(name, child);
    void child.exited.then(() => {
      if (this.#children.get(name) === child) this.#children.delete(name);
    });
    await this.onChange(Object.fromEntries([...this.#children].map(([key, { pid }]) => [key, pid])));
    return child;
  }

  async #watch(first: Child, environment: NodeJS.ProcessEnv): Promise<void> {
    let child = first;
    for (let crashes = 0; ;) {
      const startedAt = this.clock.now();
      const exit = await child.exited;
      if (this.#stopping.signal.aborted) return;
      crashes = this.clock.now() - startedAt > healthyMs ? 1 : crashes + 1;
      if (crashes > crashesInARow) {
        const failed = `${first.name} crashed ${String(crashesInARow)} times in a row`;
        if (essential.has(first.name)) this.#giveUp(new ProgramFailed(failed));
        else this.print(`${failed} and is not started again`);
        return;
      }
      const waitMs = Math.min(longestBackOffMs, firstBackOffMs * 2 ** (crashes - 1));
      this.print(`${first.name} ended (${wordsOf(exit)}); starting it again in ${String(waitMs / 1_000)} s`);
      await this.clock.sleep(waitMs, this.#stopping.signal);
      if (this.#stopping.signal.aborted) return;
      child = await this.#spawn(first.name, environment);
      void child.ready.then(() => {
        this.print(`${first.name} runs again`);
      });
    }
  }

  async #end(child: Child): Promise<void> {
    child.kill('SIGTERM');
    const drained = new AbortController();
    const late = this.clock.sleep(drainMs, drained.signal).then(() => 'late' as const);
    if ((await Promise.race([child.exited, late])) === 'late') {
      this.print(`${child.name} did not end in time and is killed`);
      child.kill('SIGKILL');
    }
    drained.abort();
    await child.exited;
  }
}

const wordsOf = ({ code, signal }: Exit): string => (signal === null ? `exit code ${String(code)}` : signal);

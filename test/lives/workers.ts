import { fork, type ChildProcess } from 'node:child_process';
import type { Batch, Played } from './play.js';
import type { Answer } from './worker.js';

/** Processes that play lives: one for each core, because a life is bound by CPU. */
export class Workers {
  readonly #children: readonly ChildProcess[];

  constructor(count: number) {
    this.#children = Array.from({ length: count }, () => fork(new URL('worker.ts', import.meta.url)));
  }

  /** Plays all batches, each in the next process that is free, and answers them as they are done. */
  async playAll(batches: readonly Batch[], done: (played: Played) => Promise<void> | void): Promise<void> {
    const waiting = [...batches];
    await Promise.all(
      this.#children.map(async (child) => {
        for (let batch = waiting.shift(); batch !== undefined; batch = waiting.shift())
          await done(await ask(child, batch));
      }),
    );
  }

  close(): void {
    for (const child of this.#children) child.disconnect();
  }
}

function ask(child: ChildProcess, batch: Batch): Promise<Played> {
  return new Promise((resolve, reject) => {
    const gone = (code: number | null): void => {
      reject(new Error(`a process that plays lives ended with ${String(code)}`));
    };
    child.once('exit', gone);
    child.once('message', (answer: Answer) => {
      child.off('exit', gone);
      if ('played' in answer) resolve(answer.played);
      else reject(new Error(answer.failed));
    });
    child.send(batch);
  });
}

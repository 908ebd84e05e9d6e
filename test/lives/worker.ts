import { play, type Batch, type Played } from './play.js';

export type Answer = { readonly played: Played } | { readonly failed: string };

const answer = (message: Answer): void => void process.send?.(message);

/** Plays the batches that the parent process sends, one at a time. */
process.on('message', (batch: Batch) => {
  play(batch).then(
    (played) => {
      answer({ played });
    },
    (error: unknown) => {
      answer({ failed: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    },
  );
});

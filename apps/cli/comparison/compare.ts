import { once } from 'node:events';
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { DatabaseError } from '#database/errors.js';
import { ledgerCodec, type LedgerEvent } from '#ledger/events.js';
import { compareProjections, type Comparison } from '#projecting/comparison/compare.js';
import { projectionsFor } from '#projections/registry.js';
import type { CliEnvironment } from '../cli.module.js';

/** What the thread is given: the variables of the program, and where the database is. */
export type Given = { readonly variables: NodeJS.ProcessEnv; readonly databaseUrl: string };
/** What the thread answers with. */
export type Answered = { readonly comparisons: readonly Comparison[] } | { readonly unavailable: string };

/** Built, or as it is written. */
const program = new URL(`thread${extname(import.meta.url)}`, import.meta.url);
/** A page of the log is garbage as soon as it is folded: more room for such would only make the program larger. */
const resourceLimits = { maxYoungGenerationSizeMb: 16 };

/**
 * Compares read models with an independent fold of the log: all, or those named. Throws StoreUnavailable and DatabaseError.
 */
export async function compareAll(
  environment: CliEnvironment,
  names: readonly string[] | null,
): Promise<readonly Comparison[]> {
  const [store, database] = [await environment.store(), await environment.database()];
  const chosen = projectionsFor(store).filter(({ name }) => names === null || names.includes(name));
  return compareProjections<LedgerEvent>(store, database, ledgerCodec.decode, chosen);
}

/**
 * Compares all read models on a thread of its own, which reads the log by itself: an audit checks the log meanwhile. Throws
 * DatabaseError where the log or the database cannot be read.
 */
export async function compareOnThread(environment: CliEnvironment): Promise<readonly Comparison[]> {
  const workerData: Given = { variables: environment.variables, databaseUrl: await environment.databaseUrl() };
  const thread = new Worker(program, { workerData, resourceLimits });
  const [answer] = (await once(thread, 'message')) as [Answered];
  if ('unavailable' in answer) throw new DatabaseError(null, answer.unavailable);
  return answer.comparisons;
}

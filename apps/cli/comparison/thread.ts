import { parentPort, workerData } from 'node:worker_threads';
import { DatabaseError } from '#database/errors.js';
import { StoreUnavailable } from '#event-store/port/event-store.js';
import { CliEnvironment } from '../cli.module.js';
import { compareAll, type Answered, type Given } from './compare.js';

/** The thread of `compareOnThread`. A bug ends it, and is thrown to the thread that waits for it. */
async function answer({ variables, databaseUrl }: Given): Promise<Answered> {
  const environment = CliEnvironment.from(variables).withDatabase(databaseUrl);
  try {
    return { comparisons: await compareAll(environment, null) };
  } catch (error) {
    if (error instanceof DatabaseError || error instanceof StoreUnavailable) return { unavailable: error.message };
    throw error;
  } finally {
    await environment.close();
  }
}

parentPort?.postMessage(await answer(workerData as Given));

import { parentPort, workerData } from 'node:worker_threads';
import type { ShareBytes } from '#event-store/log-shares.js';
import { ShareAudit, type ShareModel, type ShareReport } from './share-audit.js';

/** What the thread is told. `ended`: a pass is over. `report`: tell what the share came to. */
export type ShareMessage = ShareBytes | 'ended' | 'report';

/** What it answers to bytes and to `report`. `memory` is what it was given, and needs no more. */
export type ShareAnswer =
  { readonly events: number; readonly memory: SharedArrayBuffer } | { readonly report: ShareReport };

const audit = new ShareAudit(workerData as readonly ShareModel[]);

parentPort?.on('message', (message: ShareMessage) => {
  if (message === 'report') parentPort?.postMessage({ report: audit.report() } satisfies ShareAnswer);
  else if (message === 'ended') audit.endPass();
  else {
    const events = audit.take(message);
    parentPort?.postMessage({ events, memory: message.buffer } satisfies ShareAnswer);
  }
});

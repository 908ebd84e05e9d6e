import { parentPort, workerData } from 'node:worker_threads';
import { auditShare, type ShareTask } from './share-audit.js';

const tellEvery = 20_000;

let told = 0;
let done = 0;
const report = await auditShare(workerData as ShareTask, (events) => {
  done += events;
  if (done - told < tellEvery) return;
  parentPort?.postMessage({ progress: done - told });
  told = done;
});
parentPort?.postMessage({ progress: done - told });
parentPort?.postMessage({ report });

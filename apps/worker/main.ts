import 'reflect-metadata';
import { runProgram } from '#config/run-program.js';
import { startWorker } from './worker.module.js';

await runProgram('worker', startWorker, (_, logger) => {
  logger.info('working');
});

import 'reflect-metadata';
import { availableParallelism } from 'node:os';
import { runProgram } from '#config/run-program.js';
import { startApi } from './api.module.js';

const accountThread = availableParallelism() > 1;

await runProgram(
  'api',
  (config, logger, clock) => startApi(config, logger, { clock, accountThread }),
  ({ url, metricsUrl }, logger) => {
    logger.info({ url, ...(metricsUrl === null ? {} : { metricsUrl }) }, 'listening');
  },
);

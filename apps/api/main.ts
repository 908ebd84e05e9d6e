import 'reflect-metadata';
import { runProgram } from '#config/run-program.js';
import { startApi } from './start.js';

await runProgram('api', startApi, ({ url, metricsUrl }, logger) => {
  logger.info({ url, ...(metricsUrl === null ? {} : { metricsUrl }) }, 'listening');
});

import type { Logger as PinoLogger } from '#config/logger.js';

/** The token under which the worker's parts get their logger. */
export abstract class Logger {
  abstract readonly info: PinoLogger['info'];
  abstract readonly warn: PinoLogger['warn'];
  abstract readonly error: PinoLogger['error'];
}

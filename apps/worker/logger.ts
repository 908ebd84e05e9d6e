import type { Logger as PinoLogger } from '#config/logger.js';
import { StreamCorrupt } from '#event-store/writing/stream-loader.js';
import { AssertionFailed } from '#kernel/assert.js';
import { ConsumerHalted } from './decoded.js';

/** The token under which the worker's parts get their logger. */
export abstract class Logger {
  abstract readonly info: PinoLogger['info'];
  abstract readonly warn: PinoLogger['warn'];
  abstract readonly error: PinoLogger['error'];
}

/** What does not pass by itself. */
const faults = [ConsumerHalted, AssertionFailed, StreamCorrupt];

/** Logs why a consumer stopped; as an error where a person has to act. */
export const reportTo =
  (logger: Logger, consumer: string) =>
  (error: unknown): void => {
    const { name: type, message } = error instanceof Error ? error : { name: 'unknown', message: '' };
    const level = faults.some((fault) => error instanceof fault) ? 'error' : 'warn';
    logger[level]({ consumer, error: { type, message } }, 'stopped at its checkpoint');
  };

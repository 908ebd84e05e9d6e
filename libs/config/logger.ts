import { pino, stdTimeFunctions, type DestinationStream, type Logger } from 'pino';
import type { LogLevel } from './env.js';

export type { Logger };

/** Members that never reach the log, wherever a caller puts them: secrets, people, and raw payloads. */
const redacted = [
  'authorization',
  'apiKey',
  'secret',
  'token',
  'password',
  'email',
  'name',
  'payload',
  'body',
  'headers',
];

/**
 * A logger of JSON lines with `time` (RFC 3339), `level`, `process` and `msg`. Errors are logged by type, message and stack.
 * @param destination stdout unless given.
 */
export function createLogger(name: string, level: LogLevel, destination?: DestinationStream): Logger {
  const options = {
    level,
    base: { process: name, pid: process.pid },
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: { paths: redacted.flatMap((member) => [member, `*.${member}`, `*.*.${member}`]), censor: '[redacted]' },
  };
  return destination === undefined ? pino(options) : pino(options, destination);
}

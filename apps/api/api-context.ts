import type { Config } from '#config/env.js';
import type { Logger } from '#config/logger.js';

/** What the environment has decided, and where to log; for injection. */
export class ApiContext {
  constructor(
    readonly config: Config,
    readonly logger: Logger,
  ) {}
}

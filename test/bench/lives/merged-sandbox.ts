import { loadConfig } from '../../../apps/stripe-sandbox/config.js';
import { kinds } from '../../../apps/stripe-sandbox/core/model.js';
import { Sandbox } from '../../../apps/stripe-sandbox/core/sandbox.js';
import { World } from '../../../apps/stripe-sandbox/core/world.js';
import { startSandbox, type RunningSandbox } from '../../../apps/stripe-sandbox/http/server.js';
import { program } from '../../../apps/stripe-sandbox/program.js';
import type { Life } from '../../lives/story/life.js';
import { copyTable } from '../../lives/story/stripe-account.js';

/** Stripe lists events for so long. */
const LISTED_SECONDS = 30 * 86_400;

/** What Stripe holds of all lives so far, as they were at their end. */
export class MergedStripe {
  readonly #world: World;

  constructor(private readonly end: number) {
    this.#world = new World(1, end, 'http://127.0.0.1');
  }

  add(lives: readonly Life[]): void {
    for (const { stripe } of lives) {
      for (const kind of kinds) if (kind !== 'webhook_endpoint') copyTable(stripe.world, this.#world, kind);
      for (const event of stripe.world.events.values())
        if (event.created >= this.end - LISTED_SECONDS) this.#world.events.set(event.id, event);
    }
  }

  /** Answers over HTTP for all of it. */
  async listen(): Promise<RunningSandbox> {
    const config = loadConfig({ SANDBOX_PORT: '0', SANDBOX_START_TIME: String(this.end) });
    const running = await startSandbox(config);
    const events = [...this.#world.events.values()].sort((a, b) => a.created - b.created);
    this.#world.events.clear();
    for (const event of events) this.#world.events.set(event.id, event);
    running.runtime.sandbox = new Sandbox(this.#world, program);
    return running;
  }
}

import { loadConfig } from '../../../apps/stripe-sandbox/config.js';
import { kinds } from '../../../apps/stripe-sandbox/core/model.js';
import { Sandbox } from '../../../apps/stripe-sandbox/core/sandbox.js';
import { World } from '../../../apps/stripe-sandbox/core/world.js';
import { startSandbox, type RunningSandbox } from '../../../apps/stripe-sandbox/http/server.js';
import { program } from '../../../apps/stripe-sandbox/program.js';
import type { Life } from '../../lives/life.js';
import { copyTable } from '../../lives/stripe-account.js';

/** A Stripe that answers over HTTP for all of these lives, as they were at their end. */
export async function mergedSandbox(lives: readonly Life[], end: number): Promise<RunningSandbox> {
  const config = loadConfig({ SANDBOX_PORT: '0', SANDBOX_START_TIME: String(end) });
  const running = await startSandbox(config);
  const world = new World(1, end, running.url);
  for (const { stripe } of lives) {
    for (const kind of kinds) if (kind !== 'webhook_endpoint') copyTable(stripe.world, world, kind);
  }
  const events = lives.flatMap(({ stripe }) => [...stripe.world.events.values()]);
  for (const event of events.sort((a, b) => a.created - b.created)) world.events.set(event.id, event);
  running.runtime.sandbox = new Sandbox(world, program);
  return running;
}

import { Clients } from './client.js';
import { judge } from './oracles.js';
import { ACTIVE_MS, planOf, type Plan, type Step } from './plan.js';
import type { Probes } from './probes.js';
import type { Sabotage } from './sabotage.js';
import { usageBooks } from './usage-oracle.js';
import { user, Users } from './users.js';
import { World } from './world.js';

/** How long everything may take to come right once all faults are over. */
const HEAL_MS = 45_000;

export type Verdict = { readonly wrong: readonly string[]; readonly probes: Probes; readonly events: number };

/** Plays a plan to its end and judges the world. The same plan gives the same verdict, always. */
export async function play(plan: Plan, sabotage: Sabotage | null = null): Promise<Verdict> {
  const world = new World(plan, sabotage);
  await world.start();
  const clients = new Clients(world);
  const users = new Users(world);
  users.enter();
  const begin = world.time.now;
  for (const step of plan.steps) world.time.after(step.at, () => take(world, { clients, users }, step));
  await world.time.run(begin + ACTIVE_MS, () => false);
  world.heal();
  // The session that links the Stripe customer comes at the latest now: what waited for it must be found.
  clients.deliverWebhook(0);
  const healed = world.time.now;
  // Late writes land, clients learn how their commands ended, workers catch up.
  const idle = await world.time.run(
    healed + HEAL_MS,
    () => clients.idle && users.idle && world.time.now > healed + 20_000,
  );
  const caughtUp = await world.time.run(healed + 2 * HEAL_MS, () => isCaughtUp(world));
  const wrong = judge(world, clients.commands);
  wrong.push(...usageBooks(world.server.log.streams.get(user) ?? [], users.asked));
  if (!idle) wrong.push('O6 a client still does not know how its command ended');
  if (!caughtUp) wrong.push('O6 the read model or the inbox does not catch up');
  count(world);
  return { wrong, probes: world.probes, events: world.server.log.events.length };
}

function isCaughtUp({ server, readModel, inboxState, time }: World): boolean {
  const head = server.log.events.at(-1);
  if (head === undefined) return true;
  const settled = time.now > Date.parse((JSON.parse(head.metadata) as { recordedAt: string }).recordedAt) + 12_000;
  const parked = inboxState.parked.size;
  return settled && readModel.checkpoint === head.position && parked === 0;
}

type Callers = { readonly clients: Clients; readonly users: Users };

function take(world: World, { clients, users }: Callers, step: Step): void {
  const { time, probes, server } = world;
  switch (step.kind) {
    case 'command':
      clients.send(step);
      return;
    case 'again':
      clients.sendAgain(step.of, step.otherBody);
      return;
    case 'use':
      users.send(step);
      return;
    case 'webhook':
      clients.deliverWebhook(step.index);
      return;
    case 'kill':
      world.kill(step.process);
      time.after(step.downMs, () => {
        if (world.processes[step.process]?.life.alive === false) world.boot(step.process);
      });
      return;
    case 'outage':
      probes.hit('store outage');
      server.away = true;
      server.outages += 1;
      time.after(step.ms, () => (server.away = false));
      return;
    case 'clock': {
      probes.hit('clock jumped');
      const process = world.processes[step.process];
      if (process !== undefined) process.skewMs = step.skewMs;
    }
  }
}

function count(world: World): void {
  for (const { handlers } of world.processes) {
    const unknown = handlers?.account.statistics.unknownOutcomes ?? 0;
    if (unknown > 0) world.probes.hit('unknown outcome settled', unknown);
  }
  if (world.snapshots.loads > 0) world.probes.hit('snapshot used', world.snapshots.loads);
  if (world.inboxState.everParked) world.probes.hit('Stripe event parked');
}

/** Leaves out of a failing plan whatever it fails without, in ever smaller pieces. */
export async function shrink(plan: Plan, sabotage: Sabotage | null, tries = 200): Promise<Plan> {
  let smallest = plan;
  let left = tries;
  const stillFails = async (candidate: Plan): Promise<boolean> => {
    left -= 1;
    return (await play(candidate, sabotage)).wrong.length > 0;
  };
  for (const name of Object.keys(plan.faults) as (keyof Plan['faults'])[]) {
    const without = { ...smallest, faults: { ...smallest.faults, [name]: 0 } };
    if (left > 0 && smallest.faults[name] > 0 && (await stillFails(without))) smallest = without;
  }
  for (
    let size = Math.ceil(smallest.steps.length / 2);
    size >= 1 && left > 0;
    size = size === 1 ? 0 : Math.ceil(size / 2)
  ) {
    for (let start = 0; start < smallest.steps.length && left > 0;) {
      const without = { ...smallest, steps: smallest.steps.toSpliced(start, size) };
      if (await stillFails(without)) smallest = without;
      else start += size;
    }
  }
  return smallest;
}

/** Plays the seeds from `first` on and stops at the first that fails. */
export async function playSeeds(
  first: number,
  count: number,
  probes: Probes,
  sabotage: Sabotage | null = null,
): Promise<{ seed: number; wrong: readonly string[] } | null> {
  for (let seed = first; seed < first + count; seed += 1) {
    const verdict = await play(planOf(seed), sabotage);
    probes.add(verdict.probes);
    if (verdict.wrong.length > 0) return { seed, wrong: verdict.wrong };
  }
  return null;
}

import type { Config } from '../config.js';
import { Sandbox } from '../core/sandbox.js';
import { World } from '../core/world.js';
import { program } from '../program.js';
import { useEndpoint } from '../resources/events.js';
import { MovableClock } from './movable-clock.js';
import { SnapshotFile, type Kept } from './snapshot-file.js';
import { WebhookSender } from './webhook-sender.js';

const tickMs = 500;
const systemSeconds = (): number => Math.floor(Date.now() / 1000);

/** The running sandbox: state machine, clock, webhook sender and data file, driven by requests and a tick. */
export class Runtime {
  sandbox: Sandbox;
  sender: WebhookSender;
  readonly clock: MovableClock;
  readonly #config: Config;
  readonly #site: string;
  readonly #file: SnapshotFile | null;
  readonly #ticker: NodeJS.Timeout;
  #advancing: Promise<void> = Promise.resolve();
  #moving = false;

  private constructor(config: Config, site: string, kept: Kept | null) {
    this.#config = config;
    this.#site = site;
    this.clock =
      kept === null
        ? MovableClock.startingAt(config.startTime, systemSeconds)
        : MovableClock.kept(kept.clock, systemSeconds);
    const world = kept?.world ?? new World(config.seed, this.clock.now(), site);
    const toKeep = (): Kept => ({ world: this.sandbox.world, clock: this.clock.state });
    this.#file = config.dataFile === null ? null : new SnapshotFile(config.dataFile, toKeep);
    this.sandbox = new Sandbox(world, program);
    this.sender = this.#newSender();
    this.#useDefaultEndpoint();
    this.#ticker = setInterval(() => this.tick(), tickMs);
  }

  static async open(config: Config, site: string): Promise<Runtime> {
    const kept = config.dataFile === null ? null : await SnapshotFile.read(config.dataFile, site);
    return new Runtime(config, site, kept);
  }

  /** Brings the world to the clock's time and sends what is due. */
  tick(): void {
    if (!this.#moving) this.sandbox.advanceTo(this.clock.now());
    this.sender.pump();
  }

  /** Tells that something may have changed: due webhooks go out, the file is written soon. */
  changed(): void {
    this.sender.pump();
    this.#file?.changed();
  }

  /** Resolves when what has changed so far is kept; at once without a data file. */
  kept(): Promise<void> {
    return this.#file?.written() ?? Promise.resolve();
  }

  /**
   * Moves the clock to `target`, instant by instant. With `deliver`, what an instant makes due is sent and answered before
   * the next one, so that a receiver lives through the time in order. Calls queue up behind each other.
   */
  advance(target: number, deliver: boolean): Promise<void> {
    this.#advancing = this.#advancing.then(() => this.#move(target, deliver));
    return this.#advancing;
  }

  /** Forgets everything and starts from the configuration again. */
  reset(): void {
    this.sender.close();
    this.sandbox = new Sandbox(new World(this.#config.seed, this.clock.now(), this.#site), program);
    this.sender = this.#newSender();
    this.#useDefaultEndpoint();
  }

  async close(): Promise<void> {
    clearInterval(this.#ticker);
    this.sender.close();
    await this.#file?.close();
  }

  async #move(target: number, deliver: boolean): Promise<void> {
    const wasFrozen = this.clock.frozen;
    this.#moving = true;
    this.clock.freeze();
    try {
      for (;;) {
        const due = this.#nextDue();
        if (due === null || due > target) break;
        if (!this.sandbox.runNextInstant(due)) this.sandbox.advanceTo(due);
        this.clock.set(this.sandbox.world.now);
        if (deliver) await this.sender.settle();
        else if (this.sandbox.nextTimer() === null) break;
      }
      this.sandbox.advanceTo(target);
      this.clock.set(Math.max(target, this.sandbox.world.now));
      if (deliver) await this.sender.settle();
    } finally {
      this.#moving = false;
      if (!wasFrozen) this.clock.unfreeze();
    }
  }

  /** The next instant at which there is work: a timer, or the retry of a webhook. */
  #nextDue(): number | null {
    const { world } = this.sandbox;
    let next = this.sandbox.nextTimer();
    for (const id of world.waiting) {
      const at = world.deliveries.get(id)?.dueAt ?? null;
      if (at !== null && at > world.now && (next === null || at < next)) next = at;
    }
    return next;
  }

  #newSender(): WebhookSender {
    return new WebhookSender(this.sandbox, this.#config.webhookConcurrency, () => this.#file?.changed());
  }

  #useDefaultEndpoint(): void {
    const { webhook } = this.#config;
    if (webhook !== null) this.sandbox.step((tx) => useEndpoint(tx, webhook));
  }
}

import { kinds, type EventType, type Kind, type Tables, type Thing } from './model.js';
import { TimerQueue } from './timers.js';

export type RequestInfo = { readonly id: string | null; readonly idempotency_key: string | null };

/** A fact as it happened: the object's value then, and its value before when it was an update. Rendered when it is read. */
export type StoredEvent = {
  readonly id: string;
  readonly type: EventType;
  readonly created: number;
  readonly object: Thing;
  readonly previous: Thing | null;
  readonly request: RequestInfo;
};

export type Delivery = {
  readonly id: string;
  readonly event: string;
  readonly endpoint: string;
  readonly attempts: number;
  /** When the next attempt is due (sandbox clock); null when it ended. */
  readonly dueAt: number | null;
  readonly status: 'pending' | 'delivered' | 'failed';
  readonly lastStatus: number | null;
  readonly lastError: string | null;
};

export type StoredAnswer = {
  readonly fingerprint: string;
  readonly status: number;
  readonly body: string;
  readonly requestId: string;
  readonly at: number;
};

/** Account settings that Stripe keeps in its Dashboard, changed through the control API. */
export type Settings = {
  /** Days after the first failure at which a renewal's payment is tried again. */
  readonly dunningDays: readonly number[];
  /** What happens to the subscription when the last retry failed. */
  readonly afterDunning: 'cancel' | 'unpaid' | 'past_due';
  readonly uncollectibleAfterDunning: boolean;
  readonly upcomingDays: number;
  readonly draftSeconds: number;
  readonly retentionDays: number;
};

/** Faults on request; counts go down as they are used. The README says what each does. */
export type Faults = {
  readonly declineNext: number;
  readonly declineCode: string;
  readonly requests: readonly RequestFault[];
  readonly duplicate: number;
  readonly reorder: boolean;
  readonly delaySeconds: number;
  readonly drop: number;
  readonly twoIds: number;
};
export type RequestFault = {
  readonly fault: 'rate_limit' | 'server_error' | 'slow' | 'lose_answer';
  readonly times: number;
  readonly path: string | null;
  readonly milliseconds: number;
};

export const noFaults: Faults = {
  declineNext: 0,
  declineCode: 'generic_decline',
  requests: [],
  duplicate: 0,
  reorder: false,
  delaySeconds: 0,
  drop: 0,
  twoIds: 0,
};

export const defaultSettings: Settings = {
  dunningDays: [1, 3, 5, 7, 9, 11, 12, 14],
  afterDunning: 'cancel',
  uncollectibleAfterDunning: false,
  upcomingDays: 7,
  draftSeconds: 3600,
  retentionDays: 30,
};

/** The id of what an object belongs to, for the kinds that are looked up that way. */
const owners: { readonly [K in Kind]?: (thing: Tables[K]) => string | null } = {
  payment_method: (method) => method.customer,
  invoiceitem: (item) => item.customer,
  invoice: (invoice) => invoice.customer,
  subscription: (subscription) => subscription.customer,
  invoice_payment: (payment) => payment.invoice,
  refund: (refund) => refund.charge,
  dispute: (dispute) => dispute.charge,
  charge: (charge) => charge.payment_intent,
  credit_note: (note) => note.invoice,
  customer_balance_transaction: (transaction) => transaction.customer,
  'billing.credit_balance_transaction': (transaction) => transaction.credit_grant,
  'checkout.session': (session) => (typeof session.payment_link === 'string' ? session.payment_link : null),
  price: (price) => price.product,
  'billing.meter_event': (event) => `${event.sandbox.meter}:${event.sandbox.customer}`,
};

export const ownerOf = <K extends Kind>(kind: K, thing: Tables[K]): string | null => owners[kind]?.(thing) ?? null;

/** Everything the sandbox knows. Only `Tx.commit` and the webhook bookkeeping change it. */
export class World {
  now: number;
  readonly seed: number;
  /** Where the sandbox's own pages are: `http://127.0.0.1:12111`. */
  readonly site: string;
  sequence = 0;
  readonly tables: { readonly [K in Kind]: Map<string, Tables[K]> };
  readonly byOwner = new Map<string, Set<string>>();
  readonly events = new Map<string, StoredEvent>();
  readonly deliveries = new Map<string, Delivery>();
  /** The deliveries that still have an attempt to come. */
  readonly waiting = new Set<string>();
  readonly answers = new Map<string, StoredAnswer>();
  readonly timers = new TimerQueue();
  /** The work of customers that live by a test clock, which waits for that clock. */
  readonly clockTimers = new Map<string, TimerQueue>();
  settings: Settings = defaultSettings;
  faults: Faults = noFaults;

  constructor(seed: number, now: number, site: string) {
    this.seed = seed;
    this.site = site;
    this.now = now;
    this.tables = Object.fromEntries(
      kinds.map((kind) => [kind, new Map<string, never>()]),
    ) as unknown as World['tables'];
  }

  /** Puts an object in its table and keeps the index by owner. */
  store<K extends Kind>(kind: K, id: string, thing: Tables[K]): void {
    const table: Map<string, Tables[K]> = this.tables[kind];
    const old = table.get(id);
    const before = old === undefined ? null : ownerOf(kind, old);
    const after = ownerOf(kind, thing);
    if (before !== after && before !== null) this.byOwner.get(`${kind}:${before}`)?.delete(id);
    if (after !== null && (before !== after || old === undefined)) {
      const key = `${kind}:${after}`;
      const ids = this.byOwner.get(key) ?? new Set<string>();
      ids.add(id);
      this.byOwner.set(key, ids);
    }
    table.set(id, thing);
  }

  /** The queue of a test clock; null: that of the sandbox's own clock. */
  timersOf(clock: string | null): TimerQueue {
    if (clock === null) return this.timers;
    const queue = this.clockTimers.get(clock) ?? new TimerQueue();
    this.clockTimers.set(clock, queue);
    return queue;
  }

  erase(kind: Kind, id: string): void {
    const thing = this.tables[kind].get(id);
    if (thing === undefined) return;
    const owner = ownerOf(kind, thing as never);
    if (owner !== null) this.byOwner.get(`${kind}:${owner}`)?.delete(id);
    this.tables[kind].delete(id);
  }
}

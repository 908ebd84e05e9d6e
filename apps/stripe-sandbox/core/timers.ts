/** Work that an object asked to be done at a time of the sandbox's clock. Whoever does it checks that it is still due. */
export type Task =
  | { readonly task: 'settle_payment'; readonly id: string; readonly succeeds: boolean }
  | { readonly task: 'settle_refund'; readonly id: string; readonly succeeds: boolean }
  | { readonly task: 'open_dispute'; readonly id: string }
  | { readonly task: 'payment_settled'; readonly id: string }
  | { readonly task: 'invoice_paid'; readonly id: string }
  | { readonly task: 'invoice_unpaid'; readonly id: string }
  | { readonly task: 'finalize_invoice'; readonly id: string }
  | { readonly task: 'retry_invoice'; readonly id: string }
  | { readonly task: 'renew'; readonly id: string }
  | { readonly task: 'announce_renewal'; readonly id: string }
  | { readonly task: 'announce_trial_end'; readonly id: string }
  | { readonly task: 'cancel_subscription'; readonly id: string }
  | { readonly task: 'expire_incomplete'; readonly id: string }
  | { readonly task: 'expire_pending_update'; readonly id: string }
  | { readonly task: 'resume_collection'; readonly id: string }
  | { readonly task: 'schedule_phase'; readonly id: string }
  | { readonly task: 'announce_schedule_end'; readonly id: string }
  | { readonly task: 'end_discount'; readonly id: string }
  | { readonly task: 'end_redemption'; readonly id: string }
  | { readonly task: 'expire_session'; readonly id: string }
  | { readonly task: 'expire_credit_grant'; readonly id: string }
  | { readonly task: 'advance_clock'; readonly id: string };

export type Timer = { readonly at: number; readonly rank: number; readonly sequence: number; readonly task: Task };

/** At one instant a discount ends before what it is no longer off, a schedule's phase changes before the renewal that bills it, and a cancellation wins over a renewal. */
const ranks: Readonly<Partial<Record<Task['task'], number>>> = {
  end_discount: 0,
  schedule_phase: 1,
  cancel_subscription: 2,
  renew: 3,
};

export const rankOf = (task: Task): number => ranks[task.task] ?? 5;

const before = (a: Timer, b: Timer): boolean =>
  a.at !== b.at ? a.at < b.at : a.rank !== b.rank ? a.rank < b.rank : a.sequence < b.sequence;

/** A binary heap of timers: the earliest first, equal times by rank, then in the order they were set. */
export class TimerQueue {
  readonly #heap: Timer[] = [];

  get size(): number {
    return this.#heap.length;
  }

  all(): readonly Timer[] {
    return this.#heap;
  }

  peek(): Timer | undefined {
    return this.#heap[0];
  }

  push(timer: Timer): void {
    const heap = this.#heap;
    let index = heap.length;
    heap.push(timer);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || !before(timer, above)) break;
      heap[index] = above;
      index = parent;
    }
    heap[index] = timer;
  }

  pop(): Timer | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    let index = 0;
    for (;;) {
      const left = heap[2 * index + 1];
      const right = heap[2 * index + 2];
      const useRight = left !== undefined && right !== undefined && before(right, left);
      const child = useRight ? right : left;
      if (child === undefined || !before(child, last)) break;
      heap[index] = child;
      index = 2 * index + (useRight ? 2 : 1);
    }
    heap[index] = last;
    return first;
  }
}

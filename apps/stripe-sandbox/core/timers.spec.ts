import { describe, expect, it } from '@jest/globals';
import { TimerQueue, rankOf, type Task } from './timers.js';

describe('timers', () => {
  it('come by time, then rank, then order of setting, whatever the order of pushing', () => {
    const queue = new TimerQueue();
    const expected: number[][] = [];
    let state = 7;
    for (let sequence = 0; sequence < 500; sequence += 1) {
      state = (state * 48_271) % 2_147_483_647;
      const at = state % 40;
      const task: Task = {
        task: (['renew', 'cancel_subscription', 'schedule_phase', 'retry_invoice'] as const)[state % 4] ?? 'renew',
        id: 'x',
      };
      queue.push({ at, rank: rankOf(task), sequence, task });
      expected.push([at, rankOf(task), sequence]);
    }
    expected.sort((a, b) => a[0]! - b[0]! || a[1]! - b[1]! || a[2]! - b[2]!);
    const popped: number[][] = [];
    for (let timer = queue.pop(); timer !== undefined; timer = queue.pop())
      popped.push([timer.at, timer.rank, timer.sequence]);
    expect(popped).toEqual(expected);
    expect(queue.size).toBe(0);
  });
});

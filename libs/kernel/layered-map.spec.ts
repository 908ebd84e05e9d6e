import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { LayeredMap } from './layered-map.js';

type Step = { readonly key: number; readonly value: number | null } | 'fork' | 'drop' | 'merge';

const steps = fc.array(
  fc.oneof(
    fc.record({ key: fc.nat(5), value: fc.oneof(fc.nat(9), fc.constant(null)) }),
    fc.constantFrom<Step>('fork', 'drop', 'merge'),
  ),
);

test('forked, merged and dropped in any way, it holds what copies of plain maps hold', () => {
  fc.assert(
    fc.property(steps, (all) => {
      const layers = [LayeredMap.empty<number, number>()];
      const copies = [new Map<number, number>()];
      for (const step of all) {
        const [layer, copy] = [layers.at(-1)!, copies.at(-1)!];
        if (step === 'fork') {
          layers.push(layer.fork());
          copies.push(new Map(copy));
        } else if (step === 'drop' || step === 'merge') {
          if (layers.length === 1) continue;
          layers.pop();
          copies.pop();
          if (step === 'drop') continue;
          layers[layers.length - 1] = layer.merge();
          copies[copies.length - 1] = copy;
        } else if (step.value === null) {
          layer.delete(step.key);
          copy.delete(step.key);
        } else {
          layer.set(step.key, step.value);
          copy.set(step.key, step.value);
        }
        const [now, plain] = [layers.at(-1)!, copies.at(-1)!];
        expect(new Map(now.entries())).toEqual(plain);
        expect(now.size).toBe(plain.size);
        for (let key = 0; key <= 5; key += 1) expect(now.get(key)).toBe(plain.get(key));
      }
    }),
  );
});

import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, expect, test } from '@jest/globals';
import Stripe from 'stripe';

const run = promisify(execFile);
const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), 'scrip-fixtures-'));
afterAll(() => {
  rmSync(scratch, { recursive: true });
});

type Fixture = { readonly file: string; readonly text: string };

const fixtures: readonly Fixture[] = readdirSync(at('./fixtures/stripe/'))
  .map((file) => ({ file, text: readFileSync(at(`./fixtures/stripe/${file}`), 'utf8') }))
  .filter(({ text }) => (JSON.parse(text) as { api_version: string }).api_version === Stripe.API_VERSION);

/**
 * A fixture leaves out what no test reads. What it has must have the names and types of the package, down to the values of enumerations.
 * The package leaves enumerations open for values to come; here they are closed. It does not have `total_count`, which lists within a webhook have.
 */
const preamble = `import type Stripe from 'stripe';
type Literal<T> = T extends string ? (string extends T ? never : T) : never;
type Closed<T> = [Literal<T>] extends [never] ? T : Exclude<T, string> | Literal<T>;
type Part<T> = T extends readonly (infer Item)[] ? readonly Part<Item>[] : T extends object
  ? { readonly [Key in keyof T]?: Part<Closed<T[Key]>> } & (T extends { object: 'list' } ? { readonly total_count?: number } : unknown)
  : T;
type Told<Type extends Stripe.Event['type']> = Part<Extract<Stripe.Event, { type: Type }>>;
`;

/** What the compiler says against the fixtures, each as the event that it is of. */
async function complaintsOf(list: readonly Fixture[]): Promise<string> {
  const files = list.map(({ file, text }) => {
    const { type } = JSON.parse(text) as { type: string };
    writeFileSync(
      join(scratch, `${file}.ts`),
      `${preamble}export const event = ${text.trim()} satisfies Told<'${type}'>;\n`,
    );
    return `${file}.ts`;
  });
  const compilerOptions = {
    ...{ strict: true, noEmit: true, module: 'nodenext', target: 'es2023', skipLibCheck: true, types: [] },
    paths: { stripe: [at('../node_modules/stripe')] },
  };
  writeFileSync(join(scratch, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }));
  const compiler = [at('../node_modules/typescript-native/bin/tsc'), '-p', scratch];
  return run(process.execPath, compiler).then(
    () => '',
    (failure: { stdout: string }) => failure.stdout,
  );
}

test('every recorded event of the version that the stripe package knows is of its types', async () => {
  expect(fixtures.length).toBeGreaterThan(40);
  expect(await complaintsOf(fixtures)).toBe('');
});

test.each([
  ['a value that Stripe does not know', '"charge_automatically"', '"by_hand"', 'by_hand'],
  ['a field that Stripe does not have', '"status": "paid"', '"status": "paid", "paid": true', 'paid'],
  ['text for a number', '"amount_paid": 2320', '"amount_paid": "2320"', 'string'],
])('%s would be found', async (_what, from, to, found) => {
  const fixture = fixtures.find(({ file }) => file.startsWith('invoice.paid.'))!;
  expect(fixture.text).toContain(from);
  expect(await complaintsOf([{ ...fixture, text: fixture.text.replace(from, to) }])).toContain(found);
});

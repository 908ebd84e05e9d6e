import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { catalogStream } from '#kernel/stream-name.js';
import { differences, ignoresOtherwise, type Catalog, type CatalogState, type Difference } from '#ledger/catalog.js';
import { withKnownPrices } from '#stripe/operations/catalog.js';
import { parseCatalog } from '../catalog/file.js';
import type { CliEnvironment } from '../cli.module.js';
import { WrongUse, type Call, type Command, type ExitCode } from '../terminal/command.js';

type Change = {
  readonly kind: 'added' | 'changed' | 'retired';
  readonly what: string;
  readonly id: string;
  readonly detail: string;
};

/** Reads CATALOG_FILE or `file`. Throws WrongUse when it cannot be read, CatalogFileError when it breaks its rules. */
export async function readCatalog(environment: CliEnvironment, file: string | null): Promise<Catalog> {
  const path = file ?? environment.config.catalogFile;
  const text = await readFile(path, 'utf8').catch(() => {
    throw new WrongUse(`the catalogue file ${path} cannot be read: name one, or set CATALOG_FILE`);
  });
  return parseCatalog(text);
}

/**
 * Makes the catalogue of the log equal to `wanted`, in one append, and answers what changed. Safe to repeat. Stripe prices that
 * were recorded stay where `wanted` names none.
 * Throws when the store cannot take it.
 */
export async function applyCatalog(environment: CliEnvironment, wanted: Catalog): Promise<readonly Change[]> {
  const { catalog: handler } = await environment.ledger();
  const { state } = await handler.load(catalogStream);
  const catalog = withKnownPrices(wanted, state);
  const changes = changesTo(state, catalog);
  const outcome = await handler.execute({
    stream: catalogStream,
    command: { type: 'ApplyCatalog', catalog },
    key: null, // harmless to repeat: an equal catalogue changes nothing
    origin: 'cli',
    fingerprint: null,
    actor: 'cli',
    causationId: null,
    correlationId: randomUUID(),
  });
  if (outcome.kind === 'recorded') return changes;
  if (outcome.kind === 'unchanged') return [];
  throw new Error(`the catalogue was not applied: ${outcome.kind}`);
}

function changesTo(state: CatalogState, catalog: Catalog): readonly Change[] {
  return [
    ...differences(state.plans, catalog.plans).map((found) => changeOf('plan', found)),
    ...differences(state.creditProducts, catalog.creditProducts).map((found) => changeOf('credit product', found)),
    ...differences(state.creditEvents, catalog.creditEvents).map((found) => changeOf('credit event', found)),
    ...ruleChanges(state, catalog),
  ];
}

function ruleChanges(state: CatalogState, { ignore = [] }: Catalog): readonly Change[] {
  if (!ignoresOtherwise(state, ignore)) return [];
  const detail = `${String(state.ignore.length)} → ${String(ignore.length)}`;
  return [{ kind: 'changed', what: 'rules to set aside', id: 'ignore', detail }];
}

function changeOf(what: string, difference: Difference<object>): Change {
  const { kind, id } = difference;
  if (kind !== 'changed') return { kind, what, id, detail: '' };
  const [present, wanted] = [new Map(Object.entries(difference.present)), Object.entries(difference.wanted)];
  const detail = wanted
    .map(([member, value]) => [member, JSON.stringify(present.get(member)), JSON.stringify(value)] as const)
    .filter(([, before, after]) => before !== after)
    .map(([member, before, after]) => `${member}: ${String(before)} → ${after}`);
  return { kind, what, id, detail: detail.join(', ') };
}

const signs = { added: '+', changed: '~', retired: '-' };

/** One line a change. */
export const describeChanges = (changes: readonly Change[]): string =>
  changes.length === 0
    ? 'nothing to change'
    : changes
        .map(({ kind, what, id, detail }) => `${signs[kind]} ${what} ${id}${detail === '' ? '' : `  (${detail})`}`)
        .join('\n');

async function diff({ environment, output }: Call, file: string | null): Promise<ExitCode> {
  const catalog = await readCatalog(environment, file);
  const { state } = await (await environment.ledger()).catalog.load(catalogStream);
  const changes = changesTo(state, withKnownPrices(catalog, state));
  await output.answer({ changes }, () => describeChanges(changes));
  return changes.length === 0 ? 0 : 1;
}

async function apply({ environment, output }: Call, file: string | null): Promise<ExitCode> {
  const changes = await applyCatalog(environment, await readCatalog(environment, file));
  await output.answer({ changes }, () => describeChanges(changes));
  return 0;
}

export const catalogCommands: readonly Command[] = [
  {
    name: 'catalog diff',
    summary: 'Show what applying the catalogue file would change (exit 1 when it would)',
    positionals: ['[FILE]'],
    run: (call) => diff(call, call.argument(0)),
  },
  {
    name: 'catalog apply',
    summary: 'Make the catalogue equal to the file (default: CATALOG_FILE)',
    positionals: ['[FILE]'],
    run: (call) => apply(call, call.argument(0)),
  },
];

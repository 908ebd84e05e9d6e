import type { Instant } from '#kernel/instant.js';
import { WrongUse } from '../../terminal/command.js';
import { compareDecimals, decimalOf, decimalText, minus, type Decimal } from '../decimal.js';
import { Fields, isObject } from '../fields.js';
import { SourceBroken, type LotSource, type SourceLot, type SourceRecord } from '../source.js';
import { TextFile } from '../text/chunks.js';
import { jsonRecords } from '../text/json-values.js';

const MOST_PRIORITY = 100;
const lists = ['items', 'data'];

/** An entitlement, as far as its grants need it. */
type Entitlement = {
  readonly customerId: string;
  readonly featureKey: string;
  /** When unused balances roll over next, or lapse. */
  readonly resetsAt: Instant | null;
  /** What is left of each grant; null where no history says it. */
  readonly balances: Fields | null;
};

export type OpenMeterFiles = {
  readonly grants: string;
  readonly entitlements: string;
  /** The feature whose grants become credits. */
  readonly feature: string;
  /** Takes what was granted for what is left, where no history says more. */
  readonly fullAmounts: boolean;
  readonly unit: string;
};

/**
 * Lots of OpenMeter's grants (`GET /api/v1/grants`). Their entitlements (`GET /api/v1/entitlements`) say whose they are; with its
 * `history` (`GET …/history`) each entitlement says what is left of them. Throws WrongUse where a file is missing or cannot be read.
 */
export async function openMeterSource(files: OpenMeterFiles): Promise<LotSource> {
  const grants = await TextFile.open(files.grants);
  const entitlements = await entitlementsOf(await TextFile.open(files.entitlements));
  const records = async function* (): AsyncGenerator<SourceRecord> {
    for await (const { at, value } of jsonRecords(grants.chunks(), lists))
      if (isObject(value)) yield* lotsOf(at, value, entitlements, files);
      else yield { kind: 'unreadable', at, externalId: null, customerId: null, reason: 'it is no JSON object' };
  };
  return { records: records(), progress: grants.progress };
}

async function entitlementsOf(file: TextFile): Promise<ReadonlyMap<string, Entitlement>> {
  const entitlements = new Map<string, Entitlement>();
  try {
    for await (const { at, value } of jsonRecords(file.chunks(), lists)) {
      if (!isObject(value)) throw new WrongUse(`${file.path}: ${at} is no JSON object`);
      const fields = new Fields(value);
      const customer = fields.text('customerKey') ?? fields.text('subjectKey');
      if (customer === null) fields.problems.push('customerKey or subjectKey is needed');
      const [id, featureKey] = [fields.needed('id'), fields.needed('featureKey')];
      const period = new Fields(fields.object('currentUsagePeriod') ?? {});
      const resetsAt = period.instant('to');
      const problems = [...fields.problems, ...period.problems];
      if (problems.length > 0) throw new WrongUse(`${file.path}: ${at}: ${problems.join('; ')}`);
      entitlements.set(id, {
        customerId: customer ?? '',
        featureKey,
        resetsAt,
        balances: balancesOf(fields.object('history')),
      });
    }
  } catch (error) {
    if (error instanceof SourceBroken) throw new WrongUse(`${file.path}: ${error.message}`);
    throw error;
  }
  return entitlements;
}

/** What the newest segment of a burn-down history has left of each grant; a grant that it does not name is not active. */
function balancesOf(history: { readonly [name: string]: unknown } | null): Fields | null {
  const segments = history?.['burndownHistory'];
  const newest: unknown = Array.isArray(segments) ? segments.at(-1) : undefined;
  const balances = isObject(newest) ? newest['grantBalancesAtEnd'] : undefined;
  return isObject(balances) ? new Fields(balances) : null;
}

function* lotsOf(
  at: string,
  value: { readonly [name: string]: unknown },
  entitlements: ReadonlyMap<string, Entitlement>,
  files: OpenMeterFiles,
): Generator<SourceRecord> {
  const fields = new Fields(value);
  const externalId = fields.needed('id');
  const entitlementId = fields.needed('entitlementId');
  const entitlement = entitlements.get(entitlementId);
  if (entitlementId !== '' && entitlement === undefined)
    fields.problems.push(`the entitlement ${entitlementId} is not among the entitlements`);
  const granted = fields.decimal('amount');
  fields.needed('amount');
  const times = { effectiveAt: fields.instant('effectiveAt'), expiresAt: fields.instant('expiresAt') };
  const [voidedAt, recursAt] = [fields.instant('voidedAt'), fields.instant('nextRecurrence')];
  const [most, least] = [fields.decimal('maxRolloverAmount'), fields.decimal('minRolloverAmount')];
  const given = fields.whole('priority', 0, 255) ?? 1;
  const left = entitlement === undefined || granted === null ? null : leftOf(externalId, granted, entitlement, files);
  if (entitlement !== undefined && left === null && granted !== null && voidedAt === null)
    fields.problems.push(
      'how much of it is left is not known: add the history of its entitlement, or give --full-amounts',
    );
  if (entitlement === undefined || fields.problems.length > 0) {
    const customerId = entitlement?.customerId ?? null;
    yield { kind: 'unreadable', at, externalId, customerId, reason: fields.problems.join('; ') };
    return;
  }
  const isOther = entitlement.featureKey !== files.feature;
  const lot: SourceLot = {
    kind: 'lot',
    at,
    externalId,
    customer: { id: entitlement.customerId, name: null, email: null },
    unit: files.unit,
    left: left ?? decimalOf(0),
    source: 'promotion',
    priority: Math.min(given, MOST_PRIORITY),
    ...times,
    costBasis: null,
    adjustments: given > MOST_PRIORITY ? [`priority ${String(given)} becomes ${String(MOST_PRIORITY)}`] : [],
    endedBecause: isOther
      ? `it is of the feature ${entitlement.featureKey}`
      : voidedAt === null
        ? null
        : `it was voided at ${voidedAt}`,
  };
  if (lot.endedBecause !== null) yield lot;
  else yield* untilNextTurn(lot, { recursAt, resetsAt: entitlement.resetsAt, most, least });
}

function leftOf(id: string, granted: Decimal, { balances }: Entitlement, files: OpenMeterFiles): Decimal | null {
  if (balances !== null) return balances.decimal(id) ?? decimalOf(0);
  return files.fullAmounts ? granted : null;
}

type Turn = {
  readonly recursAt: Instant | null;
  readonly resetsAt: Instant | null;
  readonly most: Decimal | null;
  readonly least: Decimal | null;
};

/**
 * A grant that recurs is filled up anew at its next turn, and one that rolls over keeps at most so much at the next reset. What is left
 * now is imported until then; what comes later is a plan's business. A part that rolls over is a lot of its own.
 */
function* untilNextTurn(lot: SourceLot, { recursAt, resetsAt, most, least }: Turn): Generator<SourceLot> {
  const tops = least !== null && least.digits > 0n;
  const notes = [
    ...lot.adjustments,
    ...(tops ? [`it is not filled up to ${decimalText(least)} at a reset: use a plan for it`] : []),
  ];
  if (recursAt !== null) {
    const note = `it does not recur: what is left lapses at ${recursAt}; use a plan for the months to come`;
    yield { ...lot, expiresAt: earliest(lot.expiresAt, recursAt), adjustments: [...notes, note] };
    return;
  }
  if (resetsAt === null || most === null || compareDecimals(most, lot.left) >= 0) {
    yield { ...lot, adjustments: notes };
    return;
  }
  const lapsing = minus(lot.left, most);
  const note = `${decimalText(lapsing)} of it do not roll over and lapse at the reset at ${resetsAt}`;
  const ends = earliest(lot.expiresAt, resetsAt);
  yield { ...lot, left: lapsing, expiresAt: ends, adjustments: [...notes, note] };
  if (most.digits > 0n)
    yield {
      ...lot,
      externalId: `${lot.externalId}:rollover`,
      left: most,
      adjustments: [...notes, 'the part that rolls over'],
    };
}

const earliest = (a: Instant | null, b: Instant): Instant => (a === null || b < a ? b : a);

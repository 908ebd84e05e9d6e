import { MAX_AMOUNT, type Money } from '#kernel/amount.js';
import { WrongUse } from '../../terminal/command.js';
import { compareDecimals, decimalOf, decimalText, plus, type Decimal } from '../decimal.js';
import { Fields, isObject } from '../fields.js';
import { SourceBroken, type LotSource, type SourceLot, type SourceRecord } from '../source.js';
import { TextFile } from '../text/chunks.js';
import { jsonRecords, type JsonRecord } from '../text/json-values.js';

const usualPriority = 50;

/** A wallet, as far as its transactions need it. */
type Wallet = {
  readonly at: string;
  readonly customerId: string;
  readonly currency: string;
  readonly rate: string;
  readonly priority: number;
  readonly balance: Decimal;
  readonly base: Omit<SourceLot, 'left' | 'source' | 'costBasis' | 'adjustments'>;
};

type Lago = { readonly unit: string; worth: string | null };

/**
 * Lots of Lago's wallets (`GET /api/v1/wallets`): one a wallet; or, with the wallet transactions, one for each top-up with what is left
 * of it, its cost where it was bought, and a check that they sum to their wallet's balance. Throws WrongUse where a file is missing.
 */
export async function lagoSource(wallets: string, transactions: string | null, unit: string): Promise<LotSource> {
  const file = await TextFile.open(wallets);
  const lago: Lago = { unit, worth: null };
  if (transactions === null) return { records: lotsOfWallets(file, lago), progress: file.progress };
  const further = await TextFile.open(transactions);
  const known = await walletsOf(file, lago);
  return { records: lotsOfTransactions(known, further), progress: further.progress };
}

async function* lotsOfWallets(file: TextFile, lago: Lago): AsyncGenerator<SourceRecord> {
  for await (const record of jsonRecords(file.chunks(), ['wallets'])) {
    const wallet = walletOf(record, lago);
    if ('kind' in wallet) yield wallet;
    else
      yield {
        ...wallet.base,
        left: wallet.balance,
        source: 'adjustment',
        costBasis: null,
        adjustments: ['without --transactions it is not known what was bought: no cost, source adjustment'],
      };
  }
}

async function walletsOf(file: TextFile, lago: Lago): Promise<ReadonlyMap<string, Wallet | SourceRecord>> {
  const wallets = new Map<string, Wallet | SourceRecord>();
  try {
    for await (const record of jsonRecords(file.chunks(), ['wallets'])) {
      const wallet = walletOf(record, lago);
      wallets.set('kind' in wallet ? record.at : wallet.base.externalId, wallet);
    }
  } catch (error) {
    if (error instanceof SourceBroken) throw new WrongUse(`${file.path}: ${error.message}`);
    throw error;
  }
  return wallets;
}

function walletOf({ at, value }: JsonRecord, lago: Lago): Wallet | Extract<SourceRecord, { kind: 'unreadable' }> {
  if (!isObject(value))
    return { kind: 'unreadable', at, externalId: null, customerId: null, reason: 'it is no JSON object' };
  const fields = new Fields(value);
  const externalId = fields.needed('lago_id');
  const customerId = fields.needed('external_customer_id');
  const [currency, rate] = [fields.needed('currency'), fields.decimal('rate_amount')];
  const balance = fields.decimal('credits_balance');
  fields.needed('credits_balance');
  fields.needed('rate_amount');
  const status = fields.oneOf('status', ['active', 'terminated'] as const);
  const priority = fields.whole('priority', 0, 100) ?? usualPriority;
  const base = {
    kind: 'lot' as const,
    at,
    externalId,
    customer: { id: customerId, name: null, email: null },
    unit: lago.unit,
    priority,
    effectiveAt: fields.instant('created_at'),
    expiresAt: fields.instant('expiration_at'),
    endedBecause: status === 'terminated' ? 'the wallet is terminated' : null,
  };
  if (rate !== null) {
    const worth = `${decimalText(rate)} ${currency}`;
    lago.worth ??= worth;
    if (lago.worth !== worth)
      fields.problems.push(
        `a credit of it is worth ${worth}, of the wallets before ${lago.worth}: import them one by one, each --unit for itself`,
      );
  }
  if (balance === null || rate === null || fields.problems.length > 0)
    return { kind: 'unreadable', at, externalId, customerId, reason: fields.problems.join('; ') };
  return { at, customerId, currency: currency.toLowerCase(), rate: decimalText(rate), priority, balance, base };
}

async function* lotsOfTransactions(
  wallets: ReadonlyMap<string, Wallet | SourceRecord>,
  file: TextFile,
): AsyncGenerator<SourceRecord> {
  const sums = new Map<string, Decimal>();
  for (const wallet of wallets.values()) if ('kind' in wallet) yield wallet;
  for await (const { at, value } of jsonRecords(file.chunks(), ['wallet_transactions'])) {
    if (!isObject(value)) {
      yield { kind: 'unreadable', at, externalId: null, customerId: null, reason: 'it is no JSON object' };
      continue;
    }
    if (value['transaction_type'] === 'outbound') continue; // a use, no lot
    const record = lotOf(at, value, wallets);
    const walletId = String(value['lago_wallet_id']);
    if (record.kind === 'lot') sums.set(walletId, plus(sums.get(walletId) ?? decimalOf(0), record.left));
    yield record;
  }
  for (const [id, wallet] of wallets) {
    if ('kind' in wallet || wallet.base.endedBecause !== null) continue;
    const sum = sums.get(id) ?? decimalOf(0);
    if (compareDecimals(sum, wallet.balance) === 0) continue;
    const reason =
      `its top-ups have ${decimalText(sum)} credits left, its balance is ${decimalText(wallet.balance)}: ` +
      'transactions are missing, or were read at another time';
    yield { kind: 'unreadable', at: `wallet, ${wallet.at}`, externalId: id, customerId: wallet.customerId, reason };
  }
}

function lotOf(
  at: string,
  value: { readonly [name: string]: unknown },
  wallets: ReadonlyMap<string, Wallet | SourceRecord>,
): SourceRecord {
  const fields = new Fields(value);
  const externalId = fields.needed('lago_id');
  const walletId = fields.needed('lago_wallet_id');
  const wallet = wallets.get(walletId);
  const isWallet = wallet !== undefined && !('kind' in wallet);
  if (walletId !== '' && !isWallet) fields.problems.push(`the wallet ${walletId} is not among the wallets`);
  fields.oneOf('transaction_type', ['inbound'] as const);
  const status = fields.oneOf('status', ['pending', 'settled', 'failed'] as const);
  const kind = fields.oneOf('transaction_status', ['purchased', 'granted', 'voided', 'invoiced'] as const);
  const isSettled = status === 'settled';
  const left = fields.decimal('remaining_credit_amount');
  if (isSettled && left === null && fields.problems.length === 0)
    fields.problems.push(
      'remaining_credit_amount is needed: the wallet has no traceability, import without --transactions',
    );
  const cents = fields.whole('remaining_amount_cents', 0, MAX_AMOUNT);
  const own = fields.whole('priority', 0, 100) ?? usualPriority;
  const settledAt = fields.instant('settled_at');
  if (!isWallet || fields.problems.length > 0)
    return {
      kind: 'unreadable',
      at,
      externalId,
      customerId: isWallet ? wallet.customerId : null,
      reason: fields.problems.join('; '),
    };
  const isBought = kind === 'purchased';
  const costBasis: Money | null = isBought && cents !== null ? { amount: cents, currency: wallet.currency } : null;
  const bothRanked = own !== usualPriority && wallet.priority !== usualPriority;
  return {
    ...wallet.base,
    at,
    externalId,
    left: left ?? decimalOf(0),
    priority: wallet.priority === usualPriority ? own : wallet.priority,
    effectiveAt: settledAt ?? wallet.base.effectiveAt,
    source: isBought ? 'purchase' : 'promotion',
    costBasis,
    adjustments: [
      ...(bothRanked ? [`its own priority ${String(own)} is left out for its wallet's`] : []),
      ...(isBought && cents === null ? ['remaining_amount_cents is missing: it has no cost'] : []),
    ],
    endedBecause: isSettled ? wallet.base.endedBecause : `it is ${status ?? 'not settled'}, not settled`,
  };
}

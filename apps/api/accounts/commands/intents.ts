import { hash } from 'node:crypto';
import { isSupportedCurrency } from '#kernel/currency.js';
import { parseInstant, type Instant } from '#kernel/instant.js';
import { canonicalJson, type Json } from '#kernel/json.js';
import type { AccountCommand } from '#ledger/account/commands.js';
import type { Resource } from '#ledger/account/events.js';
import type { Pricing } from '../../catalogue/price-list.js';
import type { ApiAccountCommand } from '../../writes/api-account-decider.js';
import type {
  AdjustmentBody,
  CaptureBody,
  ConsumptionBody,
  ExtensionBody,
  GrantBody,
  HoldBody,
  RaiseBody,
  ReasonBody,
  ResourceBody,
  ReversalBody,
  RevocationBody,
  SettingsBody,
} from './bodies.dto.js';

/** What a caller asks of an account, and the fingerprint that distinguishes it from another request with the same key. */
export type AccountIntent = { readonly command: ApiAccountCommand; readonly fingerprint: string };

/**
 * 32 hexadecimal digits of the SHA-256 over what was asked, defaults applied. Null members are left out, so a field that is
 * added later changes no fingerprint of an older request.
 */
export function fingerprintOf(said: { readonly [member: string]: unknown }): string {
  const present: Record<string, Json> = {};
  for (const name in said) {
    const value = said[name];
    if (value !== null && value !== undefined) present[name] = value as Json;
  }
  return hash('sha256', canonicalJson(present), 'hex').slice(0, 32);
}

const intent = (command: AccountCommand): AccountIntent => ({ command, fingerprint: fingerprintOf(command) });

/** A time that the rules of the body have checked. */
const instantOrNull = (value: string | null | undefined): Instant | null =>
  value == null ? null : parseInstant(value);

export function grantIntent(body: GrantBody): AccountIntent {
  const costBasis = body.costBasis ? { amount: body.costBasis.amount, currency: body.costBasis.currency } : null;
  const wanted = intent({
    type: 'GrantCredits',
    amount: body.amount,
    source: body.source,
    priority: body.priority ?? 50,
    effectiveAt: instantOrNull(body.effectiveAt),
    expiresAt: instantOrNull(body.expiresAt),
    costBasis,
    paymentReference: body.paymentReference ?? null,
    description: body.description ?? null,
    metadata: body.metadata ?? {},
  });
  if (costBasis === null || isSupportedCurrency(costBasis.currency)) return wanted;
  return { ...wanted, command: { type: 'RefuseRequest', refusal: { rejected: 'currency_unsupported' } } };
}

const partialOf = ({ partial = false }: { readonly partial?: boolean }): { readonly partial?: true } =>
  partial ? { partial } : {};

const scopeOf = ({ scope }: { readonly scope?: string | null }): { readonly scope?: string } =>
  scope == null ? {} : { scope };

const resourceOf = ({ resource }: { readonly resource?: ResourceBody | null }): Resource | null =>
  resource ? { type: resource.type, id: resource.id } : null;

/** The caller has seen to it that exactly one of `amount` and `creditEvent` is there. */
export function consumeIntent(body: ConsumptionBody, pricing: Pricing): AccountIntent {
  const said = {
    type: 'ConsumeCredits' as const,
    ...partialOf(body),
    resource: resourceOf(body),
    ...scopeOf(body),
    description: body.description ?? null,
    metadata: body.metadata ?? {},
  };
  if (body.amount !== undefined) return intent({ ...said, amount: body.amount, usage: null });
  const usage = { creditEvent: body.creditEvent ?? '', quantity: body.quantity ?? 1 };
  const price = pricing(usage.creditEvent, usage.quantity);
  const fingerprint = fingerprintOf({ ...said, usage });
  if (typeof price !== 'number') return { command: { type: 'RefuseRequest', refusal: price }, fingerprint };
  return { command: { ...said, amount: price, usage }, fingerprint };
}

export const reverseIntent = (body: ReversalBody, consumptionId: string): AccountIntent =>
  intent({ type: 'ReverseConsumption', consumptionId, amount: body.amount ?? null, reason: body.reason ?? null });

export const holdIntent = (body: HoldBody): AccountIntent =>
  intent({
    type: 'HoldCredits',
    amount: body.amount,
    ...partialOf(body),
    resource: resourceOf(body),
    ...scopeOf(body),
    expiresInSeconds: body.expiresInSeconds ?? 900,
    description: body.description ?? null,
    metadata: body.metadata ?? {},
  });

export const extendIntent = (body: ExtensionBody, holdId: string): AccountIntent =>
  intent({ type: 'ExtendHold', holdId, expiresInSeconds: body.expiresInSeconds });

export const raiseIntent = ({ amount }: RaiseBody, holdId: string): AccountIntent =>
  intent({ type: 'RaiseHold', holdId, amount });

export const captureIntent = (body: CaptureBody, holdId: string): AccountIntent =>
  intent({ type: 'CaptureHold', holdId, amount: body.amount ?? null, final: body.final ?? true });

export const releaseIntent = (holdId: string): AccountIntent => intent({ type: 'ReleaseHold', holdId });

export const revokeIntent = ({ amount, reason }: RevocationBody, grantId: string): AccountIntent =>
  intent({ type: 'RevokeGrant', grantId, amount: amount ?? null, reason });

export const adjustIntent = (body: AdjustmentBody): AccountIntent =>
  intent({ type: 'AdjustCredits', amount: body.amount, reason: body.reason });

export const settingsIntent = (body: SettingsBody): AccountIntent =>
  intent({
    type: 'ChangeSettings',
    ...(body.burnOrder === undefined ? {} : { burnOrder: body.burnOrder }),
    ...(body.overdraftLimit === undefined ? {} : { overdraftLimit: body.overdraftLimit }),
    ...(body.debtPolicy === undefined ? {} : { debtPolicy: body.debtPolicy }),
    ...(body.lowBalanceThreshold === undefined ? {} : { lowBalanceThreshold: body.lowBalanceThreshold }),
  });

export const statusIntent = (
  type: 'FreezeAccount' | 'UnfreezeAccount' | 'CloseAccount',
  body: ReasonBody,
): AccountIntent => intent({ type, reason: body.reason });

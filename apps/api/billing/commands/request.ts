import { hash, randomUUID } from 'node:crypto';
import { canonicalJson, type Json } from '#kernel/json.js';
import type { BillingOperation } from '#ledger/account/events.js';
import type { StripeIntent } from '#ledger/stripe/intent.js';
import type { CallIdentity } from '../stripe/outbox.js';

/** Who asks for what customer. */
export type Asking = {
  readonly customerId: string;
  /** The Idempotency-Key; null: every request is a new one. */
  readonly key: string | null;
  readonly actor: string;
  readonly requestId: string;
};

/** A request of a caller, before it is known how to carry it out. */
export type BillingRequest<Operation extends BillingOperation = BillingOperation> = Omit<Asking, 'key'> & {
  /** The same for the same key of the same customer. */
  readonly id: string;
  readonly operation: Operation;
  /** The caller's key and a fingerprint of the request. */
  readonly key: { readonly value: string; readonly fingerprint: string } | null;
};

/** Names a request: by the caller's key where there is one, so that the same again is the same request; else by chance. */
export function requestOf<Operation extends BillingOperation>(
  { key, ...asking }: Asking,
  operation: Operation,
  said: { readonly [member: string]: Json | undefined },
): BillingRequest<Operation> {
  const name = key === null ? randomUUID() : hash('sha256', `${asking.customerId}\0${key}`, 'hex').slice(0, 40);
  const present = Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined)) as {
    readonly [member: string]: Json;
  };
  const fingerprint = hash('sha256', canonicalJson({ ...present, operation }), 'hex').slice(0, 32);
  return { ...asking, id: `billing.${name}`, operation, key: key === null ? null : { value: key, fingerprint } };
}

/** Identifies the call to Stripe that a request leads to. `subject` holds no personal data and no addresses. */
export function callFor(
  { id, customerId, operation, key, actor, requestId }: BillingRequest<Exclude<BillingOperation, 'start_free_plan'>>,
  subject: StripeIntent['subject'],
): CallIdentity {
  return { intent: { intentId: id, customerId, operation, subject }, key, actor, requestId };
}

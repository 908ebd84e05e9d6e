import { createHmac, timingSafeEqual } from 'node:crypto';
import Stripe from 'stripe';
import type { Json } from '#kernel/json.js';
import { instantOf, parseInstant } from '#kernel/instant.js';
import { stripeEventIdPattern } from '#kernel/stream-name.js';
import type { ReceivedStripeEvent } from '#ledger/stripe/event.js';
import { at, idAt, objectIn, textAt, timeAt, type Fields } from '../shapes/fields.js';
import { redact } from './redact.js';

/** How far the time in a signature may lie from ours, to either side. */
export const TOLERANCE_SECONDS = 300;

export type IncomingWebhook = {
  /** The body exactly as it came: a parsed and rewritten one has another signature. */
  readonly rawBody: Uint8Array;
  /** The `Stripe-Signature` header; a header sent twice is an array and is refused. */
  readonly signature: string | readonly string[] | undefined;
  /** Every secret that is valid now: two while one is being replaced. */
  readonly secrets: readonly string[];
  /** Milliseconds since the epoch. */
  readonly now: number;
};

export type WebhookReading =
  | { readonly kind: 'event'; readonly event: ReceivedStripeEvent }
  | { readonly kind: 'invalid_signature'; readonly reason: 'missing' | 'malformed' | 'mismatch' | 'outside_tolerance' }
  /** Signed by Stripe, but not an event that can be kept: not JSON, or without an id that can name a stream. */
  | { readonly kind: 'unreadable'; readonly reason: 'not_json' | 'not_an_event' };

/**
 * Checks that a webhook comes from Stripe and is fresh, and gives it as it may be stored: without personal data.
 * Never throws, whatever the body holds. A field of the envelope that is missing or mistyped gets a harmless value, because a
 * signed webhook is a fact; only without an id it cannot be kept.
 */
export function readWebhook(webhook: IncomingWebhook): WebhookReading {
  const { rawBody, signature, secrets, now } = webhook;
  if (signature === undefined || signature === '') return { kind: 'invalid_signature', reason: 'missing' };
  if (typeof signature !== 'string') return { kind: 'invalid_signature', reason: 'malformed' };
  const signedAt = timestampIn(signature);
  if (signedAt === null) return { kind: 'invalid_signature', reason: 'malformed' };
  if (Math.abs(Math.floor(now / 1000) - signedAt) > TOLERANCE_SECONDS) {
    return { kind: 'invalid_signature', reason: 'outside_tolerance' };
  }
  if (!secrets.some((secret) => isSignedWith(secret, rawBody, signature, now))) {
    return { kind: 'invalid_signature', reason: 'mismatch' };
  }
  return readBody(rawBody, now);
}

/** The one `t=` of the header. Two of them, or none, mean that somebody has tampered with it. */
function timestampIn(header: string): number | null {
  const times = header.split(',').filter((part) => part.trim().startsWith('t='));
  const digits = times.length === 1 ? /^\s*t=(\d{1,12})\s*$/.exec(times[0] ?? '') : null;
  return digits === null ? null : Number(digits[1]);
}

function isSignedWith(secret: string, rawBody: Uint8Array, header: string, now: number): boolean {
  try {
    return Stripe.webhooks.signature?.verifyHeader(rawBody, header, secret, TOLERANCE_SECONDS, undefined, now) ?? false;
  } catch {
    // The library tells by throwing. It signs text, and what is no UTF-8 is not the same text again.
    return textOf(rawBody) === null && isSignedOverBytes(secret, rawBody, header);
  }
}

function isSignedOverBytes(secret: string, rawBody: Uint8Array, header: string): boolean {
  const sum = createHmac('sha256', secret)
    .update(`${String(timestampIn(header))}.`)
    .update(rawBody)
    .digest();
  return header
    .split(',')
    .flatMap((part) => /^\s*v1=([0-9a-f]{64})\s*$/.exec(part)?.[1] ?? [])
    .some((hex) => timingSafeEqual(sum, Buffer.from(hex, 'hex')));
}

function readBody(rawBody: Uint8Array, now: number): WebhookReading {
  const parsed = parse(rawBody);
  if (parsed === undefined) return { kind: 'unreadable', reason: 'not_json' };
  const envelope = objectIn(parsed);
  const id = textAt(envelope, 'id');
  if (envelope === null || id === null || !stripeEventIdPattern.test(id)) {
    return { kind: 'unreadable', reason: 'not_an_event' };
  }
  // A thin event of the v2 API names its object instead of holding it, and writes its time as text. It means nothing to the ledger, and is kept and counted.
  const related = objectIn(at(envelope, 'related_object'));
  return {
    kind: 'event',
    event: {
      stripeEventId: id,
      stripeType: shortTextAt(envelope, 'type') ?? 'unknown',
      created: timeAt(envelope, 'created') ?? parseInstant(shortTextAt(envelope, 'created') ?? '') ?? instantOf(now),
      livemode: at(envelope, 'livemode') === true,
      apiVersion: shortTextAt(envelope, 'api_version'),
      payload: redact({
        account: shortTextAt(envelope, 'account'),
        request: idAt(envelope, 'request'),
        data: at(envelope, 'data') ?? null,
        ...(related === null ? {} : { related_object: related }),
      }),
    },
  };
}

function shortTextAt(fields: Fields, key: string): string | null {
  const text = textAt(fields, key);
  return text === null || text.length > 200 ? null : text;
}

/** Null where the bytes are no UTF-8. */
function textOf(rawBody: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(rawBody);
  } catch {
    return null;
  }
}

function parse(rawBody: Uint8Array): Json | undefined {
  const text = textOf(rawBody);
  if (text === null) return undefined;
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}

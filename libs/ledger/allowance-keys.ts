import { msOf, type Instant } from '#kernel/instant.js';

/** What a paid period is called in keys: Stripe's subscription item and the second that the period starts. */
export const periodName = (itemId: string, periodStart: Instant): string =>
  `${itemId}:${String(Math.floor(msOf(periodStart) / 1000))}`;

/** The key under which the credits of a period that is granted at once are granted. */
export const allotmentKey = (period: string): string => `allotment:${period}`;

/** The key of month `index` (from 0) of a period that is granted by the month. */
export const dripKey = (period: string, index: number): string => `drip:${period}:${String(index)}`;

/** The period and month that a `dripKey` names; null for another key. */
export function dripIn(key: string): { readonly period: string; readonly index: number } | null {
  const [, period, index] = /^drip:(.+):(\d{1,3})$/.exec(key) ?? [];
  return period === undefined ? null : { period, index: Number(index) };
}

/** The key of a calendar month (`2026-11`) of a free plan. */
export const freeMonthKey = (planId: string, month: string): string => `free:${planId}:${month}`;

/** The month that a `freeMonthKey` names; null for another key. */
export const freeMonthIn = (key: string): string | null => /^free:.+:(\d{4}-\d{2})$/.exec(key)?.[1] ?? null;

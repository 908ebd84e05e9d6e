import { decimalsOf } from '../core/money.js';
import { style } from './style.js';

export type Page = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Buffer;
};

/** HTML that may be inserted as it is; everything else is escaped by `html`. */
export class Markup {
  constructor(readonly text: string) {}
}

type Part = string | number | null | undefined | Markup | readonly Markup[];

const escapes: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

const escape = (text: string): string => text.replace(/[&<>"']/g, (character) => escapes[character] ?? character);

function write(part: Part): string {
  if (part === null || part === undefined) return '';
  if (part instanceof Markup) return part.text;
  if (typeof part === 'object') return part.map((one) => one.text).join('');
  return escape(String(part));
}

/** A template whose values are escaped. */
export function html(texts: TemplateStringsArray, ...parts: readonly Part[]): Markup {
  return new Markup(texts.map((text, index) => (index === 0 ? text : write(parts[index - 1]) + text)).join(''));
}

const headers = {
  'content-type': 'text/html; charset=utf-8',
  'cache-control': 'no-store',
  'content-security-policy':
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
};

/** A whole page of the sandbox; every page says that no money moves. */
export function pageOf(title: string, content: Markup, status = 200, width: 'narrow' | 'wide' = 'narrow'): Page {
  const body = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${title} · Stripe sandbox</title>
        <link rel="icon" href="data:," />
        <style>
          ${new Markup(style)}
        </style>
      </head>
      <body>
        <header>
          <a href="/">Stripe sandbox</a>
          <span class="badge">Offline: test cards only, no money moves</span>
        </header>
        <main class="${width}">${content}</main>
      </body>
    </html>`;
  return { status, headers, body: body.text };
}

/** A page with a message only. */
export const notice = (title: string, text: string, status = 200, more: Markup | null = null): Page =>
  pageOf(
    title,
    html`<div class="card">
      <h1>${title}</h1>
      <p>${text}</p>
      ${more}
    </div>`,
    status,
  );

/** Sends the browser on with GET. */
export const redirect = (location: string): Page => ({
  status: 303,
  headers: { location, 'cache-control': 'no-store' },
  body: '',
});

/** What went wrong, said above a form. */
export const problem = (message: string | null): Markup =>
  message === null ? html`` : html`<p class="message bad" role="alert">${message}</p>`;

export type Tone = 'good' | 'bad' | 'wait' | 'plain';

export const badge = (text: string, tone: Tone): Markup => html`<span class="badge ${tone}">${text}</span>`;

export const day = (seconds: number): string =>
  new Date(seconds * 1000).toLocaleDateString('en-GB', {
    day: 'numeric',
    month: 'short',
    year: 'numeric',
    timeZone: 'UTC',
  });

/** An amount as people read it: `$12.50`, `¥1,200`. */
export function money(amount: number, currency: string): string {
  const decimals = decimalsOf(currency) ?? 2;
  return (amount / 10 ** decimals).toLocaleString('en-US', {
    style: 'currency',
    currency: currency.toUpperCase(),
    minimumFractionDigits: decimals,
    maximumFractionDigits: decimals,
  });
}

/** A word of the API as people write it: `past_due` → `Past due`. */
export function words(value: string): string {
  const text = value.replaceAll('_', ' ');
  return text.charAt(0).toUpperCase() + text.slice(1);
}

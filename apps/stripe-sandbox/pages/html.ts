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

const style = `
:root { color-scheme: light dark; --line: #8884; --accent: #4a3fd6; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 62rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
main.narrow { max-width: 28rem; margin: 0 auto; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
.note { border: 1px solid var(--line); border-radius: .5rem; padding: .6rem .8rem; font-size: .9rem; }
.error { border: 1px solid #c33; border-radius: .5rem; padding: .6rem .8rem; color: #c33; }
label { display: block; margin-top: .8rem; } .row { display: flex; gap: .8rem; } .row > label { flex: 1; }
input, select, button { font: inherit; box-sizing: border-box; width: 100%; padding: .55rem .7rem; border: 1px solid var(--line); border-radius: .4rem; }
button { margin-top: 1.2rem; background: var(--accent); color: #fff; border: 0; cursor: pointer; } button.plain { background: none; color: inherit; border: 1px solid var(--line); }
table { border-collapse: collapse; width: 100%; font-size: .9rem; } td, th { text-align: left; padding: .35rem .5rem; border-bottom: 1px solid var(--line); vertical-align: top; } td.money { text-align: right; }
.scroll { overflow-x: auto; } code { font-size: .85em; overflow-wrap: anywhere; }
`;

const headers = {
  'content-type': 'text/html; charset=utf-8',
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
};

/** A whole page of the sandbox; every page says that no money moves. */
export function pageOf(title: string, content: Markup, status = 200, narrow = true): Page {
  const body = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${title}</title>
        <style>
          ${new Markup(style)}
        </style>
      </head>
      <body>
        <main class="${narrow ? 'narrow' : ''}">
          <p class="note">Offline Stripe sandbox: test cards only, no money moves.</p>
          ${content}
        </main>
      </body>
    </html>`;
  return { status, headers, body: body.text };
}

/** Sends the browser on with GET. */
export const redirect = (location: string): Page => ({
  status: 303,
  headers: { location, 'cache-control': 'no-store' },
  body: '',
});

export const problem = (message: string | null): Markup =>
  message === null ? html`` : html`<p class="error" role="alert">${message}</p>`;

export const day = (seconds: number): string => new Date(seconds * 1000).toISOString().slice(0, 10);

/** `MM / YY` as people type it. */
export function expiryOf(text: string): { month: number; year: number } {
  const [month = '', year = ''] = text.split(/[/\s-]+/).filter((part) => part !== '');
  return { month: Number(month), year: year.length === 2 ? 2000 + Number(year) : Number(year) };
}

/** The fields of a card. */
export const cardFields = (number = ''): Markup => html`
  <label>
    Card number
    <input
      name="card"
      inputmode="numeric"
      autocomplete="cc-number"
      placeholder="4242 4242 4242 4242"
      value="${number}"
    />
  </label>
  <div class="row">
    <label>Expires (MM / YY) <input name="expiry" autocomplete="cc-exp" placeholder="12 / 34" /></label>
    <label>CVC <input name="cvc" inputmode="numeric" autocomplete="cc-csc" placeholder="123" /></label>
  </div>
`;

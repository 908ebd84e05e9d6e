import type { Invoice, SetupIntent } from '../core/model.js';
import { formatMoney } from '../core/money.js';
import type { Sandbox } from '../core/sandbox.js';
import { collect } from '../resources/invoices/payment.js';
import { cardFromEntry } from '../resources/payments/methods.js';
import { authenticate } from '../resources/payments/payments.js';
import { authenticateSetup } from '../resources/payments/setup-intents.js';
import { aboveForm, cardFields, cardHelp, cardIn, refusalOf, type Refusal } from './card-form.js';
import { challenge } from './challenge.js';
import { badge, day, html, money, notice, pageOf, redirect, words, type Markup, type Page, type Tone } from './html.js';

const tones: Readonly<Record<Invoice['status'], Tone>> = {
  draft: 'plain',
  open: 'wait',
  paid: 'good',
  uncollectible: 'bad',
  void: 'plain',
};

/** The state of an invoice as a label. */
export const invoiceBadge = ({ status }: Invoice): Markup => badge(words(status), tones[status]);

const daysOf = ({ start, end }: { readonly start: number; readonly end: number }): string =>
  day(start) === day(end) ? day(start) : `${day(start)} – ${day(end)}`;

function show(invoice: Invoice, form: URLSearchParams, refusal: Refusal | null): Page {
  const rows = invoice.lines.data.map(
    (line) =>
      html`<tr>
        <td>
          ${line.description}
          <div class="small soft">${daysOf(line.period)}</div>
        </td>
        <td class="money">${money(line.amount, line.currency)}</td>
      </tr>`,
  );
  const sum = (label: string, amount: number, strong = false): Markup =>
    html`<tr class="${strong ? 'sum' : ''}">
      <td>${label}</td>
      <td class="money">${money(amount, invoice.currency)}</td>
    </tr>`;
  const off = (invoice.total_discount_amounts ?? []).reduce((total, { amount }) => total + amount, 0);
  const payable = invoice.status === 'open' && invoice.amount_remaining > 0;
  const paid = invoice.status === 'paid';
  return pageOf(
    `Invoice ${invoice.number ?? ''}`,
    html`<div class="columns">
      <section class="card" aria-label="Invoice">
        <div class="between">
          <h1>Invoice ${invoice.number}</h1>
          ${invoiceBadge(invoice)}
        </div>
        <p class="total">${money(paid ? invoice.total : invoice.amount_remaining, invoice.currency)}</p>
        <p class="soft">
          ${invoice.customer_name ?? invoice.customer_email ?? invoice.customer}, ${day(invoice.created)}
        </p>
        <table>
          ${rows} ${off === 0 ? null : sum('Discount', -off)} ${sum('Total', invoice.total, true)}
          ${paid ? null : sum('Left to pay', invoice.amount_remaining)}
        </table>
        ${invoice.invoice_pdf == null ? null : html`<p><a href="${invoice.invoice_pdf}">Download as PDF</a></p>`}
      </section>
      ${
        payable
          ? html`<form method="post" class="card" aria-label="Payment">
              ${aboveForm(refusal)}
              <h2>Pay this invoice</h2>
              ${cardFields(form, refusal)}
              <button type="submit">Pay ${money(invoice.amount_remaining, invoice.currency)}</button>
              ${cardHelp}
            </form>`
          : null
      }
    </div>`,
    refusal === null ? 200 : 402,
    payable ? 'wide' : 'narrow',
  );
}

/** The smallest valid PDF with a few lines of text. */
function pdf(lines: readonly string[]): Buffer {
  const clean = (line: string): string => line.replace(/[^\x20-\x7e]/g, '?').replace(/[()\\]/g, '\\$&');
  const text = lines.map((line) => `(${clean(line)}) Tj T*`).join(' ');
  const content = `BT /F1 11 Tf 50 790 Td 16 TL ${text} ET`;
  const objects = [
    '<< /Type /Catalog /Pages 2 0 R >>',
    '<< /Type /Pages /Kids [3 0 R] /Count 1 >>',
    '<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>',
    `<< /Length ${content.length} >>\nstream\n${content}\nendstream`,
    '<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>',
  ];
  let body = '%PDF-1.4\n';
  const offsets = objects.map((object, index) => {
    const offset = body.length;
    body += `${index + 1} 0 obj\n${object}\nendobj\n`;
    return offset;
  });
  const table = offsets.map((offset) => `${String(offset).padStart(10, '0')} 00000 n \n`).join('');
  const start = body.length;
  body += `xref\n0 ${objects.length + 1}\n0000000000 65535 f \n${table}trailer << /Size ${objects.length + 1} /Root 1 0 R >>\nstartxref\n${start}\n%%EOF\n`;
  return Buffer.from(body, 'latin1');
}

function invoicePdf(invoice: Invoice): Page {
  const lines = invoice.lines.data
    .slice(0, 40)
    .map((line) => `${line.description ?? ''}  ${formatMoney(line.amount, line.currency)}`);
  const total = `Total ${formatMoney(invoice.total, invoice.currency)}  (${invoice.status})`;
  return {
    status: 200,
    headers: { 'content-type': 'application/pdf' },
    body: pdf([`Invoice ${invoice.number ?? ''}`, day(invoice.created), '', ...lines, '', total]),
  };
}

/** The hosted invoice page: its lines, and a form to pay it while it is open. */
export function invoicePage(sandbox: Sandbox, id: string, asPdf: boolean, method: string, form: URLSearchParams): Page {
  const invoice = sandbox.world.tables.invoice.get(id);
  if (invoice?.number == null) return notice('There is no such invoice', 'Check the address.', 404);
  if (asPdf) return invoicePdf(invoice);
  if (method !== 'POST') return show(invoice, form, null);
  try {
    const paid = sandbox.step((tx) => {
      const open = tx.need('invoice', id);
      if (open.status !== 'open') return { outcome: 'nothing_due' as const, failure: null };
      const card = cardFromEntry(tx, cardIn(form));
      tx.put('payment_method', card.id, card);
      return collect(tx, open, card, false);
    });
    const now = sandbox.world.tables.invoice.get(id) ?? invoice;
    if (paid.outcome === 'requires_action' && now.sandbox.paymentIntent !== null)
      return redirect(`/authenticate/${now.sandbox.paymentIntent}`);
    return paid.failure === null ? redirect(`/i/${id}`) : show(now, form, paid.failure);
  } catch (error) {
    return show(sandbox.world.tables.invoice.get(id) ?? invoice, form, refusalOf(error));
  }
}

/** Where a payment that wants 3D Secure sends the customer. */
export function authenticatePage(sandbox: Sandbox, id: string, method: string, form: URLSearchParams): Page {
  const setup = sandbox.world.tables.setup_intent.get(id);
  if (setup !== undefined) return authenticateSetupPage(sandbox, setup, method, form);
  const intent = sandbox.world.tables.payment_intent.get(id);
  if (intent === undefined) return notice('There is no such payment', 'Check the address.', 404);
  if (intent.status === 'requires_action' && method === 'POST') {
    sandbox.step((tx) => {
      authenticate(tx, id, form.get('authenticated') === 'yes');
    });
    return redirect(`/authenticate/${id}`);
  }
  if (intent.status !== 'requires_action') {
    const text = intent.status === 'succeeded' ? 'You may close this page.' : 'Go back and use another card.';
    return notice(`The payment ${outcomes[intent.status] ?? `is ${words(intent.status).toLowerCase()}`}`, text);
  }
  const card = intent.payment_method === null ? null : sandbox.world.tables.payment_method.get(intent.payment_method);
  return challenge(intent.amount, intent.currency, card?.card?.last4 ?? null);
}

function authenticateSetupPage(sandbox: Sandbox, intent: SetupIntent, method: string, form: URLSearchParams): Page {
  const { id, status } = intent;
  if (status === 'requires_action' && method === 'POST') {
    sandbox.step((tx) => {
      authenticateSetup(tx, id, form.get('authenticated') === 'yes');
    });
    return redirect(`/authenticate/${id}`);
  }
  if (status === 'succeeded') return notice('Your card is saved', 'You may close this page.');
  if (status !== 'requires_action') return notice('Your card was not saved', 'Go back and use another card.');
  const card = intent.payment_method === null ? null : sandbox.world.tables.payment_method.get(intent.payment_method);
  return challenge(0, '', card?.card?.last4 ?? null);
}

const outcomes: Readonly<Record<string, string>> = {
  succeeded: 'has succeeded',
  requires_payment_method: 'was not confirmed',
};

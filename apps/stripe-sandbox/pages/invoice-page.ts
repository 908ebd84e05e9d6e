import { ApiError } from '../core/errors.js';
import type { Invoice } from '../core/model.js';
import { formatMoney } from '../core/money.js';
import type { Sandbox } from '../core/sandbox.js';
import { collect } from '../resources/invoice-payment.js';
import { cardFromEntry } from '../resources/payment-methods.js';
import { authenticate } from '../resources/payments.js';
import type { Page } from './html.js';
import { cardFields, day, expiryOf, html, pageOf, problem, redirect } from './html.js';

function show(invoice: Invoice, message: string | null): Page {
  const rows = invoice.lines.data.map(
    (line) =>
      html`<tr>
        <td>${line.description}</td>
        <td>${day(line.period.start)} – ${day(line.period.end)}</td>
        <td class="money">${formatMoney(line.amount, line.currency)}</td>
      </tr>`,
  );
  const payable = invoice.status === 'open' && invoice.amount_remaining > 0;
  return pageOf(
    `Invoice ${invoice.number ?? ''}`,
    html`<h1>Invoice ${invoice.number}</h1>
      <p>Status: ${invoice.status}. Created ${day(invoice.created)}.</p>
      <div class="scroll">
        <table>
          ${rows}
          <tr>
            <th colspan="2">Total</th>
            <th class="money">${formatMoney(invoice.total, invoice.currency)}</th>
          </tr>
          <tr>
            <td colspan="2">Left to pay</td>
            <td class="money">${formatMoney(invoice.amount_remaining, invoice.currency)}</td>
          </tr>
        </table>
      </div>
      ${problem(message)}
      ${payable ? html`<form method="post">${cardFields()}<button type="submit">Pay</button></form>` : null}
      ${invoice.invoice_pdf == null ? null : html`<p><a href="${invoice.invoice_pdf}">PDF</a></p>`}`,
    message === null ? 200 : 402,
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
  if (invoice?.number == null) return pageOf('Not found', html`<h1>There is no such invoice</h1>`, 404);
  if (asPdf) return invoicePdf(invoice);
  if (method !== 'POST') return show(invoice, null);
  try {
    const paid = sandbox.step((tx) => {
      const open = tx.need('invoice', id);
      if (open.status !== 'open') return { outcome: 'nothing_due' as const, failure: null };
      const card = cardFromEntry(tx, { number: form.get('card') ?? '', ...expiryOf(form.get('expiry') ?? '') });
      tx.put('payment_method', card.id, card);
      return collect(tx, open, card, false);
    });
    const now = sandbox.world.tables.invoice.get(id) ?? invoice;
    if (paid.outcome === 'requires_action' && now.sandbox.paymentIntent !== null)
      return redirect(`/authenticate/${now.sandbox.paymentIntent}`);
    return paid.failure === null ? redirect(`/i/${id}`) : show(now, paid.failure.message);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return show(sandbox.world.tables.invoice.get(id) ?? invoice, error.message);
  }
}

/** Where a payment that wants 3D Secure sends the customer. */
export function authenticatePage(sandbox: Sandbox, id: string, method: string, form: URLSearchParams): Page {
  const intent = sandbox.world.tables.payment_intent.get(id);
  if (intent === undefined) return pageOf('Not found', html`<h1>There is no such payment</h1>`, 404);
  if (intent.status === 'requires_action' && method === 'POST') {
    sandbox.step((tx) => {
      authenticate(tx, id, form.get('authenticated') === 'yes');
    });
    return redirect(`/authenticate/${id}`);
  }
  if (intent.status !== 'requires_action')
    return pageOf('Done', html`<h1>The payment is ${intent.status.replaceAll('_', ' ')}</h1>`);
  return pageOf(
    'Authenticate',
    html`<h1>Your bank asks you to confirm ${formatMoney(intent.amount, intent.currency)}</h1>
      <form method="post">
        <button type="submit" name="authenticated" value="yes">Complete authentication</button>
        <button type="submit" name="authenticated" value="no" class="plain">Fail authentication</button>
      </form>`,
  );
}

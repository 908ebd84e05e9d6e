import { ApiError } from '../core/api/errors.js';
import type { CardEntry } from '../resources/payments/methods.js';
import { Markup, html, problem } from './html.js';

/** Why what was typed was not taken. */
export type Refusal = { readonly message: string; readonly code: string };

/** The refusal in an error of the sandbox; anything else is a bug and is thrown on. */
export function refusalOf(error: unknown): Refusal {
  if (!(error instanceof ApiError)) throw error;
  return { message: error.message, code: error.body.code ?? '' };
}

const fieldOf: Readonly<Record<string, 'card' | 'expiry' | 'cvc' | 'iban'>> = {
  incorrect_number: 'card',
  invalid_expiry_month: 'expiry',
  invalid_expiry_year: 'expiry',
  invalid_cvc: 'cvc',
  incorrect_cvc: 'cvc',
  invalid_bank_account_iban: 'iban',
};

/** What is said above the form: a refusal that belongs to a field is said there. */
export const aboveForm = (refusal: Refusal | null): Markup =>
  problem(refusal === null || fieldOf[refusal.code] !== undefined ? null : refusal.message);

/** `MM / YY` as people type it; also `1234`. */
function expiryOf(text: string): { month: number; year: number } {
  const digits = text.replaceAll(/\D/g, '');
  const [month = '', year = ''] = /\D/.test(text.trim())
    ? text.split(/\D+/).filter((part) => part !== '')
    : [digits.slice(0, 2), digits.slice(2)];
  return { month: Number(month), year: year.length === 2 ? 2000 + Number(year) : Number(year) };
}

/** The card in a form. Throws ApiError for a security code that is none; the rest is checked where the card is made. */
export function cardIn(form: URLSearchParams): CardEntry {
  const cvc = (form.get('cvc') ?? '').trim();
  if (cvc !== '' && !/^\d{3,4}$/.test(cvc))
    throw new ApiError(402, {
      type: 'card_error',
      code: 'invalid_cvc',
      message: "Your card's security code is invalid.",
    });
  return { number: form.get('card') ?? '', ...expiryOf(form.get('expiry') ?? '') };
}

type Field = {
  readonly name: 'card' | 'expiry' | 'cvc' | 'iban';
  readonly label: string;
  readonly placeholder: string;
  readonly autocomplete: string;
};

function field(given: Field, form: URLSearchParams, refusal: Refusal | null, more: readonly string[]): Markup {
  const { name, label, placeholder, autocomplete } = given;
  const wrong = refusal !== null && fieldOf[refusal.code] === name;
  const marked = wrong ? ['aria-invalid="true"', `aria-describedby="${name}-wrong"`, 'autofocus'] : [];
  return html`<div>
    <label for="${name}">${label}</label>
    <input
      id="${name}"
      name="${name}"
      autocomplete="${autocomplete}"
      placeholder="${placeholder}"
      value="${name === 'cvc' ? '' : form.get(name)}"
      ${new Markup([...more, ...marked].join(' '))}
    />
    ${wrong ? html`<p class="wrong" id="${name}-wrong" role="alert">${refusal.message}</p>` : null}
  </div>`;
}

const cards: readonly (readonly [number: string, does: string])[] = [
  ['4242 4242 4242 4242', 'is paid'],
  ['4000 0000 0000 0002', 'is declined'],
  ['4000 0000 0000 9995', 'is declined: not enough money'],
  ['4000 0027 6000 3184', 'asks for 3D Secure each time'],
  ['4000 0025 0000 3155', 'asks for 3D Secure once'],
  ['4000 0000 0000 0341', 'can be saved, but is declined when charged'],
  ['4000 0000 0000 0259', 'is paid, then disputed'],
  ['4000 0000 0000 7726', 'is paid; its refunds stay pending'],
  ['4000 0000 0000 5126', 'is paid; its refunds fail'],
];

/** What there is to try, for who has no card at hand. */
export const cardHelp = html`<details class="small">
  <summary>Card numbers to try</summary>
  <table>
    ${cards.map(
      ([number, does]) =>
        html`<tr>
          <td class="nowrap"><code>${number}</code></td>
          <td>${does}</td>
        </tr>`,
    )}
  </table>
  <p class="soft">Any date in the future and any three digits go with them.</p>
</details>`;

/** The fields of a card; `required` where nothing else can be chosen. */
export function cardFields(form: URLSearchParams, refusal: Refusal | null, required = true): Markup {
  const must = required ? ['required'] : [];
  const card: Field = {
    name: 'card',
    label: 'Card number',
    placeholder: '4242 4242 4242 4242',
    autocomplete: 'cc-number',
  };
  const expiry: Field = { name: 'expiry', label: 'Expires', placeholder: 'MM / YY', autocomplete: 'cc-exp' };
  const cvc: Field = { name: 'cvc', label: 'Security code', placeholder: 'CVC', autocomplete: 'cc-csc' };
  const digits = 'inputmode="numeric"';
  return html`<div class="of-card">
    ${field(card, form, refusal, [...must, digits, 'maxlength="23"', 'list="test-cards"'])}
    <datalist id="test-cards">
      ${cards.map(([number, does]) => html`<option value="${number}">${does}</option>`)}
    </datalist>
    <div class="row">
      ${field(expiry, form, refusal, [...must, digits, 'maxlength="9"'])}
      ${field(cvc, form, refusal, [...must, digits, 'maxlength="4"'])}
    </div>
  </div>`;
}

/** The field of a bank account. */
export function ibanField(form: URLSearchParams, refusal: Refusal | null): Markup {
  const iban: Field = { name: 'iban', label: 'IBAN', placeholder: 'AT61 1904 3002 3457 3201', autocomplete: 'off' };
  return html`<div class="sepa">
    ${field(iban, form, refusal, ['maxlength="42"'])}
    <p class="small soft">The bank answers after three minutes of the sandbox's clock.</p>
  </div>`;
}

import { html, money, pageOf, type Markup, type Page } from './html.js';

/** The bank's question for a payment that wants 3D Secure; `fields` come back with the answer. */
export const challenge = (
  amount: number,
  currency: string,
  last4: string | null,
  fields: readonly Markup[] = [],
): Page =>
  pageOf(
    'Confirm the payment',
    html`<div class="card">
      <p class="small soft">3D Secure test page</p>
      <h1>${amount > 0 ? `Confirm ${money(amount, currency)}` : 'Confirm your card'}</h1>
      <p>
        The bank of ${last4 === null ? 'your card' : `the card ending in ${last4}`} wants to know that it is you. A real
        bank would ask for a code here.
      </p>
      <form method="post">
        ${fields}
        <button type="submit" name="authenticated" value="yes">Complete authentication</button>
        <button type="submit" name="authenticated" value="no" class="plain">Fail authentication</button>
      </form>
    </div>`,
  );

import type { Runtime } from '../http/runtime.js';
import { checkoutPage } from './checkout-page.js';
import { notice, type Page } from './html.js';
import { authenticatePage, invoicePage } from './invoice-page.js';
import { linkPage } from './link-page.js';
import { portalPage } from './portal-page.js';
import { returnPage } from './return-page.js';
import { statusPage } from './status-page.js';

export type PageRequest = {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly form: URLSearchParams;
};

/** How long a paid checkout waits for its webhooks before it sends the customer back, as Stripe's does. */
const longestWaitMs = 10_000;

function webhooksAnswered(runtime: Runtime): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const enough = new Promise<void>((resolve) => (timer = setTimeout(resolve, longestWaitMs)));
  return Promise.race([runtime.sender.settle(), enough]).finally(() => {
    clearTimeout(timer);
  });
}

/** The pages that people see: checkout, portal, invoices, authentication, and what the sandbox holds. */
export async function servePage(runtime: Runtime, request: PageRequest): Promise<Page> {
  const { sandbox } = runtime;
  const { method, path, query, form } = request;
  const [, first, second, third] = path.split('/');
  if (path === '/') return statusPage(runtime, method, form);
  if (path === '/return') return returnPage(sandbox.world, query.get('session'));
  if (first === 'c' && second === 'pay')
    return checkoutPage(sandbox, third ?? '', method, form, () => webhooksAnswered(runtime));
  if (first === 'buy') return linkPage(sandbox, second ?? '', query);
  if (first === 'p' && second === 'session') return portalPage(sandbox, third ?? '', method, form, query);
  if (first === 'i') return invoicePage(sandbox, second ?? '', third === 'pdf', method, form);
  if (first === 'authenticate') return authenticatePage(sandbox, second ?? '', method, form);
  return notice('The sandbox has no such page', 'Check the address.', 404);
}

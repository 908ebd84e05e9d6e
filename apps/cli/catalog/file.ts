import { parse as parseYaml } from 'yaml';
import { isAmount, MAX_AMOUNT } from '#kernel/amount.js';
import { isSupportedCurrency } from '#kernel/currency.js';
import type { IgnoreRule } from '#ledger/ignore-rule.js';
import { limitWindows } from '#ledger/usage/limits.js';
import type {
  Catalog,
  CreditEvent,
  CreditEventPrice,
  CreditProduct,
  FeatureLimits,
  Plan,
  PlanPolicy,
  PlanPrice,
} from '#ledger/catalog.js';

/** The catalogue file breaks its rules. Names every place that does. */
export class CatalogFileError extends Error {
  override readonly name = 'CatalogFileError';
  constructor(readonly problems: readonly string[]) {
    super(problems.join('\n'));
  }
}

const idPattern = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;
const nameRule = 'may hold letters, digits, "_", "." and "-"';
const isName = (value: unknown): value is string => typeof value === 'string' && idPattern.test(value);
const oneYear = 365;

/** One mapping of the file. Remembers what was asked for, so that a misspelt key is found. */
class Entry {
  readonly #members: Map<string, unknown>;

  constructor(
    value: unknown,
    readonly path: string,
    private readonly problems: string[],
  ) {
    const isMapping = typeof value === 'object' && value !== null && !Array.isArray(value);
    if (!isMapping) problems.push(`${path} must be a mapping`);
    this.#members = new Map(isMapping ? Object.entries(value) : []);
  }

  /** Takes a member out; null when it is not there. */
  take(key: string): unknown {
    const value = this.#members.get(key) ?? null;
    this.#members.delete(key);
    return value;
  }

  text(key: string): string {
    return this.optionalText(key) ?? this.wrong(key, 'is needed', '');
  }

  optionalText(key: string): string | null {
    const value = this.take(key);
    if (value === null || (typeof value === 'string' && value.length > 0 && value.length <= 500)) return value;
    return this.wrong(key, 'must be text of 1 to 500 characters', null);
  }

  id(): string {
    const id = this.text('id');
    return id === '' || isName(id) ? id : this.wrong('id', nameRule, id);
  }

  number(key: string, min: number, max: number): number {
    return this.optionalNumber(key, min, max) ?? this.wrong(key, 'is needed', min);
  }

  optionalNumber(key: string, min: number, max: number): number | null {
    const value = this.take(key);
    if (value === null || (isAmount(value) && value >= min && value <= max)) return value;
    return this.wrong(key, `must be a whole number from ${String(min)} to ${String(max)}`, null);
  }

  flag(key: string): boolean {
    return this.optionalFlag(key) ?? false;
  }

  optionalFlag(key: string): boolean | null {
    const value = this.take(key);
    return value === null || typeof value === 'boolean' ? value : this.wrong(key, 'must be true or false', null);
  }

  /** A list of names, each once. */
  names(key: string): readonly string[] {
    const value = this.take(key) ?? [];
    const fits = Array.isArray(value) && value.every(isName) && new Set(value).size === value.length;
    return fits ? (value as string[]) : this.wrong(key, `must be a list of names, each once; a name ${nameRule}`, []);
  }

  /** Entries by names. */
  named(key: string): readonly (readonly [name: string, entry: Entry])[] {
    const value = this.take(key) ?? {};
    const fits = typeof value === 'object' && !Array.isArray(value) && Object.keys(value).every(isName);
    if (!fits) return this.wrong(key, `must be a mapping of names; a name ${nameRule}`, []);
    return Object.entries(value).map(([name, item]) => [
      name,
      new Entry(item, `${this.path}.${key}.${name}`, this.problems),
    ]);
  }

  /** A mapping of one or more texts. */
  optionalTextMap(key: string): { readonly [name: string]: string } | null {
    const value = this.take(key);
    if (value === null) return null;
    const isMapping = typeof value === 'object' && !Array.isArray(value) && Object.keys(value).length > 0;
    const fits = isMapping && Object.values(value).every((one) => typeof one === 'string');
    return fits ? (value as { [name: string]: string }) : this.wrong(key, 'must be a mapping to texts', null);
  }

  entry(key: string): Entry | null {
    const value = this.take(key);
    return value === null ? null : new Entry(value, `${this.path}.${key}`, this.problems);
  }

  entries(key: string): readonly Entry[] {
    const value = this.take(key) ?? [];
    if (!Array.isArray(value)) return this.wrong(key, 'must be a list', []);
    return value.map((item, index) => new Entry(item, `${this.path}.${key}[${String(index)}]`, this.problems));
  }

  wrong<T>(key: string, rule: string, otherwise: T): T {
    this.problems.push(`${this.path}.${key} ${rule}`);
    return otherwise;
  }

  /** What is left was never asked for. */
  end(): void {
    for (const key of this.#members.keys()) this.wrong(key, 'is not a known key', null);
  }
}

/**
 * The catalogue that a YAML (or JSON) text describes; README says what it may hold.
 * Throws CatalogFileError that names every mistake.
 */
export function parseCatalog(text: string): Catalog {
  const problems: string[] = [];
  const root = new Entry(yamlOf(text), 'catalog', problems);
  const catalog: Catalog = {
    plans: each(root, 'plans', problems, planOf),
    creditProducts: each(root, 'creditProducts', problems, productOf),
    creditEvents: each(root, 'creditEvents', problems, creditEventOf),
    ...ignoreOf(root.entries('ignore')),
  };
  root.end();
  problems.push(...sharedPrices(catalog));
  if (problems.length > 0) throw new CatalogFileError(problems);
  return catalog;
}

/** A Stripe price leads back to the one thing that it sells; on two of them it would lead to either. */
function sharedPrices({ plans, creditProducts }: Catalog): readonly string[] {
  const named = [
    ...plans.flatMap(({ id, monthly, yearly }) => [
      { path: `plan ${id}, monthly`, price: monthly?.stripePriceId },
      { path: `plan ${id}, yearly`, price: yearly?.stripePriceId },
    ]),
    ...creditProducts.map(({ id, stripePriceId }) => ({ path: `credit product ${id}`, price: stripePriceId })),
  ].filter(({ price }) => price != null);
  return [...Map.groupBy(named, ({ price }) => price).values()]
    .filter(({ length }) => length > 1)
    .map((places) => `catalog: one stripePriceId is named by ${places.map(({ path }) => path).join(' and ')}`);
}

function yamlOf(text: string): unknown {
  try {
    return parseYaml(text, { maxAliasCount: 100 });
  } catch (error) {
    throw new CatalogFileError([error instanceof Error ? (error.message.split('\n')[0] ?? '') : 'not YAML']);
  }
}

function each<Item extends { readonly id: string }>(
  root: Entry,
  key: string,
  problems: string[],
  read: (entry: Entry) => Item,
): readonly Item[] {
  const known = new Set<string>();
  return root.entries(key).map((entry) => {
    const item = read(entry);
    entry.end();
    if (known.has(item.id)) problems.push(`${entry.path}.id is used twice: ${item.id}`);
    known.add(item.id);
    return item;
  });
}

/** Rules have no ids: their order says which one is named as the reason. */
function ignoreOf(entries: readonly Entry[]): Pick<Catalog, 'ignore'> {
  const rules = entries.map((entry) => {
    const [type, price, product] = (['type', 'price', 'product'] as const).map((key) => entry.optionalText(key));
    const metadata = entry.optionalTextMap('metadata');
    const rule: IgnoreRule = {
      ...(type == null ? {} : { type }),
      ...(price == null ? {} : { price }),
      ...(product == null ? {} : { product }),
      ...(metadata === null ? {} : { metadata }),
      reason: entry.text('reason'),
    };
    if (Object.keys(rule).length === 1) entry.wrong('type', ', price, product or metadata is needed', null);
    entry.end();
    return rule;
  });
  return rules.length === 0 ? {} : { ignore: rules };
}

function planOf(entry: Entry): Plan {
  const plan: Plan = {
    id: entry.id(),
    name: entry.text('name'),
    description: entry.optionalText('description'),
    monthly: planPriceOf(entry.entry('monthly')),
    yearly: planPriceOf(entry.entry('yearly')),
    creditsPerMonth: entry.number('creditsPerMonth', 0, MAX_AMOUNT),
    free: entry.flag('free'),
    trialDays: entry.optionalNumber('trialDays', 1, 2 * oneYear),
    features: entry.names('features'),
    limits: Object.fromEntries(entry.named('limits').map(([feature, limits]) => [feature, limitsOf(limits)])),
    ...policyOf(entry.entry('policy')),
  };
  if (plan.free && (plan.monthly !== null || plan.yearly !== null))
    entry.wrong('free', 'and a price exclude each other', 0);
  return plan;
}

function limitsOf(entry: Entry): FeatureLimits {
  const limits = limitWindows.flatMap((window) => {
    const limit = entry.optionalNumber(window, 0, MAX_AMOUNT);
    return limit === null ? [] : [[window, limit] as const];
  });
  entry.end();
  return Object.fromEntries(limits);
}

/** Only what the file says: a default that is not written down may change. */
function policyOf(entry: Entry | null): { readonly policy?: PlanPolicy } {
  if (entry === null) return {};
  const number = (key: 'trialCredits' | 'rolloverCap'): PlanPolicy => {
    const value = entry.optionalNumber(key, 0, MAX_AMOUNT);
    return value === null ? {} : { [key]: value };
  };
  const flag = (key: 'proratedUpgrade' | 'downgradeClawback'): PlanPolicy => {
    const value = entry.optionalFlag(key);
    return value === null ? {} : { [key]: value };
  };
  const policy = {
    ...number('trialCredits'),
    ...number('rolloverCap'),
    ...flag('proratedUpgrade'),
    ...flag('downgradeClawback'),
  };
  entry.end();
  return { policy };
}

function planPriceOf(entry: Entry | null): PlanPrice | null {
  if (entry === null) return null;
  const price = { money: moneyOf(entry), stripePriceId: entry.optionalText('stripePriceId') };
  entry.end();
  return price;
}

const moneyOf = (entry: Entry): { amount: number; currency: string } => {
  const currency = entry.text('currency');
  if (!isSupportedCurrency(currency))
    entry.wrong('currency', 'must be a currency of ISO 4217 in three lower-case letters, other than ugx', '');
  return { amount: entry.number('amount', 0, MAX_AMOUNT), currency };
};

function productOf(entry: Entry): CreditProduct {
  const id = entry.id();
  const name = entry.text('name');
  const credits = entry.number('credits', 1, MAX_AMOUNT);
  const price = entry.entry('price');
  const money = price === null ? entry.wrong('price', 'is needed', { amount: 0, currency: 'usd' }) : moneyOf(price);
  price?.end();
  const stripePriceId = entry.optionalText('stripePriceId');
  return {
    id,
    name,
    credits,
    price: money,
    stripePriceId,
    expiresAfterDays: entry.optionalNumber('expiresAfterDays', 1, 100 * oneYear),
  };
}

function creditEventOf(entry: Entry): CreditEvent {
  return {
    id: entry.id(),
    name: entry.text('name'),
    description: entry.optionalText('description'),
    category: entry.optionalText('category'),
    price: creditEventPriceOf(entry),
  };
}

function creditEventPriceOf(entry: Entry): CreditEventPrice {
  const cost = entry.optionalNumber('cost', 1, MAX_AMOUNT);
  const tiers = entry.entries('tiers').map((tier) => {
    const read = { upTo: tier.optionalNumber('upTo', 1, MAX_AMOUNT), cost: tier.number('cost', 0, MAX_AMOUNT) };
    tier.end();
    return read;
  });
  if ((cost === null) === (tiers.length === 0)) entry.wrong('cost', 'or tiers is needed, and not both', null);
  if (cost !== null) return { kind: 'flat', cost };
  const ends = tiers.map(({ upTo }) => upTo ?? Infinity);
  const ordered = ends.every((end, index) => index === 0 || end > (ends[index - 1] ?? 0)) && ends.at(-1) === Infinity;
  if (tiers.length > 0 && !ordered) entry.wrong('tiers', 'must rise in upTo, and the last must have none', null);
  return { kind: 'tiered', tiers };
}

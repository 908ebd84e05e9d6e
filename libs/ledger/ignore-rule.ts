/** Which Stripe events are none of this installation's, and why: those to which all members that are named apply. */
export type IgnoreRule = {
  /** The type of the event, or its beginning with `.*` after it. */
  readonly type?: string;
  /** Stripe's id of a price or product: the event names prices, and all of them are this one or of it. */
  readonly price?: string;
  readonly product?: string;
  /** What the object's metadata holds; `*` stands for any value. */
  readonly metadata?: { readonly [key: string]: string };
  readonly reason: string;
};

/** What a rule looks at in a Stripe event. */
export type Ignorable = {
  readonly type: string;
  readonly prices: readonly { readonly price: string | null; readonly product: string | null }[];
  readonly metadata: readonly { readonly [key: string]: string }[];
};

/** The first rule that applies; null when none does. Pure. */
export const ruleFor = (rules: readonly IgnoreRule[], event: Ignorable): IgnoreRule | null =>
  rules.find((rule) => applies(rule, event)) ?? null;

function applies({ type, price, product, metadata }: IgnoreRule, event: Ignorable): boolean {
  // A rule that names nothing would take everything.
  if (type === undefined && price === undefined && product === undefined && metadata === undefined) return false;
  if (type !== undefined && !isOfType(type, event.type)) return false;
  const { prices } = event;
  if (price !== undefined && !(prices.length > 0 && prices.every((each) => each.price === price))) return false;
  if (product !== undefined && !(prices.length > 0 && prices.every((each) => each.product === product))) return false;
  return metadata === undefined || event.metadata.some((held) => holds(held, metadata));
}

const isOfType = (wanted: string, type: string): boolean =>
  wanted.endsWith('.*') ? type.startsWith(wanted.slice(0, -1)) : type === wanted;

const holds = (held: { readonly [key: string]: string }, wanted: { readonly [key: string]: string }): boolean =>
  Object.entries(wanted).every(([key, value]) => Object.hasOwn(held, key) && (value === '*' || held[key] === value));

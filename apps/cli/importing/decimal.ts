/** An exact decimal number: `digits` ÷ 10^`scale`. Amounts of other systems come as text with a fraction; nothing is rounded by a float. */
export type Decimal = { readonly digits: bigint; readonly scale: number };

const pattern = /^(-?)(\d{1,30})(?:\.(\d{1,20}))?$/;

/** The number that a text such as `12`, `-3.50` or `0.001` is; null for anything else, exponents too. */
export function parseDecimal(text: string): Decimal | null {
  const found = pattern.exec(text.trim());
  if (found === null) return null;
  const [, sign = '', whole = '', fraction = ''] = found;
  const digits = BigInt(whole + fraction);
  return { digits: sign === '-' ? -digits : digits, scale: fraction.length };
}

/** A whole number as a decimal. */
export const decimalOf = (value: number): Decimal => ({ digits: BigInt(value), scale: 0 });

export const times = (a: Decimal, b: Decimal): Decimal => ({
  digits: a.digits * b.digits,
  scale: a.scale + b.scale,
});

export function plus(a: Decimal, b: Decimal): Decimal {
  const scale = Math.max(a.scale, b.scale);
  return { digits: atScale(a, scale) + atScale(b, scale), scale };
}

export const minus = (a: Decimal, b: Decimal): Decimal => plus(a, { ...b, digits: -b.digits });

/** Below, at or above zero as `a` is less than, equal to or more than `b`. */
export function compareDecimals(a: Decimal, b: Decimal): number {
  const { digits } = minus(a, b);
  return digits < 0n ? -1 : digits > 0n ? 1 : 0;
}

const atScale = ({ digits, scale }: Decimal, wanted: number): bigint => digits * 10n ** BigInt(wanted - scale);

/** What is before the point of a number ≥ 0, and whether anything is behind it. */
export function wholePart({ digits, scale }: Decimal): { readonly whole: bigint; readonly hasFraction: boolean } {
  const unit = 10n ** BigInt(scale);
  return { whole: digits / unit, hasFraction: digits % unit !== 0n };
}

/** The number in its shortest form: `12.5`, `-3`. */
export function decimalText({ digits, scale }: Decimal): string {
  const sign = digits < 0n ? '-' : '';
  const text = (digits < 0n ? -digits : digits).toString().padStart(scale + 1, '0');
  const fraction = text.slice(text.length - scale).replace(/0+$/, '');
  return `${sign}${text.slice(0, text.length - scale)}${scale === 0 || fraction === '' ? '' : `.${fraction}`}`;
}

/**
 * True for a currency that the ledger can keep in minor units by Stripe's own table. UGX is not one: Stripe's documentation
 * says both that it has no decimals and that it has two.
 */
export const isSupportedCurrency = (currency: string): boolean => /^[a-z]{3}$/.test(currency) && currency !== 'ugx';

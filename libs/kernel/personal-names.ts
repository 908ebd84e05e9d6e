/** Fields that hold what belongs to a person, a card or a login, wherever they stand; with all that is inside them. */
const personal = new Set([
  'account_number',
  'bank_account',
  'billing',
  'billing_details',
  'client_secret',
  'collected_information',
  'custom_fields',
  'customer_details',
  'customer_shipping',
  'customer_tax_ids',
  'description',
  'evidence',
  'exp_month',
  'exp_year',
  'fingerprint',
  'iban',
  'iin',
  'individual',
  'owner',
  'payer',
  'payer_details',
  'receipt_number',
  'receipt_url',
  'routing_number',
  'shipping',
  'shipping_details',
  'sources',
  'tax_id',
  'tax_ids',
  'url',
  'user_agent',
  'verified_outputs',
  'wallet',
]);

/** `customer_email`, `account_holder_name`, `customer_purchase_ip`, `email_address` and whatever Stripe adds like them. */
const personalEnding =
  /(^|_)(e_?mails?|phones?|(tele)?phone_?(number|no)|(user|first|last|full|sur|nick)?name|(e_?mail)?address(es)?|ip|dob|birth_?da(te|y)|cvc|pan)$/;

/** Metadata is written by others, in whatever style they write names: `customerEmail`, `e-mail`, `User Name`. */
const inSnakeCase = (key: string): string =>
  key
    .replace(/([a-z\d])([A-Z])|([A-Z])(?=[A-Z][a-z])/g, '$1$3_$2')
    .replace(/[^A-Za-z\d]+/g, '_')
    .toLowerCase();

/** Whether a member of this name holds what belongs to a person, a card or a login. */
export function isPersonalName(key: string): boolean {
  const name = inSnakeCase(key);
  return personal.has(name) || personalEnding.test(name);
}

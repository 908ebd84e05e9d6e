/** What every command has in common that a Stripe event causes. */
export const requestBy = (stripeEventId: string) =>
  ({
    origin: 'stripe',
    fingerprint: null,
    actor: 'stripe',
    causationId: stripeEventId,
    correlationId: stripeEventId,
  }) as const;

/**
 * What a team would write instead of a ledger: a row per account that is changed in place, and a history row per
 * consumption whose unique key makes a repeated request harmless. `fillfactor` leaves room for updates in the page.
 */
export const baselineSchema = `
  create table balances (
    customer_id text not null,
    unit text not null,
    available bigint not null check (available >= 0),
    held bigint not null default 0,
    primary key (customer_id, unit)
  ) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);
  create table consumptions (
    id bigint generated always as identity,
    customer_id text not null,
    unit text not null,
    idempotency_key text not null,
    request_hash text not null,
    amount bigint not null,
    available_after bigint not null,
    held_after bigint not null,
    resource json,
    description text,
    metadata json,
    actor text not null,
    at timestamptz not null default now(),
    primary key (customer_id, unit, idempotency_key)
  )`;

/** One statement, one round trip, one commit: takes the credits if they are there and notes the consumption. */
export const consumeStatement = `
  with prior as (
    select id, amount, available_after, held_after, at, request_hash from consumptions
    where customer_id = $1 and unit = $2 and idempotency_key = $3
  ), taken as (
    update balances set available = available - $5
    where customer_id = $1 and unit = $2 and available >= $5 and not exists (select from prior)
    returning available, held
  ), noted as (
    insert into consumptions
      (customer_id, unit, idempotency_key, request_hash, amount, available_after, held_after, resource, description, metadata, actor)
    select $1, $2, $3, $4, $5, available, held, $6, $7, $8, $9 from taken
    returning id, amount, available_after, held_after, at, request_hash
  )
  select *, false as replayed from noted
  union all
  select *, true from prior`;

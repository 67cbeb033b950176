-- Tokens other software calls the API with. Only their hash is kept. A token is of one clinic and speaks for one
-- administrator of it; what it may do is its scopes.

create table sync.service_tokens (
    clinic_id uuid not null,
    id uuid not null,
    -- SHA-256 of the token.
    token_hash bytea not null primary key check (octet_length(token_hash) = 32),
    name text not null check (char_length(name) between 1 and 80),
    scopes text[] not null check (
        cardinality(scopes) > 0 and scopes <@ array['subjects', 'erasure', 'incidents']),
    -- In whose name it acts; without force once that person is no administrator any more.
    acts_for uuid not null,
    made_at timestamptz not null,
    expires_at timestamptz not null,
    -- To the hour.
    used_at timestamptz,
    revoked_at timestamptz,
    unique (clinic_id, id)
);

-- Asked before a clinic is known, like enrolment codes: no row security, no patient data.
grant select, insert, update (used_at, revoked_at) on sync.service_tokens to neonpro_server;

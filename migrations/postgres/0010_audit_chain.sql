-- The audit as a chain per clinic: numbers without gaps, each hash over the one before (contract/src/audit.rs). Its
-- place is kept in the clinic's head row, which every writer locks, so the order of numbers is the order of commits.

alter table sync.heads
    add column audit_seq bigint not null default 0 check (audit_seq >= 0),
    add column audit_hash bytea check (octet_length(audit_hash) = 32);

-- A log from before the chain is kept beside it, whole and unchained.
alter table sync.audit no force row level security;
do $$
begin
    if exists (select from sync.audit) then
        alter table sync.audit rename to audit_before_chain;
        alter table sync.audit_before_chain rename constraint audit_pkey to audit_before_chain_pkey;
        alter table sync.audit_before_chain force row level security;
        revoke insert on sync.audit_before_chain from neonpro_server;
    else
        drop table sync.audit;
    end if;
end
$$;

create table sync.audit (
    clinic_id uuid not null,
    seq bigint not null check (seq > 0),
    at timestamptz not null,
    action text not null,
    device_id uuid,
    author_id uuid,
    edit_id uuid,
    -- The tablet's id of a read: told twice, it is kept once.
    read_id uuid,
    code text,
    detail jsonb not null default '{}',
    hash bytea not null check (octet_length(hash) = 32),
    constraint audit_pkey primary key (clinic_id, seq)
);
create unique index audit_clinic_id_read_id_key on sync.audit (clinic_id, read_id) where read_id is not null;

-- What the server signed about the log. The copies that count are outside this database.
create table sync.audit_checkpoints (
    clinic_id uuid not null,
    size bigint not null check (size > 0),
    hash bytea not null check (octet_length(hash) = 32),
    at timestamptz not null,
    key bytea not null check (octet_length(key) = 32),
    signature bytea not null,
    primary key (clinic_id, size)
);

do $$
declare
    relation text;
begin
    foreach relation in array array['audit', 'audit_checkpoints'] loop
        execute format('alter table sync.%I enable row level security', relation);
        execute format('alter table sync.%I force row level security', relation);
        execute format(
            'create policy clinic_isolation on sync.%I '
            'using (clinic_id = nullif(current_setting(''neonpro.clinic_id'', true), '''')::uuid) '
            'with check (clinic_id = nullif(current_setting(''neonpro.clinic_id'', true), '''')::uuid)',
            relation);
        execute format('grant select, insert on sync.%I to neonpro_server', relation);
    end loop;
end
$$;

-- Withdrawal: documents that leave the devices when the consent they rest on ends, and who has confirmed that they did.

-- A withdrawn document is in no digest, no first sync, no repair and no page; its row and its history stay here.
alter table sync.documents add column withdrawn boolean not null default false;
create index documents_withdrawn on sync.documents (clinic_id, record_id, table_id, facet) where withdrawn;

-- What each device was asked to purge. Written with the withdrawal; filled in when the device answers. A device that was
-- revoked or lost leaves its rows open: nobody can say that it purged anything.
create table sync.receipts (
    clinic_id uuid not null,
    device_id uuid not null,
    -- Feed number of the withdrawal.
    seq bigint not null,
    table_id smallint not null,
    record_id uuid not null,
    facet smallint not null,
    withdrawn_at timestamptz not null,
    -- By the device's clock, never later than its arrival.
    purged_at timestamptz,
    received_at timestamptz,
    -- receipt: the device said so; first_sync: it has fetched everything since and was not given the document.
    how text check (how in ('receipt', 'first_sync')),
    primary key (clinic_id, device_id, seq),
    check ((purged_at is null) = (received_at is null) and (purged_at is null) = (how is null))
);
create index receipts_open on sync.receipts (clinic_id, withdrawn_at) where purged_at is null;

alter table sync.receipts enable row level security;
alter table sync.receipts force row level security;
create policy clinic_isolation on sync.receipts
    using (clinic_id = nullif(current_setting('neonpro.clinic_id', true), '')::uuid)
    with check (clinic_id = nullif(current_setting('neonpro.clinic_id', true), '')::uuid);
grant select, insert, update (purged_at, received_at, how) on sync.receipts to neonpro_server;

-- A grant expires without a write. How far a job has looked; what comes later with an expiry already past is settled by
-- the merge that brings it.
create index data_consent_records_expiry on data_consent_records (clinic_id, expiry_date)
    where expiry_date is not null;
create table sync.consent_looks (
    clinic_id uuid primary key,
    expiries_seen_until timestamptz not null
);
alter table sync.consent_looks enable row level security;
alter table sync.consent_looks force row level security;
create policy clinic_isolation on sync.consent_looks
    using (clinic_id = nullif(current_setting('neonpro.clinic_id', true), '')::uuid)
    with check (clinic_id = nullif(current_setting('neonpro.clinic_id', true), '')::uuid);
grant select, insert, update (expiries_seen_until) on sync.consent_looks to neonpro_server;

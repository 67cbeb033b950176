-- Files of patients: which the server has, and how far. Their chunks lie outside of PostgreSQL, sealed under the data key of
-- whom they are about (docs/photos.md).

create table sync.blobs (
    clinic_id uuid not null,
    -- Its folder among the objects. By chance: it says nothing of what is in it.
    id uuid not null,
    -- The clinic's own id stands for what it has without a patient.
    patient_id uuid not null,
    purpose smallint not null check (purpose between 0 and 5),
    -- SHA-256 of the whole file.
    address bytea not null check (octet_length(address) = 32),
    size bigint not null check (size > 0),
    -- Chunks that are there, from the first.
    chunks integer not null default 0 check (chunks >= 0),
    begun_at timestamptz not null,
    -- When all were there and their hash was the address.
    stored_at timestamptz,
    -- Not to be had any more: its objects are to be deleted, and then it.
    gone_at timestamptz,
    primary key (clinic_id, id)
);
create unique index blobs_address on sync.blobs (clinic_id, patient_id, purpose, address) where gone_at is null;
create index blobs_gone on sync.blobs (clinic_id) where gone_at is not null;
create index blobs_partial on sync.blobs (clinic_id, begun_at) where stored_at is null and gone_at is null;

alter table sync.blobs enable row level security;
alter table sync.blobs force row level security;
create policy clinic_isolation on sync.blobs
    using (clinic_id = nullif(current_setting('neonpro.clinic_id', true), '')::uuid)
    with check (clinic_id = nullif(current_setting('neonpro.clinic_id', true), '')::uuid);
grant select, insert, delete on sync.blobs to neonpro_server;
grant update (chunks, stored_at, gone_at) on sync.blobs to neonpro_server;

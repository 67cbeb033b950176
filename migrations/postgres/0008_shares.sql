-- Shares: what one clinic of a network lets another see of a patient, read-only, while the patient consents to it.

-- Kept by the clinic that gives; the one that receives sees by its copies whom they come from.
create table sync.shares (
    clinic_id uuid not null,
    to_clinic uuid not null,
    -- The referral that opened it.
    referral_id uuid not null,
    patient_id uuid not null,
    state text not null check (state in ('open', 'ended')),
    -- Why it ended, as a stable code.
    ended_why text,
    opened_at timestamptz not null,
    ended_at timestamptz,
    -- Feed number of the giving clinic up to which the receiving one has been told.
    told_seq bigint not null,
    primary key (clinic_id, referral_id),
    check ((state = 'ended') = (ended_at is not null))
);

alter table sync.shares enable row level security;
alter table sync.shares force row level security;
create policy clinic_isolation on sync.shares
    using (clinic_id = nullif(current_setting('neonpro.clinic_id', true), '')::uuid)
    with check (clinic_id = nullif(current_setting('neonpro.clinic_id', true), '')::uuid);
grant select, insert, update (state, ended_why, opened_at, ended_at, told_seq) on sync.shares to neonpro_server;

-- What a clinic received: copies, apart from its own records, so that no key, no uniqueness and no count of its own is
-- touched by them. Nothing edits them here. A withdrawn copy keeps its place and loses its content.
create table sync.shared_documents (
    clinic_id uuid not null,
    record_id uuid not null,
    table_id smallint not null,
    facet smallint not null,
    purpose smallint not null,
    from_clinic uuid not null,
    -- Raised with every copy: devices see a flattened document in its next epoch.
    epoch integer not null,
    -- CBOR of the facet's row; null once withdrawn.
    content bytea,
    author_id uuid,
    captured_at timestamptz,
    merged_at timestamptz not null,
    feed_seq bigint not null,
    withdrawn boolean not null default false,
    primary key (clinic_id, record_id, table_id, facet),
    check (not withdrawn or content is null)
);

alter table sync.shared_documents enable row level security;
alter table sync.shared_documents force row level security;
create policy clinic_isolation on sync.shared_documents
    using (clinic_id = nullif(current_setting('neonpro.clinic_id', true), '')::uuid)
    with check (clinic_id = nullif(current_setting('neonpro.clinic_id', true), '')::uuid);
grant select, insert, update (purpose, epoch, content, author_id, captured_at, merged_at, feed_seq, withdrawn)
    on sync.shared_documents to neonpro_server;

-- Referrals that leave the clinic: few.
create index professional_referrals_receiving on professional_referrals (clinic_id)
    where receiving_clinic_id is not null;

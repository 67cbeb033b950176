-- The sync schema: what the merge needs beside the canonical tables.
-- Every table with a clinic_id is isolated by row security like the canonical ones. The few without one hold no
-- patient data: they only route a device or an enrolment code to its clinic.

create schema sync;
grant usage on schema sync to neonpro_server;

-- One row: the epoch changes when a backup was restored; reference data is numbered by its own counter.
create table sync.server (
    singleton boolean primary key default true check (singleton),
    epoch uuid not null default gen_random_uuid(),
    reference_seq bigint not null default 0
);
insert into sync.server default values;
grant select, update (reference_seq) on sync.server to neonpro_server;

-- Which clinic a device belongs to: read before any clinic context exists, by an unguessable id.
create table sync.device_clinics (
    device_id uuid primary key,
    clinic_id uuid not null,
    -- Last 8 bytes of the id: the tag of the device's Automerge actors. Two devices must never share it.
    actor_tag bytea not null unique check (octet_length(actor_tag) = 8)
);
grant select, insert on sync.device_clinics to neonpro_server;

-- One-time enrolment codes; only the hash is kept.
create table sync.enrolments (
    code_hash bytea primary key check (octet_length(code_hash) = 32),
    clinic_id uuid not null,
    audience text not null check (audience in ('clinical', 'front_desk')),
    created_at timestamptz not null,
    expires_at timestamptz not null,
    used_at timestamptz,
    device_id uuid
);
grant select, insert, update (used_at, device_id) on sync.enrolments to neonpro_server;

-- A clinic's place in its own history. Locked by every merge: the lock is what makes numbers follow commit order.
create table sync.heads (
    clinic_id uuid primary key,
    seq bigint not null default 0 check (seq >= 0),
    -- Feed entries up to here may be gone: a cursor behind it syncs from the start.
    horizon bigint not null default 0,
    -- Six sums of 16 bytes, one per purpose, over the heads of every document.
    digests bytea not null check (octet_length(digests) = 96)
);

create table sync.devices (
    clinic_id uuid not null,
    id uuid not null,
    name text not null,
    public_key bytea not null check (octet_length(public_key) = 32),
    audience text not null check (audience in ('clinical', 'front_desk')),
    state text not null default 'active' check (state in ('active', 'revoked')),
    generation integer not null default 1,
    app text,
    enrolled_at timestamptz not null,
    revoked_at timestamptz,
    last_seen_at timestamptz,
    -- Last feed number the device said it had committed.
    cursor bigint not null default -1,
    waiting integer not null default 0,
    clock_offset_ms bigint,
    primary key (clinic_id, id)
);

create table sync.documents (
    clinic_id uuid not null,
    record_id uuid not null,
    table_id smallint not null,
    facet smallint not null,
    purpose smallint not null,
    patient_id uuid,
    epoch integer not null default 1,
    live_changes integer not null default 0,
    -- Concatenated SHA-256 of the live heads; null when the document is its row.
    heads bytea,
    -- Saved document; a cache of genesis plus the signed changes.
    snapshot bytea,
    -- CBOR of the merge instants of changes captured by a clock that ran ahead.
    clamps bytea,
    last_seq bigint not null default 0,
    -- Whether it ever was more than its row at epoch 1.
    changed boolean not null default false,
    primary key (clinic_id, record_id, table_id, facet)
) with (fillfactor = 80);
-- Indexes and their conditions name no column that every merge changes, so that most updates stay on their page (HOT).
create index documents_changed on sync.documents (clinic_id, table_id, record_id) where changed;
create index documents_patient on sync.documents (clinic_id, patient_id) where patient_id is not null;

-- Every edit that was ever pushed, with its fate: the signed log, the quarantine and the answers to replays.
create table sync.edits (
    clinic_id uuid not null,
    id uuid not null,
    device_id uuid not null,
    author_id uuid not null,
    fate text not null check (fate in ('accepted', 'held', 'quarantined', 'refused')),
    code text,
    -- Feed number of its last entry, once accepted.
    seq bigint,
    captured_at timestamptz not null,
    received_at timestamptz not null,
    merged_at timestamptz,
    -- What the device signed. Null for a refused edit: only its digest is kept.
    envelope bytea,
    signature bytea,
    digest bytea not null,
    -- Documents it touches, as table/record/facet texts: how dependants of a set-aside edit are found.
    documents text[] not null default '{}',
    patient_id uuid,
    primary key (clinic_id, id)
);
create index edits_waiting on sync.edits (clinic_id, received_at) where fate in ('held', 'quarantined');
create index edits_waiting_documents on sync.edits using gin (documents) where fate <> 'accepted';
create index edits_waiting_patient on sync.edits (clinic_id, patient_id) where fate = 'quarantined';

-- kind: 0 change, 1 snapshot, 2 row, 3 withdraw
create table sync.feed (
    clinic_id uuid not null,
    seq bigint not null,
    kind smallint not null check (kind between 0 and 3),
    table_id smallint not null,
    record_id uuid not null,
    facet smallint not null,
    purpose smallint not null,
    epoch integer not null,
    edit_id uuid,
    -- Which change of the edit.
    position smallint,
    device_id uuid,
    merged_at timestamptz not null,
    primary key (clinic_id, seq)
);

-- What a human reconciles.
create table sync.items (
    clinic_id uuid not null,
    id uuid not null,
    kind text not null check (kind in ('fields', 'duplicates', 'agenda', 'stock', 'payments', 'fiscal',
        'consent_photos', 'scope', 'devices')),
    severity text not null check (severity in ('info', 'warning', 'urgent')),
    code text not null,
    -- One open item per matter: the same conflict seen again updates it.
    matter text not null,
    table_id smallint,
    record_id uuid,
    patient_id uuid,
    -- Both sides: who, when, which device, which values.
    sides jsonb not null,
    state text not null default 'open' check (state in ('open', 'resolved')),
    opened_at timestamptz not null,
    deadline_at timestamptz,
    owner_id uuid,
    resolved_at timestamptz,
    resolved_by uuid,
    resolution jsonb,
    primary key (clinic_id, id)
);
create unique index items_open_matter on sync.items (clinic_id, matter) where state = 'open';

-- Who did what, decided how. Append-only: the server's role may insert and read.
create table sync.audit (
    clinic_id uuid not null,
    id bigint generated always as identity,
    at timestamptz not null,
    action text not null,
    device_id uuid,
    author_id uuid,
    edit_id uuid,
    code text,
    detail jsonb not null default '{}',
    primary key (clinic_id, id)
);

do $$
declare
    relation text;
begin
    foreach relation in array array['heads', 'devices', 'documents', 'edits', 'feed', 'items', 'audit'] loop
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
grant update on sync.heads, sync.devices, sync.documents, sync.edits, sync.items to neonpro_server;
-- Pruning below the horizon; the signed edits themselves are never deleted here.
grant delete on sync.feed to neonpro_server;

-- Encryption at rest: clinics' keys wrapped under a master key that is never here, data keys wrapped under them, and the
-- columns that hold sealed values.

-- A clinic's key, by version. The newest wraps; older ones unwrap until the rotation is through.
create table sync.clinic_keys (
    clinic_id uuid not null,
    version integer not null check (version > 0),
    -- Which master key wrapped it.
    master_id text not null,
    wrapped bytea not null,
    made_at timestamptz not null,
    primary key (clinic_id, version)
);

-- One key in use per patient and purpose; the clinic's own id stands for what it has without a patient. Purpose -1 is
-- the key of blind indexes. A destroyed key leaves its place and loses its bytes.
create table sync.data_keys (
    clinic_id uuid not null,
    -- By chance, so that no number ever names another key, not even in a restored database.
    id bigint not null,
    patient_id uuid not null,
    purpose smallint not null check (purpose between -1 and 5),
    clinic_key integer not null,
    wrapped bytea not null,
    made_at timestamptz not null,
    destroyed_at timestamptz,
    primary key (clinic_id, id),
    check ((octet_length(wrapped) = 0) = (destroyed_at is not null))
);
create unique index data_keys_in_use on sync.data_keys (clinic_id, patient_id, purpose) where destroyed_at is null;
create index data_keys_of_version on sync.data_keys (clinic_id, clinic_key) where destroyed_at is null;

do $$
declare
    relation text;
begin
    foreach relation in array array['clinic_keys', 'data_keys'] loop
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
grant update (master_id, wrapped), delete on sync.clinic_keys to neonpro_server;
grant update (clinic_key, wrapped, destroyed_at) on sync.data_keys to neonpro_server;

-- Whether a key was ever wrapped: then a server without its master key must not make another one.
alter table sync.server add column keyed boolean not null default false;
grant update (keyed) on sync.server to neonpro_server;

-- How many data keys were destroyed: whoever locked the head knows by it whether a cached key may still be used.
alter table sync.heads add column keys_destroyed bigint not null default 0;

-- Whose data a copy holds, so that it can be erased with it. Copies made before are not known by patient.
alter table sync.shared_documents add column patient_id uuid;
grant update (patient_id) on sync.shared_documents to neonpro_server;

-- A sealed date is a text. Equality of sealed identifiers is asked of blind indexes: HMAC-SHA-256 under a key of the
-- clinic, cut to 16 bytes.
alter table patients
    alter column date_of_birth type text,
    add column cpf_index bytea check (octet_length(cpf_index) = 16),
    add column cns_index bytea check (octet_length(cns_index) = 16),
    add column email_index bytea check (octet_length(email_index) = 16),
    add column phone_index bytea check (octet_length(phone_index) = 16);
drop index patients_clinic_id_cpf_key, patients_clinic_id_cns_key, idx_patients_clinic_search;
create unique index patients_clinic_id_cpf_key on patients (clinic_id, cpf_index)
    where cpf_index is not null and retired_at is null and duplicate_of is null;
create unique index patients_clinic_id_cns_key on patients (clinic_id, cns_index)
    where cns_index is not null and retired_at is null and duplicate_of is null;
create index idx_patients_clinic_search on patients (clinic_id, email_index, phone_index);
create index patients_clinic_phone_index on patients (clinic_id, phone_index) where phone_index is not null;

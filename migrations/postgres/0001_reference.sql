-- Reference data, networks and the clinics with their people: what every other table points at.
--
-- Runs as neonpro_owner, which owns everything here. The roles neonpro_owner, neonpro_server and neonpro_reference
-- exist before the first migration, because a role belongs to the cluster and not to this database.

-- Months are made while the product runs, also in a copy or a restore whose database belongs to somebody else.
grant usage, create on schema public to neonpro_owner;

-- A function is callable by those it was granted to, and by nobody else.
alter default privileges revoke execute on functions from public;

-- The columns every table of a clinic has. Tables are declared `like` these, so none can lack one; the templates go
-- when the last table is there.
create table record_columns (
    clinic_id uuid not null,
    id uuid not null default gen_random_uuid()
);

-- feed_seq is null until the row has been numbered into the clinic's feed: triggers and jobs that write a row by
-- themselves leave it null, and the merge numbers what it finds.
create table merge_columns (
    author_id uuid,
    captured_at timestamptz,
    merged_at timestamptz not null default now(),
    feed_seq bigint
);

-- What a device may edit is retired, never deleted: charts are kept for 20 years (Lei 13.787/2018).
create table editable_columns (
    retired_at timestamptz,
    retired_by uuid,
    retired_reason text,
    like merge_columns including defaults
);

-- Professions and councils are registries, not lists in a CHECK: laws add professions faster than we release.
create table professional_types (
    code text primary key,
    name text not null
);

insert into professional_types (code, name) values
    ('doctor', 'Médico'),
    ('nurse', 'Enfermeiro'),
    ('pharmacist', 'Farmacêutico'),
    ('aesthetician', 'Esteticista'),
    ('dentist', 'Cirurgião-dentista'),
    ('biomedic', 'Biomédico'),
    ('physiotherapist', 'Fisioterapeuta'),
    ('biologist', 'Biólogo');

-- CNEP is no council created by law: it stays as a value, and no authority ever follows from it. The regional
-- councils of some professions span several states, so a registration names a UF or a region.
create table council_types (
    code text primary key,
    name text not null,
    is_legal_council boolean not null,
    region_kind text not null check (region_kind in ('uf', 'region', 'none'))
);

insert into council_types (code, name, is_legal_council, region_kind) values
    ('CFM', 'Conselho Federal de Medicina', true, 'uf'),
    ('COREN', 'Conselho Regional de Enfermagem', true, 'uf'),
    ('CFF', 'Conselho Federal de Farmácia', true, 'uf'),
    ('CNEP', 'CNEP', false, 'none'),
    ('CFO', 'Conselho Federal de Odontologia', true, 'uf'),
    ('CFBM', 'Conselho Federal de Biomedicina', true, 'region'),
    ('COFFITO', 'Conselho Federal de Fisioterapia e Terapia Ocupacional', true, 'region'),
    ('CFBio', 'Conselho Federal de Biologia', true, 'region');

-- Clinics that belong together. Belonging to one shares nothing by itself.
create table clinic_networks (
    id uuid primary key default gen_random_uuid(),
    name text not null,
    created_at timestamptz not null default now()
);

-- Groups of procedures.
create table service_categories (
    id uuid primary key default gen_random_uuid(),
    name text not null,
    description text,
    display_order integer default 0,
    is_active boolean default true,
    created_at timestamptz default now(),
    updated_at timestamptz default now(),
    merged_at timestamptz not null default now(),
    feed_seq bigint not null default 0
);

-- Procedures the clinics offer.
create table service_types (
    id uuid primary key default gen_random_uuid(),
    category_id uuid references service_categories (id),
    name text not null,
    description text,
    tuss_code text,
    duration_minutes integer not null,
    base_price numeric(10, 2),
    requires_doctor boolean default false,
    requires_nurse boolean default false,
    requires_preparation boolean default false,
    recovery_time_days integer default 0,
    contraindications text[] not null default '{}',
    side_effects text[] not null default '{}',
    is_active boolean default true,
    created_at timestamptz default now(),
    updated_at timestamptz default now(),
    merged_at timestamptz not null default now(),
    feed_seq bigint not null default 0
);

-- Groups of duties.
create table compliance_categories (
    id uuid primary key default gen_random_uuid(),
    name text not null,
    description text,
    regulatory_body text not null check (regulatory_body in ('LGPD', 'ANVISA', 'CFM', 'COREN', 'CFF', 'CNEP')),
    is_active boolean default true,
    created_at timestamptz default now(),
    updated_at timestamptz default now(),
    merged_at timestamptz not null default now(),
    feed_seq bigint not null default 0
);

-- Duties of a clinic.
create table compliance_requirements (
    id uuid primary key default gen_random_uuid(),
    category_id uuid not null references compliance_categories (id),
    name text not null,
    description text,
    requirement_type text not null
        check (requirement_type in ('policy', 'procedure', 'documentation', 'training', 'technical')),
    frequency text check (frequency in ('daily', 'weekly', 'monthly', 'quarterly', 'annually', 'as_needed')),
    is_mandatory boolean default true,
    created_at timestamptz default now(),
    updated_at timestamptz default now(),
    merged_at timestamptz not null default now(),
    feed_seq bigint not null default 0
);

-- Settings of the whole installation.
create table system_settings (
    id uuid primary key default gen_random_uuid(),
    setting_key text not null unique,
    setting_value jsonb not null,
    description text,
    is_active boolean default true,
    created_at timestamptz default now(),
    updated_at timestamptz default now(),
    merged_at timestamptz not null default now(),
    feed_seq bigint not null default 0
);

-- Clinics; each is one tenant.
create table clinics (
    like record_columns including defaults,
    name text not null,
    tax_id text,
    address text,
    phone text,
    email text,
    logo_url text,
    settings jsonb not null default '{}',
    is_active boolean default true,
    created_at timestamptz default now(),
    updated_at timestamptz default now(),
    network_id uuid references clinic_networks (id),
    timezone text default 'America/Sao_Paulo',
    like editable_columns including defaults,
    constraint clinics_id_key unique (id),
    constraint clinics_clinic_id_check check (clinic_id = id)
);

-- People who work in the clinic.
create table professionals (
    like record_columns including defaults,
    name text not null,
    email text not null,
    phone text,
    professional_type text not null references professional_types (code),
    council_type text not null references council_types (code),
    council_number text not null,
    council_state text not null,
    specialization text[] not null default '{}',
    bio text,
    profile_image_url text,
    is_active boolean default true,
    created_at timestamptz default now(),
    updated_at timestamptz default now(),
    duplicate_of uuid,
    like editable_columns including defaults
);

-- Who works in the clinic, in which role.
create table clinic_professionals (
    like record_columns including defaults,
    professional_id uuid not null,
    role text not null default 'assistant' check (role in ('admin', 'manager', 'professional', 'assistant')),
    permissions jsonb not null default '{}',
    is_active boolean default true,
    created_at timestamptz default now(),
    updated_at timestamptz default now(),
    like editable_columns including defaults
);

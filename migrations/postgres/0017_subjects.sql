-- What patients ask of their data (LGPD art. 18 and 19), and incidents (LGPD art. 48; ANPD Res. 15/2024), with their clocks.

create table sync.subject_requests (
    clinic_id uuid not null,
    id uuid not null,
    patient_id uuid not null,
    kind text not null check (kind in ('access', 'export', 'correction', 'block', 'portability', 'erasure', 'sharing_list')),
    -- How it was made sure that the patient, or who acts for them, asks. No document is copied here.
    identity_check text not null,
    owner_id uuid not null,
    received_at timestamptz not null,
    due_at timestamptz not null,
    answered_at timestamptz,
    answered_by uuid,
    -- What was answered: a code and, for what was refused, the reason.
    answer text,
    primary key (clinic_id, id),
    check ((answered_at is null) = (answer is null))
);
create index subject_requests_open on sync.subject_requests (clinic_id, due_at) where answered_at is null;

create table sync.incidents (
    clinic_id uuid not null,
    id uuid not null,
    kind text not null check (kind in ('lost_device', 'leak', 'other')),
    device_id uuid,
    known_at timestamptz not null,
    -- Last moment to tell the authority and the people concerned.
    due_at timestamptz not null,
    what text not null,
    opened_by uuid not null,
    -- Whose data, by purpose: {patient: [purpose…]}. Ids alone.
    concerned jsonb not null,
    closed_at timestamptz,
    closed_by uuid,
    report text,
    primary key (clinic_id, id),
    check ((closed_at is null) = (report is null))
);

do $$
declare
    relation text;
begin
    foreach relation in array array['subject_requests', 'incidents'] loop
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
grant update (answered_at, answered_by, answer) on sync.subject_requests to neonpro_server;
grant update (closed_at, closed_by, report) on sync.incidents to neonpro_server;

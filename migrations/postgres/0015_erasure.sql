-- Erasure: what was asked, what was erased, what the law keeps and why; and the door through which rows leave.

create table sync.erasures (
    clinic_id uuid not null,
    id uuid not null,
    patient_id uuid not null,
    -- Numbers of the purposes asked for, and of those that were erased.
    asked smallint[] not null,
    erased smallint[] not null,
    -- [{purpose, reason, until}]: what stays, and why.
    kept jsonb not null,
    asked_by uuid not null,
    reason text not null,
    begun_at timestamptz not null,
    done_at timestamptz,
    -- How much of what was erased.
    counts jsonb,
    -- Feed numbers between which devices were told to purge: their receipts are those of this erasure.
    told_after bigint,
    told_until bigint,
    primary key (clinic_id, id)
);
create index erasures_patient on sync.erasures (clinic_id, patient_id);

-- What was asked to be erased and had to stay: on no device any more, and read only with a reason.
create table sync.restrictions (
    clinic_id uuid not null,
    patient_id uuid not null,
    purpose smallint not null check (purpose between 0 and 5),
    since timestamptz not null,
    erasure_id uuid not null,
    reason text not null,
    -- Day from which a person may decide anew. Nothing happens by itself then.
    review_on date,
    primary key (clinic_id, patient_id, purpose)
);

do $$
declare
    relation text;
begin
    foreach relation in array array['erasures', 'restrictions'] loop
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
grant update (done_at, counts, told_after, told_until) on sync.erasures to neonpro_server;
grant delete on sync.restrictions to neonpro_server;

-- Removes files and messages of a patient whose erasure has begun in this clinic. The server itself may delete nothing
-- clinical: this door opens for no other table, no other patient and at no other time. Returns how many went.
create function erase_records(p_table text, p_ids uuid[], p_erasure uuid) returns bigint
language plpgsql security definer
set search_path = public, pg_temp
as $$
declare
    v_clinic uuid := nullif(current_setting('neonpro.clinic_id', true), '')::uuid;
    v_count bigint;
begin
    if p_table not in ('patient_documents', 'coordination_messages') then
        raise exception 'rows of % are never removed', p_table using errcode = 'insufficient_privilege';
    end if;
    execute format(
        'delete from %I t where t.clinic_id = $1 and t.id = any($2) and exists ('
        'select from sync.documents d join sync.erasures e on e.clinic_id = d.clinic_id and e.id = $3 '
        'and e.done_at is null and e.patient_id = d.patient_id and d.purpose = any(e.erased) '
        'where d.clinic_id = $1 and d.record_id = t.id)', p_table)
    using v_clinic, p_ids, p_erasure;
    get diagnostics v_count = row_count;
    -- Their place goes, too: nothing gives them back with a later consent.
    delete from sync.documents d using sync.erasures e
    where e.clinic_id = d.clinic_id and e.id = p_erasure and e.done_at is null and e.patient_id = d.patient_id
        and d.purpose = any(e.erased) and d.clinic_id = v_clinic and d.record_id = any(p_ids);
    return v_count;
end
$$;
revoke all on function erase_records(text, uuid[], uuid) from public;
grant execute on function erase_records(text, uuid[], uuid) to neonpro_server;
grant usage on schema sync to neonpro_owner;

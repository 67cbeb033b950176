-- Scope of practice at the merge: rules of law as signed bundles, what the clinic decided where they are contested, the
-- verdict kept with each act, and the question in SQL, which answers like the contract's function.

-- 1. What things are to the rules. Without a class a procedure is known to the clinic's own validations alone.
alter table service_types
    add column procedure_class text,
    add column body_area text,
    add constraint service_types_procedure_class_check check (procedure_class in ('assessment', 'medical_consultation',
        'superficial_care', 'superficial_peel', 'medium_peel', 'microneedling', 'energy_device', 'injectable',
        'thread_lift', 'surgery')),
    add constraint service_types_body_area_check check (body_area in ('face', 'scalp', 'body', 'intimate'));

alter table inventory_products
    add column product_class text,
    add constraint inventory_products_product_class_check check (product_class in ('supply', 'cosmetic', 'peel_acid',
        'topical_anaesthetic', 'botulinum_toxin', 'filler', 'biostimulator', 'thread', 'injectable_solution', 'medicine'));

alter table treatment_sessions
    add column performed_by uuid,
    add constraint treatment_sessions_performed_by_fkey
        foreign key (clinic_id, performed_by) references professionals (clinic_id, id);

-- 2. Bundles. A version is written once; several are kept, because an act is judged by what was in force when it took
--    place. The signature is verified by whoever installs a bundle and by whoever evaluates it outside the database.
create table scope_bundles (
    id uuid primary key default gen_random_uuid(),
    version text not null unique,
    in_force_from timestamptz not null,
    content jsonb not null,
    signature text not null,
    created_at timestamptz default now(),
    updated_at timestamptz default now(),
    merged_at timestamptz not null default now(),
    feed_seq bigint not null default 0
);
grant select on scope_bundles to neonpro_server;
-- An installation that is repeated finds its row; what a bundle says never changes.
grant select, insert, update on scope_bundles to neonpro_reference;

create function refuse_bundle_rewrite() returns trigger
language plpgsql
set search_path = public, pg_temp
as $$
begin
    raise exception 'a version of the scope bundle is written once'
        using errcode = 'check_violation', constraint = 'scope_bundles_append_only_check', table = 'scope_bundles';
end
$$;

create trigger append_only before update on scope_bundles for each row when (
    (old.id, old.version, old.in_force_from, old.content, old.signature)
    is distinct from (new.id, new.version, new.in_force_from, new.content, new.signature)
) execute function refuse_bundle_rewrite();

-- 3. Decisions of the clinic, written by its administrators as signed edits.
create table scope_decisions (
    clinic_id uuid not null references clinics (id),
    id uuid not null default gen_random_uuid(),
    rule_id text not null,
    choice text not null check (choice in ('permit', 'supervise', 'forbid')),
    reason text not null,
    decided_by uuid not null,
    valid_from timestamptz not null,
    valid_until timestamptz,
    created_at timestamptz default now(),
    updated_at timestamptz default now(),
    author_id uuid,
    captured_at timestamptz,
    merged_at timestamptz not null default now(),
    feed_seq bigint,
    primary key (clinic_id, id),
    constraint scope_decisions_decided_by_fkey
        foreign key (clinic_id, decided_by) references professionals (clinic_id, id)
);
select secure_tenant_table('scope_decisions');
grant select, insert, update on scope_decisions to neonpro_server;

create trigger append_only before update on scope_decisions for each row when (
    (old.clinic_id, old.id, old.rule_id, old.choice, old.reason, old.decided_by, old.valid_from, old.valid_until)
    is distinct from
    (new.clinic_id, new.id, new.rule_id, new.choice, new.reason, new.decided_by, new.valid_from, new.valid_until)
) execute function refuse_ledger_rewrite('scope_decisions');

-- 4. The verdict on each act as the merge judged it, with the version of the rules. Written once per edit: a later
--    change of the rules rewrites nothing.
create table sync.scope_verdicts (
    clinic_id uuid not null,
    record_id uuid not null,
    table_id smallint not null,
    edit_id uuid not null,
    professional_id uuid not null,
    procedure_id uuid,
    products uuid[] not null,
    act_at timestamptz not null,
    level text not null check (level in ('independent', 'supervised', 'unruled', 'contested', 'prohibited')),
    is_authorized boolean not null,
    conditions text[] not null,
    bundle text,
    rules text[] not null,
    judged_at timestamptz not null,
    primary key (clinic_id, record_id, table_id, edit_id)
);
select secure_tenant_table('sync.scope_verdicts');
grant select, insert on sync.scope_verdicts to neonpro_server;

-- 5. The question. The law first: of the bundle in force at the act, the most specific rule on each thing asked about,
--    the strictest among equals; where it is contested, the clinic's decision in force. The clinic's validations permit
--    only where the law is silent, and restrict everywhere: a prohibition beats every permission, a permission without
--    a level counts as supervised. Supervised means that a clinical supervision by a working colleague is in force.
--    Silence of both is no permission, and no prohibition either: "unruled".
create or replace function validate_professional_scope(
    p_professional_id uuid,
    p_procedure_id uuid,
    p_medication_id uuid,
    p_at timestamptz default now()
) returns table (is_authorized boolean, authorization_level text, conditions text[])
language plpgsql stable
set search_path = public, pg_temp
as $$
#variable_conflict use_column
declare
    -- From the mildest to the strictest.
    v_levels constant text[] := array['independent', 'supervised', 'unruled', 'contested', 'prohibited'];
    v_person professionals;
    v_content jsonb;
    v_prohibited boolean;
    v_supervised boolean;
    v_named boolean[];
    v_conditions text[];
    v_law integer;
    v_reasons text[];
    v_unreviewed boolean;
    v_level text;
    v_autonomy integer;
begin
    select * into v_person from professionals p
    where p.id = p_professional_id and coalesce(p.is_active, true)
        and (p.retired_at is null or p.retired_at > p_at);
    if not found then
        return query select false, 'prohibited', array['Profissional sem atuação nesta clínica'];
        return;
    end if;

    with spoken as (
        select
            r.procedure_id, r.medication_id,
            r.is_authorized and r.authorization_level is distinct from 'prohibited' as ok,
            r.authorization_level, r.supervision_requirements, r.conditions
        from professional_scope_validation r
        where r.professional_id = p_professional_id
            and r.valid_from <= p_at and (r.valid_until is null or r.valid_until > p_at)
            and (r.procedure_id is null or r.procedure_id = p_procedure_id)
            and (r.medication_id is null or r.medication_id = p_medication_id)
            and (not r.is_authorized or r.authorization_level = 'prohibited'
                or r.procedure_id is not null or r.medication_id is not null)
    ), wordings as (
        select unnest(spoken.conditions || spoken.supervision_requirements) collate "C" as wording from spoken
    )
    select
        coalesce(bool_or(not ok), false),
        coalesce(bool_or(ok and authorization_level is distinct from 'independent'), false),
        array[
            coalesce(bool_or(ok and procedure_id is not null), false),
            coalesce(bool_or(ok and medication_id is not null), false)
        ],
        coalesce((select array_agg(distinct wording) from wordings where wording is not null), '{}')
    into v_prohibited, v_supervised, v_named, v_conditions
    from spoken;

    select b.content into v_content from scope_bundles b where b.in_force_from <= p_at
    order by b.in_force_from desc, b.version collate "C" desc limit 1;

    with entries as (
        select
            e.*,
            jsonb_array_length(e.procedure_classes) + jsonb_array_length(e.product_classes) = 0 as everything
        from jsonb_to_recordset(v_content -> 'entries') as e (
            id text, profession text, credential text, procedure_classes jsonb, body_areas jsonb,
            product_classes jsonb, jurisdiction text, level text, valid_from timestamptz, valid_until timestamptz,
            reviewed_by text
        )
        where e.profession = v_person.professional_type
            and (e.credential is null or e.credential = v_person.council_type)
            and e.jurisdiction in ('BR', v_person.council_state)
            and e.valid_from <= p_at and (e.valid_until is null or e.valid_until > p_at)
            and (jsonb_array_length(e.body_areas) = 0 or exists (
                select from service_types s where s.id = p_procedure_id and e.body_areas ? s.body_area))
    ), things as (
        select 1 as kind, (select s.procedure_class from service_types s where s.id = p_procedure_id) as class
        where p_procedure_id is not null
        union all
        select 2, (select p.product_class from inventory_products p where p.id = p_medication_id)
        where p_medication_id is not null
    ), rulings as (
        select t.kind, e.*, d.choice, d.reason
        from things t
        left join lateral (
            select * from entries e
            where e.everything
                or t.kind = 1 and e.procedure_classes ? t.class or t.kind = 2 and e.product_classes ? t.class
            order by e.jurisdiction <> 'BR' desc, jsonb_array_length(e.body_areas) > 0 desc,
                e.credential is not null desc, not e.everything desc,
                array_position(array['independent', 'supervised', 'contested', 'prohibited'], e.level) desc,
                e.id collate "C"
            limit 1
        ) e on true
        left join lateral (
            select d.choice, d.reason from scope_decisions d
            where e.level = 'contested' and d.rule_id = e.id
                and d.valid_from <= p_at and (d.valid_until is null or d.valid_until > p_at)
            order by d.valid_from desc, d.id desc limit 1
        ) d on true
    ), levels as (
        select case
            when level is null then case when v_named[kind] then 'independent' else 'unruled' end
            when level <> 'contested' then level
            when choice is null then 'contested'
            when choice = 'permit' then 'independent'
            when choice = 'supervise' then 'supervised'
            else 'prohibited'
        end as level from rulings
    )
    select
        (select max(array_position(v_levels, level)) from levels),
        coalesce((select array_agg(distinct 'Decisão da clínica: ' || reason collate "C") from rulings
            where reason is not null), '{}'),
        coalesce((select bool_or(id is not null and reviewed_by is null) from rulings), false)
    into v_law, v_reasons, v_unreviewed;

    v_level := case
        when v_prohibited then 'prohibited'
        -- Nothing was asked.
        when v_law is null then 'unruled'
        when v_supervised then v_levels[greatest(v_law, array_position(v_levels, 'supervised'))]
        else v_levels[v_law]
    end;
    v_conditions := v_conditions || v_reasons;
    if v_level = 'unruled' then
        v_conditions := v_conditions || 'Nenhuma regra vigente autoriza este ato'::text;
    elsif v_level = 'contested' then
        v_conditions := v_conditions || 'A lei é contestada: a direção da clínica precisa decidir, com motivo'::text;
    elsif v_level = 'supervised' then
        select max(coalesce(s.max_autonomy_level, 1)) into v_autonomy
        from professional_supervision s join professionals p on p.clinic_id = s.clinic_id and p.id = s.supervisor_id
        where s.supervisee_id = p_professional_id and s.supervision_type = 'clinical' and coalesce(s.is_active, true)
            and s.start_date <= p_at and (s.end_date is null or s.end_date > p_at)
            and coalesce(p.is_active, true) and (p.retired_at is null or p.retired_at > p_at);
        v_conditions := v_conditions || case
            when v_autonomy is null then 'Exige supervisão clínica vigente'
            else format('Sob supervisão clínica, autonomia %s de 5', v_autonomy)
        end;
    end if;
    if v_unreviewed then
        v_conditions := v_conditions || 'Precisa de revisão jurídica nomeada'::text;
    end if;
    return query select
        v_level = 'independent' or v_level = 'supervised' and v_autonomy is not null, v_level, v_conditions;
end
$$;

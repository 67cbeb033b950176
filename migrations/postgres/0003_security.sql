-- What keeps clinics apart: composite keys, row security, grants. And what keeps ledgers true.

-- 1. Keys. Every record is known by clinic and id, and every reference carries the clinic: Postgres itself refuses a
--    child that points across clinics, whatever the code above it believed. Constraint names are
--    <table>_pkey and <table>_<column>_fkey, so that a violation can be recognised by its name.
do $$
declare
    v_table text;
    v_target text;
    v_children text;
    v_child text;
begin
    for v_table in
        select c.relname from pg_class c join pg_attribute a on a.attrelid = c.oid
        where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and not c.relispartition
            and a.attname = 'clinic_id' and not a.attisdropped
    loop
        execute format('alter table %I add constraint %I primary key (clinic_id, id)', v_table, v_table || '_pkey');
    end loop;
    for v_table in
        select c.relname from pg_class c join pg_attribute a on a.attrelid = c.oid
        where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
            and a.attname = 'clinic_id' and not a.attisdropped and c.relname <> 'clinics'
    loop
        execute format(
            'alter table %I add constraint %I foreign key (clinic_id) references clinics (id)',
            v_table, v_table || '_clinic_id_fkey'
        );
    end loop;
    for v_target, v_children in values
        ('professionals', 'clinic_professionals.professional_id patient_documents.uploaded_by
            appointments.professional_id appointment_history.changed_by inventory_transactions.performed_by
            inventory_alerts.resolved_by treatment_plans.professional_id treatment_sessions.locked_by
            treatment_assessments.performed_by team_members.professional_id
            professional_referrals.referring_professional_id professional_referrals.referred_professional_id
            collaborative_sessions.facilitator_id coordination_threads.created_by
            coordination_messages.professional_id professional_supervision.supervisor_id
            professional_supervision.supervisee_id professional_scope_validation.professional_id
            professional_scope_validation.authorized_by compliance_assessments.assessed_by
            compliance_reports.generated_by compliance_reports.approved_by'),
        ('patients', 'patient_documents.patient_id appointments.patient_id treatment_plans.patient_id
            professional_referrals.patient_id collaborative_sessions.patient_id coordination_threads.patient_id
            data_consent_records.patient_id payments.patient_id'),
        ('appointment_keys', 'appointment_history.appointment_id inventory_transactions.appointment_id
            treatment_sessions.appointment_id payments.appointment_id'),
        ('inventory_products', 'inventory_lots.product_id inventory_transactions.product_id
            inventory_alerts.product_id professional_scope_validation.medication_id'),
        ('inventory_lots', 'inventory_transactions.lot_id'),
        ('treatment_plans', 'treatment_sessions.treatment_plan_id treatment_assessments.treatment_plan_id'),
        ('professional_teams', 'team_members.team_id collaborative_sessions.team_id coordination_threads.team_id'),
        ('collaborative_sessions', 'coordination_threads.session_id'),
        ('professional_referrals', 'coordination_threads.referral_id'),
        ('coordination_threads', 'coordination_messages.thread_id')
    loop
        foreach v_child in array regexp_split_to_array(v_children, '\s+') loop
            execute format(
                'alter table %I add constraint %I foreign key (clinic_id, %I) references %I (clinic_id, id)',
                split_part(v_child, '.', 1), replace(v_child, '.', '_') || '_fkey', split_part(v_child, '.', 2),
                v_target
            );
        end loop;
    end loop;
end
$$;

-- 2. Uniqueness, per clinic and among live records. A second honest registration is not an error: the merge marks it
--    duplicate_of and opens an item. md5, because a text may be longer than an index entry.
create unique index patients_clinic_id_cpf_key on patients (clinic_id, cpf)
    where cpf is not null and retired_at is null and duplicate_of is null;
create unique index patients_clinic_id_cns_key on patients (clinic_id, cns)
    where cns is not null and retired_at is null and duplicate_of is null;
create unique index inventory_products_clinic_id_sku_key on inventory_products (clinic_id, md5(sku))
    where sku is not null and retired_at is null and duplicate_of is null;
create unique index professionals_clinic_id_email_key on professionals (clinic_id, md5(email))
    where retired_at is null and duplicate_of is null;

-- 3. Indexes. Free text is cut, for the same reason.
create index idx_appointments_clinic_date on appointments (clinic_id, start_time);
create index idx_patients_clinic_search on patients (clinic_id, left(name, 100), left(email, 100));
create index idx_professionals_clinic_type on professionals (clinic_id, professional_type);
create index idx_inventory_clinic_product on inventory_products (clinic_id, left(name, 100));
create index idx_treatment_plans_patient on treatment_plans (patient_id, clinic_id);
create index idx_coordination_threads_patient on coordination_threads (patient_id, clinic_id);
create index idx_clinics_network on clinics (network_id);
create index idx_clinic_professionals_professional on clinic_professionals (clinic_id, professional_id);
create index idx_patient_documents_patient on patient_documents (clinic_id, patient_id);
create index idx_appointments_patient on appointments (clinic_id, patient_id, start_time);
create index idx_appointments_professional on appointments (clinic_id, professional_id, start_time);
create index idx_appointment_history_appointment on appointment_history (clinic_id, appointment_id);
create index idx_inventory_lots_product on inventory_lots (clinic_id, product_id);
create index idx_inventory_transactions_product on inventory_transactions (clinic_id, product_id, transaction_date);
create index idx_inventory_transactions_lot on inventory_transactions (clinic_id, lot_id) where lot_id is not null;
create index idx_inventory_alerts_open on inventory_alerts (clinic_id, product_id) where not is_resolved;
create index idx_treatment_sessions_plan on treatment_sessions (clinic_id, treatment_plan_id);
create index idx_treatment_assessments_plan on treatment_assessments (clinic_id, treatment_plan_id);
create index idx_team_members_team on team_members (clinic_id, team_id);
create index idx_team_members_professional on team_members (clinic_id, professional_id);
create index idx_professional_referrals_patient on professional_referrals (clinic_id, patient_id);
create index idx_professional_referrals_due on professional_referrals (clinic_id, answer_due_at)
    where status = 'pending';
create index idx_collaborative_sessions_patient on collaborative_sessions (clinic_id, patient_id);
create index idx_coordination_messages_thread on coordination_messages (clinic_id, thread_id, created_at);
create index idx_professional_supervision_supervisee on professional_supervision (clinic_id, supervisee_id);
create index idx_professional_scope_professional on professional_scope_validation (clinic_id, professional_id);
create index idx_compliance_assessments_requirement on compliance_assessments (clinic_id, requirement_id);
create index idx_data_consent_records_patient on data_consent_records (clinic_id, patient_id, consent_type);
create index idx_payments_patient on payments (clinic_id, patient_id);
create index idx_payments_appointment on payments (clinic_id, appointment_id);

-- Rows that triggers and jobs wrote and nobody has numbered yet: almost always none.
create index appointment_history_unnumbered on appointment_history (clinic_id) where feed_seq is null;
create index inventory_alerts_unnumbered on inventory_alerts (clinic_id) where feed_seq is null;
create index inventory_products_unnumbered on inventory_products (clinic_id) where feed_seq is null;
create index professional_referrals_unnumbered on professional_referrals (clinic_id) where feed_seq is null;
create index compliance_assessments_unnumbered on compliance_assessments (clinic_id) where feed_seq is null;

-- 4. Row security. Forced, so that the owner is bound as well; the empty setting a transaction leaves behind counts
--    as none; anything that is no clinic at all fails. Superusers alone pass, and the server never is one.
create function secure_tenant_table(p_table regclass) returns void
language plpgsql
set search_path = public, pg_temp
as $$
begin
    execute format('alter table %s enable row level security', p_table);
    execute format('alter table %s force row level security', p_table);
    execute format(
        'create policy clinic_isolation on %s
            using (clinic_id = nullif(current_setting(''neonpro.clinic_id'', true), '''')::uuid)
            with check (clinic_id = nullif(current_setting(''neonpro.clinic_id'', true), '''')::uuid)',
        p_table
    );
end
$$;

-- A partition read directly is bound by its own policy, not by its parent's. So the default partitions are secured
-- like tables of their own, and the server is granted the parents alone.
do $$
declare
    v_table regclass;
    v_is_partition boolean;
begin
    for v_table, v_is_partition in
        select c.oid::regclass, c.relispartition from pg_class c join pg_attribute a on a.attrelid = c.oid
        where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
            and a.attname = 'clinic_id' and not a.attisdropped
    loop
        perform secure_tenant_table(v_table);
        if not v_is_partition then
            execute format('grant select, insert, update on %s to neonpro_server', v_table);
        end if;
    end loop;
end
$$;

-- 5. Grants. Nobody deletes: clinical, fiscal and consent rows are retired, a key is destroyed instead. The history is
--    written once and numbered.
grant usage on schema public to neonpro_server, neonpro_reference;
revoke update on appointment_history from neonpro_server;
grant update (merged_at, feed_seq) on appointment_history to neonpro_server;

-- The console changes reference data as neonpro_reference; the merge, which handles what devices send, cannot.
grant select on
    professional_types, council_types, clinic_networks, service_categories, service_types, compliance_categories,
    compliance_requirements, system_settings
to neonpro_server;
grant select, insert, update on
    professional_types, council_types, clinic_networks, service_categories, service_types, compliance_categories,
    compliance_requirements, system_settings
to neonpro_reference;

-- 6. Ledgers. What a ledger row says never changes; a correction is another row. What the server owns in it (the state
--    of a payment, its feed number) and what is sealed (keys rotate) stay writable.
create function refuse_ledger_rewrite() returns trigger
language plpgsql
set search_path = public, pg_temp
as $$
begin
    raise exception 'a row of % is written once', tg_argv[0]
        using errcode = 'check_violation', constraint = tg_argv[0] || '_append_only_check', table = tg_argv[0];
end
$$;

create trigger append_only before update on inventory_transactions for each row when (
    (old.clinic_id, old.id, old.product_id, old.transaction_type, old.quantity, old.transaction_date, old.lot_id)
    is distinct from
    (new.clinic_id, new.id, new.product_id, new.transaction_type, new.quantity, new.transaction_date, new.lot_id)
) execute function refuse_ledger_rewrite('inventory_transactions');

create trigger append_only before update on treatment_assessments for each row when (
    (old.clinic_id, old.id, old.treatment_plan_id, old.assessment_type, old.performed_by, old.performed_at)
    is distinct from
    (new.clinic_id, new.id, new.treatment_plan_id, new.assessment_type, new.performed_by, new.performed_at)
) execute function refuse_ledger_rewrite('treatment_assessments');

create trigger append_only before update on data_consent_records for each row when (
    (old.clinic_id, old.id, old.patient_id, old.consent_type, old.consent_given, old.consent_date, old.expiry_date,
        old.version, old.withdrawn_at, old.seen_withdrawals)
    is distinct from
    (new.clinic_id, new.id, new.patient_id, new.consent_type, new.consent_given, new.consent_date, new.expiry_date,
        new.version, new.withdrawn_at, new.seen_withdrawals)
) execute function refuse_ledger_rewrite('data_consent_records');

create trigger append_only before update on payments for each row when (
    (old.clinic_id, old.id, old.appointment_id, old.patient_id, old.amount, old.payment_method)
    is distinct from
    (new.clinic_id, new.id, new.appointment_id, new.patient_id, new.amount, new.payment_method)
) execute function refuse_ledger_rewrite('payments');

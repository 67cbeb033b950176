-- What callers ask the database: may this person do this, what is due, will this patient come. Everything runs with
-- the rights of its caller, so an answer never draws on another clinic.

-- 1. Scope of practice. What no rule in force names is not authorised, and neither is what cannot be decided. Each
--    thing asked about must be named by a permission: one naming a procedure says nothing about a medicine. A
--    prohibition beats every permission, and one that names nothing covers everything. A permission without a level
--    counts as supervised; supervised means that a clinical supervision by a working colleague is in force.
--    Evaluated at the time of the act, so a later change of the rules rewrites nothing.
create function validate_professional_scope(
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
    v_prohibited boolean;
    v_covered boolean;
    v_supervised boolean;
    v_conditions text[];
    v_autonomy integer;
begin
    if not exists (
        select from professionals p
        where p.id = p_professional_id and p.retired_at is null and coalesce(p.is_active, true)
    ) then
        return query select false, 'prohibited', array['Profissional sem atuação nesta clínica'];
        return;
    end if;
    with rules as (
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
        select unnest(rules.conditions || rules.supervision_requirements) as wording from rules
    )
    select
        coalesce(bool_or(not ok), false),
        (p_procedure_id is not null or p_medication_id is not null)
            and (p_procedure_id is null or coalesce(bool_or(ok and procedure_id is not null), false))
            and (p_medication_id is null or coalesce(bool_or(ok and medication_id is not null), false)),
        coalesce(bool_or(ok and authorization_level is distinct from 'independent'), false),
        coalesce((select array_agg(distinct wording) from wordings where wording is not null), '{}')
    into v_prohibited, v_covered, v_supervised, v_conditions
    from rules;

    if v_prohibited then
        return query select false, 'prohibited', v_conditions;
    elsif not v_covered then
        return query select false, 'prohibited', v_conditions || 'Nenhuma regra vigente autoriza este ato'::text;
    elsif not v_supervised then
        return query select true, 'independent', v_conditions;
    else
        select max(s.max_autonomy_level) into v_autonomy
        from professional_supervision s join professionals p on p.clinic_id = s.clinic_id and p.id = s.supervisor_id
        where s.supervisee_id = p_professional_id and s.supervision_type = 'clinical' and coalesce(s.is_active, true)
            and s.start_date <= p_at and (s.end_date is null or s.end_date > p_at)
            and p.retired_at is null and coalesce(p.is_active, true);
        if v_autonomy is null then
            return query select false, 'supervised', v_conditions || 'Exige supervisão clínica vigente'::text;
        else
            return query select
                true, 'supervised', v_conditions || format('Sob supervisão clínica, autonomia %s de 5', v_autonomy);
        end if;
    end if;
end
$$;

-- 2. Compliance. A mandatory duty whose last completed assessment is older than its frequency gets a pending one, due
--    after the days of grace below; one that was never assessed counts as older. A pending assessment past its day
--    needs action. Only assessments no person has written are moved on: the state of the others is in their document
--    and changes by an edit.
create function run_compliance_checks(p_clinic_id uuid) returns void
language plpgsql
set search_path = public, pg_temp
as $$
declare
    v_today date := (now() at time zone clinic_time_zone(p_clinic_id))::date;
begin
    -- Two jobs at once would both find the same assessment missing.
    perform from clinics where clinic_id = p_clinic_id for update;
    if not found then
        raise exception 'the clinic is not visible' using errcode = 'no_data_found';
    end if;

    with frequencies (frequency, span, grace_days) as (
        values
            ('daily', interval '1 day', 1),
            ('weekly', interval '7 days', 3),
            ('monthly', interval '1 month', 7),
            ('quarterly', interval '3 months', 15),
            ('annually', interval '1 year', 30)
    )
    insert into compliance_assessments (clinic_id, requirement_id, assessment_type, status, due_date)
    select p_clinic_id, r.id, 'self_assessment', 'pending', v_today + f.grace_days
    from compliance_requirements r
    join compliance_categories c on c.id = r.category_id
    join frequencies f on f.frequency = r.frequency
    where coalesce(r.is_mandatory, true) and coalesce(c.is_active, true)
        and not exists (
            select from compliance_assessments a
            where a.clinic_id = p_clinic_id and a.requirement_id = r.id and a.retired_at is null
                and (
                    a.status in ('pending', 'in_progress', 'requires_action')
                    or a.status = 'completed' and coalesce(a.assessed_at, a.created_at) > now() - f.span
                )
        );

    update compliance_assessments
    set status = 'requires_action', merged_at = now(), feed_seq = null
    where clinic_id = p_clinic_id and status = 'pending' and due_date < v_today and retired_at is null
        and captured_at is null;
end
$$;

-- 3. No-show. The prior that holds until a clinic's own history can train a model: a logistic function whose round
--    coefficients were chosen by judgement, not fitted to any data set.
--      base         -2.2    booked for today, no history, quiet hour: 10 %
--      lead time     0.35   × ln(1 + days between booking and appointment): 19 % at a week, 27 % at a month
--      own history   1      × logit of the patient's own rate, shrunk towards 15 % with the weight of 4 visits,
--                           minus logit of 15 %
--      hour         +0.1    before 9 h or from 18 h, in the clinic's time zone
--      weekday      +0.1    Monday and Saturday
--    Only closed appointments that began before this one count. Professional and service carry no prior effect; they
--    are asked for because a trained model uses them. Rounded to 4 places, so that a tablet computes the same.
create function predict_no_show_probability(
    p_patient_id uuid,
    p_professional_id uuid,
    p_service_type_id uuid,
    p_appointment_time timestamptz,
    p_booked_at timestamptz default now()
) returns numeric
language plpgsql stable
set search_path = public, pg_temp
as $$
declare
    v_base constant double precision := -2.2;
    v_per_log_day constant double precision := 0.35;
    v_usual_rate constant double precision := 0.15;
    v_usual_weight constant double precision := 4;
    v_small constant double precision := 0.1;
    v_closed integer;
    v_missed integer;
    v_rate double precision;
    v_days double precision;
    v_local timestamp;
    v_logit double precision;
begin
    select count(*), count(*) filter (where status = 'no_show') into v_closed, v_missed
    from appointments
    where patient_id = p_patient_id and start_time < p_appointment_time
        and status in ('completed', 'no_show') and retired_at is null;
    v_rate := (v_missed + v_usual_rate * v_usual_weight) / (v_closed + v_usual_weight);
    v_days := greatest(0, extract(epoch from p_appointment_time - p_booked_at)) / 86400;
    v_local := p_appointment_time at time zone clinic_time_zone(
        nullif(current_setting('neonpro.clinic_id', true), '')::uuid
    );
    v_logit := v_base
        + v_per_log_day * ln(1 + v_days)
        + ln(v_rate / (1 - v_rate)) - ln(v_usual_rate / (1 - v_usual_rate))
        + case when extract(hour from v_local) < 9 or extract(hour from v_local) >= 18 then v_small else 0 end
        + case when extract(isodow from v_local) in (1, 6) then v_small else 0 end;
    return round((1 / (1 + exp(-v_logit)))::numeric, 4);
end
$$;

grant execute on function
    validate_professional_scope, run_compliance_checks, predict_no_show_probability
to neonpro_server;

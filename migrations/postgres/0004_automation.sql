-- What the database does by itself: partitions, histories, stock, deadlines, scope, compliance, no-show.
--
-- Everything runs with the rights of its caller, so row security binds it; the one exception says so. Triggers write
-- only columns the server owns: a column that devices edit has its truth in a document, and a row that disagreed with
-- its document would be overwritten by the next merge.

-- 1. Partitions: one per month (UTC), made ahead by a job. Rows beyond the months made so far wait in the default
--    partition and move when their month is made. Runs as owner, because a month is a table; the default partition is
--    released from its policy within the transaction, or the owner could not see what it moves.
create function ensure_month_partitions(p_from date, p_to date) returns integer
language plpgsql
security definer
set search_path = public, pg_temp
set lock_timeout = '5s'
as $$
declare
    v_parent text;
    v_key text;
    v_month date;
    v_name text;
    v_lower timestamptz;
    v_upper timestamptz;
    v_made integer := 0;
    v_moved bigint;
    v_bound regclass[];
    v_target regclass;
begin
    if p_to > p_from + 3660 then
        raise exception 'at most ten years of partitions at once' using errcode = 'invalid_parameter_value';
    end if;
    for v_parent, v_key in values ('appointments', 'start_time'), ('inventory_transactions', 'transaction_date') loop
        v_month := date_trunc('month', p_from)::date;
        while v_month <= p_to loop
            v_name := v_parent || to_char(v_month, '_YYYY_MM');
            if to_regclass('public.' || v_name) is null then
                v_lower := v_month::timestamp at time zone 'UTC';
                v_upper := (v_month + interval '1 month') at time zone 'UTC';
                execute format('create table %I (like %I including defaults including constraints)', v_name, v_parent);
                execute format('alter table %I no force row level security', v_parent || '_default');
                execute format(
                    'with moved as (delete from %1$I where %2$I >= %3$L and %2$I < %4$L returning *)
                        insert into %5$I select * from moved',
                    v_parent || '_default', v_key, v_lower, v_upper, v_name
                );
                get diagnostics v_moved = row_count;
                execute format('alter table %I force row level security', v_parent || '_default');
                -- Attaching proves the references of what was moved by a query of the owner's, and that sees no parent
                -- while row security binds the owner. A month without rows needs no proof.
                select coalesce(array_agg(distinct k.confrelid::regclass), '{}') into v_bound
                from pg_constraint k join pg_class t on t.oid = k.confrelid
                where v_moved > 0 and k.conrelid = v_parent::regclass and k.contype = 'f' and t.relforcerowsecurity;
                foreach v_target in array v_bound loop
                    execute format('alter table %s no force row level security', v_target);
                end loop;
                execute format(
                    'alter table %I attach partition %I for values from (%L) to (%L)',
                    v_parent, v_name, v_lower, v_upper
                );
                foreach v_target in array v_bound loop
                    execute format('alter table %s force row level security', v_target);
                end loop;
                perform secure_tenant_table(v_name::regclass);
                v_made := v_made + 1;
            end if;
            v_month := (v_month + interval '1 month')::date;
        end loop;
    end loop;
    return v_made;
end
$$;

-- 2. The merge sets updated_at to the capture time of the last change, as every tablet does. What the database writes by
--    itself leaves feed_seq null and follows its own clock.
create function set_updated_at() returns trigger
language plpgsql
as $$
begin
    new.updated_at := new.merged_at;
    return new;
end
$$;

do $$
declare
    v_table regclass;
begin
    for v_table in
        select c.oid::regclass from pg_class c
        where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
            and 2 = (
                select count(*) from pg_attribute a
                where a.attrelid = c.oid and a.attname in ('updated_at', 'merged_at') and not a.attisdropped
            )
    loop
        execute format(
            'create trigger set_updated_at before update on %s for each row when (
                new.feed_seq is null and new.updated_at is not distinct from old.updated_at
            ) execute function set_updated_at()',
            v_table
        );
    end loop;
end
$$;

-- 3. Appointments. The key follows its appointment through the months. A second row for an id whose first row lies in
--    another month is refused here, because no unique index spans partitions by id.
create function keep_appointment_key() returns trigger
language plpgsql
set search_path = public, pg_temp
as $$
declare
    v_known timestamptz;
begin
    if tg_op = 'UPDATE' then
        update appointment_keys set start_time = new.start_time where clinic_id = new.clinic_id and id = new.id;
        return new;
    end if;
    insert into appointment_keys (clinic_id, id, start_time) values (new.clinic_id, new.id, new.start_time)
        on conflict (clinic_id, id) do nothing;
    if found then
        return new;
    end if;
    select start_time into v_known from appointment_keys where clinic_id = new.clinic_id and id = new.id;
    if v_known <> new.start_time then
        if exists (
            select from appointments
            where clinic_id = new.clinic_id and id = new.id and start_time = v_known
        ) then
            raise exception 'appointment exists at another time'
                using errcode = 'unique_violation', constraint = 'appointment_keys_pkey', table = 'appointments';
        end if;
        update appointment_keys set start_time = new.start_time where clinic_id = new.clinic_id and id = new.id;
    end if;
    return new;
end
$$;

create trigger keep_appointment_key before insert on appointments
    for each row execute function keep_appointment_key();
create trigger move_appointment_key before update on appointments
    for each row when (old.start_time <> new.start_time) execute function keep_appointment_key();

-- One history row per change, with the columns that changed. Predictions are no change of the appointment. Notes are
-- sealed and their versions stay in the change log, so only the fact is kept. A write that carries no new capture is
-- the server's own and is nobody's.
create function log_appointment_change() returns trigger
language plpgsql
set search_path = public, pg_temp
as $$
declare
    v_old jsonb;
    v_new jsonb;
    v_merged boolean := (new.author_id, new.captured_at) is distinct from (old.author_id, old.captured_at);
begin
    select
        jsonb_object_agg(key, case key when 'notes' then '"sealed"' else was.value end),
        jsonb_object_agg(key, case key when 'notes' then '"sealed"' else now_is.value end)
    into v_old, v_new
    from jsonb_each(to_jsonb(old)) as was join jsonb_each(to_jsonb(new)) as now_is using (key)
    where was.value <> now_is.value and key <> all (array[
        'author_id', 'captured_at', 'merged_at', 'feed_seq', 'updated_at', 'ai_predicted_no_show_prob', 'ai_risk_score'
    ]);
    if v_new is null then
        return new;
    end if;
    insert into appointment_history (
        clinic_id, appointment_id, changed_by, change_type, old_values, new_values, change_reason, changed_at
    ) values (
        new.clinic_id,
        new.id,
        (select id from professionals where v_merged and clinic_id = new.clinic_id and id = new.author_id),
        case
            when v_new ? 'status' then 'status'
            when v_new ? 'start_time' or v_new ? 'end_time' then 'reschedule'
            else 'update'
        end,
        v_old,
        v_new,
        case when v_new ? 'retired_at' then new.retired_reason end,
        case when v_merged then coalesce(new.captured_at, now()) else now() end
    );
    return new;
end
$$;

-- Before, not after: an appointment that moves to another month is deleted there and inserted here, and no AFTER
-- UPDATE trigger sees that.
create trigger update_appointment_history before update on appointments
    for each row execute function log_appointment_change();

-- 4. Stock.
create function signed_quantity(p_type text, p_quantity numeric) returns numeric
language sql immutable
as $$
    select case
        when p_type in ('purchase', 'return') then abs(p_quantity)
        when p_type in ('usage', 'waste') then -abs(p_quantity)
        else p_quantity
    end
$$;

-- The day it is in the clinic. A time zone a person mistyped must not stop a merge.
create function clinic_time_zone(p_clinic_id uuid) returns text
language plpgsql stable
set search_path = public, pg_temp
as $$
declare
    v_zone text;
begin
    select timezone into v_zone from clinics where clinic_id = p_clinic_id;
    perform now() at time zone v_zone;
    return coalesce(v_zone, 'America/Sao_Paulo');
exception when invalid_parameter_value then
    return 'America/Sao_Paulo';
end
$$;

-- A number as people here write it.
create function local_number(p_number numeric) returns text
language sql immutable
as $$
    select replace(trim_scale(p_number)::text, '.', ',')
$$;

-- Opens an alert, or raises the severity of the one that is open. Stock alerts are one per product and kind, expiry
-- alerts one per lot: those say which in their message. People close them.
create function raise_inventory_alert(
    p_clinic_id uuid, p_product_id uuid, p_type text, p_severity text, p_message text
) returns void
language plpgsql
set search_path = public, pg_temp
as $$
declare
    v_order constant text[] := array['low', 'medium', 'high', 'critical'];
    v_id uuid;
    v_severity text;
begin
    select id, severity into v_id, v_severity from inventory_alerts
    where clinic_id = p_clinic_id and product_id = p_product_id and alert_type = p_type
        and not coalesce(is_resolved, false) and retired_at is null
        and (p_type in ('low_stock', 'reorder_needed') or message = p_message)
    limit 1;
    if v_id is null then
        insert into inventory_alerts (clinic_id, product_id, alert_type, severity, message)
        values (p_clinic_id, p_product_id, p_type, p_severity, p_message);
    elsif array_position(v_order, v_severity) < array_position(v_order, p_severity) then
        update inventory_alerts
        set severity = p_severity, message = p_message, merged_at = now(), feed_seq = null
        where clinic_id = p_clinic_id and id = v_id;
    end if;
end
$$;

-- Days before expiry at which a lot is announced.
create function raise_expiry_alert(p_clinic_id uuid, p_product_id uuid, p_expiry date, p_lot text, p_today date)
returns void
language plpgsql
set search_path = public, pg_temp
as $$
declare
    v_which text := coalesce('Lote ' || left(p_lot, 100), 'Produto');
begin
    if p_expiry < p_today then
        perform raise_inventory_alert(
            p_clinic_id, p_product_id, 'expired', 'critical',
            format('%s vencido em %s', v_which, to_char(p_expiry, 'DD/MM/YYYY'))
        );
    elsif p_expiry <= p_today + 30 then
        perform raise_inventory_alert(
            p_clinic_id, p_product_id, 'expiring_soon', 'medium',
            format('%s vence em %s', v_which, to_char(p_expiry, 'DD/MM/YYYY'))
        );
    end if;
end
$$;

-- Every movement adds to the sum of its product, whose row lock makes movements of one product take turns. The sum of
-- a ledger that is only appended to needs no second reading; recount_inventory proves it. Below zero is kept: the
-- syringe was used, whatever the ledger says.
create function generate_inventory_alerts() returns trigger
language plpgsql
set search_path = public, pg_temp
as $$
declare
    v_change numeric := signed_quantity(new.transaction_type, new.quantity);
    v_product inventory_products;
    v_expiry date := new.expiry_date;
    v_lot text := new.batch_number;
begin
    if tg_op = 'UPDATE' then
        v_change := v_change - signed_quantity(old.transaction_type, old.quantity);
        if v_change = 0 then
            return null;
        end if;
    end if;
    update inventory_products
    set current_quantity = coalesce(current_quantity, 0) + v_change, merged_at = now(), feed_seq = null
    where clinic_id = new.clinic_id and id = new.product_id
    returning * into v_product;
    if v_product.retired_at is not null or not coalesce(v_product.is_active, true) then
        return null;
    end if;
    if v_product.current_quantity <= 0 then
        perform raise_inventory_alert(
            new.clinic_id, new.product_id, 'low_stock', 'critical',
            format('Sem estoque: saldo %s', local_number(v_product.current_quantity))
        );
    elsif v_product.current_quantity < v_product.min_quantity then
        perform raise_inventory_alert(
            new.clinic_id, new.product_id, 'low_stock', 'high',
            format(
                'Abaixo do mínimo: saldo %s, mínimo %s',
                local_number(v_product.current_quantity), local_number(v_product.min_quantity)
            )
        );
    end if;
    if v_product.current_quantity <= v_product.reorder_point then
        perform raise_inventory_alert(
            new.clinic_id, new.product_id, 'reorder_needed', 'medium',
            format(
                'Repor: saldo %s, ponto de pedido %s',
                local_number(v_product.current_quantity), local_number(v_product.reorder_point)
            )
        );
    end if;
    -- Throwing an expired lot away is the answer to the alert, not a reason for it.
    if new.transaction_type = 'waste' then
        return null;
    end if;
    if new.lot_id is not null then
        select expiry_date, lot_number into v_expiry, v_lot from inventory_lots
        where clinic_id = new.clinic_id and id = new.lot_id;
    end if;
    if v_expiry is null then
        v_expiry := v_product.expiry_date;
        v_lot := v_product.batch_number;
    end if;
    if v_expiry is not null then
        perform raise_expiry_alert(
            new.clinic_id, new.product_id, v_expiry, v_lot,
            (now() at time zone clinic_time_zone(new.clinic_id))::date
        );
    end if;
    return null;
end
$$;

create trigger check_inventory_levels after insert or update on inventory_transactions
    for each row execute function generate_inventory_alerts();

-- Sets every quantity to the sum of its ledger and returns how many were wrong: after a restore, or to prove it.
create function recount_inventory(p_clinic_id uuid) returns integer
language plpgsql
set search_path = public, pg_temp
as $$
declare
    v_wrong integer;
begin
    -- Movements lock their product too, so the sums cannot grow between reading and writing.
    perform from inventory_products where clinic_id = p_clinic_id order by id for update;
    update inventory_products p
    set current_quantity = ledger.quantity, merged_at = now(), feed_seq = null
    from (
        select p2.id, coalesce(sum(signed_quantity(t.transaction_type, t.quantity)), 0) as quantity
        from inventory_products p2
        left join inventory_transactions t on t.clinic_id = p2.clinic_id and t.product_id = p2.id
        where p2.clinic_id = p_clinic_id
        group by p2.id
    ) as ledger
    where p.clinic_id = p_clinic_id and p.id = ledger.id
        and coalesce(p.current_quantity, 0) <> ledger.quantity;
    get diagnostics v_wrong = row_count;
    return v_wrong;
end
$$;

-- Time passes without a movement: a daily job asks for every lot that may still have something in it.
create function raise_expiry_alerts(p_clinic_id uuid) returns void
language plpgsql
set search_path = public, pg_temp
as $$
declare
    v_today date := (now() at time zone clinic_time_zone(p_clinic_id))::date;
begin
    perform raise_expiry_alert(p_clinic_id, p.id, l.expiry_date, l.lot_number, v_today)
    from inventory_lots l join inventory_products p on p.clinic_id = l.clinic_id and p.id = l.product_id
    where l.clinic_id = p_clinic_id and l.expiry_date <= v_today + 30 and l.retired_at is null
        and p.retired_at is null and coalesce(p.is_active, true)
        and 0 < (
            select coalesce(sum(signed_quantity(t.transaction_type, t.quantity)), 1)
            from inventory_transactions t
            where t.clinic_id = l.clinic_id and t.lot_id = l.id
        );
    perform raise_expiry_alert(p_clinic_id, p.id, p.expiry_date, p.batch_number, v_today)
    from inventory_products p
    where p.clinic_id = p_clinic_id and p.expiry_date <= v_today + 30 and p.retired_at is null
        and coalesce(p.is_active, true) and p.current_quantity > 0;
end
$$;

-- 5. Referrals. answer_due_at is the deadline a person set, or the one the urgency sets. It stands beside
--    response_deadline, which belongs to people. Before, so that the row is written once.
create function check_referral_response_deadline() returns trigger
language plpgsql
set search_path = public, pg_temp
as $$
begin
    new.answer_due_at := coalesce(
        new.response_deadline,
        coalesce(new.created_at, now()) + case new.urgency_level
            when 'emergency' then interval '2 hours'
            when 'high' then interval '1 day'
            when 'medium' then interval '3 days'
            else interval '7 days'
        end
    );
    new.is_overdue := new.status = 'pending' and new.retired_at is null and new.answer_due_at < now();
    return new;
end
$$;

create trigger check_referral_deadlines before insert or update on professional_referrals
    for each row execute function check_referral_response_deadline();

-- The deadline passes without a write: a job asks. Returns how many became overdue.
create function mark_overdue_referrals(p_clinic_id uuid) returns integer
language plpgsql
set search_path = public, pg_temp
as $$
declare
    v_marked integer;
begin
    update professional_referrals set merged_at = now(), feed_seq = null
    where clinic_id = p_clinic_id and status = 'pending' and retired_at is null and answer_due_at < now()
        and not coalesce(is_overdue, false);
    get diagnostics v_marked = row_count;
    return v_marked;
end
$$;

grant execute on function
    ensure_month_partitions, signed_quantity, clinic_time_zone, local_number, raise_inventory_alert,
    raise_expiry_alert, recount_inventory, raise_expiry_alerts, mark_overdue_referrals
to neonpro_server;

select ensure_month_partitions((now() - interval '3 months')::date, (now() + interval '12 months')::date);

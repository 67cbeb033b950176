//! The database's own time and chance in a world: what triggers and defaults read is the world's, too.
//!
//! Triggers stamp what they write with `now()` and name it with `gen_random_uuid()`, which are the machine's. In a
//! world's template both are replaced, in every function and every default, by functions over sequences: a sequence is
//! seen by every transaction at once and costs the world one short statement per instant. Beside that, what triggers and
//! jobs make is noted as it was made: the model begins documents there that no edit began.

use super::node::START_US;
use neonpro_contract::catalogue::{TableId, table};
use neonpro_contract::ids::ClinicId;
use neonpro_contract::row::Row;
use neonpro_contract::value::Value;
use serde_json::Value as Json;
use sqlx_core::executor::Executor;
use sqlx_core::row::Row as _;
use sqlx_core::sql_str::AssertSqlSafe;
use sqlx_postgres::{PgConnection, PgRow};
use uuid::Uuid;

/// Run by a superuser on a migrated database, before anything is written to it.
#[must_use]
pub fn dress() -> String {
    format!("{DRESS} select setval('sim.moment', {START_US});")
}

/// Sets the time (µs since the epoch).
pub async fn tell(admin: &mut PgConnection, at_us: i64) {
    admin.execute(AssertSqlSafe(format!("select setval('sim.moment', {at_us})"))).await.unwrap();
}

/// What triggers and jobs made in a clinic, as it was before anybody edited it.
pub async fn made(admin: &mut PgConnection, clinic: ClinicId) -> Vec<(TableId, Uuid, Row)> {
    let rows = sqlx_core::query::query("select name, id, made from sim.made where clinic_id = $1")
        .bind(clinic.0)
        .fetch_all(admin)
        .await
        .unwrap();
    let row = |made: &PgRow| {
        let table = table(&made.get::<String, _>(0)).unwrap();
        let (mut row, values) = (Row::empty(table), made.get::<Json, _>(2));
        for (index, field) in table.columns().enumerate() {
            let value = &values[field.name];
            // An empty set and none are one.
            let value = if value.as_array().is_some_and(Vec::is_empty) { &Json::Null } else { value };
            row.set_at(index, Value::from_json(value, field.column).unwrap());
        }
        (table.id, made.get(1), row)
    };
    rows.iter().map(row).collect()
}

/// Another life of the database: ids it gave before a restore are not given again.
pub async fn live_again(admin: &mut PgConnection, life: u32) {
    admin
        .execute(AssertSqlSafe(format!("select setval('sim.life', {})", i64::from(life) + 1)))
        .await
        .unwrap();
}

const DRESS: &str = r"
create schema sim;
create sequence sim.moment;
create sequence sim.chance;
create sequence sim.life;
create function sim.now() returns timestamptz language sql stable as
    $$ select timestamptz 'epoch' + last_value * interval '1 microsecond' from sim.moment $$;
create function sim.uuid() returns uuid language sql volatile as
    $$ select md5((select last_value from sim.life) || '/' || nextval('sim.chance'))::uuid $$;
create table sim.made (clinic_id uuid, name text, id uuid, made jsonb, primary key (name, id));
create function sim.note_made() returns trigger language plpgsql security definer as $$
begin
    insert into sim.made values (new.clinic_id, tg_table_name, new.id, to_jsonb(new))
    on conflict (name, id) do update set made = excluded.made;
    return null;
end
$$;
create trigger noted after insert or update on inventory_alerts
    for each row when (new.captured_at is null) execute function sim.note_made();
create trigger noted after insert or update on compliance_assessments
    for each row when (new.captured_at is null) execute function sim.note_made();
grant usage on schema sim to public;
grant all on all sequences in schema sim to public;
do $$
declare
    v record;
begin
    for v in
        select pg_get_functiondef(p.oid) as text from pg_proc p
        where p.pronamespace in ('public'::regnamespace, 'sync'::regnamespace) and p.prokind in ('f', 'p')
            and (p.prosrc ~ '\mnow\(\)|gen_random_uuid\(\)' or pg_get_function_arguments(p.oid) ~ '\mnow\(\)')
    loop
        execute regexp_replace(
            regexp_replace(v.text, '\mnow\(\)', 'sim.now()', 'g'), 'gen_random_uuid\(\)', 'sim.uuid()', 'g'
        );
    end loop;
    for v in
        select a.attrelid::regclass as relation, a.attname as name, pg_get_expr(d.adbin, d.adrelid) as text
        from pg_attrdef d join pg_attribute a on a.attrelid = d.adrelid and a.attnum = d.adnum
        where a.attgenerated = '' and pg_get_expr(d.adbin, d.adrelid) ~ '\mnow\(\)|gen_random_uuid\(\)'
    loop
        execute format(
            'alter table %s alter column %I set default %s', v.relation, v.name,
            regexp_replace(
                regexp_replace(v.text, '\mnow\(\)', 'sim.now()', 'g'), 'gen_random_uuid\(\)', 'sim.uuid()', 'g'
            )
        );
    end loop;
end
$$;
";

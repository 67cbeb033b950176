//! Row security, attacked for every table that holds rows of a clinic. The tables are taken from the database, so one
//! that was forgotten is found.

use crate::cluster::{Database, Refusal, enter, list, must, run, text};
use crate::sample::{Clinic, fresh};
use neonpro_contract::catalogue::{self, Scope, TABLES};
use sqlx_postgres::PgConnection;

const DENIED: &str = "42501";

/// Tables with a clinic, partitions included, and whether each is a partition.
async fn tenant_tables(admin: &mut PgConnection) -> Vec<(String, bool)> {
    let tables = list(
        admin,
        "select c.relname || ' ' || c.relispartition from pg_class c join pg_attribute a on a.attrelid = c.oid
        where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'f')
            and a.attname = 'clinic_id' and not a.attisdropped
        order by 1",
    )
    .await;
    let tables: Vec<_> = tables
        .iter()
        .filter_map(|line| line.split_once(' '))
        .map(|(name, partition)| (name.to_owned(), partition == "true"))
        .collect();
    assert!(tables.len() > 28 + 2 * 16, "discovery misses tables");
    tables
}

async fn two_clinics(db: &mut Database) -> (Clinic, Clinic) {
    (Clinic::create(&mut db.admin, 1).await, Clinic::create(&mut db.admin, 2).await)
}

async fn count(conn: &mut PgConnection, table: &str) -> String {
    text(conn, &format!("select count(*) from {table}")).await
}

fn code<T>(result: Result<T, Refusal>) -> Option<String> {
    result.err().map(|refusal| refusal.code)
}

#[tokio::test]
async fn every_tenant_table_forces_one_policy_for_reading_and_writing() {
    let mut db = Database::create().await;
    for (table, _) in tenant_tables(&mut db.admin).await {
        let state = format!(
            "select string_agg(concat_ws(' ', relrowsecurity, relforcerowsecurity, polname, polcmd, polpermissive,
                pg_get_expr(polqual, polrelid) = pg_get_expr(polwithcheck, polrelid), polroles::text), ';')
            from pg_class left join pg_policy on polrelid = pg_class.oid where pg_class.oid = '{table}'::regclass"
        );
        assert_eq!(text(&mut db.admin, &state).await, "t t clinic_isolation * t t {0}", "{table}");
    }
}

#[tokio::test]
async fn nobody_reads_without_a_clinic() {
    let mut db = Database::create().await;
    two_clinics(&mut db).await;
    let mut server = db.role("neonpro_server").await;
    let mut owner = db.role("neonpro_owner").await;
    for (table, partition) in tenant_tables(&mut db.admin).await {
        if !partition {
            assert_ne!(count(&mut db.admin, &table).await, "0", "{table} has no row to steal");
            assert_eq!(count(&mut server, &table).await, "0", "{table}");
        }
        assert_eq!(count(&mut owner, &table).await, "0", "{table} as owner");
    }
    // What a transaction leaves behind when it ends.
    enter(&mut server, "").await;
    enter(&mut owner, "").await;
    for (table, partition) in tenant_tables(&mut db.admin).await {
        if !partition {
            assert_eq!(count(&mut server, &table).await, "0", "{table}");
        }
        assert_eq!(count(&mut owner, &table).await, "0", "{table} as owner");
    }
    enter(&mut server, "no clinic at all").await;
    assert_eq!(code(run(&mut server, "select from patients").await).as_deref(), Some("22P02"));
}

#[tokio::test]
async fn a_clinic_reads_its_own_rows_only() {
    let mut db = Database::create().await;
    let (ours, theirs) = two_clinics(&mut db).await;
    let mut server = db.server(ours.id).await;
    let mut owner = db.role("neonpro_owner").await;
    enter(&mut owner, &ours.id.to_string()).await;
    for (table, partition) in tenant_tables(&mut db.admin).await {
        let foreign = format!("select count(*) from {table} where clinic_id <> '{}'", ours.id);
        if !partition {
            assert_ne!(count(&mut server, &table).await, "0", "{table} hides our own rows");
            assert_eq!(text(&mut server, &foreign).await, "0", "{table}");
        }
        assert_eq!(text(&mut owner, &foreign).await, "0", "{table} as owner");
    }
    let by_id = format!("select count(*) from patients where id = '{}'", theirs.of("patients"));
    assert_eq!(text(&mut server, &by_id).await, "0");
}

#[tokio::test]
async fn a_partition_cannot_be_read_past_its_parent() {
    let mut db = Database::create().await;
    let (ours, _) = two_clinics(&mut db).await;
    let mut server = db.server(ours.id).await;
    for (table, _) in tenant_tables(&mut db.admin).await.into_iter().filter(|(_, partition)| *partition) {
        let read = run(&mut server, &format!("select from {table}")).await;
        assert_eq!(code(read).as_deref(), Some(DENIED), "{table}");
        let write = run(&mut server, &format!("update {table} set id = id")).await;
        assert_eq!(code(write).as_deref(), Some(DENIED), "{table}");
    }
}

#[tokio::test]
async fn a_clinic_cannot_write_into_another() {
    let mut db = Database::create().await;
    let (ours, theirs) = two_clinics(&mut db).await;
    let mut server = db.server(ours.id).await;
    for table in TABLES.iter().filter(|table| table.scope == Scope::Clinic) {
        let (name, foreign) = (table.name, theirs.of(table.name));
        let id = if name == "clinics" { theirs.id } else { fresh(2, 999) };
        let insert = run(&mut server, &theirs.insert(table, id, &[])).await;
        assert_eq!(code(insert).as_deref(), Some(DENIED), "{name}: insert");
        // Where every column may be updated, the row is not there; where few may, the attempt is refused outright.
        let update =
            run(&mut server, &format!("update {name} set merged_at = now() where id = '{foreign}'")).await;
        assert_eq!(update, Ok(0), "{name}: update");
        let take = format!("update {name} set clinic_id = '{}' where id = '{foreign}'", ours.id);
        assert!(matches!(run(&mut server, &take).await, Ok(0) | Err(_)), "{name}: take");
        let give = format!("update {name} set clinic_id = '{}' where id = '{}'", theirs.id, ours.of(name));
        assert!(run(&mut server, &give).await.is_err(), "{name}: give away");
        let delete = run(&mut server, &format!("delete from {name}")).await;
        assert_eq!(code(delete).as_deref(), Some(DENIED), "{name}: delete");
        let empty = run(&mut server, &format!("truncate {name}")).await;
        assert_eq!(code(empty).as_deref(), Some(DENIED), "{name}: truncate");
    }
    let key = format!(
        "insert into appointment_keys (clinic_id, id, start_time) values ('{}', '{}', now())",
        theirs.id,
        fresh(2, 999)
    );
    assert_eq!(code(run(&mut server, &key).await).as_deref(), Some(DENIED));
}

#[tokio::test]
async fn no_child_points_across_clinics_even_when_row_security_is_off() {
    let mut db = Database::create().await;
    let (ours, theirs) = two_clinics(&mut db).await;
    for table in TABLES.iter().filter(|table| table.scope == Scope::Clinic) {
        for field in table.fields {
            let Some(target) = field.references.and_then(catalogue::table) else { continue };
            if target.scope == Scope::Reference {
                continue;
            }
            let foreign = format!("'{}'", theirs.of(target.name));
            let insert = ours.insert(table, fresh(1, 999), &[(field.name, foreign)]);
            let refusal = run(&mut db.admin, &insert).await.expect_err(field.name);
            let constraint = format!("{}_{}_fkey", table.name, field.name);
            assert_eq!(refusal, Refusal { code: "23503".to_owned(), constraint: Some(constraint) });
        }
    }
}

#[tokio::test]
async fn the_same_cpf_may_live_in_two_clinics_but_not_twice_in_one() {
    let mut db = Database::create().await;
    let (ours, theirs) = two_clinics(&mut db).await;
    let patients = catalogue::table("patients").unwrap();
    let cpf = ("cpf", "'52998224725'".to_owned());
    must(&mut db.admin, &ours.insert(patients, fresh(1, 501), std::slice::from_ref(&cpf))).await;
    must(&mut db.admin, &theirs.insert(patients, fresh(2, 501), std::slice::from_ref(&cpf))).await;
    let again = run(&mut db.admin, &ours.insert(patients, fresh(1, 502), std::slice::from_ref(&cpf))).await;
    assert_eq!(again.unwrap_err().constraint.as_deref(), Some("patients_clinic_id_cpf_key"));
    let marked = [cpf, ("duplicate_of", format!("'{}'", fresh(1, 501)))];
    must(&mut db.admin, &ours.insert(patients, fresh(1, 502), &marked)).await;
}

#[tokio::test]
async fn the_server_reads_reference_data_and_only_the_console_role_writes_it() {
    let mut db = Database::create().await;
    let (ours, _) = two_clinics(&mut db).await;
    let mut server = db.server(ours.id).await;
    let mut console = db.role("neonpro_reference").await;
    let tables = TABLES.iter().filter(|table| table.scope == Scope::Reference).map(|table| table.name);
    for table in tables.chain(["professional_types", "council_types", "clinic_networks"]) {
        must(&mut server, &format!("select from {table}")).await;
        let column = if table.ends_with("_types") && table != "service_types" { "code" } else { "id" };
        let update = format!("update {table} set {column} = {column}");
        assert_eq!(code(run(&mut server, &update).await).as_deref(), Some(DENIED), "{table}");
        must(&mut console, &update).await;
    }
    assert_eq!(code(run(&mut console, "select from patients").await).as_deref(), Some(DENIED));
}

#[tokio::test]
async fn nothing_else_opens_a_way_past_row_security() {
    let mut db = Database::create().await;
    let definers =
        "select proname::text from pg_proc where pronamespace = 'public'::regnamespace and prosecdef";
    assert_eq!(list(&mut db.admin, definers).await, ["ensure_month_partitions"]);
    let open = "select proname::text from pg_proc where pronamespace = 'public'::regnamespace
        and has_function_privilege('public', oid, 'execute')";
    assert_eq!(list(&mut db.admin, open).await, Vec::<String>::new());
    let careless = "select relname::text from pg_class where relnamespace = 'public'::regnamespace
        and (relkind = 'm' or relkind = 'v' and not coalesce('security_invoker=true' = any (reloptions), false))";
    assert_eq!(list(&mut db.admin, careless).await, Vec::<String>::new());
    let roles =
        "select string_agg(concat_ws(' ', rolname, rolsuper, rolbypassrls, rolcanlogin, rolinherit), ';')
        from pg_roles where rolname = 'neonpro_server'";
    assert_eq!(text(&mut db.admin, roles).await, "neonpro_server f f f f");
}

#[tokio::test]
async fn a_ledger_row_says_the_same_for_ever() {
    let mut db = Database::create().await;
    let (ours, _) = two_clinics(&mut db).await;
    let mut server = db.server(ours.id).await;
    for (table, change) in [
        ("payments", "amount = amount + 1"),
        ("inventory_transactions", "quantity = quantity + 1"),
        ("data_consent_records", "consent_given = not consent_given"),
        ("treatment_assessments", "assessment_type = 'outra'"),
        ("scope_decisions", "reason = 'outro'"),
    ] {
        let refusal = run(&mut server, &format!("update {table} set {change}")).await.unwrap_err();
        assert_eq!(refusal.constraint, Some(format!("{table}_append_only_check")));
        must(&mut server, &format!("update {table} set feed_seq = 1, merged_at = now()")).await;
    }
    must(&mut server, "update payments set status = 'completed'").await;
    let history = run(&mut server, "update appointment_history set change_type = 'outra'").await;
    assert_eq!(code(history).as_deref(), Some(DENIED));
    must(&mut server, "update appointment_history set feed_seq = 1").await;
}

//! The importer: every row accounted for, every trap reported, every run repeatable.
//!
//! The real files stay outside the repository; with `NEONPRO_IMPORT_FROM` set to their directory the last test runs on
//! them.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may take the short way")]

#[path = "load/database.rs"]
mod database;
#[path = "import/files.rs"]
mod files;

use database::Database;
use neonpro_contract::ids::ClinicId;
use neonpro_contract::row::Row;
use neonpro_contract::time::ServerInstant;
use neonpro_server::actor::Actor;
use neonpro_server::import::{ImportError, ImportOptions, ImportReport, Progress, Remark, Source, run};
use sqlx_core::row::Row as _;
use sqlx_core::sql_str::AssertSqlSafe;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use uuid::Uuid;

const NOW: ServerInstant = ServerInstant(1_782_925_500_000_000);

fn options(dir: &Path, only: &[Source]) -> ImportOptions {
    let report = Some(dir.join("report.csv"));
    ImportOptions { from: dir.to_owned(), only: only.to_vec(), report, anvisa_clinics: 2 }
}

async fn import(database: &Database, options: &ImportOptions) -> Result<ImportReport, ImportError> {
    run(&database.store, options, NOW, &mut |_| ControlFlow::Continue(())).await
}

/// Line, column and code of every line of the report on a file.
fn remarks(dir: &Path, file: &str) -> Vec<(u64, String, String)> {
    let mut reader = csv::Reader::from_path(dir.join("report.csv")).unwrap();
    let lines = reader.records().map(|line| line.unwrap()).filter(|line| line.get(0) == Some(file));
    let field = |line: &csv::StringRecord, at: usize| line.get(at).unwrap().to_owned();
    lines.map(|line| (field(&line, 1).parse().unwrap(), field(&line, 2), field(&line, 3))).collect()
}

fn expected(lines: &[(u64, &str, &str)]) -> BTreeSet<(u64, String, String)> {
    lines.iter().map(|(line, column, code)| (*line, (*column).to_owned(), (*code).to_owned())).collect()
}

fn counts(report: &ImportReport) -> BTreeMap<&'static str, (u64, u64, u64, u64)> {
    let of = |file: &neonpro_server::import::FileTotals| (file.read, file.taken, file.refused, file.records);
    report.files.iter().map(|file| (file.file, of(file))).collect()
}

#[tokio::test]
async fn every_row_is_taken_or_refused_and_every_trap_has_its_line() {
    let dir = tempfile::tempdir().unwrap();
    files::write(dir.path());
    let database = Database::create().await;
    let report = import(&database, &options(dir.path(), &[])).await.unwrap();
    let totals = BTreeMap::from([
        ("tuss/tuss22_clean.csv", (8, 5, 3, 7)),
        // 3 clinics, 2 + 2 for the crowd's second professional, 4 × 2 staff, patients and appointments.
        ("no_show/noshow_train.csv", (43, 39, 4, 3 + 8 + 37 + 39)),
        ("anvisa/produtos_saude_2020_estetica_subset.csv", (1, 1, 0, 2)),
        ("anvisa/produtos_saude_2020.csv", (7, 5, 2, 5)),
    ]);
    assert_eq!(counts(&report), totals);
    assert_eq!((report.clinics, report.people, report.patients), (3, 36, 37));

    let tuss = remarks(dir.path(), "tuss/tuss22_clean.csv").into_iter().collect::<BTreeSet<_>>();
    let lines = [
        (4, "codigo", "tuss_check_digit"),
        (5, "vigente", "tuss_not_in_force"),
        (6, "codigo", "duplicate"),
        (7, "codigo", "empty"),
        (8, "", "field_count"),
        (9, "codigo", "tuss_form"),
    ];
    assert_eq!(tuss, expected(&lines));

    let products = remarks(dir.path(), "anvisa/produtos_saude_2020.csv").into_iter().collect::<BTreeSet<_>>();
    let lines = [
        (3, "registro", "registration_repeated"),
        (4, "nome_comercial", "control_character"),
        (4, "dt_publicacao", "date_missing"),
        (5, "cnpj_detentor", "cnpj_check_digits"),
        (6, "registro", "registration_form"),
        (7, "", "duplicate"),
        (8, "nome_comercial", "empty"),
    ];
    assert_eq!(products, expected(&lines));

    let visits = remarks(dir.path(), "no_show/noshow_train.csv").into_iter().collect::<BTreeSet<_>>();
    let lines = [
        (1, "Scholarship", "column_not_taken"),
        (1, "Hipertension", "column_not_taken"),
        (1, "Diabetes", "column_not_taken"),
        (1, "Alcoholism", "column_not_taken"),
        (1, "Handcap", "column_not_taken"),
        (3, "PatientId", "exponent_in_id"),
        (5, "Age", "age_below_zero"),
        (6, "Age", "age_above_115"),
        (6, "Gender", "unknown_value"),
        (6, "AppointmentDay", "visit_before_booking"),
        (7, "", "repeated_booking"),
        (8, "Age", "age_varies"),
        (9, "AppointmentID", "duplicate"),
        (10, "No-show", "unknown_value"),
        (11, "ScheduledDay", "unreadable"),
        (12, "AppointmentDay", "slot_before_booking"),
        (13, "Neighbourhood", "empty"),
    ];
    assert_eq!(visits, expected(&lines));
}

#[tokio::test]
async fn visits_become_what_they_were() {
    let dir = tempfile::tempdir().unwrap();
    files::write(dir.path());
    let mut database = Database::create().await;
    import(&database, &options(dir.path(), &[Source::NoShow])).await.unwrap();
    assert_eq!(
        database.text("select string_agg(name, ', ' order by name) from clinics").await,
        "Unidade Alto do Rosário, Unidade Centro, Unidade Praia Grande"
    );
    assert_eq!(database.text("select name from clinic_networks").await, "Rede Vitória");
    // Yes means: did not come.
    assert_eq!(database.text("select count(*) from appointments where status = 'no_show'").await, "1");
    assert_eq!(database.count("appointments where status = 'completed'").await, 38);
    // Booked in summer time, which was two hours behind UTC.
    let summer = "select count(*) from appointments where created_at = '2015-11-10 09:13:56+00'";
    assert_eq!(database.text(summer).await, "1");
    // 100000 and 1E5 are two people; 100000 was seen at two units.
    let patients = rows(&mut database, "patients").await;
    let named = |name: &str| -> Vec<_> {
        patients.iter().filter(|row| row.get("name").as_text() == Some(name)).collect()
    };
    assert_eq!(named("Paciente 000001").len(), 2);
    let [second] = named("Paciente 000002")[..] else { panic!("one patient of that number") };
    assert_eq!(second.get("date_of_birth").to_json(), "1986-01-01");
    assert_eq!(database.count("patients where date_of_birth is null").await, 2);
    assert_eq!(database.count("appointments where ai_intervention_sent").await, 1);
    // Booked at 9:31 for the same day: not before.
    let same_day = "select to_char(start_time at time zone 'America/Sao_Paulo', 'HH24:MI') from appointments \
                    where created_at = '2016-04-29 12:31:00+00'";
    assert_eq!(database.text(same_day).await, "09:40");
}

#[tokio::test]
async fn nobody_is_booked_twice_however_full_the_day() {
    let dir = tempfile::tempdir().unwrap();
    files::write(dir.path());
    let mut database = Database::create().await;
    import(&database, &options(dir.path(), &[Source::NoShow])).await.unwrap();
    let overlaps = "select count(*) from appointments a join appointments b on a.clinic_id = b.clinic_id and a.id < b.id \
                    and a.professional_id = b.professional_id and a.start_time < b.end_time and b.start_time < a.end_time";
    assert_eq!(database.text(overlaps).await, "0");
    let at_night = "appointments where (start_time at time zone 'America/Sao_Paulo')::time < '08:00' \
                    or (end_time at time zone 'America/Sao_Paulo')::time > '18:00'";
    assert_eq!(database.count(at_night).await, 0);
    let staff = "select count(*) from professionals p join clinics c using (clinic_id) where c.name = 'Unidade Centro'";
    assert_eq!(database.text(staff).await, "2");
}

#[tokio::test]
async fn an_import_that_was_stopped_anywhere_is_finished_by_running_it_again() {
    let dir = tempfile::tempdir().unwrap();
    files::write(dir.path());
    let whole = Database::create().await;
    let uninterrupted = import(&whole, &options(dir.path(), &[])).await.unwrap();
    let steps = stop_after(&whole, dir.path(), u64::MAX).await.unwrap_err();
    for stop in 1..steps {
        let database = Database::create().await;
        assert!(stop_after(&database, dir.path(), stop).await.is_ok(), "it was to stop at {stop}");
        let report = import(&database, &options(dir.path(), &[])).await.unwrap();
        assert_eq!(counts(&report), counts(&uninterrupted), "stopped at {stop}");
        assert!(report.files.iter().any(|file| file.present > 0), "stopped at {stop}");
        assert_eq!(report.remarks, uninterrupted.remarks);
        let again = import(&database, &options(dir.path(), &[])).await.unwrap();
        assert!(again.files.iter().all(|file| file.written == 0), "stopped at {stop}");
    }
}

/// Stops after so many transactions; if there are fewer, their number is the error.
async fn stop_after(database: &Database, dir: &Path, stop: u64) -> Result<(), u64> {
    let mut steps = 0;
    let options = options(dir, &[]);
    let mut progress = |progress: Progress| {
        assert!(progress.done <= progress.total);
        steps += 1;
        if steps == stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    match run(&database.store, &options, NOW, &mut progress).await {
        Err(ImportError::Stopped) => Ok(()),
        Ok(_) => Err(steps),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn products_keep_their_category_and_never_take_a_validity_for_an_expiry() {
    let dir = tempfile::tempdir().unwrap();
    files::write(dir.path());
    let mut database = Database::create().await;
    import(&database, &options(dir.path(), &[])).await.unwrap();
    assert_eq!(database.count("inventory_products where category = 'laser_luz'").await, 2);
    assert_eq!(database.count("inventory_products where category = 'produto para saúde, classe I'").await, 3);
    assert_eq!(
        database.count("inventory_products where expiry_date is not null or sku is not null").await,
        0
    );
    assert_eq!(database.count("inventory_products where name = 'AGULHA FICTÍCIA'").await, 1);
    assert_eq!(
        database
            .count("inventory_products where description like '%não é situação regulatória atual.'")
            .await,
        6
    );
}

#[tokio::test]
async fn products_wait_for_their_clinics() {
    let dir = tempfile::tempdir().unwrap();
    files::write(dir.path());
    let database = Database::create().await;
    let error = import(&database, &options(dir.path(), &[Source::Anvisa])).await.unwrap_err();
    assert!(matches!(error, ImportError::NoClinics));
}

#[tokio::test]
async fn a_file_without_a_column_is_not_guessed() {
    let dir = tempfile::tempdir().unwrap();
    files::write(dir.path());
    std::fs::write(dir.path().join("tuss/tuss22_clean.csv"), "codigo,nome\n1,x\n").unwrap();
    let database = Database::create().await;
    let error = import(&database, &options(dir.path(), &[Source::Tuss])).await.unwrap_err();
    assert!(matches!(error, ImportError::Column { column: "termo", .. }));
    let nowhere = options(Path::new("/nowhere"), &[Source::Tuss]);
    let nowhere = ImportOptions { report: None, ..nowhere };
    assert!(matches!(import(&database, &nowhere).await.unwrap_err(), ImportError::Read { .. }));
}

#[tokio::test]
async fn the_report_names_no_patient() {
    let dir = tempfile::tempdir().unwrap();
    files::write(dir.path());
    let database = Database::create().await;
    import(&database, &options(dir.path(), &[])).await.unwrap();
    let report = std::fs::read_to_string(dir.path().join("report.csv")).unwrap();
    for secret in ["100000", "1E5", "PRAIA", "Paciente"] {
        assert!(!report.contains(secret), "{secret}");
    }
}

#[test]
fn every_code_of_the_report_is_documented() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/import.md");
    let page = std::fs::read_to_string(page).unwrap();
    for remark in Remark::ALL {
        assert!(page.contains(&format!("`{}`", remark.code())), "{}", remark.code());
    }
}

#[tokio::test]
async fn the_real_files_are_imported_whole() {
    let Some(from) = std::env::var_os("NEONPRO_IMPORT_FROM").map(PathBuf::from) else { return };
    let mut database = Database::create().await;
    let options = ImportOptions { from, only: Vec::new(), report: None, anvisa_clinics: 3 };
    let report = import(&database, &options).await.unwrap();
    assert_eq!((report.clinics, report.people), (81, 49_735));
    assert_eq!(database.count("clinics").await, 81);
    assert_eq!(database.count("patients").await, report.patients);
    assert_eq!(database.count("appointments").await, 88_218);
    assert_eq!(database.count("service_types").await, 5_851);
    assert_eq!(
        database
            .text("select max(n) from (select count(*) n from inventory_products group by clinic_id) t")
            .await,
        "15412"
    );
    assert!(report.files.iter().all(|file| file.refused == 0));
    let again = import(&database, &options).await.unwrap();
    assert!(again.files.iter().all(|file| file.written == 0));
}

/// Every row of a table, sealed columns opened.
async fn rows(database: &mut Database, table: &str) -> Vec<Row> {
    let table = neonpro_contract::catalogue::table(table).unwrap();
    let ids = sqlx_core::query::query(AssertSqlSafe(format!("select clinic_id, id from {}", table.name)))
        .fetch_all(&mut database.admin)
        .await
        .unwrap();
    let mut by_clinic: BTreeMap<Uuid, Vec<Uuid>> = BTreeMap::new();
    for row in &ids {
        by_clinic.entry(row.get(0)).or_default().push(row.get(1));
    }
    let mut rows = Vec::new();
    for (clinic, ids) in by_clinic {
        let mut scoped = database.store.begin(&Actor::system(ClinicId(clinic))).await.unwrap();
        rows.extend(scoped.list_records(table, &ids).await.unwrap().into_iter().map(|stored| stored.row));
        scoped.rollback().await.unwrap();
    }
    rows
}

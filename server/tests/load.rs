//! Bulk loading: what it leaves behind cannot be told from records that came from tablets and were compacted.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may take the short way")]

#[path = "load/database.rs"]
mod database;

use database::Database;
use neonpro_contract::catalogue::{Purpose, table};
use neonpro_contract::ids::{ClinicId, NetworkId, RecordId};
use neonpro_contract::permissions::Audience;
use neonpro_contract::row::Row;
use neonpro_contract::time::{DeviceInstant, ServerInstant};
use neonpro_contract::value::Value;
use neonpro_server::actor::Actor;
use neonpro_server::demo::{self, DemoNetwork, DemoSize};
use neonpro_server::store::Store;
use neonpro_server::store::documents::DocumentState;
use neonpro_server::store::heads::Head;
use neonpro_server::store::load::{LoadBatch, LoadRecord, Loaded};
use sqlx_core::executor::Executor;
use sqlx_core::sql_str::AssertSqlSafe;
use uuid::Uuid;

const NOW: ServerInstant = ServerInstant(1_782_925_500_000_000);
const CLINIC: ClinicId = ClinicId(Uuid::from_u128(1));
const EARLIER: i64 = 1_780_000_000_000_000;

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn id(number: u128) -> Value {
    Value::Uuid(Uuid::from_u128(number))
}

fn record(name: &str, number: u128, fields: &[(&str, Value)]) -> LoadRecord {
    let table = table(name).unwrap();
    let mut row = Row::empty(table);
    for (name, value) in fields {
        assert!(table.field(name).is_some(), "{name}");
        row.set(name, value.clone());
    }
    let (id, captured_at) = (RecordId(Uuid::from_u128(number)), DeviceInstant(EARLIER));
    LoadRecord { table, id, row, captured_at, author: None }
}

fn batch(records: impl IntoIterator<Item = LoadRecord>) -> LoadBatch {
    let mut batch = LoadBatch::new();
    for record in records {
        batch.push(record).unwrap();
    }
    batch
}

/// A clinic with a patient, a plan of care, its session, a product and its opening stock.
fn clinic() -> LoadBatch {
    batch([
        record("clinics", 1, &[("name", text("Clínica"))]),
        record("patients", 10, &[("name", text("Ana")), ("created_at", Value::Instant(EARLIER))]),
        record(
            "inventory_products",
            20,
            &[
                ("name", text("Agulha")),
                ("category", text("descartáveis")),
                ("unit_type", text("units")),
                ("unit_size", decimal(1_000)),
                ("min_quantity", decimal(50_000)),
            ],
        ),
        record(
            "inventory_transactions",
            21,
            &[
                ("product_id", id(20)),
                ("transaction_type", text("purchase")),
                ("quantity", decimal(30_000)),
                ("transaction_date", Value::Instant(EARLIER)),
            ],
        ),
        record(
            "treatment_plans",
            30,
            &[("patient_id", id(10)), ("title", text("Plano")), ("status", text("active"))],
        ),
        record("treatment_sessions", 31, &[("treatment_plan_id", id(30)), ("session_number", Value::Int(1))]),
    ])
}

fn decimal(thousandths: i64) -> Value {
    Value::Decimal(rust_decimal::Decimal::new(thousandths, 3))
}

async fn head(store: &Store) -> Head {
    let mut scoped = store.begin(&Actor::system(CLINIC)).await.unwrap();
    let head = scoped.find_head().await.unwrap();
    scoped.rollback().await.unwrap();
    head
}

async fn documents(store: &Store, numbers: &[u128]) -> Vec<DocumentState> {
    let ids: Vec<Uuid> = numbers.iter().map(|number| Uuid::from_u128(*number)).collect();
    let mut scoped = store.begin(&Actor::system(CLINIC)).await.unwrap();
    let documents = scoped.list_documents_of(&ids).await.unwrap();
    scoped.rollback().await.unwrap();
    documents
}

/// The head as the documents in the database say it should be.
async fn recomputed(database: &mut Database, of: &Head) -> Head {
    let mut head = Head::start();
    (head.seq, head.horizon) = (of.seq, of.horizon);
    let ids = database
        .text(&format!("select string_agg(distinct record_id::text, ',') from sync.documents where clinic_id = '{CLINIC}'"))
        .await;
    let ids: Vec<Uuid> = ids.split(',').map(|id| id.parse().unwrap()).collect();
    let mut scoped = database.store.begin(&Actor::system(CLINIC)).await.unwrap();
    for document in scoped.list_documents_of(&ids).await.unwrap() {
        head.of_purpose(document.purpose).unwrap().add(document.fingerprint());
    }
    scoped.rollback().await.unwrap();
    head
}

#[tokio::test]
async fn a_loaded_clinic_has_rows_documents_and_a_digest_that_agree() {
    let mut database = Database::create().await;
    let loaded = database.store.load(CLINIC, &clinic(), NOW).await.unwrap();
    // Two documents for the patient, two for the session, and one for the alert that the low stock raised.
    assert_eq!(loaded, Loaded { records: 6, documents: 9, present: 0 });
    let head = head(&database.store).await;
    assert_eq!((head.seq, head.horizon), (1, 1), "tablets that come later are given rows");
    assert_eq!(head, recomputed(&mut database, &head).await);
    assert_ne!(head.digest(Audience::Clinical), head.digest(Audience::FrontDesk));
    assert_eq!(database.count("sync.feed").await, 0);
    assert_eq!(database.text("select current_quantity from inventory_products").await, "30.000");
    assert_eq!(database.text("select alert_type from inventory_alerts").await, "low_stock");
    for table in ["patients", "inventory_products", "inventory_alerts", "treatment_sessions"] {
        assert_eq!(database.text(&format!("select feed_seq from {table}")).await, "1", "{table}");
    }
}

#[tokio::test]
async fn a_document_follows_the_patient_of_its_parent_and_has_the_purpose_of_its_facet() {
    let database = Database::create().await;
    database.store.load(CLINIC, &clinic(), NOW).await.unwrap();
    // The plan came with another load: its patient is read from its document.
    let later = batch([record(
        "treatment_assessments",
        40,
        &[
            ("treatment_plan_id", id(30)),
            ("assessment_type", text("inicial")),
            ("assessment_data", Value::Json(serde_json::json!({"pele": "mista"}))),
        ],
    )]);
    database.store.load(CLINIC, &later, NOW).await.unwrap();
    let patient = Some(neonpro_contract::ids::PatientId(Uuid::from_u128(10)));
    let mut seen = Vec::new();
    for document in documents(&database.store, &[1, 10, 31, 40]).await {
        let expected = if document.id.record.0 == CLINIC.0 { None } else { patient };
        assert_eq!((document.patient, document.epoch, document.live_changes), (expected, 1, 0));
        seen.push((document.id.record.0.as_u128(), document.id.facet.0, document.purpose));
    }
    seen.sort();
    let expected = [
        (1, 0, Purpose::Operation),
        (10, 0, Purpose::Operation),
        (10, 1, Purpose::Treatment),
        (31, 0, Purpose::Treatment),
        (31, 1, Purpose::Photography),
        (40, 0, Purpose::Treatment),
    ];
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn loading_again_changes_nothing() {
    let database = Database::create().await;
    database.store.load(CLINIC, &clinic(), NOW).await.unwrap();
    let before = head(&database.store).await;
    let again = database.store.load(CLINIC, &clinic(), ServerInstant(NOW.0 + 1)).await.unwrap();
    assert_eq!(again, Loaded { records: 0, documents: 0, present: 6 });
    assert_eq!(head(&database.store).await, before);
    let mut more: Vec<LoadRecord> = clinic().records().to_vec();
    more.push(record("patients", 11, &[("name", text("Rui")), ("created_at", Value::Instant(EARLIER))]));
    let rest = database.store.load(CLINIC, &batch(more), NOW).await.unwrap();
    assert_eq!(rest, Loaded { records: 1, documents: 2, present: 6 });
}

#[tokio::test]
async fn a_tablet_that_has_called_before_is_told_of_every_document() {
    let mut database = Database::create().await;
    let enrol = format!(
        "insert into sync.devices (clinic_id, id, name, public_key, audience, people, enrolled_at, last_seen_at) \
         values ('{CLINIC}', gen_random_uuid(), 'tablet', decode(repeat('00', 32), 'hex'), 'clinical', 'members', \
         now(), now())"
    );
    database.admin.execute(AssertSqlSafe(enrol)).await.unwrap();
    let loaded = database.store.load(CLINIC, &clinic(), NOW).await.unwrap();
    let head = head(&database.store).await;
    assert_eq!(head.horizon, 0);
    // Nine snapshots, and one row for the product whose quantity the stock moved.
    assert_eq!(
        database.text("select string_agg(kind::text, '' order by seq) from sync.feed").await,
        "1111111112"
    );
    assert_eq!(u64::try_from(head.seq).unwrap(), loaded.documents + 1);
    let same = "select bool_and(d.last_seq = f.seq) from sync.documents d join sync.feed f using (clinic_id, record_id, \
                table_id, facet) where f.kind = 1";
    assert_eq!(database.text(same).await, "true");
    assert_eq!(head, recomputed(&mut database, &head).await);
}

#[tokio::test]
async fn a_refused_record_leaves_nothing_behind() {
    let mut database = Database::create().await;
    let mut records = clinic().records().to_vec();
    records.push(record(
        "treatment_plans",
        32,
        &[("patient_id", id(99)), ("title", text("x")), ("status", text("draft"))],
    ));
    let error = database.store.load(CLINIC, &batch(records), NOW).await.unwrap_err();
    assert!(error.is_refusal());
    assert_eq!(database.count("clinics").await + database.count("sync.documents").await, 0);
}

#[tokio::test]
async fn rows_of_past_years_get_the_partition_of_their_month() {
    let mut database = Database::create().await;
    let old = 1_460_000_000_000_000;
    let appointment = record(
        "appointments",
        50,
        &[
            ("patient_id", id(10)),
            ("status", text("completed")),
            ("start_time", Value::Instant(old)),
            ("end_time", Value::Instant(old + 1_000_000)),
            ("duration_minutes", Value::Int(20)),
        ],
    );
    let mut records = clinic().records().to_vec();
    records.push(appointment);
    database.store.load(CLINIC, &batch(records), NOW).await.unwrap();
    assert_eq!(database.count("appointments_2016_04").await, 1);
}

#[test]
fn a_batch_takes_no_row_a_tablet_could_not_have_written() {
    let mut batch = LoadBatch::new();
    assert!(batch.push(record("patients", 1, &[])).is_err(), "a patient has a name");
    assert!(
        batch.push(record("patients", 1, &[("name", text("Ana")), ("cpf", text("52998224726"))])).is_err()
    );
    assert!(batch.push(record("service_types", 1, &[("name", text("Peeling"))])).is_err(), "no clinic's own");
    assert!(batch.is_empty());
    let allergies = Value::Texts(vec!["látex".to_owned(), "iodo".to_owned(), "iodo".to_owned()]);
    batch.push(record("patients", 1, &[("name", text("Ana")), ("allergies", allergies)])).unwrap();
    let expected = Value::Texts(vec!["iodo".to_owned(), "látex".to_owned()]);
    assert_eq!(*batch.records().first().unwrap().row.get("allergies"), expected);
}

#[tokio::test]
async fn reference_rows_are_numbered_once_and_only_changes_travel() {
    let mut database = Database::create().await;
    let categories = table("service_categories").unwrap();
    let rows = |second: &str| -> Vec<(RecordId, Row)> {
        [(1, "Injetáveis"), (2, second)]
            .into_iter()
            .map(|(number, name)| {
                let record = record("service_categories", number, &[("name", text(name))]);
                (record.id, record.row)
            })
            .collect()
    };
    let first = database.store.load_reference(categories, &rows("Laser"), NOW).await.unwrap();
    assert_eq!((first.records, first.present), (2, 0));
    let later = ServerInstant(NOW.0 + 1);
    let same = database.store.load_reference(categories, &rows("Laser"), later).await.unwrap();
    assert_eq!((same.records, same.present), (0, 2));
    assert_eq!(database.text("select reference_seq from sync.server").await, "2");
    let changed = database.store.load_reference(categories, &rows("Laser e luz"), later).await.unwrap();
    assert_eq!((changed.records, changed.present), (1, 1));
    let numbers = "select string_agg(name || feed_seq, ' ' order by id) from service_categories";
    assert_eq!(database.text(numbers).await, "Injetáveis1 Laser e luz4");
    let mut scoped = database.store.begin(&Actor::system(CLINIC)).await.unwrap();
    assert_eq!(scoped.list_records_after(categories, None, 2, 10).await.unwrap().len(), 1);
    let patients = table("patients").unwrap();
    assert!(database.store.load_reference(patients, &[], NOW).await.is_err());
}

fn network() -> DemoNetwork {
    demo::network(5, NOW, DemoSize { patients: 200, days_before: 4, days_after: 4 }).unwrap()
}

#[tokio::test]
async fn the_demo_loads_whole_and_once() {
    let mut database = Database::create().await;
    let network = network();
    let clinics: u64 = network.clinics.iter().map(|clinic| u64::try_from(clinic.batch.len()).unwrap()).sum();
    let reference: u64 = network.reference.iter().map(|(_, rows)| u64::try_from(rows.len()).unwrap()).sum();
    let loaded = demo::load(&database.store, &network, NOW).await.unwrap();
    assert_eq!((loaded.records, loaded.present), (clinics + reference, 0));
    assert_eq!(database.count("patients").await, 200);
    for table in neonpro_contract::catalogue::TABLES {
        assert!(database.count(table.name).await > 0, "{}", table.name);
    }
    let again = demo::load(&database.store, &network, NOW).await.unwrap();
    assert_eq!((again.records, again.present), (0, clinics + reference));
    let booleans = "select count(*) from patients p where data_processing_consent and not exists (select from \
                    data_consent_records c where c.patient_id = p.id and c.consent_type = 'treatment' and c.consent_given)";
    assert_eq!(database.text(booleans).await, "0");
    assert_eq!(database.text("select count(*) from clinics where network_id is null").await, "0");
    let unnumbered = "select count(*) from inventory_products where feed_seq is null or current_quantity = 0";
    assert_eq!(database.text(unnumbered).await, "0");
    assert_eq!(database.count("inventory_alerts where message like 'Sem estoque%'").await, 0);
    assert!(database.count("inventory_alerts where alert_type = 'low_stock' and not is_resolved").await > 0);
}

#[tokio::test]
async fn every_loaded_row_reads_back_as_it_was_given() {
    let database = Database::create().await;
    let network = network();
    demo::load(&database.store, &network, NOW).await.unwrap();
    let clinic = network.clinics.first().unwrap();
    let mut scoped = database.store.begin(&Actor::system(clinic.id)).await.unwrap();
    // What triggers own: quantities, and the deadline of a referral.
    let made = ["current_quantity", "answer_due_at", "is_overdue", "updated_at"];
    for run in clinic.batch.records().chunk_by(|left, right| left.table == right.table) {
        let ids: Vec<Uuid> = run.iter().map(|record| record.id.0).collect();
        let table = run.first().unwrap().table;
        let mut stored = scoped.list_records(table, &ids).await.unwrap();
        stored.sort_by_key(|stored| ids.iter().position(|id| *id == stored.id.0));
        assert_eq!(stored.len(), run.len());
        for (stored, given) in stored.iter().zip(run) {
            for ((field, was), (_, is)) in given.row.iter().zip(stored.row.iter()) {
                let same = was == is || made.contains(&field.name);
                assert!(same, "{}.{}", table.name, field.name);
            }
        }
    }
}

#[tokio::test]
async fn a_network_is_made_once_and_renamed() {
    let mut database = Database::create().await;
    let network = NetworkId(Uuid::from_u128(7));
    database.store.upsert_network(network, "Rede", NOW).await.unwrap();
    database.store.upsert_network(network, "Rede Aurora", NOW).await.unwrap();
    assert_eq!(database.text("select string_agg(name, ',') from clinic_networks").await, "Rede Aurora");
}

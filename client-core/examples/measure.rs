//! Measures what a tablet does most: first sync, pages of changes, edits, searches. Run with `--release`.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::too_many_lines,
    reason = "a measurement on the command line may take the short way"
)]

use neonpro_client_core::{Clock, Draft, Identity, Replica, ReplicaKey, SigningKey};
use neonpro_contract::catalogue::{FacetId, Table, table};
use neonpro_contract::document::{Actor, Document, Header};
use neonpro_contract::edit::{DocumentId, FieldOp};
use neonpro_contract::ids::{AuthorId, ClinicId, DeviceId, EditId, RecordId, fresh};
use neonpro_contract::permissions::Audience;
use neonpro_contract::row::{Row, RowStamp};
use neonpro_contract::time::{Capture, DeviceInstant, ServerInstant};
use neonpro_contract::value::Value;
use neonpro_contract::wire::{BootstrapRecord, Entry, Frame, Page, Position, RowsPage, Welcome};
use serde_json::json;
use std::time::Instant;
use uuid::Uuid;

const PATIENTS: usize = 50_000;
const APPOINTMENTS: usize = 50_000;
const ADMIN: AuthorId = AuthorId(Uuid::from_u128(0xA0));

fn id(at: usize, salt: u8) -> RecordId {
    let mut random = [salt; 10];
    random[2..10].copy_from_slice(&(at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    RecordId(fresh(1_700_000_000_000_000 + at as i64 * 1_000_000, random))
}

fn stamp() -> RowStamp {
    RowStamp {
        author: Some(ADMIN),
        captured_at: Some(DeviceInstant(1_700_000_000_000_000)),
        merged_at: ServerInstant(1_700_000_001_000_000),
        feed_seq: 0,
    }
}

/// Eleven digits with valid check digits.
fn cpf(at: usize) -> String {
    let mut digits: Vec<u32> =
        format!("{:09}", at * 1_313).chars().map(|c| c.to_digit(10).unwrap()).collect();
    for _ in 0..2 {
        let weight = digits.len() as u32 + 1;
        let sum: u32 = digits.iter().enumerate().map(|(at, digit)| digit * (weight - at as u32)).sum();
        digits.push((sum * 10 % 11) % 10);
    }
    digits.iter().map(u32::to_string).collect()
}

fn patient(at: usize) -> Row {
    let mut row = Row::empty(table("patients").unwrap());
    let text = |text: String| Value::Text(text);
    let given = ["Ana", "João", "Conceição", "Márcia", "Luís", "Beatriz", "Caio", "Débora"][at % 8];
    let family = ["Silva", "Souza", "Araújo", "Lima", "Gonçalves", "Pereira", "Assunção"][at % 7];
    row.set("name", text(format!("{given} {family} {}", at % 997)));
    row.set("phone", text(format!("(11) 9{:04}-{:04}", at % 9_999, (at * 7) % 9_999)));
    row.set("email", text(format!("{}{at}@exemplo.com.br", given.to_lowercase())));
    row.set("cpf", text(cpf(at)));
    row.set("date_of_birth", Value::Date("1985-04-12".parse().unwrap()));
    row.set("gender", text("female".into()));
    row.set("address", text(format!("Rua das Flores, {at}, São Paulo")));
    row.set("allergies", Value::Texts(vec!["látex".into()]));
    row.set("skin_type", text("III".into()));
    row.set("is_active", Value::Bool(true));
    row.set("created_at", Value::Instant(1_700_000_000_000_000));
    row
}

fn appointment(at: usize) -> Row {
    let mut row = Row::empty(table("appointments").unwrap());
    row.set("patient_id", Value::Uuid(id(at % PATIENTS, 1).0));
    row.set("professional_id", Value::Uuid(ADMIN.0));
    row.set("status", Value::Text("scheduled".into()));
    row.set("start_time", Value::Instant(1_700_000_000_000_000 + at as i64 * 3_600_000_000));
    row.set("end_time", Value::Instant(1_700_003_600_000_000 + at as i64 * 3_600_000_000));
    row.set("duration_minutes", Value::Int(60));
    row.set("price", Value::Decimal("250.00".parse().unwrap()));
    row.set("created_at", Value::Instant(1_700_000_000_000_000));
    row
}

fn pages(table: &'static Table, count: usize, salt: u8, make: fn(usize) -> Row, from: usize) -> Vec<Frame> {
    let all: Vec<usize> = (0..count).collect();
    all.chunks(1_000)
        .map(|chunk| {
            let records: Vec<_> = chunk
                .iter()
                .map(|at| BootstrapRecord { id: id(*at, salt), row: make(*at), stamp: stamp() })
                .collect();
            Frame::Rows(RowsPage {
                table: table.id,
                next: Some(Position { section: 2, after: None }),
                done: (from + chunk.len()) as u64,
                reference_seq: None,
                facets: 3,
                body: RowsPage::pack_records(table, &records, &Vec::new()),
            })
        })
        .collect()
}

fn seed(name: &str, id: RecordId, values: &[(&str, Value)]) -> Frame {
    let table = table(name).unwrap();
    let mut row = Row::empty(table);
    for (name, value) in values {
        row.set(name, value.clone());
    }
    Frame::Rows(RowsPage {
        table: table.id,
        next: Some(Position { section: 2, after: None }),
        done: 0,
        reference_seq: None,
        facets: 1,
        body: RowsPage::pack_records(table, &[BootstrapRecord { id, row, stamp: stamp() }], &Vec::new()),
    })
}

fn change(document: DocumentId, base: &Row, n: usize, create: bool, ops: &[FieldOp]) -> Vec<u8> {
    let mut doc = Document::genesis(document, 1, base).unwrap();
    let header = Header {
        edit: EditId(id(n, 9).0),
        author: ADMIN,
        capture: Capture { at: DeviceInstant(1_700_000_000_000_000 + n as i64), uncertainty_ms: 5 },
        seen_seq: 0,
    };
    doc.edit(Actor::of(DeviceId(Uuid::from_u128(77)), 1), &header, create, ops).unwrap().0
}

fn page(from: i64, changes: Vec<(DocumentId, Vec<u8>)>) -> Frame {
    let to = from + changes.len() as i64;
    let entries: Vec<Entry> = changes
        .into_iter()
        .enumerate()
        .map(|(at, (document, change))| Entry::Change {
            seq: from + at as i64 + 1,
            document,
            epoch: 1,
            merged_at: ServerInstant(1_700_000_002_000_000),
            change: change.into(),
        })
        .collect();
    Frame::Page(Page::new(from, to, None, &entries))
}

/// Processor time used so far, seconds: what counts when other work runs on the machine. Linux only.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}

fn timed<T>(what: &str, count: usize, work: impl FnOnce() -> T) -> T {
    let (start, cpu) = (Instant::now(), cpu_seconds());
    let value = work();
    let (took, cpu) = (start.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    println!(
        "{what}: {:.1} ms ({:.0}/s, {:.1} µs each; processor {:.1} µs each)",
        took * 1e3,
        count as f64 / took,
        took * 1e6 / count as f64,
        cpu * 1e6 / count as f64
    );
    value
}

fn micro() {
    let patients = table("patients").unwrap();
    let document = |at: usize| DocumentId { table: patients.id, record: id(at, 1), facet: FacetId(0) };
    let put = |field: &str, value: serde_json::Value| FieldOp::Put { field: field.into(), value };
    let rows: Vec<Row> = (0..1_000).map(patient).collect();
    let mut docs = timed("genesis", 1_000, || {
        rows.iter()
            .enumerate()
            .map(|(at, row)| Document::genesis(document(at), 1, row).unwrap())
            .collect::<Vec<_>>()
    });
    let changes: Vec<_> = (0..1_000)
        .map(|at| change(document(at), &rows[at], at, false, &[put("phone", json!("1"))]))
        .collect();
    let parsed: Vec<_> = timed("parse", 1_000, || {
        changes
            .iter()
            .map(|bytes| neonpro_contract::document::ParsedChange::parse(bytes).unwrap())
            .collect::<Vec<_>>()
    });
    timed("apply", 1_000, || {
        docs.iter_mut().zip(&parsed).for_each(|(doc, change)| doc.apply(change).unwrap())
    });
    let mut row = Row::empty(patients);
    timed("project", 1_000, || {
        docs.iter_mut().for_each(|doc| drop(doc.project(&Default::default(), &mut row).unwrap()))
    });
    timed("heads", 1_000, || docs.iter_mut().for_each(|doc| drop(doc.heads())));
    let saved: Vec<_> = timed("save", 1_000, || docs.iter_mut().map(Document::save).collect::<Vec<_>>());
    println!("saved: {} bytes", saved[0].len());
    let mut loaded = timed("load", 1_000, || {
        saved
            .iter()
            .enumerate()
            .map(|(at, bytes)| Document::load(document(at), bytes).unwrap())
            .collect::<Vec<_>>()
    });
    timed("clone", 1_000, || loaded.iter().for_each(|doc| drop(doc.clone())));
    timed("edit on document", 1_000, || {
        let header = Header {
            edit: EditId(id(1, 9).0),
            author: ADMIN,
            capture: Capture { at: DeviceInstant(1_700_000_000_000_000), uncertainty_ms: 5 },
            seen_seq: 0,
        };
        loaded.iter_mut().for_each(|doc| {
            doc.edit(
                Actor::of(DeviceId(Uuid::from_u128(78)), 1),
                &header,
                false,
                &[put("phone", json!("2"))],
            )
            .unwrap();
        });
    });
}

fn main() {
    micro();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c.db");
    let identity = Identity {
        device: DeviceId(Uuid::from_u128(5)),
        name: "t".into(),
        clinic: ClinicId(Uuid::from_u128(6)),
        clinic_name: "c".into(),
        network: None,
        audience: Audience::Clinical,
        server_url: "http://127.0.0.1:1".into(),
        pin: [0; 32],
        signing_key: SigningKey::generate().unwrap(),
    };
    let replica =
        Replica::create(&path, ReplicaKey::new([1; 32]), identity.clone(), Clock::system()).unwrap();
    let welcome = |escrow_key: Option<[u8; 32]>| Welcome {
        protocol: 1,
        clinic: identity.clinic,
        audience: Audience::Clinical,
        now: ServerInstant(1_700_000_000_000_000),
        epoch: [1; 16].into(),
        head: 0,
        digest: Default::default(),
        reference_head: 0,
        bootstrap_records: 1,
        push_bytes: 1_000_000,
        lease_seconds: 1_000,
        people: None,
        checkpoint: None,
        audit_agrees: None,
        escrow_key: escrow_key.map(Into::into),
    };
    replica.begin_first_sync(&welcome(None)).unwrap();
    replica
        .receive(&seed("professionals", RecordId(ADMIN.0), &[("name", Value::Text("Adm".into()))]))
        .unwrap();
    let member = [("professional_id", Value::Uuid(ADMIN.0)), ("role", Value::Text("admin".into()))];
    replica.receive(&seed("clinic_professionals", id(0, 3), &member)).unwrap();

    let (patients, appointments) = (table("patients").unwrap(), table("appointments").unwrap());
    let frames = pages(patients, PATIENTS, 1, patient, 0);
    let wire: usize = frames.iter().map(|frame| frame.encode().len()).sum();
    println!("patients on the wire: {} bytes each", wire / PATIENTS);
    timed("decode patients", PATIENTS, || {
        for frame in &frames {
            if let Frame::Rows(rows) = frame {
                rows.records().unwrap();
            }
        }
    });
    timed("first sync, patients", PATIENTS, || {
        frames.iter().for_each(|frame| {
            replica.receive(frame).unwrap();
        })
    });
    replica.checkpoint().unwrap();
    println!("on disk: {} bytes per patient", std::fs::metadata(&path).unwrap().len() / PATIENTS as u64);
    let frames = pages(appointments, APPOINTMENTS, 2, appointment, PATIENTS);
    timed("first sync, appointments", APPOINTMENTS, || {
        frames.iter().for_each(|frame| {
            replica.receive(frame).unwrap();
        });
    });
    replica
        .receive(&Frame::Rows(RowsPage {
            next: None,
            body: RowsPage::pack_records(patients, &[], &Vec::new()),
            table: patients.id,
            done: 1,
            reference_seq: Some(1),
            facets: 0,
        }))
        .unwrap();

    let document = |at: usize| DocumentId { table: patients.id, record: id(at, 1), facet: FacetId(0) };
    let put = |field: &str, value: serde_json::Value| FieldOp::Put { field: field.into(), value };
    let virgin = page(
        0,
        (0..500)
            .map(|at| {
                (document(at), change(document(at), &patient(at), at, false, &[put("phone", json!("1"))]))
            })
            .collect(),
    );
    timed("page of 500 changes of virgin patients", 500, || replica.receive(&virgin).unwrap());
    let book = |at: usize| DocumentId { table: appointments.id, record: id(at, 4), facet: FacetId(0) };
    let ops = |at: usize| {
        vec![
            put("patient_id", json!(id(at, 1))),
            put("professional_id", json!(ADMIN)),
            put("status", json!("scheduled")),
            put("start_time", json!(1_700_000_000_000_000i64)),
            put("end_time", json!(1_700_003_600_000_000i64)),
            put("duration_minutes", json!(60)),
            put("created_at", json!(1_700_000_000_000_000i64)),
        ]
    };
    let empty = Row::empty(appointments);
    let creations = page(
        500,
        (0..500).map(|at| (book(at), change(book(at), &empty, 1_000 + at, true, &ops(at)))).collect(),
    );
    timed("page of 500 created appointments", 500, || replica.receive(&creations).unwrap());
    let status = page(
        1_000,
        (0..500)
            .map(|at| {
                let document = DocumentId { table: appointments.id, record: id(at, 2), facet: FacetId(0) };
                (
                    document,
                    change(
                        document,
                        &appointment(at),
                        3_000 + at,
                        false,
                        &[put("status", json!("confirmed"))],
                    ),
                )
            })
            .collect(),
    );
    timed("page of 500 status changes of virgin appointments", 500, || replica.receive(&status).unwrap());
    let more: Vec<Frame> = (1..21)
        .map(|round| {
            let entries = (0..500)
                .map(|at| {
                    let at = at + round * 500;
                    let document =
                        DocumentId { table: appointments.id, record: id(at, 2), facet: FacetId(0) };
                    (
                        document,
                        change(
                            document,
                            &appointment(at),
                            9_000 + at,
                            false,
                            &[put("status", json!("confirmed"))],
                        ),
                    )
                })
                .collect();
            page(1_000 + round as i64 * 500, entries)
        })
        .collect();
    timed("20 such pages", 10_000, || {
        more.iter().for_each(|page| {
            replica.receive(page).unwrap();
        })
    });

    let edits = |what: &str, from: usize| {
        timed(what, 1_000, || {
            for at in from..from + 1_000 {
                replica
                    .edit(Draft::new(ADMIN).put(
                        "patients",
                        id(at + 5_000, 1),
                        "phone",
                        json!(at.to_string()),
                    ))
                    .unwrap();
            }
        });
    };
    edits("edit()", 0);
    edits("edit()", 1_000);
    // What is owed by now is sealed at once; each edit from here on when it is made.
    let clinic =
        [9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    timed("seal what is owed", 2_000, || replica.begin_first_sync(&welcome(Some(clinic))).unwrap());
    edits("edit() into escrow", 2_000);
    edits("edit() into escrow", 3_000);
    timed("create by edit()", 3_000, || {
        for at in 0..3_000 {
            replica
                .edit(Draft::new(ADMIN).create("patients", [("name", json!(format!("Novo {at}")))]))
                .unwrap();
        }
    });
    for typed in ["concei", "ana silva 12", "123456", "a"] {
        timed(&format!("search {typed:?}"), 1, || replica.search_patients(typed, 50).unwrap().len());
    }
    timed("recompute digest", PATIENTS, || replica.recompute_digest().unwrap());
    timed("status()", 100, || (0..100).for_each(|_| drop(replica.status().unwrap())));
}

//! The workers: what kills one is kept aside alone, and everybody else goes on.

use neonpro_contract::catalogue::Role;
use neonpro_contract::edit::{DocumentChange, FieldOp};
use neonpro_contract::fate::{Code, Fate};
use neonpro_server::admission::{
    Admission, AdmissionConfig, AdmissionError, Base, Batch, GUILTY_PER_DEVICE_MAX, Step, Verdict,
    WORKER_MEMORY_BYTES_MAX,
};
use neonpro_server::clock::{Clock, fresh_id, now};
use neonpro_server::merge::{Incoming, MergeError, Merger};
use neonpro_server::telemetry::Metrics;
use neonpro_tests::device::{Device, document, put};
use neonpro_tests::poison::{Chunk, deflated_zeros, with_header};
use neonpro_tests::process::admission_workers;
use neonpro_tests::world::World;
use serde_json::json;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;

const ADMISSION_FAILED: Fate = Fate::Quarantined { code: Code::AdmissionFailed };

/// An edit of one field whose change is exchanged for something else, signed all the same.
pub(super) fn tampered(
    device: &mut Device,
    author: neonpro_contract::ids::AuthorId,
    id: neonpro_contract::edit::DocumentId,
    tamper: impl Fn(Chunk) -> Vec<u8>,
) -> Incoming {
    let mut envelope = device.envelope(author, &[(id, false, vec![put("phone", json!("1"))])]);
    for DocumentChange { change, .. } in &mut envelope.changes {
        *change = tamper(Chunk::read(change)).into();
    }
    device.incoming(&envelope)
}

/// As many values of one field as a change may have operations: a hundred bytes, and hours of work.
pub(super) fn conflicts(chunk: Chunk) -> Vec<u8> {
    chunk.repeated(60_000).write()
}

fn pool(workers: AdmissionConfig) -> (Admission, Arc<Metrics>) {
    let metrics = Arc::new(Metrics::default());
    (Admission::new(workers, Arc::clone(&metrics)), metrics)
}

#[tokio::test]
async fn an_edit_that_exhausts_a_worker_is_kept_aside_alone_and_the_others_are_merged() {
    let world = World::new().await;
    let clinic = world.clinic(0).id;
    let author = world.person(0, Role::Assistant);
    let (mut bad, mut good) = (world.device(clinic).await, world.device(clinic).await);
    let (victim, row) = world.patient(0, 0);
    let victim = document("patients", victim, 0);
    bad.open(victim, row);
    let mut edits = vec![good.new_patient(author, fresh_id(now()), None)];
    edits.push(tampered(&mut bad, author, victim, conflicts));
    edits.push(good.new_patient(author, fresh_id(now()), None));
    // And one of the same document, on another tablet.
    good.open(victim, row);
    edits.push(good.edit(author, &[(victim, false, vec![put("phone", json!("2"))])]));
    let fates = world.push(clinic, edits.clone()).await;
    assert_eq!(fates[1], ADMISSION_FAILED);
    for index in [0, 2, 3] {
        assert!(matches!(fates[index], Fate::Accepted { .. }), "{index}: {:?}", fates[index]);
    }
    // Sent again it is answered, not tried again.
    assert_eq!(world.push(clinic, vec![edits[1].clone()]).await, vec![ADMISSION_FAILED]);
}

#[tokio::test]
async fn a_tablet_full_of_poison_costs_nobody_else_an_edit() {
    let world = World::new().await;
    let clinic = world.clinic(0).id;
    let author = world.person(0, Role::Assistant);
    let (mut bad, mut good) = (world.device(clinic).await, world.device(clinic).await);
    let mut edits = Vec::new();
    for index in 0..GUILTY_PER_DEVICE_MAX as usize + 6 {
        let (victim, row) = world.patient(0, index);
        let victim = document("patients", victim, 0);
        bad.open(victim, row);
        edits.push(tampered(&mut bad, author, victim, conflicts));
    }
    edits.push(good.new_patient(author, fresh_id(now()), None));
    let (admission, metrics) = pool(AdmissionConfig { workers: 1, ..admission_workers() });
    let merger = Merger::new(world.store().clone(), metrics, admission, Clock::system());
    let fates = merger.enqueue(clinic, edits).unwrap().await.unwrap().unwrap();
    let (last, poisoned) = fates.split_last().unwrap();
    assert!(poisoned.iter().all(|told| told.fate == ADMISSION_FAILED), "{poisoned:?}");
    assert!(matches!(last.fate, Fate::Accepted { .. }), "{last:?}");
}

#[tokio::test]
async fn an_edit_behind_one_that_was_set_aside_is_tried_again_on_what_is_there() {
    let world = World::new().await;
    let clinic = world.clinic(0).id;
    let (assistant, admin) = (world.person(0, Role::Assistant), world.person(0, Role::Admin));
    let (patient, row) = world.patient(0, 0);
    let id = document("patients", patient, 0);
    let (mut a, mut b) = (world.device(clinic).await, world.device(clinic).await);
    a.open(id, row);
    b.open(id, row);
    // The worker merges it; the judge refuses the value. What b wrote does not build on it.
    let aside = tampered(&mut a, assistant, id, |chunk| chunk.with_value(6, &[b'9'; 6_400]).write());
    let builds_on_it = a.edit(assistant, &[(id, false, vec![put("email", json!("a@x.br"))])]);
    let stands = b.edit(admin, &[(id, false, vec![put("phone", json!("222"))])]);
    let fates = world.push(clinic, vec![aside, builds_on_it, stands]).await;
    assert_eq!(fates[0], Fate::Quarantined { code: Code::InvalidValue });
    assert!(!matches!(fates[1], Fate::Accepted { .. }), "{:?}", fates[1]);
    assert!(matches!(fates[2], Fate::Accepted { .. }), "{:?}", fates[2]);
    assert_eq!(world.row(clinic, "patients", patient).await.unwrap().get("phone").as_text(), Some("222"));
}

/// A worker spoken to by hand.
struct Spoken {
    child: Child,
    input: ChildStdin,
    output: ChildStdout,
}

impl Spoken {
    fn start() -> Self {
        let mut child = Command::new(admission_workers().program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut spoken = Self { child, input, output };
        spoken.message();
        spoken
    }

    fn message(&mut self) -> Vec<u8> {
        let mut length = [0; 4];
        self.output.read_exact(&mut length).unwrap();
        let mut body = vec![0; u32::from_be_bytes(length) as usize];
        self.output.read_exact(&mut body).unwrap();
        body
    }

    fn try_one(&mut self, base: Base, step: &Step) -> Verdict {
        let batch = Batch { bases: vec![base], edits: vec![vec![step.clone()]] };
        let body = minicbor::to_vec(&batch).unwrap();
        self.input.write_all(&u32::try_from(body.len()).unwrap().to_be_bytes()).unwrap();
        self.input.write_all(&body).unwrap();
        minicbor::decode(&self.message()).unwrap()
    }

    fn proc(&self, file: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{file}", self.child.id())).unwrap()
    }
}

impl Drop for Spoken {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_document_that_inflates_to_a_gigabyte_does_not_get_it() {
    let id = document("patients", fresh_id(now()), 0);
    let mut honest = Device::new(neonpro_contract::ids::ClinicId(fresh_id(now())));
    let author = neonpro_contract::ids::AuthorId(fresh_id(now()));
    let envelope = honest.envelope(author, &[(id, true, vec![put("name", json!("Ana"))])]);
    let step = Step { base: 0, change: envelope.changes[0].change.clone() };
    // Seven megabytes.
    let saved = with_header(2, &deflated_zeros(1024 * 1024 * 1024));
    let bomb = Base { document: id, epoch: 1, saved: Some(saved.into()), row: None };
    let mut worker = Spoken::start();
    assert_eq!(worker.try_one(bomb, &step), Verdict::Unmerged);
    let peak = worker.proc("status").lines().find_map(|line| line.strip_prefix("VmPeak:").map(str::to_owned));
    let peak: u64 = peak.unwrap().split_whitespace().next().unwrap().parse().unwrap();
    assert!(peak * 1024 <= WORKER_MEMORY_BYTES_MAX, "{peak} KiB");
    assert!(matches!(worker.try_one(Base::of_row(id, 1, None), &step), Verdict::Fits(_)), "and it goes on");
    let limits = worker.proc("limits");
    let limit = |name: &str| {
        let line = limits.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().next().unwrap().to_owned()
    };
    assert_eq!(limit("Max address space"), WORKER_MEMORY_BYTES_MAX.to_string());
    assert_eq!(limit("Max file size"), "0");
    assert_eq!(limit("Max core file size"), "0");
    assert!(limit("Max cpu time").parse::<u64>().unwrap() < 60, "seconds, not unlimited");
}

#[tokio::test]
async fn without_a_worker_nothing_is_merged_and_the_push_is_told_to_come_back() {
    let world = World::new().await;
    let clinic = world.clinic(0).id;
    let mut a = world.device(clinic).await;
    // A text: what only writes maps never reaches Automerge, and needs no worker.
    let (visit, row) = world.record(0, "appointments", 0);
    let id = document("appointments", visit, 0);
    a.open(id, row);
    let notes = FieldOp::Text { field: "notes".to_owned(), value: "evolução".to_owned() };
    let edit = a.edit(world.person(0, Role::Assistant), &[(id, false, vec![notes])]);
    for program in ["/nonexistent/worker", "/bin/true"] {
        let workers = AdmissionConfig { program: PathBuf::from(program), workers: 1, ..admission_workers() };
        let (admission, metrics) = pool(workers);
        let refused = admission.check().await;
        assert!(matches!(refused, Err(AdmissionError::Start(_) | AdmissionError::Greeting)), "{program}");
        let merger = Merger::new(world.store().clone(), metrics, admission, Clock::system());
        let told = merger.enqueue(clinic, vec![edit.clone()]).unwrap().await.unwrap();
        assert_eq!(told, Err(MergeError::Busy), "{program}");
    }
    assert_eq!(&world.row(clinic, "appointments", visit).await.unwrap(), row);
    assert!(matches!(world.push(clinic, vec![edit]).await[0], Fate::Accepted { .. }), "nothing was lost");
}

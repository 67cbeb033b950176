//! The workloads of 6.6: first sync, offline work, live edits, a storm, an idle reconnect, a form, a refusal.

use super::bed::{Bed, Clinic, Cpu};
use super::figures::{Figures, percentile};
use super::progress::Progress;
use crate::fleet::Tablet;
use neonpro_client_core::Draft;
use neonpro_contract::ids::RecordId;
use serde_json::json;
use std::time::{Duration, Instant};

/// Longest any workload may take before the run is given up.
const LIMIT: Duration = Duration::from_secs(300);

pub(super) async fn wait(tablet: &mut Tablet, what: &str, seq: i64) {
    let done = tablet.handle.wait_for(|state| state.quiet && state.cursor >= seq);
    assert!(tokio::time::timeout(LIMIT, done).await.is_ok(), "{what}: {:?}", tablet.handle.state());
}

fn phone(clinic: &Clinic, patient: RecordId, value: &str) -> Draft {
    Draft::new(clinic.author).put("patients", patient, "phone", json!(value))
}

async fn head(bed: &Bed, clinic: &Clinic) -> i64 {
    let actor = neonpro_server::actor::Actor::system(clinic.id);
    let mut scoped = bed.database.store.begin(&actor).await.unwrap();
    let head = scoped.find_head().await.unwrap().seq;
    scoped.rollback().await.unwrap();
    head
}

fn put_cpu(figures: &mut Figures, workload: &str, used: Cpu, of: &'static str) {
    figures.put(&format!("{workload}_server_cpu_s"), used.server, of);
    figures.put(&format!("{workload}_admission_cpu_s"), used.admission, of);
    figures.put(&format!("{workload}_postgres_cpu_s"), used.postgres, of);
    figures.put(&format!("{workload}_tablets_cpu_s"), used.tablets, of);
}

/// First syncs of a clinic that are measured.
const FIRST_SYNCS: usize = 5;

/// W1 and W6: first sync of `records` by one new tablet after another, then a reconnect with nothing to do.
pub async fn first_sync_and_idle(bed: &Bed, figures: &mut Figures, records: u32, main: bool) {
    let progress = Progress::begin("W1", &format!("first sync of {records} records"));
    let empty = bed.database_bytes().await;
    let clinic = bed.clinic(u64::from(records), records).await;
    let full = bed.database_bytes().await;
    progress.tell("the clinic is there");
    let proxy = bed.proxy().await;
    let (mut rates, mut used, mut bytes, mut last) = (Vec::new(), Cpu::default(), 0.0, None);
    for number in 1..=FIRST_SYNCS {
        let mut tablet = bed.tablet(&clinic, &proxy, &format!("w1-{records}-{number}")).await;
        let (before, cpu) = (proxy.counts.bytes(), bed.cpu());
        let began = Instant::now();
        tablet.online();
        wait(&mut tablet, "first sync", 1).await;
        rates.push(f64::from(records) / began.elapsed().as_secs_f64());
        used.add(bed.cpu().since(cpu));
        bytes = (proxy.counts.bytes() - before) as f64;
        progress.tell(&format!("tablet {number} of {FIRST_SYNCS} is synced"));
        if let Some(tablet) = last.replace(tablet) {
            tablet.handle.stop().await;
        }
    }
    let Some(mut tablet) = last else { return };
    rates.sort_by(f64::total_cmp);
    let suffix = if main { String::new() } else { format!("_{records}") };
    let rate = rates[FIRST_SYNCS / 2];
    figures.put(&format!("w1_records_per_s{suffix}"), rate, ">= 40,000 at 10,000 (median of 5)");
    figures.put(&format!("w1_wire_bytes_per_record{suffix}"), bytes / f64::from(records), "<= 200");
    tablet.offline();
    offline(&mut tablet).await;
    tablet.replica.checkpoint().unwrap();
    let size = std::fs::metadata(tablet.path()).unwrap().len() as f64;
    if main {
        put_cpu(figures, "w1", used.shared(FIRST_SYNCS as f64), "of one first sync");
        figures.put(
            "w1_database_bytes_per_record",
            (full - empty) / f64::from(records),
            "canonical and sync",
        );
        figures.put("replica_bytes_per_patient", size / f64::from(records), "<= 1,500");
        idle(&mut tablet, &proxy, figures).await;
    }
    tablet.handle.stop().await;
}

async fn offline(tablet: &mut Tablet) {
    let gone = tablet.handle.wait_for(|state| !state.quiet);
    assert!(tokio::time::timeout(LIMIT, gone).await.is_ok(), "never offline");
}

async fn idle(tablet: &mut Tablet, proxy: &super::proxy::Proxy, figures: &mut Figures) {
    use std::sync::atomic::Ordering;
    let _progress = Progress::begin("W6", "reconnect with nothing to do");
    let (bytes, turns) = (proxy.counts.bytes(), proxy.counts.turns.load(Ordering::Relaxed));
    tablet.online();
    wait(tablet, "idle reconnect", 1).await;
    let turns = proxy.counts.turns.load(Ordering::Relaxed) - turns;
    figures.put("w6_bytes", (proxy.counts.bytes() - bytes) as f64, "<= 2,000 (TLS handshake included)");
    figures.put("w6_round_trips", 1.0, "1 (hello to welcome)");
    figures.put("w6_tcp_round_trips", turns as f64, "with TLS and the upgrade");
    tablet.offline();
    offline(tablet).await;
}

/// Edits of a round of W2.
const ROUND: usize = 1_000;
const ROUNDS: usize = 5;

/// W2: 1,000 single-field edits made offline over 500 records, until a second tablet has them all; then the same with
/// free text that merges, which Automerge reads and the admission workers try first.
pub async fn offline_edits(bed: &Bed, figures: &mut Figures) {
    let clinic = bed.clinic(2, 500).await;
    let proxy = bed.proxy().await;
    let mut a = bed.tablet(&clinic, &proxy, "w2-a").await;
    let mut b = bed.tablet(&clinic, &proxy, "w2-b").await;
    for tablet in [&mut a, &mut b] {
        tablet.online();
        wait(tablet, "first sync", 1).await;
    }
    let rounds = Rounds { bed, clinic: &clinic, name: "w2", goal: ">= 4,000 (median of 5)" };
    let telephone = |round: usize, index: usize| {
        let patient = clinic.patients[index % clinic.patients.len()];
        phone(&clinic, patient, &format!("+55 11 9{round}{index:07}"))
    };
    rounds.run([&mut a, &mut b], figures, telephone).await;
    let booked = book(bed, &clinic, [&mut a, &mut b]).await;
    let rounds = Rounds { name: "w2_text", goal: "edits of text that merges", ..rounds };
    let note = |round: usize, index: usize| {
        let text = format!("Retorno {round}: paciente pede horário às {index}h.");
        Draft::new(clinic.author).put("appointments", booked[index % booked.len()], "notes", json!(text))
    };
    rounds.run([&mut a, &mut b], figures, note).await;
    a.handle.stop().await;
    b.handle.stop().await;
}

/// One appointment for each of 500 patients, known to both tablets.
async fn book(bed: &Bed, clinic: &Clinic, tablets: [&mut Tablet; 2]) -> Vec<RecordId> {
    let before = head(bed, clinic).await;
    let mut booked = Vec::new();
    for (index, patient) in clinic.patients.iter().enumerate() {
        let hour = format!("{:02}", index % 24);
        let day = format!("2027-{:02}-{:02}", 1 + index / 28 % 12, 1 + index % 28);
        let values = [
            ("patient_id", json!(patient)),
            ("start_time", json!(format!("{day}T{hour}:00:00Z"))),
            ("end_time", json!(format!("{day}T{hour}:30:00Z"))),
            ("duration_minutes", json!(30)),
        ];
        let edits = tablets[0].replica.create_record(clinic.author, "appointments", values).unwrap();
        booked.push(edits[0].record().unwrap());
    }
    for tablet in tablets {
        wait(tablet, "appointments", before + booked.len() as i64).await;
    }
    booked
}

/// Rounds of edits made offline by the first of two tablets.
struct Rounds<'a> {
    bed: &'a Bed,
    clinic: &'a Clinic,
    /// What its figures begin with.
    name: &'static str,
    goal: &'static str,
}

impl Rounds<'_> {
    async fn run(
        &self,
        [a, b]: [&mut Tablet; 2],
        figures: &mut Figures,
        edit: impl Fn(usize, usize) -> Draft,
    ) {
        let (bed, name) = (self.bed, self.name);
        let progress = Progress::begin("W2", &format!("{name}: {ROUND} offline edits, {ROUNDS} rounds"));
        let (mut rates, mut local, mut shares) = (Vec::new(), Vec::new(), Vec::new());
        let (size, mut used) = (bed.database_bytes().await, Cpu::default());
        for round in 0..ROUNDS {
            a.offline();
            offline(a).await;
            let began = Instant::now();
            for index in 0..ROUND {
                a.replica.edit(edit(round, index)).unwrap();
            }
            local.push(ROUND as f64 / began.elapsed().as_secs_f64());
            let target = head(bed, self.clinic).await + ROUND as i64;
            let waited = bed.admission_wait_seconds().await;
            let (cpu, began) = (bed.cpu(), Instant::now());
            a.online();
            wait(b, "second tablet", target).await;
            wait(a, "first tablet", target).await;
            let seconds = began.elapsed().as_secs_f64();
            rates.push(ROUND as f64 / seconds);
            used.add(bed.cpu().since(cpu));
            shares.push((bed.admission_wait_seconds().await - waited) / seconds);
            progress.tell(&format!("round {} of {ROUNDS}", round + 1));
        }
        let grown = bed.database_bytes().await - size;
        for values in [&mut rates, &mut local, &mut shares] {
            values.sort_by(f64::total_cmp);
        }
        let mut put = |key: &str, value: f64, goal| figures.put(&format!("{name}_{key}"), value, goal);
        put("edits_per_s", rates[ROUNDS / 2], self.goal);
        put("edits_per_s_best", rates[ROUNDS - 1], "");
        put("admission_share", shares[ROUNDS / 2], "<= 0.25 of the time waits for admission");
        put(
            "database_bytes_per_edit",
            grown / (ROUND * ROUNDS) as f64,
            "row, document, signed log, feed, audit",
        );
        put("local_edits_per_s", local[ROUNDS / 2], "durable, on the tablet");
        put_cpu(figures, name, used.shared(ROUNDS as f64), "per 1,000 edits");
    }
}

/// W3: one edit on a live tablet until another has committed it.
pub async fn live_edits(bed: &Bed, figures: &mut Figures) {
    let progress = Progress::begin("W3", "330 live edits");
    let clinic = bed.clinic(3, 200).await;
    let proxy = bed.proxy().await;
    let mut a = bed.tablet(&clinic, &proxy, "w3-a").await;
    let mut b = bed.tablet(&clinic, &proxy, "w3-b").await;
    for tablet in [&mut a, &mut b] {
        tablet.online();
        wait(tablet, "first sync", 1).await;
    }
    let mut seq = head(bed, &clinic).await;
    let (mut samples, cpu) = (Vec::new(), bed.cpu());
    for index in 0..330 {
        if index > 0 && index % 110 == 0 {
            progress.tell(&format!("{index} of 330"));
        }
        let patient = clinic.patients[index % clinic.patients.len()];
        let draft = phone(&clinic, patient, &format!("+55 11 8{index:08}"));
        let began = Instant::now();
        let replica = a.replica.clone();
        tokio::task::spawn_blocking(move || replica.edit(draft).unwrap()).await.unwrap();
        seq += 1;
        let here = b.handle.wait_for(|state| state.cursor >= seq);
        assert!(tokio::time::timeout(LIMIT, here).await.is_ok(), "live edit: {:?}", b.handle.state());
        if index >= 30 {
            samples.push(began.elapsed());
        }
    }
    put_cpu(figures, "w3", bed.cpu().since(cpu), "per 330 edits");
    figures.put("w3_p50_ms", percentile(&mut samples, 0.50), "<= 5");
    figures.put("w3_p99_ms", percentile(&mut samples, 0.99), "<= 20");
    a.handle.stop().await;
    b.handle.stop().await;
}

/// W4: ten tablets with 200 offline edits each connect at once, until all have everything.
pub async fn storm(bed: &Bed, figures: &mut Figures) {
    const TABLETS: usize = 10;
    const EDITS: usize = 200;
    let progress = Progress::begin("W4", "ten tablets, 200 offline edits each");
    let clinic = bed.clinic(4, 500).await;
    let proxy = bed.proxy().await;
    let mut tablets = Vec::new();
    for index in 0..TABLETS {
        let mut tablet = bed.tablet(&clinic, &proxy, &format!("w4-{index}")).await;
        tablet.online();
        wait(&mut tablet, "first sync", 1).await;
        tablet.offline();
        offline(&mut tablet).await;
        tablets.push(tablet);
        progress.tell(&format!("tablet {} of {TABLETS} is synced", index + 1));
    }
    for (who, tablet) in tablets.iter().enumerate() {
        for index in 0..EDITS {
            let patient = clinic.patients[(who * 37 + index) % clinic.patients.len()];
            tablet.replica.edit(phone(&clinic, patient, &format!("+55 {who} {index:06}"))).unwrap();
        }
    }
    let target = head(bed, &clinic).await + (TABLETS * EDITS) as i64;
    let (cpu, began) = (bed.cpu(), Instant::now());
    for tablet in &tablets {
        tablet.online();
    }
    for tablet in &mut tablets {
        wait(tablet, "storm", target).await;
    }
    figures.put("w4_seconds", began.elapsed().as_secs_f64(), "<= 1");
    put_cpu(figures, "w4", bed.cpu().since(cpu), "of 2,000 edits to ten tablets");
    let digest = tablets[0].replica.digest().unwrap();
    assert!(
        tablets.iter().all(|tablet| tablet.replica.digest().unwrap() == digest),
        "tablets differ after the storm"
    );
    for tablet in tablets {
        tablet.handle.stop().await;
    }
}

/// W7: a form posted to the tablet's own page until the next page is there.
pub async fn form(bed: &Bed, figures: &mut Figures) {
    let progress = Progress::begin("W7", "330 forms with 10,000 patients");
    let clinic = bed.clinic(7, 10_000).await;
    let proxy = bed.proxy().await;
    let mut tablet = bed.tablet(&clinic, &proxy, "w7").await;
    tablet.online();
    wait(&mut tablet, "first sync", 1).await;
    tablet.offline();
    offline(&mut tablet).await;
    progress.tell("the tablet is synced");
    let mut page = super::page::Page::open(&tablet, clinic.author).await;
    let mut samples = Vec::new();
    for index in 0..330 {
        let patient = clinic.patients[index * 29 % clinic.patients.len()];
        let began = Instant::now();
        page.save_phone(patient, &format!("+55 11 7{index:08}")).await;
        if index >= 30 {
            samples.push(began.elapsed());
        }
    }
    figures.put("w7_p50_ms", percentile(&mut samples, 0.50), "form to page");
    figures.put("w7_p99_ms", percentile(&mut samples, 0.99), "<= 20");
    tablet.handle.stop().await;
}

/// W8: 200 offline edits of which the server sets the first one aside, until the tablet shows what is left: the one in
/// *needs attention*, the record it created gone, everything else confirmed.
pub async fn refusal(bed: &Bed, figures: &mut Figures) {
    let clinic = bed.clinic(8, 500).await;
    let proxy = bed.proxy().await;
    let mut tablet = bed.tablet(&clinic, &proxy, "w8").await;
    tablet.online();
    wait(&mut tablet, "first sync", 1).await;
    let mut samples = Vec::new();
    for round in 0..5 {
        tablet.offline();
        offline(&mut tablet).await;
        let plan = [
            ("patient_id", json!(clinic.patients[round])),
            ("professional_id", json!(clinic.doctor)),
            ("title", json!("Sem consentimento")),
        ];
        let plan = tablet.replica.create_record(clinic.doctor, "treatment_plans", plan).unwrap();
        let plan = plan[0].record().unwrap();
        for index in 1..200 {
            let patient = clinic.patients[index];
            tablet.replica.edit(phone(&clinic, patient, &format!("+55 11 6{round}{index:07}"))).unwrap();
        }
        let began = Instant::now();
        tablet.online();
        let shown = async {
            loop {
                let state = tablet.handle.wait_for(|state| state.quiet).await;
                let status = tablet.replica.status().unwrap();
                if state.is_some() && status.needs_attention == round as u64 + 1 && status.waiting.edits == 0
                {
                    return;
                }
                tokio::task::yield_now().await;
            }
        };
        assert!(tokio::time::timeout(LIMIT, shown).await.is_ok(), "refusal: {:?}", tablet.handle.state());
        samples.push(began.elapsed());
        assert!(tablet.replica.row("treatment_plans", plan).unwrap().is_none());
    }
    figures.put("w8_seconds", percentile(&mut samples, 0.5) / 1_000.0, "<= 1 (median of 5)");
    tablet.handle.stop().await;
}

//! The demo's network: the same every time, whole, and such as a clinic could have written it.
#![expect(clippy::unwrap_used, reason = "helpers of tests may take the short way")]

use chrono::{DateTime, NaiveDate, TimeDelta};
use neonpro_contract::catalogue::{Format, Lifecycle, Scope, TABLES};
use neonpro_contract::document::Document;
use neonpro_contract::edit::DocumentId;
use neonpro_contract::time::ServerInstant;
use neonpro_contract::validate::{self, br};
use neonpro_contract::value::Value;
use neonpro_server::demo::{DemoClinic, DemoNetwork, DemoSize, network};
use neonpro_server::store::load::LoadRecord;
use std::collections::{HashMap, HashSet};
use std::sync::OnceLock;
use uuid::Uuid;

const SEED: u64 = 20_260_701;

/// A Wednesday, 14:05 in São Paulo.
const NOW: ServerInstant = ServerInstant(1_782_925_500_000_000);

fn whole() -> &'static DemoNetwork {
    static NETWORK: OnceLock<DemoNetwork> = OnceLock::new();
    NETWORK.get_or_init(|| network(SEED, NOW, DemoSize::default()).unwrap())
}

fn small(seed: u64) -> DemoNetwork {
    network(seed, NOW, DemoSize { patients: 60, days_before: 3, days_after: 3 }).unwrap()
}

fn rows<'a>(clinic: &'a DemoClinic, table: &str) -> Vec<&'a LoadRecord> {
    clinic.batch.records().iter().filter(|record| record.table.name == table).collect()
}

fn count(table: &str) -> usize {
    whole().clinics.iter().map(|clinic| rows(clinic, table).len()).sum()
}

fn percent(part: usize, of: usize) -> usize {
    part * 100 / of
}

#[test]
fn the_same_seed_makes_the_same_network_and_another_seed_another() {
    assert_eq!(small(7), small(7));
    assert_ne!(small(7), small(8));
}

#[test]
fn what_devices_are_enrolled_in_keeps_its_ids_from_one_day_to_the_next() {
    let tomorrow = ServerInstant(NOW.0 + 86_400_000_000);
    let later = network(SEED, tomorrow, DemoSize { patients: 60, days_before: 3, days_after: 3 }).unwrap();
    let today = network(SEED, NOW, DemoSize { patients: 60, days_before: 3, days_after: 3 }).unwrap();
    assert_eq!(today.reference, later.reference);
    for (left, right) in today.clinics.iter().zip(&later.clinics) {
        assert_eq!(left.id, right.id);
    }
}

#[test]
fn every_table_has_rows_and_the_network_its_size() {
    for table in TABLES {
        let rows = match table.scope {
            Scope::Reference => {
                let rows = whole().reference.iter().find(|(other, _)| *other == *table);
                rows.map_or(0, |(_, rows)| rows.len())
            }
            Scope::Clinic => count(table.name),
        };
        assert!(rows > 0, "{}", table.name);
    }
    assert_eq!(whole().clinics.len(), 3);
    assert_eq!(count("patients"), 2_000);
    assert_eq!(count("professionals"), 18);
    assert!((2_000..3_500).contains(&count("appointments")), "{}", count("appointments"));
}

#[test]
fn every_row_is_valid_and_opens_as_a_document() {
    for clinic in &small(SEED).clinics {
        for record in clinic.batch.records() {
            validate::record(&record.row).unwrap();
            if record.table.lifecycle == Lifecycle::Server {
                continue;
            }
            for facet in record.table.facet_ids() {
                let id = DocumentId { table: record.table.id, record: record.id, facet };
                Document::genesis(id, 1, &record.row).unwrap();
            }
        }
    }
}

#[test]
fn every_reference_finds_its_record_before_it() {
    let shared: HashSet<Uuid> =
        whole().reference.iter().flat_map(|(_, rows)| rows.iter().map(|(id, _)| id.0)).collect();
    for clinic in &whole().clinics {
        let mut known: HashSet<(&str, Uuid)> = HashSet::new();
        for record in clinic.batch.records() {
            for (field, value) in record.row.iter() {
                if let (Some(target), Some(id)) = (field.references, value.as_uuid()) {
                    let found = known.contains(&(target, id)) || shared.contains(&id);
                    assert!(found, "{}.{}", record.table.name, field.name);
                }
            }
            assert!(known.insert((record.table.name, record.id.0)), "{} twice", record.table.name);
        }
    }
}

#[test]
fn every_cpf_and_cns_is_valid_and_unique_in_its_clinic() {
    for clinic in &whole().clinics {
        let mut seen = HashSet::new();
        for record in rows(clinic, "patients") {
            for (field, value) in record.row.iter() {
                let Some(text) = value.as_text() else { continue };
                match field.format {
                    Format::Cpf => assert_eq!(br::cpf::Cpf::parse(text).unwrap().as_str(), text),
                    Format::Cns => assert_eq!(br::cns::Cns::parse(text).unwrap().as_str(), text),
                    _ => continue,
                }
                assert!(seen.insert(text.to_owned()), "a number twice");
            }
        }
    }
}

#[test]
fn nobody_is_booked_twice_and_nobody_works_at_night() {
    for clinic in &whole().clinics {
        for by in ["professional_id", "patient_id"] {
            let mut agenda: HashMap<Uuid, Vec<(i64, i64)>> = HashMap::new();
            for record in rows(clinic, "appointments") {
                let at = |name| record.row.get(name).as_instant().unwrap();
                let whom = record.row.get(by).as_uuid().unwrap();
                agenda.entry(whom).or_default().push((at("start_time"), at("end_time")));
            }
            for times in agenda.values_mut() {
                times.sort_unstable();
                assert!(times.windows(2).all(|pair| pair[0].1 <= pair[1].0), "{by} overlaps");
                for (start, end) in times {
                    assert!(minute(*start) >= 8 * 60 && minute(*end) <= 18 * 60);
                }
            }
        }
    }
}

/// Minutes since midnight in São Paulo.
fn minute(at_us: i64) -> i64 {
    (at_us / 60_000_000 - 3 * 60).rem_euclid(24 * 60)
}

fn day(at_us: i64) -> NaiveDate {
    (DateTime::from_timestamp_micros(at_us).unwrap() - TimeDelta::hours(3)).date_naive()
}

#[test]
fn the_agenda_is_a_month_around_today_and_its_states_fit_the_clock() {
    let today = day(NOW.0);
    let mut here_today = 0;
    for record in whole().clinics.iter().flat_map(|clinic| rows(clinic, "appointments")) {
        let at = |name| record.row.get(name).as_instant().unwrap();
        let distance = (day(at("start_time")) - today).num_days();
        assert!((-15..=15).contains(&distance));
        here_today += usize::from(distance == 0);
        let status = record.row.get("status").as_text().unwrap();
        let fits = match status {
            "completed" | "no_show" | "rescheduled" => at("end_time") <= NOW.0,
            "in_progress" => at("start_time") <= NOW.0 && NOW.0 < at("end_time"),
            "scheduled" | "confirmed" => at("start_time") > NOW.0,
            _ => true,
        };
        assert!(fits, "{status}");
        assert!(at("created_at") < at("start_time") && at("created_at") < NOW.0);
    }
    assert!(here_today > 60, "{here_today}");
}

#[test]
fn shares_are_those_of_a_clinic() {
    let (mut allergic, mut booleans) = (0, HashMap::<&str, usize>::new());
    for record in whole().clinics.iter().flat_map(|clinic| rows(clinic, "patients")) {
        allergic += usize::from(!record.row.get("allergies").is_null());
        for column in ["photo_consent", "data_processing_consent", "marketing_consent"] {
            *booleans.entry(column).or_default() +=
                usize::from(record.row.get(column).as_bool().unwrap_or(false));
        }
    }
    let of = |column| percent(booleans[column], 2_000);
    assert!((12..=18).contains(&percent(allergic, 2_000)));
    assert!((85..=92).contains(&of("data_processing_consent")), "{}", of("data_processing_consent"));
    assert!((53..=61).contains(&of("photo_consent")), "{}", of("photo_consent"));
    assert!((34..=42).contains(&of("marketing_consent")), "{}", of("marketing_consent"));
    let states: Vec<String> = whole()
        .clinics
        .iter()
        .flat_map(|clinic| rows(clinic, "appointments"))
        .filter(|record| record.row.get("end_time").as_instant().unwrap() < NOW.0)
        .map(|record| record.row.get("status").as_text().unwrap().to_owned())
        .collect();
    let missed = states.iter().filter(|status| *status == "no_show").count();
    assert!((6..=14).contains(&percent(missed, states.len())));
}

#[test]
fn nothing_clinical_exists_without_consent_to_care() {
    for clinic in &whole().clinics {
        let of = |kind: &str, given: bool| -> HashSet<Uuid> {
            rows(clinic, "data_consent_records")
                .iter()
                .filter(|record| record.row.get("consent_type").as_text() == Some(kind))
                .filter(|record| *record.row.get("consent_given") == Value::Bool(given))
                .filter_map(|record| record.row.get("patient_id").as_uuid())
                .collect()
        };
        let (granted, withdrawn, photos) =
            (of("treatment", true), of("treatment", false), of("photography", true));
        for table in ["treatment_plans", "professional_referrals", "coordination_threads"] {
            for record in rows(clinic, table) {
                let Some(patient) = record.row.get("patient_id").as_uuid() else { continue };
                assert!(granted.contains(&patient) && !withdrawn.contains(&patient), "{table}");
            }
        }
        for record in rows(clinic, "patient_documents") {
            if record.row.get("document_type").as_text() == Some("photo") {
                assert!(photos.contains(&record.row.get("patient_id").as_uuid().unwrap()));
            }
        }
    }
}

#[test]
fn no_telephone_and_no_address_is_anybodys() {
    for record in whole().clinics.iter().flat_map(|clinic| rows(clinic, "patients")) {
        assert!(record.row.get("phone").as_text().unwrap().contains(") 90"));
        assert!(record.row.get("email").as_text().unwrap().ends_with("@example.com"));
    }
}

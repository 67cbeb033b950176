//! Appointments of the health units of one city → a network of clinics with its patients, staff and agenda.
//!
//! Rows of one unit lie scattered through the file, so they are read into compact form first (about 15 MB per 100,000
//! rows), then written unit by unit. Never invents a person: staff and patients are named as what they are, synthetic
//! and pseudonymous. Invariant: every appointment of the file becomes exactly one appointment.

mod read;
mod slots;
mod unit;
mod write;

pub(super) use read::{FILE, Visits, read};

use super::writer::Tally;
use super::{ImportError, Run, Source, keys};
use neonpro_contract::ids::{ClinicId, NetworkId};
use uuid::Uuid;

/// Name of the network the units become.
const NETWORK: &str = "Rede Vitória";

/// Columns of the file that no record keeps: health and benefit flags that came without anybody's consent to care.
const NOT_TAKEN: [&str; 5] = ["Scholarship", "Hipertension", "Diabetes", "Alcoholism", "Handcap"];

/// Imports the appointments.
///
/// # Errors
/// See [`ImportError`].
pub(super) async fn import(run: &mut Run<'_>) -> Result<(), ImportError> {
    for column in NOT_TAKEN {
        run.remarks.of_file(FILE, column)?;
    }
    let visits = read(&run.options.from, &mut run.remarks)?;
    let network = network_id();
    run.store.upsert_network(NetworkId(network), NETWORK, run.now).await?;
    let (mut units, mut records, mut appointments, mut patients) = (Vec::new(), 0u64, 0u64, 0u64);
    for (name, rows) in &visits.units {
        let unit = unit::arrange(name, rows, &visits.people, &mut run.remarks)?;
        records = records.saturating_add(unit.records());
        appointments = appointments.saturating_add(count(unit.visits.len()));
        patients = patients.saturating_add(count(unit.patients.len()));
        units.push(unit);
    }
    let mut tally = Tally::new(Source::NoShow, records);
    let mut taken = 0u64;
    for unit in &units {
        taken = taken.saturating_add(write::unit(run, unit, &visits.people, network, &mut tally).await?);
    }
    run.report.clinics = count(units.len());
    run.report.patients = patients;
    run.report.people = count(visits.people.len());
    let refused_late = appointments.saturating_sub(taken);
    run.settle(FILE, visits.read, taken, records.saturating_sub(refused_late), tally.loaded)
}

/// Clinics of the units, those with most appointments first.
pub(super) fn largest(visits: &Visits, clinics_max: usize) -> Vec<ClinicId> {
    let mut units: Vec<(usize, &String)> =
        visits.units.iter().map(|(name, rows)| (rows.len(), name)).collect();
    units.sort_by(|left, right| right.0.cmp(&left.0).then(left.1.cmp(right.1)));
    units.into_iter().take(clinics_max).map(|(_, name)| ClinicId(clinic_id(name))).collect()
}

fn network_id() -> Uuid {
    keys::id("no_show network", &[NETWORK])
}

fn clinic_id(unit: &str) -> Uuid {
    keys::id("no_show clinic", &[unit])
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

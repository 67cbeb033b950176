//! A plausible network of clinics, made from a seed: what `./dev demo` shows and what tests and measurements load.
//!
//! Owns the generator and nothing else. Never reads a clock, a file or the machine's randomness: the same seed, moment
//! and size give the same rows. Invariant: every row is one a tablet could have written, nobody is booked twice, and
//! nothing clinical exists without the patient's consent to care.

mod agenda;
mod care;
mod duties;
mod identity;
mod money;
mod names;
mod patients;
mod people;
mod places;
mod random;
mod reference;
mod scribe;
mod services;
mod stock;
mod together;

pub use people::DemoPerson;

use self::care::Clinic;
use self::places::{PLACES, Place};
use self::random::Random;
use self::scribe::Scribe;
use crate::actor::Actor;
use crate::store::load::{LoadBatch, Loaded, ReferenceRows};
use crate::store::{Store, StoreResult};
use neonpro_contract::catalogue::{Table, table};
use neonpro_contract::ids::{ClinicId, NetworkId};
use neonpro_contract::time::ServerInstant;
use neonpro_contract::validate::Invalid;
use neonpro_contract::validate::br::cnpj::Cnpj;
use uuid::Uuid;

/// The instant (µs) in the ids of what does not depend on the day of the demo: 2024-01-01.
const FOUNDED_US: i64 = 1_704_067_200_000_000;

/// How much to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DemoSize {
    /// Patients of the network.
    pub patients: u32,
    /// Days of agenda before today.
    pub days_before: u16,
    /// Days of agenda after today.
    pub days_after: u16,
}

impl Default for DemoSize {
    fn default() -> Self {
        Self { patients: 2_000, days_before: 15, days_after: 15 }
    }
}

/// A network of clinics.
#[derive(Debug, PartialEq)]
pub struct DemoNetwork {
    /// Its id: depends on the seed alone.
    pub id: NetworkId,
    /// Its name.
    pub name: &'static str,
    /// Rows of the reference tables, in the order in which they may be written; ids depend on the seed alone.
    pub reference: Vec<(&'static Table, ReferenceRows)>,
    /// Its clinics.
    pub clinics: Vec<DemoClinic>,
}

/// A clinic of the network.
#[derive(Debug)]
pub struct DemoClinic {
    /// Its id: depends on the seed alone.
    pub id: ClinicId,
    /// Trade name.
    pub name: &'static str,
    /// City.
    pub city: &'static str,
    /// Who works there.
    pub people: Vec<DemoPerson>,
    /// Its records.
    pub batch: LoadBatch,
}

/// A clinic is its records.
impl PartialEq for DemoClinic {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id && self.batch == other.batch
    }
}

/// Makes the network as it would stand at `now`.
///
/// # Errors
/// A row that no tablet could have written: a defect of the generator.
pub fn network(seed: u64, now: ServerInstant, size: DemoSize) -> Result<DemoNetwork, Invalid> {
    let mut random = Random::new(seed);
    let id = NetworkId(random.id(FOUNDED_US));
    let clinic_ids: Vec<ClinicId> = PLACES.iter().map(|_| ClinicId(random.id(FOUNDED_US))).collect();
    let reference = reference::rows(&mut random.fork())?;
    let ids = |name: &str| -> Vec<Uuid> {
        let rows = reference.iter().find(|(table, _)| table.name == name).map(|(_, rows)| rows.as_slice());
        rows.unwrap_or_default().iter().map(|(id, _)| id.0).collect()
    };
    let (services, duties) = (ids("service_types"), ids("compliance_requirements"));
    let mut clinics = Vec::with_capacity(PLACES.len());
    for (place, clinic) in PLACES.iter().zip(&clinic_ids) {
        let elsewhere = clinic_ids.iter().find(|other| *other != clinic).map_or(clinic.0, |other| other.0);
        let scribe = Scribe::new(random.fork(), now);
        let founding =
            Founding { network: id, clinic: *clinic, elsewhere, services: &services, duties: &duties };
        clinics.push(clinic_of(scribe, place, founding, size)?);
    }
    Ok(DemoNetwork { id, name: "Rede Aurora (demonstração)", reference, clinics })
}

/// Writes a network that is not there yet. A clinic that is there already is left as it is, since each is written in one
/// transaction.
///
/// # Errors
/// A database failure.
///
/// # Cancel safety
/// Cancelled, it leaves whole clinics; called again, it goes on.
pub async fn load(store: &Store, network: &DemoNetwork, now: ServerInstant) -> StoreResult<Loaded> {
    store.upsert_network(network.id, network.name, now).await?;
    let mut loaded = Loaded::default();
    for (table, rows) in &network.reference {
        loaded += store.load_reference(table, rows, now).await?;
    }
    for clinic in &network.clinics {
        if exists(store, clinic.id).await? {
            loaded.present =
                loaded.present.saturating_add(u64::try_from(clinic.batch.len()).unwrap_or(u64::MAX));
        } else {
            loaded += store.load(clinic.id, &clinic.batch, now).await?;
        }
    }
    Ok(loaded)
}

async fn exists(store: &Store, clinic: ClinicId) -> StoreResult<bool> {
    let Some(clinics) = table("clinics") else { return Ok(false) };
    let mut scoped = store.begin(&Actor::system(clinic)).await?;
    let known = scoped.list_existing(clinics, &[clinic.0]).await?;
    scoped.rollback().await?;
    Ok(!known.is_empty())
}

/// What a clinic is founded on.
struct Founding<'a> {
    network: NetworkId,
    clinic: ClinicId,
    elsewhere: Uuid,
    services: &'a [Uuid],
    duties: &'a [Uuid],
}

fn clinic_of(
    mut scribe: Scribe,
    place: &'static Place,
    founding: Founding<'_>,
    size: DemoSize,
) -> Result<DemoClinic, Invalid> {
    let Founding { network, clinic, elsewhere, services, duties } = founding;
    let tax_id = Cnpj::from_base(place.cnpj_base).map_err(|_| Invalid::new("tax_id", "a CNPJ"))?;
    let address = identity::address(&mut scribe.random, place);
    let phone = identity::phone(&mut scribe.random, place.ddd);
    let profile = people::clinic(place, network.0, tax_id.as_str(), address, phone);
    let opened = scribe.moment(-1_300, 9 * 60);
    scribe.add_as("clinics", clinic.0, opened, None, profile)?;
    let team = people::staff(&mut scribe, place)?;
    let stocked = stock::products(&mut scribe, &team)?;
    people::authority(&mut scribe, &team, services, &stocked)?;
    let count = size.patients.saturating_mul(place.share_percent) / 100;
    let patients = patients::register(&mut scribe, place, &team, count)?;
    let days = (size.days_before, size.days_after);
    let visits = agenda::book(&mut scribe, &team, services, &patients, days)?;
    stock::ledger(&mut scribe, &team, &stocked, &visits)?;
    let whole = Clinic { team: &team, services, stocked: &stocked, patients: &patients, visits: &visits };
    care::plans(&mut scribe, whole)?;
    money::payments(&mut scribe, &team, &patients, &visits)?;
    together::work(&mut scribe, &team, &patients, elsewhere)?;
    duties::meet(&mut scribe, &team, duties)?;
    people::decisions(&mut scribe, &team)?;
    let batch = scribe.finish()?;
    Ok(DemoClinic { id: clinic, name: place.clinic, city: place.city, people: team.people, batch })
}

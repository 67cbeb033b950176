//! A plausible network of clinics, made from a seed: what `./dev demo` shows and what tests and measurements load.
//!
//! Owns the generator and nothing else. Never reads a clock, a file or the machine's randomness: the same seed, moment
//! and size give the same rows. Invariant: every row is one a tablet could have written, nobody is booked twice, and
//! nothing clinical exists without the patient's consent to care.

mod random;
mod names;
mod places;
mod identity;
mod scribe;
mod services;
mod people;
mod stock;
mod patients;
mod agenda;
mod care;
mod money;
mod together;
mod duties;

pub use people::DemoPerson;

use self::care::Clinic;
use self::places::{PLACES, Place};
use self::random::Random;
use self::scribe::{Scribe, money, row, text, texts};
use self::services::{CATEGORIES, SERVICES};
use crate::actor::Actor;
use crate::store::load::{LoadBatch, Loaded};
use crate::store::{Store, StoreResult};
use neonpro_contract::catalogue::{Table, table};
use neonpro_contract::ids::{ClinicId, NetworkId, RecordId};
use neonpro_contract::row::Row;
use neonpro_contract::time::ServerInstant;
use neonpro_contract::validate::Invalid;
use neonpro_contract::validate::br::cnpj::Cnpj;
use neonpro_contract::value::Value;
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
    pub reference: Vec<(&'static Table, Vec<(RecordId, Row)>)>,
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
    let reference = reference(&mut random.fork())?;
    let ids = |name: &str| -> Vec<Uuid> {
        let rows = reference.iter().find(|(table, _)| table.name == name).map(|(_, rows)| rows.as_slice());
        rows.unwrap_or_default().iter().map(|(id, _)| id.0).collect()
    };
    let (services, duties) = (ids("service_types"), ids("compliance_requirements"));
    let mut clinics = Vec::with_capacity(PLACES.len());
    for (place, clinic) in PLACES.iter().zip(&clinic_ids) {
        let elsewhere = clinic_ids.iter().find(|other| *other != clinic).map_or(clinic.0, |other| other.0);
        let scribe = Scribe::new(random.fork(), now);
        let founding = Founding { network: id, clinic: *clinic, elsewhere, services: &services, duties: &duties };
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
            loaded.present = loaded.present.saturating_add(u64::try_from(clinic.batch.len()).unwrap_or(u64::MAX));
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
    let batch = scribe.finish()?;
    Ok(DemoClinic { id: clinic, name: place.clinic, city: place.city, people: team.people, batch })
}

/// Rows of the reference tables.
fn reference(random: &mut Random) -> Result<Vec<(&'static Table, Vec<(RecordId, Row)>)>, Invalid> {
    let of = |name: &'static str| table(name).ok_or(Invalid::new(name, "a table of the catalogue"));
    let mut categories = Vec::new();
    for (order, (name, description)) in (1i64..).zip(CATEGORIES) {
        let fields = vec![("name", text(name)), ("description", text(description)), ("display_order", Value::Int(order))];
        categories.push((RecordId(random.id(FOUNDED_US)), row(of("service_categories")?, fields)?));
    }
    let mut services = Vec::new();
    for service in &SERVICES {
        let category = categories.get(service.category).map_or(Uuid::nil(), |(id, _)| id.0);
        let injectable = service.class == services::Class::Injectable;
        let fields = vec![
            ("category_id", Value::Uuid(category)),
            ("name", text(service.name)),
            ("tuss_code", service.tuss.map_or(Value::Null, text)),
            ("duration_minutes", Value::Int(i64::from(service.minutes))),
            ("base_price", money(service.reais * 100)),
            ("requires_doctor", Value::Bool(service.class == services::Class::Consultation && service.tuss.is_some())),
            ("requires_preparation", Value::Bool(injectable)),
            ("recovery_time_days", Value::Int(service.recovery_days)),
            ("contraindications", texts(service.contraindications())),
            ("side_effects", texts(service.side_effects())),
        ];
        services.push((RecordId(random.id(FOUNDED_US)), row(of("service_types")?, fields)?));
    }
    let settings = settings(random, of("system_settings")?)?;
    let (groups, duties) = duties::reference(random, FOUNDED_US)?;
    Ok(vec![
        (of("service_categories")?, categories),
        (of("service_types")?, services),
        (of("compliance_categories")?, groups),
        (of("compliance_requirements")?, duties),
        (of("system_settings")?, settings),
    ])
}

fn settings(random: &mut Random, table: &'static Table) -> Result<Vec<(RecordId, Row)>, Invalid> {
    let known = [
        ("offline_lease_days", "days", 30, "Dias que um tablet pode ficar sem sincronizar antes de bloquear a leitura"),
        ("withdrawal_alarm_hours", "hours", 72, "Horas até alertar sobre um tablet que não confirmou uma exclusão"),
        ("chart_retention_years", "years", 20, "Guarda do prontuário (Lei 13.787/2018)"),
    ];
    let mut rows = Vec::new();
    for (key, unit, value, about) in known {
        let setting = scribe::object([(unit, value.into())]);
        let fields = vec![("setting_key", text(key)), ("setting_value", setting), ("description", text(about))];
        rows.push((RecordId(random.id(FOUNDED_US)), row(table, fields)?));
    }
    Ok(rows)
}

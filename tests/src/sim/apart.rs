//! I7: the clinics stay apart. The other clinic's word may reach a tablet in one place only: in a record it was given.
//!
//! What was given is looked up in the copies the server keeps; whether it should have been given is judged at rest, by
//! the referrals and consents of the clinic that gave it.

use super::consent::{Consents, Event};
use super::model;
use super::world::World;
use neonpro_contract::catalogue::{FacetId, Kind, Purpose, TableId, table, table_by_id};
use neonpro_contract::edit::DocumentId;
use neonpro_contract::ids::RecordId;
use neonpro_contract::wire::{Entry, Frame};
use neonpro_server::actor::Actor;
use sqlx_core::row::Row as _;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// How long an end by time may go unnoticed: a round of upkeep, µs.
const NOTICED_US: i64 = 300_000_000;

/// A record that reached a clinic with the other one's word in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Crossed {
    pub to: usize,
    pub table: TableId,
    pub record: RecordId,
}

/// Looks for the other clinic's word in a frame to a tablet; records that carry it are noted, to be looked up.
pub fn frame(world: &mut World, tablet: usize, frame: &Frame, bytes: &[u8]) {
    let own = world.tablets[tablet].clinic;
    for clinic in (0..world.canaries.len()).filter(|clinic| *clinic != own) {
        let canary = world.canaries[clinic].clone().into_bytes();
        let Some(records) = records(frame, &canary) else {
            if contains(bytes, &canary) {
                let name = &world.tablets[tablet].name;
                let what = format!("I7: {name} got bytes of clinic {clinic} in a {}", frame.name());
                world.violated(what);
            }
            continue;
        };
        for record in records {
            match record {
                Ok((table, record)) => drop(world.crossed.insert(Crossed { to: own, table, record })),
                Err(what) => {
                    let name = world.tablets[tablet].name.clone();
                    world.violated(format!("I7: {name} got bytes of clinic {clinic} in {what}"));
                }
            }
        }
    }
}

pub fn contains(bytes: &[u8], word: &[u8]) -> bool {
    bytes.windows(word.len()).any(|window| window == word)
}

type Carried = Result<(TableId, RecordId), String>;

/// Records of a frame that carry a word; `None` for a frame that carries no records.
fn records(frame: &Frame, word: &[u8]) -> Option<Vec<Carried>> {
    let of_entries = |entries: Vec<Entry>| {
        let carrying = entries.into_iter().filter(|entry| contains(&minicbor::to_vec(entry).unwrap(), word));
        carrying
            .map(|entry| match entry {
                Entry::Snapshot { document, .. } => Ok((document.table, document.record)),
                other => Err(format!("an entry that is no copy: {other:?}")),
            })
            .collect()
    };
    match frame {
        Frame::Page(page) => Some(of_entries(page.entries().unwrap_or_default())),
        Frame::Repair(repair) => Some(of_entries(repair.entries().unwrap_or_default())),
        Frame::Rows(rows) => {
            let (records, facets) = rows.records().unwrap_or_default();
            let live = contains(&minicbor::to_vec(&facets).unwrap(), word);
            let carrying = records.into_iter().filter(|record| {
                let mut bytes = Vec::new();
                record.row.encode_to(&mut minicbor::Encoder::new(&mut bytes)).unwrap();
                contains(&bytes, word)
            });
            let mut found: Vec<Carried> = carrying.map(|record| Ok((rows.table, record.id))).collect();
            if live {
                found.push(Err("the history of a document in a first sync".to_owned()));
            }
            Some(found)
        }
        _ => None,
    }
}

/// What crossed must be a copy the server keeps for that clinic.
pub async fn looked_up(world: &mut World) {
    for crossed in std::mem::take(&mut world.crossed) {
        let clinic = world.node.clinics()[crossed.to].id;
        let mut scoped = world.node.database.store.begin(&Actor::system(clinic)).await.unwrap();
        let copies = scoped.list_shared_of(&[crossed.record.0]).await.unwrap();
        scoped.rollback().await.unwrap();
        if !copies.iter().any(|copy| copy.state.id.table == crossed.table && !copy.state.withdrawn) {
            let name = table_by_id(crossed.table).map_or("?", |table| table.name);
            return world.violated(format!(
                "I7: {name}/{} reached clinic {}, which was not given it",
                crossed.record, crossed.to
            ));
        }
        world.reached.add("copy of another clinic's record received");
    }
}

/// At rest: shares are open exactly where a referral was accepted and the patient consents, and every copy belongs to one
/// and is what the original says.
pub async fn shares(world: &mut World, from: usize) {
    let clinic = world.node.clinics()[from].id;
    let rows = model::rows(&world.node.database.store, clinic).await;
    let wanted = wanted(world, &rows);
    let mut admin = world.node.database.admin().await;
    let sql = "select referral_id, patient_id from sync.shares where clinic_id = $1 and state = 'open'";
    let open: BTreeMap<Uuid, Uuid> = sqlx_core::query::query(sql)
        .bind(clinic.0)
        .fetch_all(&mut admin)
        .await
        .unwrap()
        .iter()
        .map(|row| (row.get(0), row.get(1)))
        .collect();
    for (referral, (patient, now, then)) in &wanted {
        let is_open = open.contains_key(referral);
        if is_open != *now && is_open != *then {
            let state = if is_open { "open" } else { "not open" };
            return world.violated(format!("shares: referral {referral} of {patient} is {state}"));
        }
    }
    if let Some(other) = open.keys().find(|referral| !wanted.contains_key(*referral)) {
        return world.violated(format!("shares: open for {other}, which is no referral abroad"));
    }
    let patients: BTreeSet<Uuid> = open.values().copied().collect();
    if let Some(wrong) = copies(world, from, &rows, &patients).await {
        world.violated(wrong);
    }
}

/// Referrals abroad with their patients: whether a share of each is to be open, and whether it was a round of upkeep ago.
fn wanted(world: &World, rows: &model::Rows) -> BTreeMap<Uuid, (Uuid, bool, bool)> {
    let (consents, referrals) =
        (table("data_consent_records").unwrap().id, table("professional_referrals").unwrap().id);
    let mut given: BTreeMap<Uuid, Consents> = BTreeMap::new();
    for ((_, id), row) in rows.iter().filter(|((of, _), _)| *of == consents) {
        if let Some(patient) = row.get("patient_id").as_uuid() {
            given.entry(patient).or_default().add(Event::of(*id, row));
        }
    }
    let now_us = world.node.at_us(world.now_us);
    let none = Consents::default();
    let mut wanted = BTreeMap::new();
    for ((_, id), row) in rows.iter().filter(|((of, _), _)| *of == referrals) {
        let abroad = row.get("receiving_clinic_id").as_uuid();
        let Some(patient) = row.get("patient_id").as_uuid().filter(|_| abroad.is_some()) else { continue };
        let accepted = row.get("status").as_text() == Some("accepted") && row.get("retired_at").is_null();
        let consents = given.get(&patient).unwrap_or(&none);
        let stands = |at_us| accepted && consents.stand(Purpose::DataSharing, at_us);
        wanted.insert(*id, (patient, stands(now_us), stands(now_us - NOTICED_US)));
    }
    wanted
}

/// Copies of a clinic's records in the other one.
async fn copies(
    world: &mut World,
    from: usize,
    rows: &model::Rows,
    patients: &BTreeSet<Uuid>,
) -> Option<String> {
    let (clinic, to) = (world.node.clinics()[from].id, world.node.clinics()[1 - from].id);
    let mut scoped = world.node.database.store.begin(&Actor::system(to)).await.unwrap();
    let copies = scoped.list_shared_from(clinic).await.unwrap();
    scoped.rollback().await.unwrap();
    let people = table("patients").unwrap().id;
    let mut identities = BTreeSet::new();
    for copy in copies.iter().filter(|copy| !copy.state.withdrawn) {
        let id = copy.state.id;
        let Some(original) = rows.get(&(id.table, id.record.0)) else {
            return Some(format!("shares: {id} is a copy of nothing"));
        };
        if id.table == people && id.facet == FacetId(0) {
            identities.insert(id.record.0);
        }
        if patient_of(id, rows).is_none_or(|patient| !patients.contains(&patient)) {
            return Some(format!("shares: {id} is with the other clinic, whose share is not open"));
        }
        for ((field, here), (_, there)) in copy.row().unwrap().iter().zip(original.iter()) {
            if field.kind != Kind::Derived && field.facet == id.facet && here != there {
                return Some(format!("shares: the copy of {id} differs in {}", field.name));
            }
        }
    }
    if let Some(missing) = patients.iter().find(|patient| !identities.contains(*patient)) {
        return Some(format!("shares: patient {missing} is shared and not there"));
    }
    world.reached.add_many("share open at rest", patients.len() as u64);
    None
}

fn patient_of(id: DocumentId, rows: &model::Rows) -> Option<Uuid> {
    use neonpro_contract::catalogue::PatientLink;
    let (mut of, mut record) = (id.table, id.record.0);
    loop {
        let table = table_by_id(of)?;
        let row = rows.get(&(of, record))?;
        match table.patient {
            PatientLink::None => return None,
            PatientLink::Own => return Some(record),
            PatientLink::Field(field) => return row.get(field).as_uuid(),
            PatientLink::Parent(field) => {
                let parent = table.field(field).and_then(|(_, field)| field.references)?;
                record = row.get(field).as_uuid()?;
                of = neonpro_contract::catalogue::table(parent)?.id;
            }
        }
    }
}

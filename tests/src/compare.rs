//! Compares what a replica holds with the canonical rows, value by value, as far as its audience reaches.

use neonpro_client_core::Replica;
use neonpro_contract::catalogue::{FacetId, Kind, Scope, TABLES, Table, TableId};
use neonpro_contract::ids::{ClinicId, RecordId};
use neonpro_contract::permissions::purpose;
use neonpro_server::actor::Actor;
use neonpro_server::store::canonical::Stored;
use neonpro_server::store::{Scoped, Store};
use std::collections::BTreeSet;
use uuid::Uuid;

/// Differences between a tablet's replica and Postgres, in words; empty when they are equal. What is withdrawn
/// must not be there.
pub async fn differences(store: &Store, clinic: ClinicId, replica: &Replica) -> Vec<String> {
    let mut found = Vec::new();
    // What is compared is shown to nobody: also a tablet whose lease is over can be.
    let (audience, replica) = (replica.identity().audience, replica.capturing());
    let mut scoped = store.begin(&Actor::system(clinic)).await.unwrap();
    for table in TABLES {
        let mut after: Option<RecordId> = None;
        let mut canonical: BTreeSet<RecordId> = BTreeSet::new();
        loop {
            let page = scoped.list_records_after(table, after, 0, 1_000).await.unwrap();
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            let withdrawn = withdrawn(&mut scoped, &page).await;
            for stored in &page {
                let is_withdrawn = |facet| withdrawn.contains(&(table.id, stored.id, facet));
                let sees = |facet: FacetId| {
                    table.facet(facet).is_none_or(|facet| audience.sees(purpose(facet, &stored.row)))
                };
                if is_withdrawn(FacetId(0)) || !sees(FacetId(0)) {
                    continue;
                }
                canonical.insert(stored.id);
                // An edit of a facet this tablet may not hold moves the record's number and time without its knowledge.
                let whole = table.facet_ids().all(sees);
                let Some(local) = replica.look_at(table.name, stored.id).unwrap() else {
                    found.push(format!("{}/{} is missing on the tablet", table.name, stored.id));
                    continue;
                };
                for ((field, here), (_, there)) in local.row.iter().zip(stored.row.iter()) {
                    let kept = field.kind == Kind::Derived;
                    let hidden = !kept && is_withdrawn(field.facet);
                    let unheard = !whole && field.name == "updated_at";
                    if hidden && here.is_null() || !kept && !sees(field.facet) || unheard {
                        continue;
                    }
                    if here != there {
                        let (here, there) = (here.to_json(), there.to_json());
                        found.push(format!("{}/{}.{}: {here} / {there}", table.name, stored.id, field.name));
                    }
                }
                let number = local.stamp.feed_seq.unwrap_or(-1);
                let behind = number != stored.stamp.feed_seq && (whole || number > stored.stamp.feed_seq);
                if table.scope == Scope::Clinic && behind {
                    found.push(format!(
                        "{}/{} has number {:?} / {}",
                        table.name, stored.id, local.stamp.feed_seq, stored.stamp.feed_seq
                    ));
                }
            }
        }
        canonical.extend(copies(&mut scoped, table, &replica, &mut found).await);
        let sql = format!("select uuid_text(id) from {}", table.name);
        for row in replica.query(&sql, &[], 1_000_000).unwrap().rows {
            let id = RecordId(row[0].as_str().unwrap().parse().unwrap());
            if !canonical.contains(&id) {
                found.push(format!("{}/{id} is on the tablet alone", table.name));
            }
        }
    }
    scoped.rollback().await.unwrap();
    found
}

/// What other clinics share of a table: the records of it the tablet must hold. Each as it was given.
async fn copies(
    scoped: &mut Scoped,
    table: &'static Table,
    replica: &Replica,
    found: &mut Vec<String>,
) -> BTreeSet<RecordId> {
    let audience = replica.identity().audience;
    let mut records = BTreeSet::new();
    for copy in scoped.list_shared_in(table.id).await.unwrap() {
        let id = copy.state.id;
        if !audience.sees(copy.state.purpose) {
            continue;
        }
        records.insert(id.record);
        let Some(local) = replica.look_at(table.name, id.record).unwrap() else {
            found.push(format!("the copy of {id} is missing on the tablet"));
            continue;
        };
        for ((field, here), (_, there)) in local.row.iter().zip(copy.row().unwrap().iter()) {
            if field.kind != Kind::Derived && field.facet == id.facet && here != there {
                let (here, there) = (here.to_json(), there.to_json());
                found.push(format!("the copy of {id}.{}: {here} / {there}", field.name));
            }
        }
    }
    records
}

/// Documents of these records that no tablet may hold.
async fn withdrawn(scoped: &mut Scoped, page: &[Stored]) -> BTreeSet<(TableId, RecordId, FacetId)> {
    let records: Vec<Uuid> = page.iter().map(|stored| stored.id.0).collect();
    let states = scoped.list_documents_of(&records).await.unwrap();
    states
        .into_iter()
        .filter(|state| state.withdrawn)
        .map(|state| (state.id.table, state.id.record, state.id.facet))
        .collect()
}

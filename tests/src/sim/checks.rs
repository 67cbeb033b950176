//! What must hold once everything is quiet: nothing lost, everybody equal, nothing left under way.

use super::world::World;
use super::{apart, model, stock};
use crate::compare;
use neonpro_contract::ids::EditId;
use neonpro_contract::time::ServerInstant;
use neonpro_server::actor::Actor;
use sqlx_core::row::Row as _;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Differences shown.
const SHOWN: usize = 12;

/// Fates of every edit the server knows.
pub async fn fates(world: &World) -> BTreeMap<EditId, (String, Option<String>)> {
    let mut admin = world.node.database.admin().await;
    let rows =
        sqlx_core::query::query("select id, fate, code from sync.edits").fetch_all(&mut admin).await.unwrap();
    rows.iter().map(|row| (EditId(row.get::<Uuid, _>(0)), (row.get(1), row.get(2)))).collect()
}

/// Edits the server has accepted.
pub async fn accepted(world: &World) -> BTreeSet<EditId> {
    fates(world).await.into_iter().filter(|(_, (fate, _))| fate == "accepted").map(|(edit, _)| edit).collect()
}

/// Reads the server has in its audit.
pub async fn reads(world: &World) -> BTreeSet<Uuid> {
    let mut admin = world.node.database.admin().await;
    let sql = "select read_id from sync.audit where read_id is not null";
    let rows = sqlx_core::query::query(sql).fetch_all(&mut admin).await.unwrap();
    let reads: Vec<Uuid> = rows.iter().map(|row| row.get(0)).collect();
    let each: BTreeSet<Uuid> = reads.iter().copied().collect();
    assert_eq!(each.len(), reads.len(), "a read is in the audit once");
    each
}

/// Everything, in order; the first thing that does not hold is kept.
pub async fn all(world: &mut World) {
    settled(world);
    if world.wrong.is_some() {
        return;
    }
    nothing_lost(world).await;
    equal(world).await;
    for clinic in 0..world.canaries.len() {
        model::rebuilt(world, clinic).await;
        stock::sums(world, clinic).await;
        apart::shares(world, clinic).await;
        purged(world, clinic).await;
    }
    audited(world).await;
    situations(world).await;
}

/// Tablets that must be up to date: enrolled, not revoked, not told to stop.
fn live(world: &World) -> Vec<usize> {
    (0..world.tablets.len()).filter(|at| !world.tablets[*at].revoked).collect()
}

/// I6: whatever is left waits for somebody, and says so.
fn settled(world: &mut World) {
    for at in live(world) {
        let tablet = &world.tablets[at];
        let state = tablet.engine.state();
        let status = tablet.replica.status().unwrap();
        let open = tablet.intents().values().filter(|state| matches!(**state, 0..=2 | 4)).count();
        if open > 0 || !state.quiet {
            let what = format!(
                "I6: {} is not settled: {open} edits under way, {state:?}, cursor {} of {}",
                tablet.name, status.cursor, status.head
            );
            return world.violated(what);
        }
    }
}

/// I1: every acknowledged edit is on the server or on a tablet.
async fn nothing_lost(world: &mut World) {
    let fates = fates(world).await;
    let files: Vec<BTreeMap<EditId, i64>> =
        world.tablets.iter().map(super::tablet::Tablet::intents).collect();
    let mut lost = Vec::new();
    for (edit, known) in &world.ledger.edits {
        let kept = fates.get(edit).is_some_and(|(fate, _)| fate != "refused");
        // Accepted on a tablet means that the server has it (or that it came to nothing there).
        let somewhere = kept || files.iter().any(|file| file.contains_key(edit));
        if !somewhere && !known.file_gone && !world.ledger.excused.contains(edit) {
            lost.push(format!("{edit} of {}", world.tablets[known.tablet].name));
        }
        // A tablet that was revoked cannot heal a restored server: what it was told there is in its file alone.
        let told = live(world).into_iter().any(|at| files[at].get(edit) == Some(&7));
        let told_merged = told && known.accepted;
        if told_merged && fates.get(edit).is_none_or(|(fate, _)| fate != "accepted") && !known.file_gone {
            let fate = fates.get(edit).cloned();
            lost.push(format!(
                "{edit} of {}: told accepted, the server has {fate:?}",
                world.tablets[known.tablet].name
            ));
        }
    }
    if !lost.is_empty() {
        let count = lost.len();
        lost.truncate(SHOWN);
        world.violated(format!("I1: {count} acknowledged edits lost: {}", lost.join("; ")));
    }
    let again = world.ledger.missing_after_restore.iter();
    let healed = again.filter(|edit| fates.get(edit).is_some_and(|(fate, _)| fate == "accepted")).count();
    world.reached.add_many("edit sent again to a restored server", healed as u64);
    if healed > 0 {
        world.ledger.missing_after_restore.clear();
    }
    for (edit, known) in world.ledger.edits.clone() {
        if fates.get(&edit).is_some_and(|(fate, _)| fate == "accepted") {
            if known.quarantined {
                world.reached.add("quarantined, then released");
            }
            if known.held {
                world.reached.add("held, then released");
            }
            if let Some(known) = world.ledger.edits.get_mut(&edit) {
                (known.quarantined, known.held) = (false, false);
            }
        }
    }
}

/// I4: every tablet shows what the server has, and both sum it up alike.
async fn equal(world: &mut World) {
    for at in live(world) {
        let tablet = &world.tablets[at];
        let clinic = world.node.clinics()[tablet.clinic].id;
        let mut scoped = world.node.database.store.begin(&Actor::system(clinic)).await.unwrap();
        let head = scoped.find_head().await.unwrap();
        scoped.rollback().await.unwrap();
        let (here, there) = (tablet.replica.digest().unwrap(), head.digest(tablet.audience));
        let mut found = compare::differences(&world.node.database.store, clinic, &tablet.replica).await;
        // What waits is shown, and says that it waits.
        let held = tablet.held_records();
        let before = found.len();
        found.retain(|what| held.iter().all(|record| !what.contains(record)));
        let shown = before > found.len();
        if here != there {
            found.push(format!("digest {here:?} / {there:?}"));
        }
        let recomputed = tablet.replica.recompute_digest().unwrap();
        if here != recomputed {
            found.push(format!("digest kept {here:?}, recomputed {recomputed:?}"));
        }
        if !found.is_empty() {
            let count = found.len();
            found.truncate(SHOWN);
            let what = format!("I4: {} differs in {count}: {}", tablet.name, found.join("; "));
            return world.violated(what);
        }
        if shown {
            world.reached.add("edit shown while it waits for a restored server");
        }
    }
}

/// What was withdrawn is gone from every tablet, and the server knows it of each.
async fn purged(world: &mut World, clinic: usize) {
    let id = world.node.clinics()[clinic].id;
    let mut scoped = world.node.database.store.begin(&Actor::system(id)).await.unwrap();
    let later = ServerInstant(world.node.at_us(world.now_us) + 1);
    let open = scoped.list_open_purges(later).await.unwrap();
    scoped.rollback().await.unwrap();
    if let Some(silent) = open.iter().find(|open| open.active) {
        let what = format!("purges: {} has not confirmed {}", silent.name, silent.documents);
        return world.violated(what);
    }
    let mut admin = world.node.database.admin().await;
    let sql =
        "select how, count(*) from sync.receipts where clinic_id = $1 and purged_at is not null group by 1";
    for row in sqlx_core::query::query(sql).bind(id.0).fetch_all(&mut admin).await.unwrap() {
        let (how, count): (String, i64) = (row.get(0), row.get(1));
        world.reached.at_least(&format!("purge confirmed by {how}"), u64::try_from(count).unwrap_or(0));
    }
}

/// I9, for reads: each that was in a tablet's log is in the audit, once.
async fn audited(world: &mut World) {
    let told = reads(world).await;
    world.reached.at_least("read in the audit", told.len() as u64);
    let live = live(world);
    let waiting: BTreeSet<Uuid> = (0..world.tablets.len())
        .filter(|at| !live.contains(at))
        .flat_map(|at| world.tablets[at].untold_reads())
        .collect();
    let lost =
        world.ledger.reads.iter().filter(|read| !told.contains(*read) && !waiting.contains(*read)).count();
    if lost > 0 {
        world.violated(format!("I9: {lost} reads are in no audit"));
    }
}

/// Situations that show in the database alone.
async fn situations(world: &mut World) {
    let mut admin = world.node.database.admin().await;
    let sql = "select kind || '/' || code, count(*) from sync.items group by 1";
    for row in sqlx_core::query::query(sql).fetch_all(&mut admin).await.unwrap() {
        let (name, count): (String, i64) = (row.get(0), row.get(1));
        world.reached.at_least(&format!("item {name}"), u64::try_from(count).unwrap_or(0));
    }
}

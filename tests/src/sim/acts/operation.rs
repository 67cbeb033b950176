//! What an operator or a crash does to the server, and who may work on which tablet.

use super::super::checks;
use super::super::node::START_US;
use super::super::operator::{Change, What};
use super::super::tablet::Tablet;
use super::super::world::{Event, World};
use super::{SECOND_US, done, fault, tablet};
use neonpro_contract::catalogue::Role;
use neonpro_contract::ids::ClinicId;
use neonpro_contract::limits::FEED_SILENT_DAYS_MAX;
use neonpro_contract::time::{ServerInstant, US_PER_DAY};
use neonpro_server::authority;
use neonpro_server::jobs::{compact_above, prune as prune_feed};
use neonpro_server::store::authority::People;
use uuid::Uuid;

pub async fn revoke(world: &mut World) {
    let at = tablet(world);
    let clinic = world.tablets[at].clinic;
    let others = |other: &&Tablet| other.clinic == clinic && !other.revoked && !other.is_clone;
    if world.tablets.iter().filter(others).count() < 3 || world.tablets.iter().any(|other| other.revoked) {
        return;
    }
    let name = world.tablets[at].name.clone();
    if world.tablets[at].replica.status().unwrap().waiting.edits > 0 {
        world.reached.add("revoked with work pending");
    }
    let device = world.tablets[at].device;
    world.node.revoke(&world.tablets[at], world.now_us).await;
    world.node.authority_changed(device);
    for tablet in world.tablets.iter_mut().filter(|tablet| tablet.device == device) {
        tablet.revoked = true;
    }
    fault(world, "device revoked", &name);
}

pub async fn compact(world: &mut World) {
    let Some(state) = world.node.state() else { return };
    let clinic = world.rng.below(world.canaries.len());
    let least = 1 + u32::try_from(world.rng.below(6)).unwrap_or(0);
    let id: ClinicId = world.node.clinics()[clinic].id;
    let now = ServerInstant(START_US + world.now_us);
    let flattened = compact_above(&state.store, id, least, now).await.unwrap();
    if flattened > 0 {
        let pending =
            |tablet: &Tablet| tablet.clinic == clinic && tablet.replica.status().unwrap().waiting.edits > 0;
        if world.tablets.iter().any(pending) {
            world.reached.add("compaction under pending edits");
        }
        state.merger.wake(id);
    }
    done(world, "compaction", &format!("{clinic}: {flattened}"));
}

pub fn server_restarts(world: &mut World, killed: bool) {
    if world.node.state().is_none() {
        return;
    }
    if killed {
        kill_server(world);
        fault(world, "server killed", "");
    } else {
        world.node.say_goodbye();
        fault(world, "server restarted", "");
    }
    let in_us = world.rng.between(1, 20) * SECOND_US;
    world.schedule(in_us, Event::ServerUp);
}

/// Committed work stays, answers that were not told are lost with everything that was on its way.
fn kill_server(world: &mut World) {
    world.node.say_goodbye();
    let ids: Vec<u64> = world.connections.keys().copied().collect();
    for id in ids {
        world.cut(id);
    }
}

pub async fn back_up(world: &mut World) {
    if world.node.state().is_none() {
        return;
    }
    kill_server(world);
    world.settle().await;
    world.node.back_up().await;
    world.operator.backed_up();
    world.server_up();
    done(world, "backup", "");
}

pub async fn restore(world: &mut World) {
    if world.node.state().is_none() || !world.node.has_backup() {
        return;
    }
    kill_server(world);
    world.settle().await;
    let lost = checks::accepted(world).await;
    let reads = checks::reads(world).await;
    let epoch = Uuid::from_u128(u128::from(world.rng.number()));
    world.node.restore(epoch).await;
    let kept = checks::accepted(world).await;
    world.ledger.restored(&lost, &kept);
    let reads_kept = checks::reads(world).await;
    world.ledger.forget_reads(reads.difference(&reads_kept));
    world.operator.restored();
    let revoked: Vec<usize> = (0..world.tablets.len()).filter(|at| world.tablets[*at].revoked).collect();
    for at in revoked {
        world.node.revoke(&world.tablets[at], world.now_us).await;
    }
    world.server_up();
    fault(world, "server restored from a backup", &format!("{} edits back", lost.len() - kept.len()));
}

/// Who may write on a tablet is named anew, or it is every member again.
pub async fn name_people(world: &mut World) {
    let at = tablet(world);
    let Some(state) = world.node.state().filter(|_| !world.tablets[at].revoked) else { return };
    let (clinic, device) = (world.tablets[at].clinic, world.tablets[at].device);
    let (id, everybody) = (world.node.clinics()[clinic].id, &world.node.clinics()[clinic].people);
    // Named people last as long as it takes somebody to notice.
    let people = if world.operator.is_named(device.0) || world.rng.chance(300) {
        People::Members
    } else {
        People::Named(everybody.iter().map(|person| person.id).filter(|_| world.rng.chance(600)).collect())
    };
    let after = world.node.head(clinic).await;
    let now = ServerInstant(START_US + world.now_us);
    assert!(authority::set_people(&state.store, id, device, &people, now).await.unwrap());
    world.node.authority_changed(device);
    let name = world.tablets[at].name.clone();
    let named = people.named().map(|people| people.into_iter().map(|person| person.0).collect());
    done(world, if named.is_some() { "people of a tablet named" } else { "tablet for every member" }, &name);
    world.operator.note(Change { clinic, after, what: What::People { device: device.0, named } });
}

/// A membership ends, or begins again with some role.
pub async fn change_membership(world: &mut World) {
    let Some(state) = world.node.state() else { return };
    let clinic = world.rng.below(world.canaries.len());
    let id = world.node.clinics()[clinic].id;
    let ended = world.operator.ended(clinic);
    // Who was sent away comes back before anybody else leaves. The administrators stay: without them nobody could.
    let (person, role) = match ended {
        Some((person, role)) => (person, Some(role)),
        None => {
            let people = &world.node.clinics()[clinic].people;
            let others: Vec<_> = people.iter().filter(|person| person.role != Role::Admin).collect();
            let Some(person) = world.rng.pick(&others) else { return };
            (person.id, None)
        }
    };
    let after = world.node.head(clinic).await;
    let now = ServerInstant(START_US + world.now_us);
    if !authority::set_membership(&state.store, id, person, role, now).await.unwrap() {
        return;
    }
    state.merger.wake(id);
    let what = if role.is_some() { "membership begins again" } else { "membership ends" };
    done(world, what, &format!("{clinic}"));
    let was = world.node.clinics()[clinic].people.iter().find(|known| known.id == person);
    let was = was.map_or(Role::Assistant, |person| person.role);
    world.operator.note(Change { clinic, after, what: What::Membership { person: person.0, role, was } });
}

/// The feed is pruned as if every tablet had been silent for months: whoever is behind fetches everything again.
pub async fn prune(world: &mut World) {
    let Some(state) = world.node.state() else { return };
    let clinic = world.rng.below(world.canaries.len());
    let id = world.node.clinics()[clinic].id;
    let later_us = (FEED_SILENT_DAYS_MAX + 1) * US_PER_DAY;
    let dropped =
        prune_feed(&state.store, id, ServerInstant(START_US + world.now_us + later_us)).await.unwrap();
    if dropped > 0 {
        fault(world, "feed pruned", &format!("{clinic}: {dropped}"));
    }
}

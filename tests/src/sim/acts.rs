//! What people, machines and chance do next: one act every few seconds, while there is chaos.

use super::edits::Hand;
use super::node::START_US;
use super::tablet::Tablet;
use super::world::{Event, World};
use neonpro_client_core::Happening;
use neonpro_contract::ids::ClinicId;
use neonpro_contract::time::ServerInstant;
use neonpro_contract::time::US_PER_DAY;
use neonpro_server::jobs::compact_above;
use uuid::Uuid;

const SECOND_US: i64 = 1_000_000;
/// At most so many tablets: a clone is a tablet more.
const TABLETS_MAX: usize = 9;

/// Does the next thing and schedules the one after it.
pub async fn act(world: &mut World) {
    if !world.chaos {
        return;
    }
    let in_us = world.rng.between(3, 30) * SECOND_US;
    world.schedule(in_us, Event::Act);
    match world.rng.below(1_000) {
        0..620 => edit(world),
        620..700 => toggle(world),
        700..740 => flap(world),
        740..790 => partition(world),
        790..820 => clock(world),
        820..850 => crash(world),
        850..870 => restart_app(world),
        870..895 => keep_copy(world),
        895..907 => put_copy_back(world),
        907..913 => clone_tablet(world),
        913..917 => revoke(world).await,
        917..950 => compact(world).await,
        950..966 => server_restarts(world, false),
        966..980 => server_restarts(world, true),
        980..988 => back_up(world).await,
        988..992 => restore(world).await,
        _ => latency(world),
    }
}

fn tablet(world: &mut World) -> usize {
    let count = world.tablets.len();
    world.rng.below(count)
}

fn done(world: &mut World, name: &str, detail: &str) {
    world.transitions.add(name);
    world.note(&format!("{name} {detail}"));
}

fn fault(world: &mut World, name: &str, detail: &str) {
    world.faults.add(name);
    done(world, name, detail);
}

fn edit(world: &mut World) {
    let at = tablet(world);
    let burst = if world.rng.chance(150) { world.rng.below(8) } else { 0 };
    for _ in 0..=burst {
        let now_us = world.node.at_us(world.now_us);
        let clinics = world.node.clinics();
        let tablet = &mut world.tablets[at];
        let now_us = tablet.look_at_clock(now_us);
        let mut hand = Hand {
            rng: &mut world.rng,
            replica: &tablet.replica,
            people: &clinics[tablet.clinic].people,
            canary: &world.canaries[tablet.clinic],
            now_us,
        };
        let Some(act) = hand.act() else { continue };
        let name = tablet.name.clone();
        match act.done {
            Ok(edited) => {
                done(world, &act.name, &name);
                for one in &edited {
                    world.ledger.acknowledged(at, one);
                }
                // One act may be several edits of one record: the last shows them all.
                if let Some(last) = edited.last() {
                    super::witness::written(world, at, last);
                }
                world.tell(at, Happening::Edited);
            }
            Err(error) => {
                world.transitions.add("refused on the tablet");
                world.note(&format!("{} {name}: {error}", act.name));
            }
        }
    }
}

fn toggle(world: &mut World) {
    let at = tablet(world);
    let name = world.tablets[at].name.clone();
    if world.tablets[at].online {
        fault(world, "goes offline", &name);
        world.go_offline(at);
        let in_us = world.rng.between(20, 2_400) * SECOND_US;
        world.schedule(in_us, Event::Online { tablet: at });
    } else {
        done(world, "goes online", &name);
        world.go_online(at);
    }
}

fn flap(world: &mut World) {
    let at = tablet(world);
    let name = world.tablets[at].name.clone();
    let times = 1 + world.rng.below(12);
    for n in 0..times {
        world.faults.add("flap");
        let in_us = world.rng.between(1_000, 2 * SECOND_US) * (1 + n as i64);
        world.schedule(in_us, Event::Flap { tablet: at });
    }
    done(world, "flaps", &name);
}

fn partition(world: &mut World) {
    let at = tablet(world);
    let name = world.tablets[at].name.clone();
    let until_us = world.now_us + world.rng.between(5, 300) * SECOND_US;
    let which = world.rng.below(3);
    let tablet = &mut world.tablets[at];
    if which != 1 {
        tablet.up_open_us = until_us;
    }
    if which != 0 {
        tablet.down_open_us = until_us;
    }
    fault(world, ["partition upwards", "partition downwards", "partition"][which], &name);
}

fn clock(world: &mut World) {
    let at = tablet(world);
    let name = world.tablets[at].name.clone();
    let what = match world.rng.below(6) {
        0 => {
            let now_us = world.node.at_us(world.now_us);
            let tablet = &mut world.tablets[at];
            tablet.wrong.stuck_us = Some(now_us + tablet.wrong.ahead_us);
            "clock stands still"
        }
        1 | 2 => {
            let minutes = world.rng.between(-600, 600);
            world.tablets[at].wrong.ahead_us = minutes * 60 * SECOND_US;
            "clock off by minutes"
        }
        3 => {
            let years = world.rng.between(-10, 11);
            world.tablets[at].wrong.ahead_us = years * 365 * US_PER_DAY;
            "clock off by years"
        }
        _ => {
            world.tablets[at].wrong = super::tablet::Wrong::default();
            "clock set right"
        }
    };
    fault(world, what, &name);
}

fn crash(world: &mut World) {
    let at = tablet(world);
    let name = world.tablets[at].name.clone();
    let silently = world.rng.chance(300);
    world.lose_line(at, silently);
    world.tablets[at].crash();
    fault(world, if silently { "power loss of a tablet" } else { "crash of a tablet" }, &name);
    started(world, at);
}

fn restart_app(world: &mut World) {
    let at = tablet(world);
    let name = world.tablets[at].name.clone();
    world.lose_line(at, false);
    world.tablets[at].restart();
    done(world, "app restarted", &name);
    started(world, at);
}

/// The app starts as it was: online or not.
fn started(world: &mut World, at: usize) {
    if world.tablets[at].online {
        world.go_online(at);
    }
}

fn keep_copy(world: &mut World) {
    let at = tablet(world);
    let name = world.tablets[at].name.clone();
    world.tablets[at].keep_copy();
    done(world, "copy of a file kept", &name);
}

fn put_copy_back(world: &mut World) {
    let at = tablet(world);
    if world.tablets[at].kept.is_none() {
        return;
    }
    let name = world.tablets[at].name.clone();
    world.lose_line(at, false);
    let before = world.tablets[at].intents();
    world.tablets[at].put_copy_back();
    let after = world.tablets[at].intents();
    world.ledger.file_went_back(&before, &after);
    world.tablets[at].cursor = -1;
    if world.tablets[at].noticed_a_copy() {
        world.reached.add("older file put back and noticed");
    }
    fault(world, "older file put back", &name);
    started(world, at);
}

fn clone_tablet(world: &mut World) {
    if world.tablets.len() >= TABLETS_MAX {
        return;
    }
    let at = tablet(world);
    let name = format!("{}c{}", world.tablets[at].name, world.tablets.len());
    let seed = world.rng.number();
    let now_us = world.node.at_us(world.now_us);
    world.tablets[at].look_at_clock(now_us);
    let clone: Tablet = world.tablets[at].cloned(&name, seed);
    world.tablets.push(clone);
    fault(world, "tablet cloned", &name);
    let at = world.tablets.len() - 1;
    world.go_online(at);
}

async fn revoke(world: &mut World) {
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
    for tablet in world.tablets.iter_mut().filter(|tablet| tablet.device == device) {
        tablet.revoked = true;
    }
    fault(world, "device revoked", &name);
}

async fn compact(world: &mut World) {
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

fn server_restarts(world: &mut World, killed: bool) {
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

async fn back_up(world: &mut World) {
    if world.node.state().is_none() {
        return;
    }
    kill_server(world);
    world.settle().await;
    world.node.back_up().await;
    world.node.up();
    done(world, "backup", "");
}

async fn restore(world: &mut World) {
    if world.node.state().is_none() || !world.node.has_backup() {
        return;
    }
    kill_server(world);
    world.settle().await;
    let lost = super::checks::accepted(world).await;
    let epoch = Uuid::from_u128(u128::from(world.rng.number()));
    world.node.restore(epoch).await;
    let kept = super::checks::accepted(world).await;
    world.ledger.restored(&lost, &kept);
    let revoked: Vec<usize> = (0..world.tablets.len()).filter(|at| world.tablets[*at].revoked).collect();
    for at in revoked {
        world.node.revoke(&world.tablets[at], world.now_us).await;
    }
    world.node.up();
    fault(world, "server restored from a backup", &format!("{} edits back", lost.len() - kept.len()));
}

fn latency(world: &mut World) {
    let at = tablet(world);
    let latency_us = world.rng.between(1_000, 900_000);
    world.tablets[at].latency_us = latency_us;
    let name = world.tablets[at].name.clone();
    done(world, "latency", &name);
}

//! What befalls a tablet: its clock, its app, its file.

use super::super::tablet::{Tablet, Wrong};
use super::super::world::{Event, World};
use super::{SECOND_US, done, fault, tablet};
use neonpro_contract::time::US_PER_DAY;

/// At most so many tablets: a clone is a tablet more.
const TABLETS_MAX: usize = 9;

pub fn clock(world: &mut World) {
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
            world.tablets[at].wrong = Wrong::default();
            "clock set right"
        }
    };
    fault(world, what, &name);
}

pub fn crash(world: &mut World) {
    let at = tablet(world);
    let name = world.tablets[at].name.clone();
    let silently = world.rng.chance(300);
    world.lose_line(at, silently);
    world.tablets[at].crash();
    fault(world, if silently { "power loss of a tablet" } else { "crash of a tablet" }, &name);
    started(world, at);
}

pub fn restart_app(world: &mut World) {
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

pub fn keep_copy(world: &mut World) {
    let at = tablet(world);
    let name = world.tablets[at].name.clone();
    world.tablets[at].keep_copy();
    done(world, "copy of a file kept", &name);
}

pub fn put_copy_back(world: &mut World) {
    let at = tablet(world);
    if world.tablets[at].kept.is_none() {
        return;
    }
    let name = world.tablets[at].name.clone();
    world.lose_line(at, false);
    let (before, read) = (world.tablets[at].intents(), world.tablets[at].untold_reads());
    world.tablets[at].put_copy_back();
    let (after, kept) = (world.tablets[at].intents(), world.tablets[at].untold_reads());
    // Some may have been with the server already: it is not asked.
    world.ledger.forget_reads(read.iter().filter(|read| !kept.contains(read)));
    world.ledger.file_went_back(&before, &after);
    world.tablets[at].cursor = -1;
    if world.tablets[at].noticed_a_copy() {
        world.reached.add("older file put back and noticed");
    }
    fault(world, "older file put back", &name);
    started(world, at);
}

pub fn clone_tablet(world: &mut World) {
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

/// The app is of another version than the server for a while, until it is updated.
pub fn other_version(world: &mut World) {
    let at = tablet(world);
    if world.tablets[at].other_version || world.tablets[at].revoked {
        return;
    }
    let name = world.tablets[at].name.clone();
    world.tablets[at].other_version = true;
    world.lose_line(at, false);
    world.tablets[at].restart();
    fault(world, "app of another version", &name);
    started(world, at);
    let in_us = world.rng.between(60, 900) * SECOND_US;
    world.schedule(in_us, Event::Updated { tablet: at });
}

/// The right version is installed.
pub fn updated(world: &mut World, at: usize) {
    if !world.tablets[at].other_version {
        return;
    }
    let name = world.tablets[at].name.clone();
    world.tablets[at].other_version = false;
    world.lose_line(at, false);
    world.tablets[at].restart();
    done(world, "app updated", &name);
    started(world, at);
}

//! What befalls the lines.

use super::super::world::{Event, World};
use super::{SECOND_US, done, fault, tablet, work};
use axum::extract::ws::Message;
use std::collections::VecDeque;

/// A server that is too busy to read: what reaches it waits, and is read at once when it comes to it.
#[derive(Default)]
pub struct Stall {
    pub is_on: bool,
    /// By connection, in the order they came; no message: the tablet hung up.
    pub waiting: VecDeque<(u64, Option<Message>)>,
}

pub fn toggle(world: &mut World) {
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

pub fn flap(world: &mut World) {
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

pub fn partition(world: &mut World) {
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

pub fn latency(world: &mut World) {
    let at = tablet(world);
    let latency_us = world.rng.between(1_000, 900_000);
    world.tablets[at].latency_us = latency_us;
    let name = world.tablets[at].name.clone();
    done(world, "latency", &name);
}

pub fn stall(world: &mut World) {
    if world.stall.is_on || world.node.state().is_none() {
        return;
    }
    world.stall.is_on = true;
    fault(world, "server stalls", "");
    // People go on.
    for _ in 0..4 {
        work::edit(world);
    }
    let in_us = world.rng.between(1, 15) * SECOND_US;
    world.schedule(in_us, Event::StallOver);
}

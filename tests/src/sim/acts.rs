//! What people, machines and chance do next: one act every few seconds, while there is chaos.

mod device;
mod network;
mod operation;
mod work;

pub use device::updated;
pub use network::Stall;

use super::world::{Event, World};

const SECOND_US: i64 = 1_000_000;

/// Does the next thing and schedules the one after it.
pub async fn act(world: &mut World) {
    if !world.chaos {
        return;
    }
    let in_us = world.rng.between(3, 30) * SECOND_US;
    world.schedule(in_us, Event::Act);
    match world.rng.below(1_000) {
        0..560 => work::edit(world),
        560..600 => work::read(world),
        600..680 => network::toggle(world),
        680..715 => network::flap(world),
        715..760 => network::partition(world),
        760..775 => network::latency(world),
        775..790 => network::stall(world),
        790..820 => device::clock(world),
        820..848 => device::crash(world),
        848..866 => device::restart_app(world),
        866..888 => device::keep_copy(world),
        888..900 => device::put_copy_back(world),
        900..906 => device::clone_tablet(world),
        906..914 => device::other_version(world),
        914..918 => operation::revoke(world).await,
        918..924 => operation::name_people(world).await,
        924..932 => operation::change_membership(world).await,
        932..956 => operation::compact(world).await,
        956..961 => operation::prune(world).await,
        961..974 => operation::server_restarts(world, false),
        974..986 => operation::server_restarts(world, true),
        986..993 => operation::back_up(world).await,
        _ => operation::restore(world).await,
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

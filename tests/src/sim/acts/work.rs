//! What people do at a tablet: they write and they read.

use super::super::edits::Hand;
use super::super::witness;
use super::super::world::World;
use super::{done, tablet};
use neonpro_client_core::{Happening, ReplicaError};
use neonpro_contract::catalogue::{PatientLink, Scope, TABLES, Table};

/// Somebody at a tablet makes an edit, or a few in a row.
pub fn edit(world: &mut World) {
    let at = tablet(world);
    let burst = if world.rng.chance(150) { world.rng.below(8) } else { 0 };
    for _ in 0..=burst {
        let Some(act) = hand(world, at, |hand| hand.act()) else { continue };
        let name = world.tablets[at].name.clone();
        match act.done {
            Ok(edited) => {
                done(world, &act.name, &name);
                for one in &edited {
                    world.ledger.acknowledged(at, one);
                }
                // One act may be several edits of one record: the last shows them all.
                if let Some(last) = edited.last() {
                    witness::written(world, at, last);
                }
                world.tell(at, Happening::Edited);
            }
            Err(error) => {
                world.transitions.add("refused on the tablet");
                world.note(&format!("{} {name}: {error}", act.name));
            }
        }
    }
    told_of_reads(world, at);
}

/// Somebody opens a few records.
pub fn read(world: &mut World) {
    let at = tablet(world);
    let name = world.tablets[at].name.clone();
    let of_patients: Vec<&'static Table> = TABLES
        .iter()
        .copied()
        .filter(|table| table.scope == Scope::Clinic && table.patient != PatientLink::None)
        .collect();
    for _ in 0..=world.rng.below(3) {
        let Some(table) = world.rng.pick(&of_patients).copied() else { return };
        let Some(record) = hand(world, at, |hand| hand.record(table)) else { continue };
        let people = &world.node.clinics()[world.tablets[at].clinic].people;
        let by = world.rng.pick(people).map(|person| person.id);
        match world.tablets[at].replica.read_by(by).row(table.name, record) {
            Ok(_) => done(world, &format!("read {}", table.name), &name),
            Err(ReplicaError::LeaseExpired) => {
                world.reached.add("reading locked by the lease");
                done(world, "reading is locked", &name);
            }
            Err(error) => panic!("{error:?}"),
        }
    }
    told_of_reads(world, at);
}

/// What was shown is in the tablet's log, and the engine hears of it.
fn told_of_reads(world: &mut World, at: usize) {
    let noted = world.tablets[at].untold_reads();
    if world.ledger.read(noted) {
        world.tell(at, Happening::ReadLogged);
    }
}

fn hand<T>(world: &mut World, at: usize, act: impl FnOnce(&mut Hand<'_>) -> T) -> T {
    let now_us = world.node.at_us(world.now_us);
    let clinics = world.node.clinics();
    let tablet = &mut world.tablets[at];
    let now_us = tablet.look_at_clock(now_us);
    // A form is finished also on a tablet whose lease is over.
    let replica = tablet.replica.capturing();
    let mut hand = Hand {
        rng: &mut world.rng,
        replica: &replica,
        people: &clinics[tablet.clinic].people,
        abroad: clinics[1 - tablet.clinic].id,
        canary: &world.canaries[tablet.clinic],
        now_us,
    };
    act(&mut hand)
}

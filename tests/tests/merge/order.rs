//! The order in which edits of several tablets arrive does not decide what becomes of a record.

use neonpro_contract::catalogue::{Kind, Role};
use neonpro_contract::fate::Fate;
use neonpro_contract::permissions::Audience;
use neonpro_contract::row::Row;
use neonpro_server::actor::Actor;
use neonpro_server::clock::now;
use neonpro_server::merge::Incoming;
use neonpro_server::store::authority::Grant;
use neonpro_tests::device::{Device, add, document, put};
use neonpro_tests::sim::Rng;
use neonpro_tests::world::World;
use serde_json::json;
use std::collections::VecDeque;

const TABLETS: usize = 4;
const EDITS: usize = 5;

/// What each tablet did with one patient without having seen the others, in its own order.
fn edits(rng: &mut Rng, world: &World, devices: &mut [Device]) -> Vec<VecDeque<Incoming>> {
    let (patient, row) = world.patient(0, 0);
    let (identity, health) = (document("patients", patient, 0), document("patients", patient, 1));
    let author = world.person(0, Role::Professional);
    let mut made = Vec::new();
    for device in devices {
        device.open(identity, row);
        device.open(health, row);
        let mut own = VecDeque::new();
        for n in 0..EDITS {
            device.captured_at = Some(now().0 - rng.between(1, 100) * 1_000_000);
            let text = format!("valor {} {n}", rng.below(50));
            own.push_back(match rng.below(4) {
                0 => device.edit(author, &[(identity, false, vec![put("phone", json!(text))])]),
                1 => device.edit(author, &[(identity, false, vec![put("name", json!(text))])]),
                2 => device.edit(author, &[(health, false, vec![add("allergies", &text)])]),
                _ => device.edit(author, &[(identity, false, vec![put("email", json!(text))])]),
            });
        }
        made.push(own);
    }
    made
}

/// One way of arriving: each tablet's own order holds, between tablets and between pushes there is none.
fn arrival(rng: &mut Rng, mut made: Vec<VecDeque<Incoming>>) -> Vec<Vec<Incoming>> {
    let mut pushes: Vec<Vec<Incoming>> = vec![Vec::new()];
    while !made.is_empty() {
        let at = rng.below(made.len());
        match made[at].pop_front() {
            Some(edit) => pushes.last_mut().unwrap().push(edit),
            None => drop(made.swap_remove(at)),
        }
        if rng.chance(300) {
            pushes.push(Vec::new());
        }
    }
    pushes.retain(|push| !push.is_empty());
    pushes
}

/// The values people wrote.
fn written(row: &Row) -> Vec<String> {
    let own = row.iter().filter(|(field, _)| field.kind != Kind::Derived);
    own.map(|(field, value)| format!("{} {}", field.name, value.to_json())).collect()
}

#[tokio::test]
async fn edits_of_several_tablets_come_to_the_same_record_in_whatever_order_they_arrive() {
    for seed in 1..=4 {
        let mut rng = Rng::new(seed);
        let mut made = None;
        let mut first = None;
        for way in 0..3 {
            let world = World::new().await;
            let clinic = world.clinic(0).id;
            let (devices, edits) = made.get_or_insert_with(|| {
                let mut devices: Vec<Device> = (0..TABLETS).map(|_| Device::new(clinic)).collect();
                let edits = edits(&mut rng, &world, &mut devices);
                (devices, edits)
            });
            let mut scoped = world.store().begin(&Actor::system(clinic)).await.unwrap();
            for device in devices.iter() {
                let (key, grant) = (device.public_key(), Grant::to_members(Audience::Clinical));
                scoped.append_device(device.id, "tablet", &key, &grant, now()).await.unwrap();
            }
            scoped.commit().await.unwrap();
            for push in arrival(&mut rng, edits.clone()) {
                let fates = world.push(clinic, push).await;
                assert!(fates.iter().all(|fate| matches!(fate, Fate::Accepted { .. })), "{fates:?}");
            }
            let row = world.row(clinic, "patients", world.patient(0, 0).0).await.unwrap();
            let mut scoped = world.store().begin(&Actor::system(clinic)).await.unwrap();
            let digest = scoped.find_head().await.unwrap().digest(Audience::Clinical);
            scoped.rollback().await.unwrap();
            let now = (written(&row), digest);
            assert_eq!(*first.get_or_insert_with(|| now.clone()), now, "seed {seed}, way {way}");
        }
    }
}

//! How fast the merge alone takes signed edits: no sockets, no tablets.
use neonpro_contract::catalogue::Role;
use neonpro_tests::device::{document, put};
use neonpro_tests::world::World;
use serde_json::json;
use std::time::Instant;

fn main() {
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let world = World::new().await;
        let clinic = world.clinic(0).id;
        let author = world.person(0, Role::Assistant);
        let mut device = world.device(clinic).await;
        let mut patients = Vec::new();
        for chunk in 0..2 {
            let mut edits = Vec::new();
            for _ in 0..250 {
                let id = neonpro_server::clock::fresh_id(neonpro_server::clock::now());
                patients.push(id);
                edits.push(device.new_patient(author, id, None));
            }
            let began = Instant::now();
            let fates = world.push(clinic, edits).await;
            println!("create {chunk}: {:?} {:?}", began.elapsed(), fates.first());
        }
        for round in 0..6 {
            let edits: Vec<_> = (0..500)
                .map(|n| {
                    let id = document("patients", patients[n % 500], 0);
                    device.edit(author, &[(id, false, vec![put("phone", json!(format!("{round} {n}")))])])
                })
                .collect();
            let began = Instant::now();
            let mut waits = Vec::new();
            for push in edits.chunks(250) {
                waits.push(world.merger.enqueue(clinic, push.to_vec()).unwrap());
            }
            for wait in waits {
                wait.await.unwrap().unwrap();
            }
            println!("edit round {round}: 500 in {:?}", began.elapsed());
        }
        for _ in 0..5 {
            let id = document("patients", patients[0], 0);
            let edit = device
                .edit(author, &[(id, false, vec![put("phone", json!(format!("{:?}", Instant::now())))])]);
            let began = Instant::now();
            world.push(clinic, vec![edit]).await;
            println!("single: {:?}", began.elapsed());
        }
    });
}

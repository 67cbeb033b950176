//! Value by value: what the tablets hold against the canonical rows, while the tablets are switched off.

use super::cast::{Cast, Scene, settles};
use super::teller::Teller;
use crate::compare::differences;
use crate::demo::Outcome;
use crate::demo::books::FeedHead;
use crate::demo::script::ScriptTablet;
use crate::demo::tablet::Files;
use neonpro_client_core::{Clock, Replica, ReplicaKey};
use neonpro_contract::ids::ClinicId;
use neonpro_mobile::key_file::load_or_create;
use serde_json::json;

/// Quits the programs of the tablets, compares their files, and starts them again.
///
/// # Errors
/// What does not come about.
pub async fn compare(cast: Cast, scene: &Scene<'_>, teller: &mut Teller) -> Outcome<Cast> {
    let roles = cast.roles.clone();
    let of = |tablet: &ScriptTablet| (tablet.files.clone(), tablet.name.clone());
    let tablets = [of(&cast.a), of(&cast.b), of(&cast.c)];
    cast.leave().await?;
    let clinics = [scene.here.id, scene.here.id, scene.abroad.id];
    for ((files, name), clinic) in tablets.iter().zip(clinics) {
        let head = scene.books.head(clinic).await?;
        let (problems, rows) = one(files, clinic, head, scene).await?;
        teller.tell(
            &format!("{name} equals PostgreSQL, value by value ({rows} patients); digest and number too"),
            problems,
        );
    }
    let [a, b, c] = tablets.map(|(files, name)| ScriptTablet::start(files, &name));
    let mut cast = Cast { a: a?, b: b?, c: c?, roles };
    for tablet in [&mut cast.a, &mut cast.b, &mut cast.c] {
        tablet.does(json!({"do": "online"})).await?;
        settles(tablet, json!({"caught_up": true, "waiting_edits": 0})).await?;
    }
    Ok(cast)
}

/// What differs on one tablet, and how many patients it holds.
async fn one(
    files: &Files,
    clinic: ClinicId,
    head: FeedHead,
    scene: &Scene<'_>,
) -> Outcome<(Vec<String>, String)> {
    let key = ReplicaKey::new(load_or_create(&files.key)?);
    let replica = Replica::open(&files.replica, key, Clock::system())?;
    let mut problems = differences(scene.books.store(), clinic, &replica).await;
    for (what, digest) in [("digest", replica.digest()?), ("recomputed digest", replica.recompute_digest()?)]
    {
        if digest != head.digest {
            problems.push(format!("{what} {digest:?}, the server has {:?}", head.digest));
        }
    }
    let status = replica.status()?;
    if status.cursor != head.seq {
        problems.push(format!("cursor {}, the server is at {}", status.cursor, head.seq));
    }
    if !status.notes.is_empty() {
        problems.push(format!("the tablet notes {:?}", status.notes));
    }
    let rows = replica.query("select count(*) from patients", &[], 1)?.rows[0][0].to_string();
    replica.close()?;
    Ok((problems, rows))
}

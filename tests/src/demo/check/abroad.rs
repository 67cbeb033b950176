//! What the other clinic's tablet shows: nothing of this clinic, on any screen.

use super::cast::{NAMES, Scene};
use super::offline::{NAME_A, NAME_B};
use super::teller::Teller;
use crate::demo::Outcome;
use crate::demo::tablet::DemoTablet;
use neonpro_contract::catalogue::table;
use neonpro_server::actor::Actor;

/// Opens the tablet's screens.
///
/// # Errors
/// What cannot be opened.
pub async fn screens(scene: &Scene<'_>, teller: &mut Teller) -> Outcome<()> {
    teller.scene("On the other clinic's tablet");
    let tablet = DemoTablet::start_offline(scene.dir, &scene.abroad, NAMES[2]).await?;
    let told = look(&tablet, scene, teller).await;
    tablet.child.stop().await?;
    told
}

async fn look(tablet: &DemoTablet, scene: &Scene<'_>, teller: &mut Teller) -> Outcome<()> {
    let patients = patients(scene).await?;
    let mut problems = Vec::new();
    let paths = ["/", "/pacientes", "/pacientes?busca=Marina+Sala", "/sincronizacao", "/estado.json"];
    for path in paths {
        let reply = tablet.get(path).await?;
        if reply.status != 200 {
            problems.push(format!("{path} answers {}", reply.status));
        }
        let seen = [NAME_A, NAME_B, &scene.here.name].into_iter().filter(|name| reply.body.contains(*name));
        problems.extend(seen.map(|name| format!("{path} shows {name}")));
    }
    teller.tell(&format!("{} screens show no name of {}", paths.len(), scene.here.name), problems);
    let mut problems = Vec::new();
    for patient in &patients {
        let path = format!("/pacientes/{patient}");
        let reply = tablet.get(&path).await?;
        if reply.status != 404 {
            problems.push(format!("{path} answers {}", reply.status));
        }
    }
    teller.tell(&format!("{} patients of {} are not found on it", patients.len(), scene.here.name), problems);
    Ok(())
}

/// Some patients of this clinic.
async fn patients(scene: &Scene<'_>) -> Outcome<Vec<String>> {
    let patients = table("patients").ok_or("no such table")?;
    let mut scoped = scene.books.store().begin(&Actor::system(scene.here.id)).await?;
    let page = scoped.list_records_after(patients, None, 0, 50).await?;
    scoped.rollback().await?;
    Ok(page.iter().map(|stored| stored.id.to_string()).collect())
}

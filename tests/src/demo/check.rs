//! The story that checks itself: three tablets, two clinics, one server, everything a real process.
//!
//! Every step is a sentence with a mark. Lists are compared whole: an item, a fate or an entry that nobody expected is
//! as wrong as one that is missing.

pub mod abroad;
pub mod cast;
pub mod ledger;
pub mod offline;
pub mod teller;
pub mod together;

use self::cast::{Cast, Scene};
use self::teller::Teller;
use super::books::Books;
use super::server::{self, DemoServer};
use super::{Options, Outcome, Problem, place, say};
use std::path::Path;
use std::time::Duration;

/// Longest wait for a state.
pub const LIMIT: Duration = Duration::from_secs(60);

/// Tells the story. `false` when something in it was not as it should be.
///
/// # Errors
/// The data directory cannot be made.
///
/// # Cancel safety
/// Dropping it ends what it started.
pub async fn run(options: &Options) -> Outcome<bool> {
    let kept = options.dir.as_deref().map(|dir| place::lasting(Some(dir))).transpose()?;
    let passing = if kept.is_none() { Some(place::passing()?) } else { None };
    let dir = kept.as_deref().or(passing.as_ref().map(tempfile::TempDir::path)).ok_or("no directory")?;
    if dir.join("server").exists() {
        return Err(
            format!("{} holds a demo already; the check needs a fresh directory", dir.display()).into()
        );
    }
    let mut teller = Teller::begin(&format!("The story of the demo, in {}", dir.display()));
    let told = tokio::select! {
        told = whole(dir, options.patients, &mut teller) => told,
        () = super::show::told_to_end() => Err(Problem::from("the check was interrupted")),
    };
    if let Err(problem) = told {
        teller.breaks_off(problem.as_ref());
    }
    Ok(teller.end())
}

async fn whole(dir: &Path, patients: u32, teller: &mut Teller) -> Outcome<()> {
    say("  Making a PostgreSQL cluster and loading the demo network …");
    let clinics = server::load(dir, patients).await?;
    teller.equal("The demo network is loaded: 3 clinics", &clinics.len(), &3);
    let again = server::load(dir, patients).await?;
    teller.equal("Loading it again changes nothing and names the same clinics", &again, &clinics);
    let server = DemoServer::start(dir).await?;
    teller.holds(&format!("The server is ready on {}", server.url), server.ready().await);
    let mut books = Books::open(&server.postgres()).await?;
    let told = scenes(dir, &server, &mut books, &clinics, teller).await;
    books.close().await?;
    server.child.stop().await?;
    told?;
    teller.holds("The server and its PostgreSQL end when told to", true);
    Ok(())
}

async fn scenes(
    dir: &Path,
    server: &DemoServer,
    books: &mut Books,
    clinics: &[server::Clinic],
    teller: &mut Teller,
) -> Outcome<()> {
    let [here, abroad, ..] = clinics else { return Err("fewer than two clinics".into()) };
    let mut scene = Scene { dir, server, books, here: here.clone(), abroad: abroad.clone() };
    let mut cast = Cast::assemble(&mut scene, teller).await?;
    offline::act(&mut cast, &mut scene, teller).await?;
    together::reconnect(&mut cast, &scene, teller).await?;
    together::outcome(&mut cast, &mut scene, teller).await?;
    let mut cast = ledger::compare(cast, &scene, teller).await?;
    together::consent(&mut cast, &mut scene, teller).await?;
    let cast = ledger::compare(cast, &scene, teller).await?;
    cast.leave().await?;
    abroad::screens(&scene, teller).await
}

//! The demo for a person: everything started, kept running, ended in order.

use super::books::Books;
use super::page::DemoPage;
use super::server::{self, Clinic, DemoServer};
use super::tablet::DemoTablet;
use super::view::{View, look};
use super::{Options, Outcome, Problem, place, say};
use neonpro_server::clock;
use std::path::Path;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// How often everything is looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Starts everything and waits until it is told to end.
///
/// # Errors
/// What could not be started, or ended by itself.
///
/// # Cancel safety
/// Dropping it ends what it started.
pub async fn run(options: &Options) -> Outcome<()> {
    let dir = place::lasting(options.dir.as_deref())?;
    let mut stage = tokio::select! {
        stage = Stage::set(&dir, options.patients) => stage?,
        () = told_to_end() => return Err(Problem::from("interrupted while starting")),
    };
    let ended = tokio::select! {
        ended = stage.play() => ended,
        () = told_to_end() => Ok(()),
    };
    say("\nEnding: tablets, then the server and its PostgreSQL …");
    let stopped = stage.clear().await;
    ended?;
    stopped?;
    say("Ended. Everything is kept; the next `./dev demo` goes on from here.");
    Ok(())
}

/// Resolves on Ctrl-C, SIGTERM or a closed terminal.
pub async fn told_to_end() {
    let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
    let [Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)] = kinds.map(signal) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
}

/// Everything that runs.
struct Stage {
    server: DemoServer,
    books: Books,
    tablets: Vec<DemoTablet>,
    clinic: Clinic,
}

impl Stage {
    async fn set(dir: &Path, patients: u32) -> Outcome<Self> {
        say(&format!("Everything is kept in {}", dir.display()));
        say("Loading the demo network (the first time this makes a PostgreSQL cluster) …");
        let kept = dir.join("server").exists();
        let clinics = server::load(dir, patients).await.map_err(|problem| -> Problem {
            let hint = format!("\nIf another version made {}, remove it and start again.", dir.display());
            format!("{problem}{}", if kept { hint } else { String::new() }).into()
        })?;
        let [here, abroad, ..] = &clinics[..] else { return Err("fewer than two clinics".into()) };
        say("Starting the server …");
        let server = DemoServer::start(dir).await?;
        let books = Books::open(&server.postgres()).await?;
        say("Starting three tablets …");
        let mut tablets = Vec::new();
        for (name, clinic) in [("Tablet Sala 1", here), ("Tablet Sala 2", here), ("Tablet Filial", abroad)] {
            tablets.push(DemoTablet::start(dir, &server, clinic, name).await?);
        }
        Ok(Self { server, books, tablets, clinic: here.clone() })
    }

    /// Serves the page until something ends by itself.
    async fn play(&mut self) -> Outcome<()> {
        let (sender, view) = watch::channel(self.look().await);
        let page = DemoPage::bind(view).await?;
        self.tell(&page.url);
        let Self { server, books, tablets, clinic } = self;
        let mut pause = tokio::time::interval(LOOK_INTERVAL);
        pause.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let serving = page.serve();
        tokio::pin!(serving);
        loop {
            let children = tablets.iter_mut().map(|tablet| &mut tablet.child).chain([&mut server.child]);
            let children = children.map(|child| Box::pin(child.crashed()));
            tokio::select! {
                served = &mut serving => return served,
                (problem, ..) = futures_util::future::select_all(children) => return Err(problem),
                _ = pause.tick() => {}
            }
            sender.send_replace(look(server, books, clinic.id, tablets, clock::now().0).await);
        }
    }

    async fn look(&self) -> View {
        look(&self.server, &self.books, self.clinic.id, &self.tablets, clock::now().0).await
    }

    fn tell(&self, url: &str) {
        say(&format!("\nOpen the demo:   {url}"));
        for tablet in &self.tablets {
            say(&format!("  {:<14} {}", tablet.name, tablet.url));
        }
        say(
            "\nTry: take Sala 1 and Sala 2 offline, edit the same patient on both, add allergies, book the same hour,",
        );
        say("write a plan without a consent; connect again and look at Sincronização. The page tells more.");
        say("\nCtrl-C ends everything; what was saved is kept.");
    }

    /// Ends everything, the tablets first.
    async fn clear(self) -> Outcome<()> {
        let mut first = Ok(());
        for tablet in self.tablets {
            let stopped = tablet.child.stop().await;
            first = first.and(stopped);
        }
        let closed = self.books.close().await;
        let stopped = self.server.child.stop().await;
        first.and(closed).and(stopped)
    }
}

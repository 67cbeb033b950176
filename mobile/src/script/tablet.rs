//! The tablet a script drives: its replica, its sync engine, its watches.
//!
//! Owns opening, enrolling, going online and offline, and the end. Invariant: at most one engine runs.

use super::Place;
use super::refusal::Refusal;
use crate::key_file::load_or_create;
use crate::opening::open_plain;
use crate::wipe;
use neonpro_client_core::{
    Clock, Connection, Replica, ReplicaKey, SyncHandle, SyncOptions, SyncState, Watch, enrol,
};
use serde_json::{Value as Json, json};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

pub(super) struct Tablet {
    place: Place,
    output: mpsc::Sender<Json>,
    replica: Option<Replica>,
    engine: Option<SyncHandle>,
    watches: JoinSet<()>,
}

impl Tablet {
    pub fn new(place: Place, output: mpsc::Sender<Json>) -> Self {
        Self { place, output, replica: None, engine: None, watches: JoinSet::new() }
    }

    /// The replica, opened on first use.
    pub async fn replica(&mut self) -> Result<Replica, Refusal> {
        if let Some(replica) = &self.replica {
            return Ok(replica.clone());
        }
        if let Some(note) = wipe::find(&self.place.replica).filter(|note| !note.done) {
            self.end_wipe(move |place| wipe::finish(note, &place.replica, &place.key_file)).await?;
        }
        if !self.place.replica.exists() {
            return Err(Refusal::not_enrolled());
        }
        let place = self.place.clone();
        let open = move || {
            let (replica, _) = open_plain(&place.replica, &place.key_file, Clock::system())?;
            Ok::<_, Refusal>(replica)
        };
        let replica = tokio::task::spawn_blocking(open).await.map_err(|_| Refusal::interrupted())??;
        self.replica = Some(replica.clone());
        Ok(replica)
    }

    /// Reads or writes the replica on a thread that may wait for it.
    pub async fn work<T, F>(&mut self, work: F) -> Result<T, Refusal>
    where
        T: Send + 'static,
        F: FnOnce(&Replica) -> Result<T, Refusal> + Send + 'static,
    {
        let replica = self.replica().await?;
        tokio::task::spawn_blocking(move || work(&replica)).await.map_err(|_| Refusal::interrupted())?
    }

    /// Whether an engine runs.
    pub fn is_online(&self) -> bool {
        self.engine.is_some()
    }

    pub async fn enrol(&mut self, ticket: &str, name: &str) -> Result<Replica, Refusal> {
        if self.place.replica.exists() {
            return Err(Refusal::new(
                "already_enrolled",
                "This tablet already has a replica, so it was not enrolled again. Use another --replica path.",
            ));
        }
        let key = ReplicaKey::new(load_or_create(&self.place.key_file)?);
        let replica = enrol(ticket, &self.place.replica, key, name, Clock::system()).await?;
        self.replica = Some(replica.clone());
        Ok(replica)
    }

    pub async fn go_online(&mut self) -> Result<(), Refusal> {
        let replica = self.replica().await?;
        match &self.engine {
            Some(engine) => engine.go_online(),
            None => self.engine = Some(replica.start_sync(SyncOptions::default())),
        }
        Ok(())
    }

    pub async fn go_offline(&mut self) -> Result<(), Refusal> {
        self.replica().await?;
        if let Some(engine) = self.engine.take() {
            engine.stop().await;
        }
        Ok(())
    }

    /// Syncs in a session of its own until everything here is settled and everything there has arrived. Retries until
    /// the limit; gives up at once where the server turned the tablet away. Stays online only where it was.
    pub async fn sync(&mut self, timeout_ms: u64) -> Result<SyncState, Refusal> {
        let replica = self.replica().await?;
        let stays_online = match self.engine.take() {
            Some(engine) => {
                engine.stop().await;
                true
            }
            None => false,
        };
        let mut engine = replica.start_sync(SyncOptions::default());
        let settled = |state: &SyncState| {
            state.quiet || state.ended || matches!(state.connection, Connection::Stopped { .. })
        };
        let done = tokio::time::timeout(Duration::from_millis(timeout_ms), engine.wait_for(settled)).await;
        let state = engine.state();
        if stays_online {
            self.engine = Some(engine);
        } else {
            engine.stop().await;
        }
        match (done, &state.connection) {
            (_, _) if state.quiet => Ok(state),
            (_, Connection::Stopped { reason }) if reason == "wipe" => {
                self.watches.shutdown().await;
                if let Some(engine) = self.engine.take() {
                    engine.stop().await;
                }
                self.replica = None;
                let wiped =
                    self.end_wipe(move |place| wipe::wipe(&replica, &place.replica, &place.key_file)).await;
                Err(wiped.err().unwrap_or_else(Refusal::wiped))
            }
            (_, Connection::Stopped { reason }) => Err(Refusal::new(
                "stopped",
                format!(
                    "The server does not want this tablet ({reason}), so nothing was sent. Enrol it again."
                ),
            )),
            (Err(_), _) => Err(Refusal::timed_out(
                &format!("A settled sync ({})", state.problem.as_deref().unwrap_or("no answer")),
                timeout_ms,
            )),
            (Ok(_), _) => Err(Refusal::new(
                "sync_ended",
                "The sync ended before everything was settled. Nothing is lost; send `sync` again.",
            )),
        }
    }

    /// Does a wipe, or the rest of one, and tells the server.
    async fn end_wipe<F>(&self, work: F) -> Result<(), Refusal>
    where
        F: FnOnce(&Place) -> Result<wipe::Note, wipe::WipeError> + Send + 'static,
    {
        let place = self.place.clone();
        let done =
            tokio::task::spawn_blocking(move || work(&place)).await.map_err(|_| Refusal::interrupted())?;
        let mut note = done.map_err(|error| {
            Refusal::new(
                "wipe_unfinished",
                format!("Wiping did not come to its end: {error}. Start it again."),
            )
        })?;
        if let Err(error) = wipe::tell(&mut note, &self.place.replica).await {
            tracing::warn!(code = error.code(), "the server was not told of the wipe");
        }
        Ok(())
    }

    /// Tells on the output when these tables change.
    pub async fn watch(&mut self, tables: &[String]) -> Result<(), Refusal> {
        let replica = self.replica().await?;
        let names: Vec<&str> = tables.iter().map(String::as_str).collect();
        self.watches.spawn(tell(replica.watch(&names), self.output.clone()));
        Ok(())
    }

    /// Ends everything; what the engine was writing is committed first.
    pub async fn close(&mut self) {
        self.watches.shutdown().await;
        if let Some(engine) = self.engine.take() {
            engine.stop().await;
        }
        if let Some(replica) = self.replica.take() {
            let closed = tokio::task::spawn_blocking(move || replica.close()).await;
            if !matches!(closed, Ok(Ok(()))) {
                tracing::warn!("the replica did not close cleanly");
            }
        }
    }
}

async fn tell(mut watch: Watch, output: mpsc::Sender<Json>) {
    loop {
        let tables = watch.changed().await;
        if tables.is_empty() || output.send(json!({"event": "changed", "tables": tables})).await.is_err() {
            return;
        }
    }
}

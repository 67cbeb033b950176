//! A listening server and real tablets: TLS, WebSockets, encrypted replica files.

use crate::cluster::{TestDatabase, network};
use crate::device::Device;
use crate::process::admission_workers;
use neonpro_client_core::{Clock, Replica, ReplicaKey, Status, SyncHandle, SyncOptions, enrol};
use neonpro_contract::catalogue::Role;
use neonpro_contract::ids::{AuthorId, ClinicId};
use neonpro_contract::permissions::Audience;
use neonpro_server::audit::Notary;
use neonpro_server::blobs::Blobs;
use neonpro_server::database::Database;
use neonpro_server::demo::DemoClinic;
use neonpro_server::erasure::ledger::Ledger;
use neonpro_server::http::enrol::{make_code, ticket};
use neonpro_server::serve::Server;
use neonpro_server::state::Outside;
use neonpro_server::store::authority::Grant;
use neonpro_server::tls::Tls;
use neonpro_server::{actor::Actor, clock};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// The key of every tablet's file.
pub const KEY: [u8; 32] = [7; 32];

/// Longest wait for a state before a test fails.
pub const LIMIT: Duration = Duration::from_secs(60);

/// A server on a database of its own.
pub struct Fleet {
    pub database: TestDatabase,
    pub server: Server,
    dir: TempDir,
}

impl Fleet {
    pub async fn start() -> Self {
        Self::over(TestDatabase::create().await).await
    }

    pub async fn over(database: TestDatabase) -> Self {
        let dir = TempDir::new().unwrap();
        let tls = Tls::load_or_make(dir.path(), &["127.0.0.1".to_owned()]).unwrap();
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let notary = Arc::new(Notary::open(&Notary::key_in(dir.path())).unwrap());
        let blobs = Blobs::in_folder(&dir.path().join("files")).unwrap();
        let ledger = Arc::new(Ledger::new(Ledger::file_in(dir.path())));
        let outside = Outside { notary, ledger, blobs };
        let database_of_server = Database::over(database.store.clone());
        let server =
            Server::over(database_of_server, tls, listen, outside, admission_workers()).await.unwrap();
        // What upkeep finds in a clinic comes before the test, not in the middle of it.
        let metrics = Arc::clone(&server.state.metrics);
        eventually("the first round of upkeep", async || metrics.upkeep_rounds.get() > 0).await;
        Self { database, server, dir }
    }

    #[must_use]
    pub fn clinic(&self, index: usize) -> &'static DemoClinic {
        &network().clinics[index]
    }

    #[must_use]
    pub fn person(&self, clinic: usize, role: Role) -> AuthorId {
        self.clinic(clinic).people.iter().find(|person| person.role == role).map(|person| person.id).unwrap()
    }

    /// Where the server keeps patients' files.
    #[must_use]
    pub fn files(&self) -> PathBuf {
        self.dir.path().join("files")
    }

    /// A device without a replica, for tests that speak for it.
    pub async fn device(&self, clinic: usize, audience: Audience) -> Device {
        let clinic = self.clinic(clinic).id;
        let device = Device::new(clinic);
        let mut scoped = self.database.store.begin(&Actor::system(clinic)).await.unwrap();
        let grant = Grant::to_members(audience);
        scoped.append_device(device.id, "t", &device.public_key(), &grant, clock::now()).await.unwrap();
        scoped.commit().await.unwrap();
        device
    }

    /// A ticket for one tablet.
    pub async fn ticket(&self, clinic: ClinicId, audience: Audience) -> String {
        self.ticket_granting(clinic, &Grant::to_members(audience)).await
    }

    /// A ticket for one tablet, an audience and people.
    pub async fn ticket_granting(&self, clinic: ClinicId, grant: &Grant) -> String {
        let code = make_code(&self.database.store, clinic, grant, clock::now()).await.unwrap();
        ticket(&self.server.url(), &self.server.fingerprint, &code)
    }

    /// A tablet that was enrolled and has not synced.
    pub async fn tablet(&self, clinic: ClinicId, name: &str) -> Tablet {
        self.tablet_for(clinic, Audience::Clinical, name).await
    }

    pub async fn tablet_for(&self, clinic: ClinicId, audience: Audience, name: &str) -> Tablet {
        self.tablet_granted(clinic, &Grant::to_members(audience), name).await
    }

    pub async fn tablet_granted(&self, clinic: ClinicId, grant: &Grant, name: &str) -> Tablet {
        let ticket = self.ticket_granting(clinic, grant).await;
        self.tablet_with(&ticket, name).await
    }

    /// A tablet that reaches the server by way of a proxy.
    pub async fn tablet_by(&self, proxy: SocketAddr, clinic: ClinicId, name: &str) -> Tablet {
        let grant = Grant::to_members(Audience::Clinical);
        let code = make_code(&self.database.store, clinic, &grant, clock::now()).await.unwrap();
        let url = format!("https://{proxy}");
        self.tablet_with(&ticket(&url, &self.server.fingerprint, &code), name).await
    }

    async fn tablet_with(&self, ticket: &str, name: &str) -> Tablet {
        let path = self.dir.path().join(format!("{name}.replica"));
        let replica = enrol(ticket, &path, ReplicaKey::new(KEY), name, Clock::system()).await.unwrap();
        let handle = replica.start_sync(SyncOptions { online: false, ..SyncOptions::default() });
        Tablet { replica, handle, path }
    }

    /// Open items of a clinic, as `kind/code`, sorted.
    pub async fn items(&self, clinic: ClinicId) -> Vec<String> {
        let mut scoped = self.database.store.begin(&Actor::system(clinic)).await.unwrap();
        let items = scoped.list_open_items(1_000).await.unwrap();
        scoped.rollback().await.unwrap();
        let mut names: Vec<String> =
            items.into_iter().map(|item| format!("{}/{}", item.kind, item.code)).collect();
        names.sort();
        names
    }

    pub async fn stop(self) {
        self.server.stop().await.unwrap();
    }
}

/// A tablet with its sync running.
pub struct Tablet {
    pub replica: Replica,
    pub handle: SyncHandle,
    pub path: PathBuf,
}

impl Tablet {
    pub fn online(&self) {
        self.handle.go_online();
    }

    pub fn offline(&self) {
        self.handle.go_offline();
    }

    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    #[must_use]
    pub fn status(&self) -> Status {
        self.replica.status().unwrap()
    }

    /// Waits until everything here is settled and everything there has arrived.
    pub async fn quiet(&mut self) {
        // An edit made a moment ago may not have reached the engine, which still says that all is quiet.
        eventually("every edit is settled", async || self.status().waiting.edits == 0).await;
        let waited = tokio::time::timeout(LIMIT, self.handle.wait_for(|state| state.quiet)).await;
        assert!(matches!(waited, Ok(Some(_))), "never quiet: {:?}", self.handle.state());
    }

    /// Waits until the feed was applied up to a number.
    pub async fn reaches(&mut self, seq: i64) {
        let waited =
            tokio::time::timeout(LIMIT, self.handle.wait_for(|state| state.cursor >= seq && state.quiet))
                .await;
        assert!(matches!(waited, Ok(Some(_))), "never reached {seq}: {:?}", self.handle.state());
    }
}

/// Waits until something holds; asks again whenever the replica changes, at the latest every 50 ms.
pub async fn eventually<F>(what: &str, mut holds: F)
where
    F: AsyncFnMut() -> bool,
{
    let asked = tokio::time::timeout(LIMIT, async {
        let mut pause = tokio::time::interval(Duration::from_millis(50));
        while !holds().await {
            pause.tick().await;
        }
    });
    assert!(asked.await.is_ok(), "never happened: {what}");
}

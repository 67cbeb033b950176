//! The server of a world: the product's own code over a database of its own, and what an operator or a crash does to it.

use super::moment;
use super::tablet::{Tablet, signing_key};
use super::time::Time;
use crate::cluster::{self, TestDatabase};
use crate::process::admission_workers;
use neonpro_client_core::SigningKey;
use neonpro_contract::ids::{ClinicId, DeviceId};
use neonpro_contract::time::ServerInstant;
use neonpro_server::actor::Actor;
use neonpro_server::admission::{Admission, AdmissionConfig, BATCH_WAIT_MAX};
use neonpro_server::audit::Notary;
use neonpro_server::authority;
use neonpro_server::blobs::Blobs;
use neonpro_server::demo::{DemoClinic, DemoNetwork, DemoSize};
use neonpro_server::erasure::ledger::Ledger;
use neonpro_server::jobs;
use neonpro_server::state::{AppState, Outside};
use neonpro_server::store::authority::Grant;
use neonpro_server::telemetry::Metrics;
use sqlx_core::executor::Executor;
use sqlx_core::sql_str::AssertSqlSafe;
use sqlx_postgres::PgConnection;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::{OnceCell, watch};
use uuid::Uuid;

/// When every world begins: 2026-03-02, 11:00 in São Paulo (µs).
pub const START_US: i64 = 1_772_460_000_000_000;
const TEMPLATE: &str = "sim_template";
/// Commits need not survive a power loss of this machine.
const SETTINGS: [(&str, &str); 1] = [("synchronous_commit", "off")];

async fn network() -> &'static DemoNetwork {
    static NETWORK: OnceCell<DemoNetwork> = OnceCell::const_new();
    let size = DemoSize { patients: 24, days_before: 1, days_after: 1 };
    NETWORK
        .get_or_init(|| async {
            cluster::without_background_work().await;
            cluster::template(TEMPLATE, 7, ServerInstant(START_US), size, &moment::dress()).await
        })
        .await
}

/// The key of the audit: PKCS#8 with its public half (RFC 5958), the same in every world.
fn notary_key() -> Vec<u8> {
    let mut pkcs8 = signing_key([3; 32]);
    let public = SigningKey::from_pkcs8(&pkcs8).unwrap().public_key();
    (pkcs8[1], pkcs8[4]) = (0x51, 1);
    pkcs8.extend([0x81, 0x21, 0x00]);
    pkcs8.extend(public);
    pkcs8
}

/// The server.
pub struct Node {
    pub database: TestDatabase,
    network: &'static DemoNetwork,
    /// The server's time.
    pub time: Time,
    state: Option<AppState>,
    outside: Outside,
    stop: watch::Sender<bool>,
    backup: Option<String>,
    /// Tells the database the time.
    admin: Option<PgConnection>,
    /// What it was told last.
    told_us: Option<i64>,
    restores: u32,
    /// Numbers its lives.
    pub life: u64,
    due: jobs::Due,
}

impl Node {
    /// A running server on a fresh database.
    pub async fn start(dir: &Path, epoch: Uuid) -> Self {
        let network = network().await;
        let database = TestDatabase::copy_of(TEMPLATE, &SETTINGS).await;
        std::fs::write(Notary::key_in(dir), notary_key()).unwrap();
        std::fs::set_permissions(Notary::key_in(dir), Permissions::from_mode(0o600)).unwrap();
        let mut node = Self {
            database,
            network,
            time: Time::default(),
            outside: Outside {
                notary: Arc::new(Notary::open(&Notary::key_in(dir)).unwrap()),
                ledger: Arc::new(Ledger::new(Ledger::file_in(dir))),
                blobs: Blobs::in_folder(&dir.join("files")).unwrap(),
            },
            state: None,
            stop: watch::Sender::new(false),
            backup: None,
            admin: None,
            told_us: None,
            restores: 0,
            life: 0,
            due: jobs::Due::default(),
        };
        node.set_epoch(epoch).await;
        node.up();
        node
    }

    async fn admin(&mut self) -> &mut PgConnection {
        if self.admin.is_none() {
            self.admin = Some(self.database.admin().await);
        }
        self.admin.as_mut().unwrap()
    }

    /// Lets time pass (µs since the beginning) and says how many waited for that.
    pub async fn pass(&mut self, at_us: i64) -> usize {
        if self.told_us != Some(at_us) {
            let moment_us = self.at_us(at_us);
            moment::tell(self.admin().await, moment_us).await;
            self.told_us = Some(at_us);
        }
        self.time.pass(at_us)
    }

    async fn set_epoch(&mut self, epoch: Uuid) {
        let sql = format!("update sync.server set epoch = '{epoch}'");
        self.admin().await.execute(AssertSqlSafe(sql)).await.unwrap();
    }

    #[must_use]
    pub fn clinics(&self) -> &'static [DemoClinic] {
        &self.network.clinics
    }

    /// The true time (µs since the epoch) so many µs after the beginning.
    #[must_use]
    pub fn at_us(&self, since_start_us: i64) -> i64 {
        START_US + since_start_us
    }

    /// Starts; nothing is remembered but the database.
    pub fn up(&mut self) {
        self.stop = watch::Sender::new(false);
        self.life += 1;
        self.due = jobs::Due::default();
        let metrics = Arc::new(Metrics::default());
        // How busy this machine is must not decide what is tried apart.
        let workers = AdmissionConfig { locked_wait: BATCH_WAIT_MAX, ..admission_workers() };
        let admission = Admission::new(workers, Arc::clone(&metrics));
        let (clock, store) = (self.time.clock(), self.database.store.clone());
        self.state = Some(AppState::new(
            store,
            metrics,
            self.outside.clone(),
            admission,
            clock,
            self.stop.subscribe(),
        ));
    }

    /// As the notification of a commit does: a device's authority is looked at again.
    pub fn authority_changed(&self, device: DeviceId) {
        if let Some(state) = &self.state {
            jobs::authority_changed(state, device);
        }
    }

    /// A clinic's head.
    pub async fn head(&self, clinic: usize) -> i64 {
        let mut scoped = self.database.store.begin(&Actor::system(self.clinics()[clinic].id)).await.unwrap();
        let head = scoped.find_head().await.unwrap();
        scoped.rollback().await.unwrap();
        head.seq
    }

    /// One round of upkeep.
    pub async fn keep_up(&mut self) {
        if let Some(state) = self.state.clone() {
            jobs::upkeep(&state, &mut self.due).await.unwrap();
        }
    }

    /// Says goodbye to every session.
    pub fn say_goodbye(&mut self) {
        self.state = None;
        self.stop.send_replace(true);
    }

    /// What new sessions are served with; `None` while it is down.
    #[must_use]
    pub fn state(&self) -> Option<AppState> {
        self.state.clone()
    }

    /// Makes a tablet known.
    pub async fn enrol(&self, clinic: ClinicId, tablet: &Tablet) {
        let key = tablet.replica.identity().signing_key.public_key();
        let mut scoped = self.database.store.begin(&Actor::system(clinic)).await.unwrap();
        let grant = Grant::to_members(tablet.audience);
        scoped
            .append_device(tablet.device, &tablet.name, &key, &grant, ServerInstant(START_US))
            .await
            .unwrap();
        scoped.commit().await.unwrap();
    }

    /// Revokes a tablet, as an operator would.
    pub async fn revoke(&self, tablet: &Tablet, at_us: i64) {
        let clinic = self.clinics()[tablet.clinic].id;
        let now = ServerInstant(self.at_us(at_us));
        authority::revoke(&self.database.store, clinic, tablet.device, now).await.unwrap();
    }

    /// Makes a backup. Whoever was connected must be gone.
    pub async fn back_up(&mut self) {
        // The copy must be the only one that is connected.
        self.admin = None;
        if let Some(old) = self.backup.take() {
            self.database.forget(&old).await;
        }
        self.backup = Some(self.database.backup().await);
    }

    #[must_use]
    pub fn has_backup(&self) -> bool {
        self.backup.is_some()
    }

    /// Puts the backup back and changes the epoch, as the operator's guide says.
    pub async fn restore(&mut self, epoch: Uuid) {
        let Some(backup) = self.backup.take() else { return };
        self.admin = None;
        self.database.restore(&backup).await;
        self.restores += 1;
        let life = self.restores;
        self.told_us = None;
        moment::live_again(self.admin().await, life).await;
        self.set_epoch(epoch).await;
    }
}

//! A simulated tablet: a real replica on a real file, its engine, its clock, and what can happen to the file.

use neonpro_client_core::{
    Clock, Identity, ManualClock, Note, Replica, ReplicaError, ReplicaKey, SigningKey, Stepped,
};
use neonpro_contract::ids::{ClinicId, DeviceId, EditId};
use neonpro_contract::permissions::Audience;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// Version the engine says it has.
const APP: &str = "sim";

/// How a tablet's clock is wrong.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wrong {
    /// Ahead (or behind, negative) by so much, µs.
    pub ahead_us: i64,
    /// It stands still at this instant, µs.
    pub stuck_us: Option<i64>,
}

/// A tablet.
pub struct Tablet {
    pub name: String,
    pub clinic: usize,
    pub audience: Audience,
    pub device: DeviceId,
    pub replica: Replica,
    pub engine: Stepped,
    pub wrong: Wrong,
    /// Raised when the app starts again: what was under way before is void.
    pub life: u64,
    pub connection: Option<u64>,
    /// Numbers attempts to connect.
    pub attempt: u64,
    pub online: bool,
    pub tick_us: Option<i64>,
    pub work_due: usize,
    pub revoked: bool,
    /// Its app speaks another version of the protocol.
    pub other_version: bool,
    /// A second app with the same identity.
    pub is_clone: bool,
    /// Neither direction of its line lets anything through before.
    pub up_open_us: i64,
    pub down_open_us: i64,
    pub latency_us: i64,
    /// An older copy of the file.
    pub kept: Option<PathBuf>,
    pub cursor: i64,
    pub generation: u32,
    clock: Clock,
    hand: ManualClock,
    dir: PathBuf,
    path: PathBuf,
    files: u32,
}

fn key() -> ReplicaKey {
    ReplicaKey::new([7; 32])
}

/// PKCS#8 of an Ed25519 key made from a seed (RFC 8410).
#[must_use]
pub fn signing_key(seed: [u8; 32]) -> Vec<u8> {
    let mut pkcs8 =
        vec![0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
    pkcs8.extend(seed);
    pkcs8
}

impl Tablet {
    /// A new tablet with an empty replica.
    #[must_use]
    pub fn new(
        name: &str,
        dir: &Path,
        clinic: (usize, ClinicId),
        audience: Audience,
        seed: u64,
        now_us: i64,
    ) -> Self {
        let (clock, hand) = Clock::manual(now_us);
        let clock = clock.seeded(i64::from_ne_bytes(seed.to_ne_bytes()));
        let device = DeviceId(Uuid::from_u128(u128::from_be_bytes(clock.random())));
        let identity = Identity {
            device,
            name: name.to_owned(),
            clinic: clinic.1,
            clinic_name: "Clínica".to_owned(),
            network: None,
            audience,
            server_url: "https://127.0.0.1:1".to_owned(),
            pin: [0; 32],
            signing_key: SigningKey::from_pkcs8(&signing_key(clock.random())).unwrap(),
        };
        let dir = dir.join(name);
        std::fs::create_dir_all(&dir).unwrap();
        let path = dir.join("0.db");
        let replica = Replica::create(&path, key(), identity, clock.clone()).unwrap();
        let engine = Stepped::new(&replica, APP);
        Self {
            name: name.to_owned(),
            clinic: clinic.0,
            audience,
            device,
            replica,
            engine,
            wrong: Wrong::default(),
            life: 0,
            connection: None,
            attempt: 0,
            online: false,
            tick_us: None,
            work_due: 0,
            revoked: false,
            other_version: false,
            is_clone: false,
            up_open_us: 0,
            down_open_us: 0,
            latency_us: 20_000,
            kept: None,
            cursor: -1,
            generation: 1,
            clock,
            hand,
            dir,
            path,
            files: 0,
        }
    }

    /// Sets the tablet's clock for an instant of the world.
    pub fn look_at_clock(&mut self, now_us: i64) -> i64 {
        let told = self.wrong.stuck_us.unwrap_or(now_us + self.wrong.ahead_us);
        self.hand.set_us(told);
        told
    }

    /// The process dies: nothing is closed, nothing is checkpointed. It starts again on what the file system has.
    pub fn crash(&mut self) {
        let path = self.next_path();
        copy(&self.path, &path, &["", "-wal", ".device"]);
        self.start_on(path);
    }

    /// The app is closed in order and started again.
    pub fn restart(&mut self) {
        self.replica.close().unwrap();
        self.start();
    }

    /// Keeps a copy of the file, as a backup of the tablet would.
    pub fn keep_copy(&mut self) {
        self.replica.checkpoint().unwrap();
        let path = self.next_path();
        copy(&self.path, &path, &[""]);
        self.kept = Some(path);
    }

    /// The older copy of the file is put back.
    pub fn put_copy_back(&mut self) -> bool {
        let Some(kept) = self.kept.take() else { return false };
        self.replica.close().unwrap();
        for suffix in ["-wal", "-shm"] {
            let _ = std::fs::remove_file(beside(&self.path, suffix));
        }
        std::fs::copy(kept, &self.path).unwrap();
        self.start();
        true
    }

    /// A second app on a copy of everything.
    #[must_use]
    pub fn cloned(&self, name: &str, seed: u64) -> Self {
        let dir = self.dir.join("..").join(name);
        std::fs::create_dir_all(&dir).unwrap();
        let path = dir.join("0.db");
        copy(&self.path, &path, &["", "-wal", ".device"]);
        let (clock, hand) = Clock::manual(self.clock.now_us());
        let clock = clock.seeded(i64::from_ne_bytes(seed.to_ne_bytes()));
        let replica = Replica::open(&path, key(), clock.clone()).unwrap();
        let engine = Stepped::new(&replica, APP);
        Self {
            name: name.to_owned(),
            replica,
            engine,
            is_clone: true,
            connection: None,
            tick_us: None,
            work_due: 0,
            kept: None,
            life: 0,
            attempt: 0,
            online: false,
            clock,
            hand,
            dir,
            path,
            files: 0,
            ..*self
        }
    }

    fn next_path(&mut self) -> PathBuf {
        self.files += 1;
        self.dir.join(format!("{}.db", self.files))
    }

    fn start_on(&mut self, path: PathBuf) {
        let old = std::mem::replace(&mut self.path, path);
        self.replica.close().unwrap();
        for suffix in ["", "-wal", "-shm", ".device", ".lock"] {
            let _ = std::fs::remove_file(beside(&old, suffix));
        }
        self.start();
    }

    fn start(&mut self) {
        self.replica = match Replica::open(&self.path, key(), self.clock.clone()) {
            Ok(replica) => replica,
            Err(error) => panic!("{} does not open: {error:?}", self.name),
        };
        self.engine = Stepped::new(&self.replica, APP);
        self.life += 1;
        self.tick_us = None;
        self.work_due = 0;
    }

    /// Whether it noticed that its file was copied or put back.
    #[must_use]
    pub fn noticed_a_copy(&self) -> bool {
        let notes = self.replica.status().unwrap().notes;
        notes.iter().any(|note| matches!(note, Note::CopiedReplica { .. }))
    }

    /// Every edit in its file, with its state (`client-core/src/store/intents.rs`).
    #[must_use]
    pub fn intents(&self) -> BTreeMap<EditId, i64> {
        let sql = "SELECT uuid_text(edit), state FROM sync_intent ORDER BY n";
        let found = self.replica.capturing().query(sql, &[], 100_000);
        let rows = match found {
            Ok(found) => found.rows,
            Err(ReplicaError::Closed) => Vec::new(),
            Err(error) => panic!("{error:?}"),
        };
        rows.iter().map(|row| (row[0].as_str().unwrap().parse().unwrap(), row[1].as_i64().unwrap())).collect()
    }

    /// Reads in its log that the server has not confirmed.
    #[must_use]
    pub fn untold_reads(&self) -> Vec<Uuid> {
        let sql = "SELECT uuid_text(id) FROM sync_read ORDER BY n";
        let found = self.replica.capturing().query(sql, &[], 100_000).unwrap();
        found.rows.iter().map(|row| row[0].as_str().unwrap().parse().unwrap()).collect()
    }

    /// Records with an edit that waits for something on the server and is shown meanwhile.
    #[must_use]
    pub fn held_records(&self) -> Vec<String> {
        let sql = "SELECT DISTINCT uuid_text(c.record) FROM sync_change c JOIN sync_intent i ON i.n = c.n WHERE i.state = 3";
        let found = self.replica.capturing().query(sql, &[], 100_000).unwrap();
        found.rows.iter().map(|row| row[0].as_str().unwrap().to_owned()).collect()
    }

    /// Edits that wait to be sent.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.intents().values().filter(|state| **state == 0).count()
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn copy(from: &Path, to: &Path, suffixes: &[&str]) {
    for suffix in suffixes {
        let source = beside(from, suffix);
        if source.exists() {
            std::fs::copy(source, beside(to, suffix)).unwrap();
        }
    }
}

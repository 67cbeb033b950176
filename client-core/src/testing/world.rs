//! Tablets on real files around the scripted server, exchanging encoded frames without sockets.

use super::samples::NOON;
use super::server::Server;
use crate::{Clock, Draft, Edited, Identity, ManualClock, Replica, ReplicaKey, SigningKey};
use neonpro_contract::ids::{AuthorId, ClinicId, DeviceId, RecordId};
use neonpro_contract::permissions::Audience;
use neonpro_contract::wire::{Fates, Frame};
use serde_json::{Value as Json, json};
use tempfile::TempDir;
use uuid::Uuid;

pub(crate) const ADMIN: AuthorId = AuthorId(Uuid::from_u128(0xA0));
pub(crate) const PROFESSIONAL: AuthorId = AuthorId(Uuid::from_u128(0xA1));
pub(crate) const ASSISTANT: AuthorId = AuthorId(Uuid::from_u128(0xA2));
pub(crate) const MANAGER: AuthorId = AuthorId(Uuid::from_u128(0xA3));
pub(crate) const ANA: RecordId = RecordId(Uuid::from_u128(0xB0));

pub(crate) struct Tablet {
    pub replica: Replica,
    pub hand: ManualClock,
    pub dir: TempDir,
    pub number: u8,
}

pub(crate) fn clinic() -> ClinicId {
    ClinicId(Uuid::from_u128(0xC0))
}

pub(crate) fn key() -> ReplicaKey {
    ReplicaKey::new([7; 32])
}

impl Tablet {
    pub fn new(number: u8) -> Self {
        Self::with_audience(number, Audience::Clinical, "http://127.0.0.1:1")
    }

    pub fn with_audience(number: u8, audience: Audience, url: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (clock, hand) = Clock::manual(NOON);
        let identity = Identity {
            device: DeviceId(Uuid::from_u128(u128::from(number) + 0xD0)),
            name: format!("tablet {number}"),
            clinic: clinic(),
            clinic_name: "Clínica Sol".into(),
            network: None,
            audience,
            server_url: url.into(),
            pin: [0; 32],
            signing_key: SigningKey::generate().unwrap(),
        };
        let replica = Replica::create(dir.path().join("c.db"), key(), identity, clock).unwrap();
        Self { replica, hand, dir, number }
    }

    pub fn path(&self) -> std::path::PathBuf {
        self.dir.path().join("c.db")
    }

    /// Closes the file and opens it again, as after the app was ended.
    pub fn reopen(&mut self) {
        self.replica.close().unwrap();
        let clock = self.replica.clock();
        self.replica = Replica::open(self.path(), key(), clock).unwrap();
    }

    pub fn put(&self, author: AuthorId, table: &str, id: RecordId, field: &str, value: Json) -> Edited {
        self.hand.advance_us(1_000_000);
        self.replica.edit(Draft::new(author).put(table, id, field, value)).unwrap()
    }

    pub fn text(&self, table: &str, id: RecordId, field: &str) -> Option<String> {
        self.replica.row(table, id).unwrap()?.get(field).as_text().map(str::to_owned)
    }

    pub fn phone(&self) -> Option<String> {
        self.text("patients", ANA, "phone")
    }

    pub fn open(&self, server: &Server) -> crate::sync::session::Opened {
        let audience = self.replica.identity().audience;
        self.replica.open_session(&server.welcome(audience), 2_000).unwrap()
    }

    pub fn receive(&self, frame: Frame) -> crate::Applied {
        let decoded = Frame::decode(&frame.encode()).unwrap();
        self.replica.receive(&decoded).unwrap()
    }

    /// Pushes everything that waits, `per_push` edits at a time, up to `in_flight` pushes unanswered.
    pub fn push(&self, server: &mut Server, per_push: usize, in_flight: usize) {
        let public_key = self.replica.identity().signing_key.public_key();
        loop {
            let mut answers = Vec::new();
            for _ in 0..in_flight {
                let taken = self.replica.take_outbox(per_push, 100_000).unwrap().edits;
                if taken.is_empty() {
                    break;
                }
                let signed: Vec<_> = taken.iter().map(|outgoing| outgoing.signed.clone()).collect();
                let fates = server.push(&signed, &public_key);
                answers.push((taken.iter().map(|outgoing| outgoing.edit).collect::<Vec<_>>(), fates));
            }
            if answers.is_empty() {
                return;
            }
            for (sent, fates) in answers {
                self.fates(&sent, fates);
            }
        }
    }

    pub fn fates(&self, sent: &[neonpro_contract::ids::EditId], fates: Fates) -> crate::Applied {
        let Frame::Fates(fates) = Frame::decode(&Frame::Fates(fates).encode()).unwrap() else {
            panic!("fates")
        };
        self.replica.receive_fates(sent, &fates).unwrap()
    }

    /// Takes everything the server has.
    pub fn pull(&self, server: &Server, page: usize) {
        let (device, audience) = (self.replica.identity().device, self.replica.identity().audience);
        loop {
            let meta = self.replica.inner.store.meta().unwrap();
            if meta.cursor < 0 {
                let after = meta.bootstrap.and_then(|state| state.position);
                self.receive(Frame::Rows(server.rows_page(after, audience)));
                continue;
            }
            if meta.cursor >= server.head() {
                break;
            }
            self.receive(Frame::Page(server.page(device, audience, meta.cursor, page)));
        }
        if self.replica.inner.store.meta().unwrap().repair {
            let buckets = self.replica.sum_buckets().unwrap();
            self.receive(Frame::Repair(server.repair(&buckets, audience)));
        }
    }

    /// One whole session.
    pub fn sync(&self, server: &mut Server) {
        for _ in 0..2 {
            while self.open(server).start_over {}
            self.push(server, 3, 2);
            self.pull(server, 4);
            self.tell_purges(server);
        }
        self.replica.confirm().unwrap();
    }

    /// Sends the receipts there are and hears that they are kept.
    pub fn tell_purges(&self, server: &mut Server) {
        let receipts = self.replica.take_receipts().unwrap();
        let received = server.keep(&receipts);
        assert!(!self.replica.forget_receipts(&received).unwrap());
    }

    pub fn assert_equal(&self, server: &Server) {
        let audience = self.replica.identity().audience;
        assert_eq!(
            self.replica.digest().unwrap(),
            server.digest(audience),
            "digest of tablet {}",
            self.number
        );
        self.assert_digest();
    }

    pub fn assert_digest(&self) {
        assert_eq!(
            self.replica.recompute_digest().unwrap(),
            self.replica.digest().unwrap(),
            "digest kept up"
        );
    }
}

/// A clinic with four members and one patient.
pub(crate) fn server() -> Server {
    let mut server = Server::new(clinic());
    for (author, role) in
        [(ADMIN, "admin"), (PROFESSIONAL, "professional"), (ASSISTANT, "assistant"), (MANAGER, "manager")]
    {
        server.seed_member(author, role);
    }
    server.seed(
        "patients",
        ANA,
        &[
            ("name", json!("Ana Conceição")),
            ("phone", json!("(11) 98765-4321")),
            ("cpf", json!("52998224725")),
            ("allergies", json!(["látex"])),
            ("is_active", json!(true)),
        ],
    );
    server
}

/// A tablet that has completed its first sync.
pub(crate) fn synced(number: u8, server: &mut Server) -> Tablet {
    let tablet = Tablet::new(number);
    tablet.sync(server);
    tablet
}

//! A scripted server in memory: real documents, real frames, the feed's rules, and refusals on demand.

use crate::testing::samples::NOON;
use minicbor::bytes::ByteVec;
use neonpro_contract::catalogue::{FacetId, Lifecycle, TABLES, Table, table, table_by_id};
use neonpro_contract::digest::{Digest, fingerprint};
use neonpro_contract::document::{Clamps, Document, DocumentError, ParsedChange};
use neonpro_contract::edit::{DocumentId, Envelope, SignedEdit, decode_envelope, signing_bytes};
use neonpro_contract::fate::{Code, Fate};
use neonpro_contract::ids::{AuthorId, ClinicId, DeviceId, EditId, RecordId};
use neonpro_contract::permissions::{Audience, purpose};
use neonpro_contract::row::{Row, RowStamp};
use neonpro_contract::time::{DeviceInstant, ServerInstant};
use neonpro_contract::wire::*;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

pub(crate) struct ServerDoc {
    pub epoch: u32,
    pub doc: Document,
    pub live: bool,
    pub clamps: Clamps,
}

enum Fed {
    Change {
        device: DeviceId,
        edit: EditId,
        document: DocumentId,
        epoch: u32,
        merged_at: i64,
        change: Vec<u8>,
    },
    Snapshot(DocumentId),
    Row(&'static Table, RecordId),
    Withdraw(DocumentId),
}

pub(crate) type Policy = Box<dyn FnMut(&Envelope) -> Option<Fate> + Send>;

pub(crate) struct Server {
    pub clinic: ClinicId,
    pub epoch: Uuid,
    pub docs: BTreeMap<DocumentId, ServerDoc>,
    pub rows: BTreeMap<(u16, RecordId), (Row, RowStamp)>,
    feed: Vec<Fed>,
    pub fates: BTreeMap<EditId, Fate>,
    envelopes: BTreeMap<EditId, Vec<u8>>,
    set_aside_hashes: BTreeSet<[u8; 32]>,
    pub policy: Policy,
    pub now: i64,
    pub pushes: usize,
    pub duplicates: usize,
    pub rows_page: usize,
    pub withdrawn: BTreeSet<DocumentId>,
    pub lease_seconds: u32,
    pub receipts: Vec<Receipt>,
    /// The clinic's public key for unsent work.
    pub escrow_key: [u8; 32],
}

impl Server {
    pub fn new(clinic: ClinicId) -> Self {
        Self {
            clinic,
            epoch: Uuid::from_u128(1),
            docs: BTreeMap::new(),
            rows: BTreeMap::new(),
            feed: Vec::new(),
            fates: BTreeMap::new(),
            envelopes: BTreeMap::new(),
            set_aside_hashes: BTreeSet::new(),
            policy: Box::new(|_| None),
            now: NOON,
            pushes: 0,
            duplicates: 0,
            rows_page: 2,
            withdrawn: BTreeSet::new(),
            lease_seconds: 100 * 365 * 86_400,
            receipts: Vec::new(),
            escrow_key: super::escrow::public_key(1),
        }
    }

    pub fn head(&self) -> i64 {
        self.feed.len() as i64
    }

    fn stamp(&self, author: Option<AuthorId>, at: Option<DeviceInstant>) -> RowStamp {
        RowStamp { author, captured_at: at, merged_at: ServerInstant(self.now), feed_seq: self.head() }
    }

    /// An imported record: a row, epoch 1, no live changes, before anything was fed.
    pub fn seed(&mut self, name: &str, id: RecordId, values: &[(&str, serde_json::Value)]) {
        let table = table(name).unwrap();
        let mut row = Row::empty(table);
        for (name, value) in values {
            let field = table.field(name).unwrap().1;
            row.set(name, neonpro_contract::value::Value::from_json(value, field.column).unwrap());
        }
        for facet in table.facet_ids() {
            let document = DocumentId { table: table.id, record: id, facet };
            let doc = Document::genesis(document, 1, &row).unwrap();
            self.docs.insert(document, ServerDoc { epoch: 1, doc, live: false, clamps: Clamps::new() });
        }
        let stamp = self.stamp(None, None);
        self.rows.insert((table.id.0, id), (row, stamp));
    }

    /// A member of the clinic.
    pub fn seed_member(&mut self, author: AuthorId, role: &str) {
        let json = |text: &str| serde_json::json!(text);
        self.seed(
            "professionals",
            RecordId(author.0),
            &[
                ("name", json(&format!("Dra. {role}"))),
                ("email", json("x@clinica.example")),
                ("professional_type", json("biomedic")),
                ("council_type", json("CFBM")),
                ("council_number", json("1")),
                ("council_state", json("SP")),
            ],
        );
        let membership = RecordId(Uuid::from_u128(author.0.as_u128() ^ (1 << 64)));
        self.seed(
            "clinic_professionals",
            membership,
            &[
                ("professional_id", json(&author.to_string())),
                ("role", json(role)),
                ("is_active", serde_json::json!(true)),
            ],
        );
    }

    fn visible(&self, document: &DocumentId, audience: Audience) -> bool {
        let table = document.table().unwrap();
        let row = &self.rows.get(&(table.id.0, document.record)).unwrap().0;
        audience.sees(purpose(table.facet(document.facet).unwrap(), row))
            && !self.withdrawn.contains(document)
    }

    pub fn term(&self, document: &DocumentId) -> u128 {
        let known = &self.docs[document];
        let heads = if known.live { known.doc.clone().heads() } else { Vec::new() };
        fingerprint(document, known.epoch, &heads)
    }

    pub fn digest(&self, audience: Audience) -> Digest {
        let mut digest = Digest::default();
        for document in self.docs.keys().filter(|document| self.visible(document, audience)) {
            digest.add(self.term(document));
        }
        digest
    }

    pub fn welcome(&self, audience: Audience) -> Welcome {
        Welcome {
            protocol: PROTOCOL,
            clinic: self.clinic,
            audience,
            now: ServerInstant(self.now),
            epoch: (*self.epoch.as_bytes()).into(),
            head: self.head(),
            digest: self.digest(audience),
            reference_head: 0,
            bootstrap_records: self.rows.len() as u64,
            push_bytes: 512 * 1024,
            lease_seconds: self.lease_seconds,
            people: None,
            checkpoint: None,
            audit_agrees: None,
            escrow_key: Some(self.escrow_key.into()),
        }
    }

    fn masked(&self, document: RecordId, row: &Row, audience: Audience) -> Row {
        let mut row = row.clone();
        let table = row.table();
        for facet in table.facet_ids() {
            let id = DocumentId { table: table.id, record: document, facet };
            if !self.visible(&id, audience) {
                row.clear_facet(facet);
            }
        }
        row
    }

    /// The next page of a first sync.
    pub fn rows_page(&self, after: Option<Position>, audience: Audience) -> RowsPage {
        let sections: Vec<&'static Table> = TABLES.to_vec();
        let (start, mut from) =
            after.map_or((0, None), |position| (position.section as usize, position.after));
        let mut done = 0;
        for (at, table) in sections.iter().enumerate() {
            let all: Vec<_> = self.rows.iter().filter(|((number, _), _)| *number == table.id.0).collect();
            if at < start {
                done += all.len() as u64;
                continue;
            }
            let left: Vec<_> = all.iter().filter(|((_, id), _)| from.is_none_or(|from| *id > from)).collect();
            done += (all.len() - left.len()) as u64;
            from = None;
            let bits = table
                .facet_ids()
                .filter(|facet| match table.facet(*facet).unwrap().purpose {
                    neonpro_contract::catalogue::PurposeRule::Fixed(purpose) => audience.sees(purpose),
                    _ => true,
                })
                .fold(0u8, |bits, facet| bits | (1 << facet.0));
            if left.is_empty() {
                continue;
            }
            let take: Vec<_> = left.iter().take(self.rows_page).collect();
            let seen: Vec<_> = take
                .iter()
                .filter(|((_, id), _)| {
                    table.facets.is_empty()
                        || table.facet_ids().any(|facet| {
                            self.visible(&DocumentId { table: table.id, record: *id, facet }, audience)
                        })
                })
                .collect();
            let mut facets = Vec::new();
            let records: Vec<BootstrapRecord> = seen
                .iter()
                .enumerate()
                .map(|(index, ((_, id), (row, stamp)))| {
                    for facet in table.facet_ids().filter(|facet| bits & (1 << facet.0) != 0) {
                        let document = DocumentId { table: table.id, record: *id, facet };
                        let known = &self.docs[&document];
                        let withdrawn = self.withdrawn.contains(&document);
                        if known.live || known.epoch > 1 || withdrawn {
                            facets.push(RecordFacet {
                                index: index as u16,
                                facet,
                                epoch: known.epoch,
                                live: live(known).filter(|_| !withdrawn),
                                withdrawn: withdrawn.then_some(true),
                            });
                        }
                    }
                    BootstrapRecord { id: *id, row: self.masked(*id, row, audience), stamp: *stamp }
                })
                .collect();
            done += take.len() as u64;
            let next = Some(Position { section: at as u16, after: take.last().map(|((_, id), _)| *id) });
            return RowsPage {
                table: table.id,
                next,
                done,
                reference_seq: None,
                facets: bits,
                body: RowsPage::pack_records(table, &records, &facets),
            };
        }
        let body = RowsPage::pack_records(sections[0], &[], &Vec::new());
        RowsPage { table: sections[0].id, next: None, done, reference_seq: Some(1), facets: 0, body }
    }

    fn snapshot(&self, seq: i64, document: DocumentId, audience: Audience) -> Entry {
        let (row, stamp) = &self.rows[&(document.table.0, document.record)];
        let known = &self.docs[&document];
        let mut bytes = Vec::new();
        self.masked(document.record, row, audience)
            .encode_to(&mut minicbor::Encoder::new(&mut bytes))
            .unwrap();
        Entry::Snapshot {
            seq,
            document,
            epoch: known.epoch,
            stamp: *stamp,
            row: bytes.into(),
            live: live(known),
        }
    }

    /// A page of at most `max` entries after a cursor.
    pub fn page(&self, device: DeviceId, audience: Audience, from: i64, max: usize) -> Page {
        let mut entries = Vec::new();
        let to = self.head().min(from + max as i64);
        for (at, fed) in self.feed.iter().enumerate().take(to as usize).skip(from as usize) {
            let seq = at as i64 + 1;
            match fed {
                Fed::Withdraw(document) => entries.push(Entry::Withdraw { seq, document: *document }),
                Fed::Change { document, .. } | Fed::Snapshot(document)
                    if !self.visible(document, audience) => {}
                Fed::Snapshot(document) => entries.push(self.snapshot(seq, *document, audience)),
                Fed::Change { device: by, edit, document, merged_at, .. } if *by == device => {
                    entries.push(Entry::Own {
                        seq,
                        edit: *edit,
                        document: *document,
                        merged_at: ServerInstant(*merged_at),
                    })
                }
                Fed::Change { document, epoch, merged_at, change, .. } => entries.push(Entry::Change {
                    seq,
                    document: *document,
                    epoch: *epoch,
                    merged_at: ServerInstant(*merged_at),
                    change: change.clone().into(),
                }),
                Fed::Row(table, id) => {
                    let (row, stamp) = &self.rows[&(table.id.0, *id)];
                    let mut bytes = Vec::new();
                    row.encode_to(&mut minicbor::Encoder::new(&mut bytes)).unwrap();
                    entries.push(Entry::Row {
                        seq,
                        table: table.id,
                        record: *id,
                        stamp: *stamp,
                        row: ByteVec::from(bytes),
                    });
                }
            }
        }
        Page::new(from, to, (to == self.head()).then(|| self.digest(audience)), &entries)
    }

    pub fn repair(&self, buckets: &Buckets, audience: Audience) -> Repair {
        let mut mine = vec![Digest::default(); BUCKETS];
        for document in self.docs.keys().filter(|document| self.visible(document, audience)) {
            mine[bucket(document) as usize].add(self.term(document));
        }
        let differ: Vec<u8> =
            (0..BUCKETS).filter(|at| mine[*at] != buckets.sums[*at]).map(|at| at as u8).collect();
        let entries = self
            .docs
            .keys()
            .filter(|document| differ.contains(&bucket(document)) && self.visible(document, audience))
            .map(|document| self.snapshot(self.head(), *document, audience))
            .collect();
        Repair::new(self.head(), differ, &entries)
    }

    /// Merges a push.
    pub fn push(&mut self, edits: &[SignedEdit], public_key: &[u8]) -> Fates {
        self.pushes += 1;
        Fates { fates: edits.iter().map(|signed| self.one(signed, public_key)).collect() }
    }

    fn one(&mut self, signed: &SignedEdit, public_key: &[u8]) -> EditFate {
        let envelope = decode_envelope(&signed.envelope).expect("an envelope");
        ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, public_key)
            .verify(&signing_bytes(self.clinic, &envelope), &signed.signature)
            .expect("a valid signature");
        let edit = envelope.edit;
        let same =
            self.envelopes.insert(edit, signed.envelope.to_vec()).is_some_and(|old| old == *signed.envelope);
        let answered = |fate: &&Fate| same || matches!(fate, Fate::Accepted { .. });
        if let Some(known) = self.fates.get(&edit).filter(answered) {
            self.duplicates += 1;
            let fate = match known {
                Fate::Accepted { seq, merged_at } => Fate::Duplicate { seq: *seq, merged_at: *merged_at },
                other => other.clone(),
            };
            return EditFate { edit: Some(edit), fate };
        }
        let fate = (self.policy)(&envelope).unwrap_or_else(|| self.merge(&envelope));
        let changes =
            envelope.changes.iter().map(|change| ParsedChange::parse(&change.change).expect("a change"));
        if fate.set_aside().is_some() {
            self.set_aside_hashes.extend(changes.map(|change| change.hash()));
        }
        if !matches!(fate, Fate::Rebase { .. } | Fate::Held { .. }) {
            self.fates.insert(edit, fate.clone());
        }
        EditFate { edit: Some(edit), fate }
    }

    fn merge(&mut self, envelope: &Envelope) -> Fate {
        let mut ready: Vec<(DocumentId, ServerDoc, ParsedChange)> = Vec::new();
        for change in &envelope.changes {
            let table = table_by_id(change.document.table).expect("a table");
            let (mut doc, epoch, clamps) = match self.docs.get(&change.document) {
                Some(known) => (known.doc.clone(), known.epoch, known.clamps.clone()),
                None => {
                    (Document::genesis(change.document, 1, &Row::empty(table)).unwrap(), 1, Clamps::new())
                }
            };
            if change.epoch != epoch {
                return Fate::Rebase { document: change.document, epoch };
            }
            let parsed = ParsedChange::parse(&change.change).unwrap();
            match doc.apply(&parsed) {
                Ok(()) => {}
                Err(DocumentError::MissingDependency) => {
                    let aside = parsed.deps().iter().any(|hash| self.set_aside_hashes.contains(&hash.0));
                    return if aside {
                        Fate::Refused { code: Code::DependsOnSetAside }
                    } else {
                        Fate::Held { missing: change.document }
                    };
                }
                Err(error) => panic!("{error}"),
            }
            let known = ServerDoc { epoch, doc, live: true, clamps };
            ready.push((change.document, known, parsed));
        }
        self.now += 1_000;
        let merged_at = self.now;
        for (document, mut known, parsed) in ready {
            if parsed.header().capture.at.0 > merged_at {
                known.clamps.insert(parsed.hash(), ServerInstant(merged_at));
            }
            self.feed.push(Fed::Change {
                device: envelope.device,
                edit: envelope.edit,
                document,
                epoch: known.epoch,
                merged_at,
                change: parsed.bytes().to_vec(),
            });
            let stamp = self.stamp(Some(envelope.author), Some(envelope.captured_at));
            let table = document.table().unwrap();
            let entry = self.rows.entry((table.id.0, document.record)).or_insert_with(|| {
                let mut row = Row::empty(table);
                row.set_derived_defaults();
                (row, stamp)
            });
            known.doc.clone().project(&known.clamps, &mut entry.0).unwrap();
            entry.0.touch(envelope.captured_at);
            entry.1 = stamp;
            self.docs.insert(document, known);
            for facet in table.facet_ids() {
                let id = DocumentId { facet, ..document };
                self.docs.entry(id).or_insert_with(|| ServerDoc {
                    epoch: 1,
                    doc: Document::genesis(id, 1, &Row::empty(table)).unwrap(),
                    live: false,
                    clamps: Clamps::new(),
                });
            }
        }
        Fate::Accepted { seq: self.head(), merged_at }
    }

    /// Flattens a document into its next epoch.
    pub fn flatten(&mut self, document: DocumentId) {
        let row = self.rows[&(document.table.0, document.record)].0.clone();
        let epoch = self.docs[&document].epoch + 1;
        let doc = Document::genesis(document, epoch, &row).unwrap();
        self.docs.insert(document, ServerDoc { epoch, doc, live: false, clamps: Clamps::new() });
        self.feed.push(Fed::Snapshot(document));
    }

    /// Changes a field the server owns.
    pub fn derive(&mut self, name: &str, id: RecordId, field: &str, value: neonpro_contract::value::Value) {
        let table = table(name).unwrap();
        if table.lifecycle == Lifecycle::Server && !self.rows.contains_key(&(table.id.0, id)) {
            let stamp = self.stamp(None, None);
            self.rows.insert((table.id.0, id), (Row::empty(table), stamp));
        }
        self.rows.get_mut(&(table.id.0, id)).unwrap().0.set(field, value);
        self.feed.push(Fed::Row(table, id));
        let stamp = self.stamp(None, None);
        self.rows.get_mut(&(table.id.0, id)).unwrap().1 = stamp;
    }

    /// Keeps receipts.
    pub fn keep(&mut self, receipts: &[Receipt]) -> Received {
        self.receipts.extend(receipts);
        Received { seqs: receipts.iter().map(|receipt| receipt.seq).collect() }
    }

    /// Withdraws a document from everybody.
    pub fn withdraw(&mut self, document: DocumentId) {
        self.withdrawn.insert(document);
        self.feed.push(Fed::Withdraw(document));
    }

    /// Gives it back.
    pub fn grant(&mut self, document: DocumentId) {
        self.withdrawn.remove(&document);
        self.feed.push(Fed::Snapshot(document));
    }

    /// The canonical values of a record.
    pub fn row(&self, name: &str, id: RecordId) -> Row {
        self.rows[&(table(name).unwrap().id.0, id)].0.clone()
    }

    pub fn document(name: &str, record: RecordId, facet: u8) -> DocumentId {
        DocumentId { table: table(name).unwrap().id, record, facet: FacetId(facet) }
    }
}

fn live(known: &ServerDoc) -> Option<LiveDocument> {
    known.live.then(|| LiveDocument {
        saved: known.doc.clone().save().into(),
        clamps: known.clamps.iter().map(|(hash, at)| ((*hash).into(), *at)).collect(),
    })
}

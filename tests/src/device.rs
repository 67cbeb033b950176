//! A tablet reduced to its key and its documents: it signs whatever a test wants, also what no honest tablet would.

use neonpro_contract::catalogue::{CATALOGUE_VERSION, FacetId, table};
use neonpro_contract::document::{Actor, Document, EditError, Header, ParsedChange};
use neonpro_contract::edit::{DocumentChange, DocumentId, Envelope, FieldOp, SignedEdit, signing_bytes};
use neonpro_contract::ids::{AuthorId, ClinicId, DeviceId, EditId, RecordId};
use neonpro_contract::row::Row;
use neonpro_contract::time::{Capture, DeviceInstant};
use neonpro_server::clock;
use neonpro_server::merge::Incoming;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value as Json, json};
use std::collections::HashMap;
use uuid::Uuid;

/// A bare device.
pub struct Device {
    pub id: DeviceId,
    pub clinic: ClinicId,
    pub generation: u32,
    pub captured_at: Option<i64>,
    pub seen_seq: i64,
    /// The id of the next edits, instead of a fresh one.
    pub edit_id: Option<EditId>,
    key: Ed25519KeyPair,
    documents: HashMap<DocumentId, Document>,
    epochs: HashMap<DocumentId, u32>,
}

/// `Put` of one field.
#[must_use]
pub fn put(field: &str, value: Json) -> FieldOp {
    FieldOp::Put { field: field.to_owned(), value }
}

/// `Add` of one member.
#[must_use]
pub fn add(field: &str, member: &str) -> FieldOp {
    FieldOp::Add { field: field.to_owned(), member: member.to_owned() }
}

/// A document by names.
#[must_use]
pub fn document(table_name: &str, record: Uuid, facet: u8) -> DocumentId {
    DocumentId { table: table(table_name).unwrap().id, record: RecordId(record), facet: FacetId(facet) }
}

impl Device {
    #[must_use]
    pub fn new(clinic: ClinicId) -> Self {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&ring::rand::SystemRandom::new()).unwrap();
        let key = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap();
        let id = DeviceId(clock::fresh_id(clock::now()));
        Self {
            id,
            clinic,
            generation: 1,
            captured_at: None,
            seen_seq: 0,
            edit_id: None,
            key,
            documents: HashMap::new(),
            epochs: HashMap::new(),
        }
    }

    #[must_use]
    pub fn public_key(&self) -> Vec<u8> {
        self.key.public_key().as_ref().to_vec()
    }

    #[must_use]
    pub fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        self.key.sign(bytes).as_ref().to_vec()
    }

    /// Takes a document as the clinic's row has it.
    pub fn open(&mut self, id: DocumentId, row: &Row) {
        self.open_at(id, 1, row);
    }

    /// Takes a document as it was flattened into the clinic's row.
    pub fn open_at(&mut self, id: DocumentId, epoch: u32, row: &Row) {
        self.documents.insert(id, Document::genesis(id, epoch, row).unwrap());
        self.epochs.insert(id, epoch);
    }

    /// A document as it is here.
    #[must_use]
    pub fn copy_of(&self, id: DocumentId) -> Document {
        self.documents[&id].clone()
    }

    /// Takes a document as another tablet has it.
    pub fn hold(&mut self, id: DocumentId, document: Document) {
        self.documents.insert(id, document);
    }

    /// Takes somebody else's change.
    pub fn receive(&mut self, incoming: &Incoming) {
        let envelope: Envelope = minicbor::decode(&incoming.signed.envelope).unwrap();
        for change in envelope.changes {
            let document = self.documents.get_mut(&change.document).unwrap();
            document.apply(&ParsedChange::parse(&change.change).unwrap()).unwrap();
        }
    }

    /// An edit of documents this device has, or creates.
    pub fn edit(&mut self, author: AuthorId, work: &[(DocumentId, bool, Vec<FieldOp>)]) -> Incoming {
        let envelope = self.envelope(author, work);
        self.incoming(&envelope)
    }

    /// An edit, or nothing when the tablet itself refuses it.
    pub fn try_edit(
        &mut self,
        author: AuthorId,
        work: &[(DocumentId, bool, Vec<FieldOp>)],
    ) -> Option<Incoming> {
        self.try_envelope(author, work).ok().map(|envelope| self.incoming(&envelope))
    }

    /// The envelope of an edit, for tests that tamper with it.
    pub fn envelope(&mut self, author: AuthorId, work: &[(DocumentId, bool, Vec<FieldOp>)]) -> Envelope {
        self.try_envelope(author, work).unwrap()
    }

    fn try_envelope(
        &mut self,
        author: AuthorId,
        work: &[(DocumentId, bool, Vec<FieldOp>)],
    ) -> Result<Envelope, EditError> {
        let now = clock::now();
        let edit = self.edit_id.unwrap_or_else(|| EditId(clock::fresh_id(now)));
        let captured_at = DeviceInstant(self.captured_at.unwrap_or(now.0));
        let header = Header {
            edit,
            author,
            capture: Capture { at: captured_at, uncertainty_ms: 0 },
            seen_seq: self.seen_seq,
        };
        let (actor, epochs) = (Actor::of(self.id, self.generation), &self.epochs);
        let changes =
            work.iter()
                .map(|(id, create, ops)| {
                    let document = self.documents.entry(*id).or_insert_with(|| {
                        Document::genesis(*id, 1, &Row::empty(id.table().unwrap())).unwrap()
                    });
                    let (bytes, _) = document.edit(actor, &header, *create, ops)?;
                    let epoch = epochs.get(id).copied().unwrap_or(1);
                    Ok(DocumentChange { document: *id, epoch, change: bytes.into() })
                })
                .collect::<Result<_, EditError>>()?;
        Ok(Envelope {
            edit,
            device: self.id,
            author,
            captured_at,
            uncertainty_ms: 0,
            catalogue: CATALOGUE_VERSION,
            seen_seq: self.seen_seq,
            changes,
        })
    }

    /// Signs an envelope for this device's clinic.
    #[must_use]
    pub fn incoming(&self, envelope: &Envelope) -> Incoming {
        let bytes = minicbor::to_vec(envelope).unwrap();
        let signature = self.sign(&signing_bytes(self.clinic, envelope));
        Incoming {
            device: self.id,
            public_key: self.public_key().into(),
            signed: SignedEdit { envelope: bytes.into(), signature: signature.into() },
        }
    }

    /// A new patient.
    pub fn new_patient(&mut self, author: AuthorId, record: Uuid, cpf: Option<&str>) -> Incoming {
        let mut ops = vec![put("name", json!("Paciente Nova")), put("is_active", json!(true))];
        ops.extend(cpf.map(|cpf| put("cpf", json!(cpf))));
        self.edit(author, &[(document("patients", record, 0), true, ops)])
    }

    /// A grant or withdrawal of a consent.
    pub fn consent(
        &mut self,
        author: AuthorId,
        patient: Uuid,
        kind: &str,
        given: bool,
        seen_withdrawals: &[Uuid],
    ) -> (Uuid, Incoming) {
        self.consent_until(author, patient, (kind, given), None, seen_withdrawals)
    }

    /// The same, with an end (µs).
    pub fn consent_until(
        &mut self,
        author: AuthorId,
        patient: Uuid,
        (kind, given): (&str, bool),
        until: Option<i64>,
        seen_withdrawals: &[Uuid],
    ) -> (Uuid, Incoming) {
        let record = clock::fresh_id(clock::now());
        let at = neonpro_contract::value::instant_text(self.captured_at.unwrap_or(clock::now().0));
        let mut ops = vec![
            put("patient_id", json!(patient)),
            put("consent_type", json!(kind)),
            put("consent_given", json!(given)),
        ];
        ops.push(if given { put("consent_date", json!(at)) } else { put("withdrawn_at", json!(at)) });
        ops.extend(until.map(|at| put("expiry_date", json!(neonpro_contract::value::instant_text(at)))));
        ops.extend(seen_withdrawals.iter().map(|id| add("seen_withdrawals", &id.to_string())));
        (record, self.edit(author, &[(document("data_consent_records", record, 0), true, ops)]))
    }

    /// A session of a plan.
    pub fn session(&mut self, author: AuthorId, plan: Uuid, record: Uuid) -> Incoming {
        let ops = vec![put("treatment_plan_id", json!(plan)), put("session_number", json!(1))];
        self.edit(author, &[(document("treatment_sessions", record, 0), true, ops)])
    }

    /// A photograph of a patient.
    pub fn photo(&mut self, author: AuthorId, patient: Uuid, record: Uuid, title: &str) -> Incoming {
        let ops = vec![
            put("patient_id", json!(patient)),
            put("document_type", json!("photo")),
            put("title", json!(title)),
            put("file_url", json!("blob:0")),
        ];
        self.edit(author, &[(document("patient_documents", record, 0), true, ops)])
    }

    /// A treatment plan.
    pub fn plan(&mut self, author: AuthorId, patient: Uuid, record: Uuid) -> Incoming {
        let ops = vec![
            put("patient_id", json!(patient)),
            put("professional_id", json!(author)),
            put("title", json!("Plano")),
            put("status", json!("active")),
        ];
        self.edit(author, &[(document("treatment_plans", record, 0), true, ops)])
    }
}

//! Signed edits: the signature, the envelope's form, and the changes in it, as the server's intake takes them.

use crate::sample::{TABLET, document, edit, header, patient, put, text, visit};
use crate::{Door, Random, Raw, reshape};
use neonpro_contract::catalogue::CATALOGUE_VERSION;
use neonpro_contract::document::{Actor, Document, ParsedChange};
use neonpro_contract::edit::{DocumentChange, Envelope, SignedEdit, decode_envelope, signing_bytes};
use neonpro_contract::ids::{ClinicId, DeviceId};
use neonpro_contract::limits::{CHANGE_BYTES_MAX, EDIT_DOCUMENTS_MAX, ENVELOPE_BYTES_MAX};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::OnceLock;
use uuid::Uuid;

pub const DOOR: Door = Door { name: "envelope", seeds, run, reshape: mutate };

const CLINIC: ClinicId = ClinicId(Uuid::from_u128(5));

/// The same key every time: the seeds are the same bytes on every machine.
fn key() -> &'static Ed25519KeyPair {
    static KEY: OnceLock<Ed25519KeyPair> = OnceLock::new();
    KEY.get_or_init(|| Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap())
}

fn signed(envelope: &[u8]) -> SignedEdit {
    // Nobody signs what is no envelope; a stranger may send it with any signature.
    let message = decode_envelope(envelope).map_or_else(|| envelope.to_vec(), |e| signing_bytes(CLINIC, &e));
    let signature = key().sign(&message).as_ref().to_vec();
    SignedEdit { envelope: envelope.to_vec().into(), signature: signature.into() }
}

/// Envelopes the tablet really signed.
fn honest() -> &'static BTreeSet<Vec<u8>> {
    static HONEST: OnceLock<BTreeSet<Vec<u8>>> = OnceLock::new();
    HONEST.get_or_init(|| envelopes().into_iter().map(|(_, envelope)| envelope).collect())
}

/// Only what the tablet signed verifies; what reads as an envelope is within its limits, is written and read again the
/// same.
fn run(input: &[u8]) {
    let Ok(edit) = minicbor::decode::<SignedEdit>(input) else { return };
    let Some(envelope) = decode_envelope(&edit.envelope) else { return };
    let verifies = UnparsedPublicKey::new(&ED25519, key().public_key().as_ref())
        .verify(&signing_bytes(CLINIC, &envelope), &edit.signature)
        .is_ok();
    assert!(!verifies || honest().contains(&*edit.envelope), "verified, and the tablet never signed it");
    assert!(edit.envelope.len() <= ENVELOPE_BYTES_MAX && envelope.changes.len() <= EDIT_DOCUMENTS_MAX);
    for change in &envelope.changes {
        assert!(change.change.len() <= CHANGE_BYTES_MAX);
        let Ok(parsed) = ParsedChange::parse(&change.change) else { continue };
        let _ = (Actor::belongs_to(parsed.actor(), envelope.device), parsed.root_ids());
        assert_eq!(parsed.bytes(), &**change.change);
    }
    let written = minicbor::to_vec(&envelope).unwrap();
    assert_eq!(decode_envelope(&written), Some(envelope));
}

/// The outer bytes, the signature, the envelope's, or a change or number in it. Never signed again: what verifies then
/// was forged.
fn mutate(input: &[u8], random: &mut Random, raw: Raw<'_>) -> Vec<u8> {
    let Ok(mut edit) = minicbor::decode::<SignedEdit>(input) else {
        let mut bytes = input.to_vec();
        raw(&mut bytes);
        return bytes;
    };
    let decoded = decode_envelope(&edit.envelope);
    match (random.below(8), decoded) {
        (0, _) => {
            let mut bytes = input.to_vec();
            raw(&mut bytes);
            return bytes;
        }
        (1, _) => raw(&mut edit.signature),
        (2..=5, Some(mut envelope)) if !envelope.changes.is_empty() => {
            let donors: Vec<Vec<u8>> = changes().iter().map(|change| change.change.to_vec()).collect();
            let at = random.below(envelope.changes.len());
            match random.below(6) {
                0 => envelope.changes.push(random.one(changes())),
                1 => drop(envelope.changes.remove(at)),
                2 => envelope.captured_at.0 = random.number().cast_signed(),
                3 => envelope.changes[at].epoch = random.number() as u32,
                _ => {
                    let change = reshape::chunk(&envelope.changes[at].change, &donors, random, raw);
                    envelope.changes[at].change = change.into();
                }
            }
            edit.envelope = minicbor::to_vec(&envelope).unwrap().into();
        }
        _ => raw(&mut edit.envelope),
    }
    minicbor::to_vec(&edit).unwrap()
}

fn changes() -> &'static [DocumentChange] {
    static CHANGES: OnceLock<Vec<DocumentChange>> = OnceLock::new();
    CHANGES.get_or_init(make_changes)
}

fn make_changes() -> Vec<DocumentChange> {
    let change = |id, row, ops: &[_]| {
        let mut opened = Document::genesis(id, 1, &row).unwrap();
        DocumentChange { document: id, epoch: 1, change: edit(&mut opened, TABLET, ops).into() }
    };
    vec![
        change(document("patients", 0), patient(false), &[put("phone", json!("11"))]),
        change(document("patients", 1), patient(true), &[text("notes", "pele oleosa")]),
        change(document("appointments", 0), visit(), &[put("status", json!("confirmed"))]),
    ]
}

fn envelopes() -> Vec<(&'static str, Vec<u8>)> {
    let envelope = |changes: Vec<DocumentChange>| {
        let header = header();
        minicbor::to_vec(Envelope {
            edit: header.edit,
            device: DeviceId(Uuid::from_u128(TABLET)),
            author: header.author,
            captured_at: header.capture.at,
            uncertainty_ms: header.capture.uncertainty_ms,
            catalogue: CATALOGUE_VERSION,
            seen_seq: header.seen_seq,
            changes,
        })
        .unwrap()
    };
    let names = ["identity", "health", "visit"];
    let mut all: Vec<_> = names
        .into_iter()
        .zip(changes())
        .map(|(name, change)| (name, envelope(vec![change.clone()])))
        .collect();
    all.push(("all-of-them", envelope(changes().to_vec())));
    all.push(("nothing", envelope(Vec::new())));
    let many = changes().iter().cloned().cycle().take(EDIT_DOCUMENTS_MAX + 1).collect();
    all.push(("one-too-many", envelope(many)));
    all
}

fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    envelopes()
        .into_iter()
        .map(|(name, envelope)| (name, minicbor::to_vec(signed(&envelope)).unwrap()))
        .collect()
}

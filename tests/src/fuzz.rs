//! What fuzzing runs: the doors through which bytes from outside come, honest seeds for each, and a mutator.
//!
//! Everything is a function of its input: a failing case is its seed and number.

use crate::device::{add, put};
use crate::poison::with_header;
use neonpro_contract::catalogue::{FacetId, table};
use neonpro_contract::digest::Digest;
use neonpro_contract::document::{Actor, Document, Header, ParsedChange};
use neonpro_contract::edit::{DocumentChange, DocumentId, Envelope, FieldOp, SignedEdit, decode_envelope};
use neonpro_contract::ids::{AuthorId, DeviceId, EditId, RecordId};
use neonpro_contract::row::Row;
use neonpro_contract::time::{Capture, DeviceInstant, ServerInstant};
use neonpro_contract::validate::br;
use neonpro_contract::value::Value;
use neonpro_contract::wire::{Ack, Buckets, Bye, ByeCode, Entry, Frame, Page, Push, Repair};
use neonpro_server::admission::{Base, Scratch, Step, Verdict};
use rand_of::Random;
use serde_json::json;
use uuid::Uuid;

/// A door: its name, its honest seeds, and what is done with bytes at it. Panics where a promise is broken.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    pub name: &'static str,
    pub seeds: fn() -> Vec<Vec<u8>>,
    pub run: fn(&[u8]),
}

/// Every door.
pub const TARGETS: [Target; 4] = [
    Target { name: "envelope", seeds: envelopes, run: envelope },
    Target { name: "frames", seeds: frames, run: frame },
    Target { name: "admission", seeds: changes, run: admission },
    Target { name: "identifiers", seeds: identifiers, run: identifier },
];

mod rand_of {
    /// A small deterministic generator (splitmix64).
    #[derive(Debug, Clone)]
    pub struct Random(pub u64);

    impl Random {
        pub fn next(&mut self) -> u64 {
            self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut mixed = self.0;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            mixed ^ (mixed >> 31)
        }

        pub fn below(&mut self, bound: usize) -> usize {
            (self.next() % bound.max(1) as u64) as usize
        }
    }
}

/// One mutated input: a seed with a few bytes flipped, set, cut, doubled or taken from another seed.
#[must_use]
pub fn mutated(seeds: &[Vec<u8>], case: u64) -> Vec<u8> {
    const EDGES: [u8; 8] = [0, 1, 0x7f, 0x80, 0xff, 0x7e, 0xfe, 0x40];
    let mut random = Random(case);
    let mut input = seeds[random.below(seeds.len())].clone();
    for _ in 0..=random.below(4) {
        let at = random.below(input.len());
        match random.below(7) {
            0 | 1 if !input.is_empty() => input[at] ^= 1 << random.below(8),
            2 if !input.is_empty() => input[at] = EDGES[random.below(EDGES.len())],
            3 => input.insert(at.min(input.len()), EDGES[random.below(EDGES.len())]),
            4 => input.truncate(at),
            5 => {
                let end = (at + random.below(16)).min(input.len());
                let piece = input[at.min(end)..end].to_vec();
                input.splice(at..at, piece);
            }
            6 => {
                let other = &seeds[random.below(seeds.len())];
                let (from, length) = (random.below(other.len()), random.below(24));
                let piece = other[from..(from + length).min(other.len())].to_vec();
                let end = (at + piece.len()).min(input.len());
                input.splice(at..end, piece);
            }
            _ => {}
        }
    }
    input
}

fn patient(facet: u8) -> DocumentId {
    let record = RecordId(Uuid::from_u128(0xabc));
    DocumentId { table: table("patients").unwrap().id, record, facet: FacetId(facet) }
}

fn row() -> Row {
    let mut row = Row::empty(table("patients").unwrap());
    row.set("name", Value::Text("Ana".into()));
    row.set("notes", Value::Text("pele seca".into()));
    row.set("allergies", Value::Texts(vec!["látex".into()]));
    row
}

fn change(facet: u8, ops: &[FieldOp]) -> Vec<u8> {
    let header = Header {
        edit: EditId(Uuid::from_u128(1)),
        author: AuthorId(Uuid::from_u128(2)),
        capture: Capture { at: DeviceInstant(1_700_000_000_000_000), uncertainty_ms: 5 },
        seen_seq: 9,
    };
    let mut document = Document::genesis(patient(facet), 1, &row()).unwrap();
    document.edit(Actor::of(DeviceId(Uuid::from_u128(7)), 1), &header, false, ops).unwrap().0
}

/// Honest changes, the facet in front.
fn changes() -> Vec<Vec<u8>> {
    let text = |value: &str| FieldOp::Text { field: "notes".into(), value: value.into() };
    let remove =
        FieldOp::Remove { field: "allergies".into(), member: "látex".into(), reason: "engano".into() };
    let merge = |patch| FieldOp::Merge { field: "medical_history".into(), patch };
    let all = [
        (0, change(0, &[put("phone", json!("11")), put("name", json!("Bia"))])),
        (0, change(0, &[put("date_of_birth", json!("1990-01-02")), put("is_active", json!(false))])),
        (1, change(1, &[text("pele muito seca"), add("allergies", "iodo")])),
        (1, change(1, &[remove, merge(json!({"a": {"b": [1, "x"]}, "c": null, "d": {}}))])),
        (1, change(1, &[text("")])),
    ];
    all.into_iter().map(|(facet, change)| [vec![facet], change].concat()).collect()
}

/// The body of a chunk, under the checksum that fits it.
fn with_checksum(chunk: &[u8]) -> Vec<u8> {
    let mut at = 9;
    while chunk.get(at).is_some_and(|byte| byte & 0x80 != 0) {
        at += 1;
    }
    with_header(1, chunk.get(at + 1..).unwrap_or_default())
}

/// The strict reader, and the worker's trial on what passes it. Whatever the change was, an honest one still fits the
/// document, or finds its actor's place taken.
fn admission(input: &[u8]) {
    let Some((facet, chunk)) = input.split_first() else { return };
    let facet = facet & 1;
    let step = |bytes: &[u8]| vec![Step { base: 0, change: bytes.to_vec().into() }];
    for bytes in [chunk.to_vec(), with_checksum(chunk)] {
        if ParsedChange::parse(&bytes).is_err() {
            continue;
        }
        let mut scratch = Scratch::new(vec![Base::of_row(patient(facet), 1, Some(&row()))]);
        let first = scratch.admit(&step(&bytes));
        let honest = match facet {
            0 => change(0, &[put("email", json!("a@x.br"))]),
            _ => change(1, &[add("allergies", "pólen")]),
        };
        assert_ne!(scratch.admit(&step(&honest)), Verdict::Harms, "behind {first:?}");
    }
}

fn envelopes() -> Vec<Vec<u8>> {
    let documents = changes().into_iter().map(|seed| DocumentChange {
        document: patient(seed[0]),
        epoch: 1,
        change: seed[1..].to_vec().into(),
    });
    let envelope = |changes| Envelope {
        edit: EditId(Uuid::from_u128(1)),
        device: DeviceId(Uuid::from_u128(7)),
        author: AuthorId(Uuid::from_u128(2)),
        captured_at: DeviceInstant(1_700_000_000_000_000),
        uncertainty_ms: 5,
        catalogue: 1,
        seen_seq: 9,
        changes,
    };
    let mut all: Vec<Vec<u8>> =
        documents.clone().map(|change| minicbor::to_vec(envelope(vec![change])).unwrap()).collect();
    all.push(minicbor::to_vec(envelope(documents.collect())).unwrap());
    all
}

/// What reads as an envelope is written and read again the same.
fn envelope(input: &[u8]) {
    let Some(envelope) = decode_envelope(input) else { return };
    for change in &envelope.changes {
        let _ = ParsedChange::parse(&change.change);
        let _ = ParsedChange::parse(&with_checksum(&change.change));
    }
    let written = minicbor::to_vec(&envelope).unwrap();
    assert_eq!(decode_envelope(&written), Some(envelope));
}

fn frames() -> Vec<Vec<u8>> {
    let document = patient(0);
    let entries = vec![
        Entry::Change {
            seq: 1,
            document,
            epoch: 1,
            merged_at: ServerInstant(5),
            change: changes()[0][1..].to_vec().into(),
        },
        Entry::Own { seq: 2, edit: EditId(Uuid::from_u128(1)), document, merged_at: ServerInstant(5) },
        Entry::Withdraw { seq: 3, document },
    ];
    let signed = SignedEdit { envelope: envelopes()[0].clone().into(), signature: vec![7; 64].into() };
    let frames = [
        Frame::Push(Push { edits: vec![signed] }),
        Frame::Page(Page::new(0, 3, Some(Digest(9)), &entries)),
        Frame::Repair(Repair::new(3, vec![1, 2], &entries)),
        Frame::Ack(Ack { cursor: 4, credit: 1_000 }),
        Frame::Buckets(Buckets { cursor: 4, sums: vec![Digest(1); 4] }),
        Frame::Bye(Bye { code: ByeCode::Busy, retry_after_ms: 5 }),
    ];
    frames.iter().map(Frame::encode).collect()
}

/// What reads as a frame is written and read again the same; its body unpacks within the limits or not at all.
fn frame(input: &[u8]) {
    let Ok(frame) = Frame::decode(input) else { return };
    match &frame {
        Frame::Page(page) => drop(page.entries()),
        Frame::Repair(repair) => drop(repair.entries()),
        Frame::Rows(rows) => drop(rows.records()),
        _ => {}
    }
    assert_eq!(Frame::decode(&frame.encode()), Ok(frame));
}

fn identifiers() -> Vec<Vec<u8>> {
    let pix = br::pix::PixKey::parse("ana@exemplo.com.br")
        .and_then(|key| br::pix::StaticPix::new(key, "Ana", "Recife"))
        .map(|pix| pix.payload());
    let mut all: Vec<Vec<u8>> = [
        "529.982.247-25",
        "11.222.333/0001-81",
        "12ABC34501DE35",
        "700000000000000",
        "123e4567-e89b-42d3-a456-426614174000",
        "+5511912345678",
        "40304361",
        "80102519001",
        "CRM/SP 123456",
        "2026-02-28",
        "-1234.50",
        "A\u{301}na\r\n\0",
    ]
    .iter()
    .map(|text| text.as_bytes().to_vec())
    .collect();
    all.push(pix.unwrap().into_bytes());
    all
}

/// Readers of what people type. What they take, they take again in the form they gave it.
fn identifier(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    if let Ok(cpf) = br::cpf::Cpf::parse(&text) {
        assert!(br::cpf::Cpf::parse(cpf.as_str()).is_ok_and(|again| again.as_str() == cpf.as_str()));
    }
    if let Ok(cnpj) = br::cnpj::Cnpj::parse(&text) {
        assert!(br::cnpj::Cnpj::parse(cnpj.as_str()).is_ok_and(|again| again.as_str() == cnpj.as_str()));
    }
    if let Ok(cns) = br::cns::Cns::parse(&text) {
        assert!(br::cns::Cns::parse(cns.as_str()).is_ok_and(|again| again.as_str() == cns.as_str()));
    }
    if let Ok(key) = br::pix::PixKey::parse(&text) {
        assert!(br::pix::PixKey::parse(key.as_str()).is_ok());
    }
    let _ = br::pix::parse(&text);
    let _ = br::tuss::TussCheck::of(&text).warning_code();
    let _ = br::anvisa::AnvisaKind::of(&text).warning_code();
    let parts: Vec<&str> = text.splitn(4, ' ').collect();
    if let [council, region, number, ..] = parts[..] {
        let _ = br::council::CouncilRegistration::new(council, region, number, parts.get(3).copied());
    }
    for kind in [br::text::TextKind::Line, br::text::TextKind::Long] {
        if let Ok(stored) = br::text::normalise(&text, kind, 800) {
            assert_eq!(br::text::normalise(&stored, kind, 800).as_deref(), Ok(stored.as_str()));
        }
    }
    if let Ok(date) = br::date::parse(&text) {
        assert_eq!(br::date::parse(&date.to_string()), Ok(date));
    }
    let _ = br::decimal::Numeric::new(10, 2).parse(&text);
}

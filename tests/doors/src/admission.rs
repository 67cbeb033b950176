//! Changes: the strict reader, and the worker's trial on what passes it.
//!
//! An input is the number of a document and changes to it, each behind its length (two bytes, little end first).

use crate::poison::{Chunk, body, hash, with_header};
use crate::sample::{HONEST, TABLET, add, document, edit, forked, merge, patient, put, remove, text, visit};
use crate::trial::{Base, Scratch, Step, Verdict};
use crate::{Door, Random, Raw, reshape};
use neonpro_contract::document::{Clamps, Document, ParsedChange};
use neonpro_contract::edit::{DocumentId, FieldOp};
use neonpro_contract::limits::DOCUMENT_BYTES_MAX;
use neonpro_contract::row::Row;
use serde_json::json;
use std::sync::OnceLock;

pub const DOOR: Door = Door { name: "admission", seeds, run, reshape: mutate };

/// Changes of one input that are tried; the rest is left.
const CHANGES_MAX: usize = 4;

/// A document as it stands before the changes, and what an honest tablet writes into it afterwards.
struct Start {
    id: DocumentId,
    document: Document,
    base: Base,
    row: Row,
    honest: FieldOp,
    /// The honest change on the document as it stands.
    change: Vec<u8>,
}

fn starts() -> &'static [Start] {
    static STARTS: OnceLock<Vec<Start>> = OnceLock::new();
    STARTS.get_or_init(|| {
        let (identity, health, booking) =
            (document("patients", 0), document("patients", 1), document("appointments", 0));
        let genesis = |id, row: Row, honest| {
            let document = Document::genesis(id, 1, &row).unwrap();
            let change = edit(&mut document.clone(), HONEST, std::slice::from_ref(&honest));
            Start { id, document, base: Base::of_row(id, 1, Some(&row)), row, honest, change }
        };
        let history = |id, row: Row, ops: [&[FieldOp]; 2], honest| {
            let mut document = forked(id, &row, ops);
            let base = Base { document: id, epoch: 1, saved: Some(document.save().into()), row: None };
            let change = edit(&mut document.clone(), HONEST, std::slice::from_ref(&honest));
            Start { id, document, base, row, honest, change }
        };
        vec![
            // Kept as its changes, without Automerge: registers; sets and leaves.
            genesis(identity, patient(false), put("email", json!("honesta@x.br"))),
            genesis(health, patient(false), add("allergies", "pólen")),
            // Kept by Automerge: a long text.
            genesis(health, patient(true), text("notes", "pele seca, sensível ao sol e ao frio")),
            genesis(booking, visit(), put("price", json!("150.00"))),
            // Two values of one field; two texts grown into one.
            history(
                identity,
                patient(false),
                [&[put("phone", json!("1"))], &[put("phone", json!("2"))]],
                put("email", json!("honesta@x.br")),
            ),
            history(
                health,
                patient(true),
                [
                    &[text("notes", "pele muito seca"), add("allergies", "sol")],
                    &[text("notes", "sem queixas")],
                ],
                add("allergies", "pólen"),
            ),
        ]
    })
}

/// The document's number, and the changes.
fn parse(input: &[u8]) -> Option<(usize, Vec<Vec<u8>>)> {
    let (start, mut rest) = input.split_first()?;
    let mut changes = Vec::new();
    while let [low, high, tail @ ..] = rest {
        let length = usize::from(u16::from_le_bytes([*low, *high])).min(tail.len());
        let (change, after) = tail.split_at(length);
        changes.push(change.to_vec());
        rest = after;
    }
    Some((usize::from(*start) % starts().len(), changes))
}

fn write(start: usize, changes: &[Vec<u8>]) -> Vec<u8> {
    let mut input = vec![u8::try_from(start).unwrap()];
    for change in changes {
        let length = u16::try_from(change.len()).unwrap_or(u16::MAX);
        input.extend(length.to_le_bytes());
        input.extend(&change[..usize::from(length)]);
    }
    input
}

/// What is admitted is what the server may then merge: it merges, is saved, read back the same, and leaves a document
/// that takes an honest tablet's next change.
fn run(input: &[u8]) {
    let Some((start, changes)) = parse(input) else { return };
    let start = &starts()[start];
    let readable = changes.iter().take(CHANGES_MAX).filter_map(|bytes| ParsedChange::parse(bytes).ok());
    let changes: Vec<ParsedChange> = readable.collect();
    if changes.is_empty() {
        return;
    }
    let mut scratch = Scratch::new(vec![start.base.clone()]);
    let (mut server, mut merged) = (start.document.clone(), false);
    for change in &changes {
        // Read back by the server where an edit waited.
        let _ = change.operations(&start.id, &start.row);
        match scratch.admit(&step(change.bytes())) {
            Verdict::Fits(heads) => {
                assert!(
                    server.contains(&change.hash()) || server.apply(change).is_ok(),
                    "admitted, not merged"
                );
                merged = true;
                let heads: Vec<[u8; 32]> = heads.concat().iter().map(|hash| **hash).collect();
                assert_eq!(server.heads(), heads, "merged to other heads than in the worker");
            }
            Verdict::Unmerged => {
                let mut copy = server.clone();
                let applied = copy.apply(change).is_ok();
                assert!(!applied || !is_readable(&copy), "held unmergeable, and merges");
            }
            Verdict::Harms => {}
        }
    }
    // The honest tablet has what the server has.
    let honest = if merged {
        edit(&mut read_back(&mut server), HONEST, std::slice::from_ref(&start.honest))
    } else {
        start.change.clone()
    };
    let verdict = scratch.admit(&step(&honest));
    assert!(matches!(verdict, Verdict::Fits(_)), "an honest change does not fit any more: {verdict:?}");
}

fn step(change: &[u8]) -> Vec<Step> {
    vec![Step { base: 0, change: change.to_vec().into() }]
}

fn row_of(document: &Document) -> Option<Row> {
    let mut row = Row::empty(document.table());
    document.project(&Clamps::new(), &mut row).ok().map(|_| row)
}

fn is_readable(document: &Document) -> bool {
    document.check_fields().is_ok() && row_of(document).is_some()
}

fn read_back(document: &mut Document) -> Document {
    let saved = document.save();
    assert!(saved.len() <= DOCUMENT_BYTES_MAX);
    let mut again = Document::load(document.id(), &saved).expect("what was saved loads");
    assert_eq!(again.heads(), document.heads(), "other heads after loading");
    let row = row_of(document).expect("what was admitted is readable");
    assert!(row_of(&again) == Some(row), "other values after loading");
    again
}

/// One change of the input, with the hashes by which later ones name it, and their counting on from it, kept right.
fn mutate(input: &[u8], random: &mut Random, raw: Raw<'_>) -> Vec<u8> {
    let Some((mut start, mut changes)) = parse(input) else { return seeds()[0].1.clone() };
    let donors = donors();
    let at = random.below(changes.len());
    match random.below(24) {
        0 => start = random.below(starts().len()),
        1 if changes.len() < CHANGES_MAX => changes.push(random.one(donors)),
        2 if changes.len() > 1 => drop(changes.remove(at)),
        3 if changes.len() > 1 => changes.swap(0, at),
        _ if changes.is_empty() => changes.push(random.one(donors)),
        _ => {
            let before = changes[at].clone();
            changes[at] = reshape::chunk(&before, donors, random, raw);
            if random.below(8) > 0 {
                relink(&mut changes, at, &before);
            }
        }
    }
    write(start, &changes)
}

fn relink(changes: &mut [Vec<u8>], at: usize, before: &[u8]) {
    let of = |bytes: &[u8]| hash(bytes.get(8).copied().unwrap_or(1), body(bytes));
    let ops = |bytes: &[u8]| Chunk::try_read(bytes).and_then(|chunk| chunk.ops());
    let (mut old, mut new) = (of(before), of(&changes[at]));
    let grown = ops(&changes[at]).unwrap_or(0).wrapping_sub(ops(before).unwrap_or(0));
    for later in &mut changes[at + 1..] {
        let Some(mut chunk) = Chunk::try_read(later) else { continue };
        let Some(dep) = chunk.deps.iter_mut().find(|dep| **dep == old) else { continue };
        *dep = new;
        chunk.start_op = chunk.start_op.wrapping_add(grown);
        old = of(later);
        *later = chunk.write();
        new = of(later);
    }
}

fn donors() -> &'static [Vec<u8>] {
    static DONORS: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    DONORS.get_or_init(|| {
        seeds().iter().filter_map(|(_, seed)| parse(seed)).flat_map(|(_, changes)| changes).collect()
    })
}

/// Honest edits by one tablet, in a row.
fn honest(start: usize, edits: &[&[FieldOp]]) -> Vec<u8> {
    let mut document = starts()[start].document.clone();
    let changes: Vec<Vec<u8>> = edits.iter().map(|ops| edit(&mut document, TABLET, ops)).collect();
    write(start, &changes)
}

/// Honest edits by two tablets that do not see each other.
fn apart(start: usize, edits: [&[FieldOp]; 2]) -> Vec<u8> {
    let document = &starts()[start].document;
    write(
        start,
        &[edit(&mut document.clone(), TABLET, edits[0]), edit(&mut document.clone(), TABLET + 1, edits[1])],
    )
}

/// A change of one operation, repeated: as many values of one field.
fn repeated(count: i64) -> Vec<u8> {
    let change = edit(&mut starts()[0].document.clone(), TABLET, &[put("phone", json!("1"))]);
    write(0, &[Chunk::read(&change).repeated(count).write()])
}

/// A chunk that says it is deflated.
fn deflated() -> Vec<u8> {
    let change = edit(&mut starts()[0].document.clone(), TABLET, &[put("phone", json!("1"))]);
    write(0, &[with_header(2, body(&change))])
}

fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let history = merge("medical_history", json!({"a": {"b": [1, "x"]}, "c": null, "d": {}}));
    vec![
        ("registers", honest(0, &[&[put("phone", json!("11")), put("name", json!("Bia"))]])),
        (
            "date-and-flag",
            honest(0, &[&[put("date_of_birth", json!("1990-01-02")), put("is_active", json!(false))]]),
        ),
        ("null", honest(0, &[&[put("phone", json!(null))]])),
        ("register-twice", honest(0, &[&[put("phone", json!("11"))], &[put("phone", json!("12"))]])),
        ("registers-apart", apart(0, [&[put("phone", json!("11"))], &[put("phone", json!("12"))]])),
        ("set", honest(1, &[&[add("allergies", "sol"), remove("allergies", "látex")]])),
        (
            "sets-apart",
            apart(1, [&[add("allergies", "sol")], &[add("allergies", "sol"), remove("allergies", "iodo")]]),
        ),
        ("leaves", honest(1, &[std::slice::from_ref(&history)])),
        ("first-text", honest(1, &[&[text("notes", "melhorou")]])),
        ("insert", honest(2, &[&[text("notes", "pele muito seca, sensível ao sol")]])),
        ("delete", honest(2, &[&[text("notes", "pele")]])),
        ("delete-all", honest(2, &[&[text("notes", "")]])),
        ("text-twice", honest(2, &[&[text("notes", "pele seca")], &[text("notes", "a pele é seca 😀")]])),
        ("texts-apart", apart(2, [&[text("notes", "pele seca")], &[text("notes", "pele sensível")]])),
        ("text-and-set", honest(2, &[&[text("notes", "pele oleosa"), add("allergies", "sol"), history]])),
        ("visit", honest(3, &[&[put("status", json!("confirmed")), put("price", json!("99.90"))]])),
        (
            "visit-notes",
            honest(3, &[&[text("notes", "trazer exames e laudo")], &[put("duration_minutes", json!(45))]]),
        ),
        ("join-registers", honest(4, &[&[put("phone", json!("3"))]])),
        ("join-texts", honest(5, &[&[text("notes", "pele seca"), remove("allergies", "sol")]])),
        ("many-values", repeated(16)),
        ("too-many-values", repeated(1_025)),
        ("deflated", deflated()),
    ]
}

//! The strict reader: what is refused before Automerge sees it, with the checksum always right.

use neonpro_contract::catalogue::{FacetId, table};
use neonpro_contract::document::{Actor, ChangeError, Document, Header, ParsedChange};
use neonpro_contract::edit::{DocumentId, FieldOp};
use neonpro_contract::ids::{AuthorId, DeviceId, EditId, RecordId};
use neonpro_contract::limits::{
    CHANGE_BYTES_MAX, CHANGE_COUNTER_MAX, CHANGE_KEY_BYTES_MAX, CHANGE_OPS_MAX, LONG_TEXT_BYTES_MAX,
};
use neonpro_contract::row::Row;
use neonpro_contract::time::{Capture, DeviceInstant};
use neonpro_contract::value::Value;
use neonpro_server::admission::{Base, Scratch, Step, Verdict};
use neonpro_tests::device::{add, put};
use neonpro_tests::poison::{
    ACTION, Chunk, FLOAT, KEY_TEXT, REPLACED_COUNT, TEXT, VALUE, VALUE_META, bits, flipped, run, sleb, uleb,
    with_header,
};
use serde_json::json;
use uuid::Uuid;

const RECORD: Uuid = Uuid::from_u128(0xabc);

fn patient(facet: u8) -> DocumentId {
    DocumentId { table: table("patients").unwrap().id, record: RecordId(RECORD), facet: FacetId(facet) }
}

fn row() -> Row {
    let mut row = Row::empty(table("patients").unwrap());
    row.set("name", Value::Text("Ana".into()));
    row.set("notes", Value::Text("pele seca".into()));
    row
}

fn header() -> Header {
    Header {
        edit: EditId(Uuid::from_u128(1)),
        author: AuthorId(Uuid::from_u128(2)),
        capture: Capture { at: DeviceInstant(1_700_000_000_000_000), uncertainty_ms: 5 },
        seen_seq: -1,
    }
}

/// An honest change of a patient's facet.
fn honest(facet: u8, ops: &[FieldOp]) -> Vec<u8> {
    let mut document = Document::genesis(patient(facet), 1, &row()).unwrap();
    let actor = Actor::of(DeviceId(Uuid::from_u128(7)), 1);
    document.edit(actor, &header(), false, ops).unwrap().0
}

fn phone() -> Vec<u8> {
    honest(0, &[put("phone", json!("1"))])
}

fn notes() -> Vec<u8> {
    honest(1, &[FieldOp::Text { field: "notes".into(), value: "pele muito seca".into() }])
}

#[track_caller]
fn refused(bytes: &[u8]) {
    assert_eq!(ParsedChange::parse(bytes).err(), Some(ChangeError::Shape));
}

#[test]
fn what_a_tablet_writes_is_read_and_put_together_again_the_same() {
    let merge = FieldOp::Merge { field: "medical_history".into(), patch: json!({"a": {"b": 1}, "c": [1]}) };
    let all = [
        phone(),
        notes(),
        honest(1, &[add("allergies", "látex"), merge]),
        honest(1, &[FieldOp::Text { field: "notes".into(), value: String::new() }]),
        honest(0, &[put("name", json!(null)), put("is_active", json!(true))]),
    ];
    for bytes in all {
        let parsed = ParsedChange::parse(&bytes).unwrap();
        assert_eq!(parsed.header(), &header());
        assert_eq!(Chunk::read(&bytes).write(), bytes);
    }
}

#[test]
fn a_deflated_chunk_or_column_is_refused_before_it_is_inflated() {
    // A stored deflate block would inflate to itself; what matters is that nobody tries.
    refused(&with_header(2, &[0xff; 1_000]));
    refused(&with_header(0, &[0; 100]));
    refused(&with_header(3, &[0; 100]));
    let chunk = Chunk::read(&phone());
    for (spec, column) in chunk.columns.clone() {
        let mut deflated = chunk.clone();
        deflated.columns.retain(|(other, _)| *other != spec);
        deflated.columns.push((spec | 8, column));
        deflated.columns.sort_by_key(|(spec, _)| *spec);
        refused(&deflated.write());
    }
}

#[test]
fn ten_million_operations_in_a_few_bytes_are_refused_without_being_walked() {
    let chunk = Chunk::read(&phone());
    for count in [CHANGE_OPS_MAX as i64 + 1, 10_000_000, i64::MAX] {
        refused(&chunk.clone().repeated(count).write());
        refused(&chunk.clone().with(REPLACED_COUNT, run(1, &uleb(count as u64))).write());
    }
    let nulls = [vec![0], uleb(u64::MAX)].concat();
    refused(&chunk.clone().with(ACTION, nulls).write());
    assert!(ParsedChange::parse(&chunk.repeated(1_000).write()).is_ok(), "few enough: the worker's to judge");
}

#[test]
fn a_few_bytes_cannot_become_many_characters_or_take_one_away_many_times() {
    let first = FieldOp::Text { field: "notes".into(), value: "x".into() };
    let empty = Document::genesis(patient(1), 1, &Row::empty(table("patients").unwrap())).unwrap();
    let actor = Actor::of(DeviceId(Uuid::from_u128(7)), 1);
    let typed = Chunk::read(&empty.clone().edit(actor, &header(), false, &[first]).unwrap().0);
    for at_the_beginning in [false, true] {
        refused(&typed.clone().typed(60_000, "", at_the_beginning).write());
        let honest = typed.clone().typed(60_000, "x", at_the_beginning).write();
        assert!(ParsedChange::parse(&honest).is_ok() && honest.len() > 60_000, "paid for with bytes");
    }
    let taken = honest(1, &[FieldOp::Text { field: "notes".into(), value: "pele sec".into() }]);
    assert!(ParsedChange::parse(&taken).is_ok());
    refused(&Chunk::read(&taken).taken_again(2).write());
    refused(&Chunk::read(&taken).taken_again(60_000).write());
}

#[test]
fn the_longest_text_in_the_place_of_another_fits_a_change() {
    let notes =
        |letter: &str| FieldOp::Text { field: "notes".into(), value: letter.repeat(LONG_TEXT_BYTES_MAX) };
    let mut document = Document::genesis(patient(1), 1, &row()).unwrap();
    let actor = Actor::of(DeviceId(Uuid::from_u128(7)), 1);
    let base = Base::of_row(patient(1), 1, Some(&row()));
    let mut scratch = Scratch::new(vec![base]);
    for ops in [[notes("x")], [notes("y")]] {
        let change = document.edit(actor, &header(), false, &ops).unwrap().0;
        assert!(ParsedChange::parse(&change).is_ok());
        let verdict = scratch.admit(&[Step { base: 0, change: change.into() }]);
        assert!(matches!(verdict, Verdict::Fits(_)), "{verdict:?}");
    }
}

#[test]
fn counters_actors_and_dependencies_are_capped() {
    let chunk = Chunk::read(&phone());
    for number in [0, CHANGE_COUNTER_MAX, u64::from(u32::MAX), u64::MAX] {
        refused(&Chunk { start_op: number, ..chunk.clone() }.write());
    }
    for number in [0, CHANGE_COUNTER_MAX + 1, u64::MAX] {
        refused(&Chunk { seq: number, ..chunk.clone() }.write());
    }
    for length in [0, 11, 13, 100_000] {
        refused(&Chunk { actor: vec![7; length], ..chunk.clone() }.write());
    }
    for others in [vec![chunk.actor.clone()], vec![vec![1]; 2], vec![vec![1; 21]], vec![Vec::new()]] {
        refused(&Chunk { others, ..chunk.clone() }.write());
    }
    let hash = |n: u16| [n.to_be_bytes(); 16].concat().try_into().unwrap();
    for deps in [Vec::new(), vec![[1; 32]; 2], (0..65).map(hash).collect()] {
        refused(&Chunk { deps, ..chunk.clone() }.write());
    }
    refused(&Chunk { message: vec![b'a'; 129], ..chunk.clone() }.write());
    refused(&vec![0; CHANGE_BYTES_MAX + 1]);
}

#[test]
fn a_change_cannot_begin_to_nest() {
    // Depth 10⁵ would take 10⁵ containers: a change makes none, nor marks, nor increments.
    let chunk = Chunk::read(&phone());
    for action in [0, 2, 4, 5, 6, 7, 99] {
        refused(&chunk.clone().with(ACTION, run(-1, &uleb(action))).write());
    }
    for spec in [0x94, 0xa5, 0xf1, 0x1_0001] {
        refused(&chunk.clone().with(spec, vec![1, 1]).write());
    }
}

#[test]
fn texts_that_are_no_unicode_are_refused() {
    let chunk = Chunk::read(&phone());
    // An invalid byte, an overlong slash, a lone surrogate, a cut sequence.
    let bad: [&[u8]; 4] = [&[0xff], &[0xc0, 0xaf], &[0xed, 0xa0, 0x80], &[0xe2, 0x82]];
    for text in bad {
        refused(&chunk.clone().with_value(TEXT, text).write());
        refused(&Chunk { message: text.to_vec(), ..chunk.clone() }.write());
        let key = [uleb(text.len() as u64), text.to_vec()].concat();
        refused(&chunk.clone().with(KEY_TEXT, run(-1, &key)).write());
    }
    let long = vec![b'k'; CHANGE_KEY_BYTES_MAX + 1];
    refused(&chunk.with(KEY_TEXT, run(-1, &[uleb(long.len() as u64), long].concat())).write());
}

#[test]
fn values_no_column_can_hold_are_refused() {
    let chunk = Chunk::read(&phone());
    for number in [f64::NAN, f64::INFINITY, 1.5] {
        refused(&chunk.clone().with_value(FLOAT, &number.to_le_bytes()).write());
    }
    // Unsigned, counter, timestamp, unknown; a null with bytes; an integer with bytes left over; an id too short.
    for (kind, value) in [(3u64, 1usize), (8, 1), (9, 1), (10, 4), (15, 4), (0, 1), (1, 1), (4, 2), (7, 15)] {
        refused(&chunk.clone().with_value(kind, &vec![1; value]).write());
    }
    refused(&chunk.clone().with(VALUE_META, run(-1, &uleb(u64::MAX))).write());
    refused(&chunk.clone().with(VALUE, b"12".to_vec()).write());
    refused(&chunk.with(KEY_TEXT, run(-1, &[1, b'_'])).write());
}

#[test]
fn bytes_that_say_the_same_in_another_spelling_are_refused() {
    let chunk = Chunk::read(&phone());
    refused(&Chunk { tail: vec![0], ..chunk.clone() }.write());
    let honest = chunk.write();
    let mut longer = honest.clone();
    longer.push(0);
    refused(&longer);
    // The length with a zero byte that adds nothing.
    let mut padded = honest[..9].to_vec();
    padded.extend([honest[9] | 0x80, honest[10] | 0x80, 0]);
    padded.extend(&honest[11..]);
    refused(&padded);
    let mut padded = chunk.clone().with(ACTION, [sleb(-1), vec![0x81, 0x00]].concat());
    refused(&padded.write());
    padded = chunk.clone().with(ACTION, [sleb(-1), vec![1], vec![0, 0]].concat());
    refused(&padded.write());
    let mut doubled = chunk.clone();
    doubled.columns.push(chunk.columns[0].clone());
    refused(&doubled.write());
    for end in 0..honest.len() {
        refused(&honest[..end]);
    }
}

#[test]
fn a_capture_no_calendar_knows_is_refused() {
    let chunk = Chunk::read(&phone());
    for time in [i64::MIN, -62_167_219_200_000_000, 253_402_300_800_000_000, i64::MAX] {
        let bytes = Chunk { time, ..chunk.clone() }.write();
        assert_eq!(ParsedChange::parse(&bytes).err(), Some(ChangeError::Header));
    }
}

#[test]
fn no_flipped_bit_under_a_valid_checksum_harms_a_document() {
    let (mut strict, mut fits) = (0, 0);
    for (facet, change) in [(0, phone()), (1, notes()), (1, honest(1, &[add("allergies", "látex")]))] {
        for bit in 0..bits(&change) {
            let poison = flipped(&change, bit);
            if ParsedChange::parse(&poison).is_err() {
                continue;
            }
            strict += 1;
            let step = |bytes: &[u8]| vec![Step { base: 0, change: bytes.to_vec().into() }];
            let mut scratch = Scratch::new(vec![Base::of_row(patient(facet), 1, Some(&row()))]);
            fits += i32::from(matches!(scratch.admit(&step(&poison)), Verdict::Fits(_)));
            // Whatever it was, the document still takes an honest change, or knows this actor's place as taken.
            assert_ne!(scratch.admit(&step(&change)), Verdict::Harms, "bit {bit}");
        }
    }
    assert!(strict > fits && fits > 0, "{strict} read, {fits} fit: both nets caught something");
}

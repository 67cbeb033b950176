//! Mutations of change chunks that keep their form: parts, columns and counts change, the checksum fits again.
//!
//! Without this a mutation hardly ever gets past the header: a checksum covers every byte.

use crate::poison::{
    ACTION, Chunk, KEY_TEXT, REPLACED_COUNT, VALUE, VALUE_META, body, run, uleb, with_header,
};
use crate::{Random, Raw};

/// Counts at which something may tip over.
const COUNTS: [i64; 12] = [0, 1, 2, 3, 17, 63, 64, 255, 1_024, 1_025, 4_000, 70_001];
/// Numbers at the edges of their encodings and of the limits.
const NUMBERS: [u64; 12] =
    [0, 1, 2, 127, 128, 1 << 21, (1 << 28) - 1, 1 << 28, (1 << 32) - 1, 1 << 53, i64::MAX as u64, u64::MAX];
/// Columns of operations: as numbers stand in the chunk.
const SPECS: [u64; 12] =
    [0x01, 0x02, 0x11, 0x13, KEY_TEXT, 0x34, ACTION, VALUE_META, VALUE, REPLACED_COUNT, 0x71, 0x73];

/// One mutation of a chunk; parts may come from the donors.
pub fn chunk(bytes: &[u8], donors: &[Vec<u8>], random: &mut Random, raw: Raw<'_>) -> Vec<u8> {
    let Some(mut chunk) = Chunk::try_read(bytes) else {
        return with_body(bytes, raw);
    };
    let donor = Chunk::read(&random.one(donors));
    match random.below(16) {
        0 => return with_body(bytes, raw),
        1..=4 if !chunk.columns.is_empty() => {
            let at = random.below(chunk.columns.len());
            raw(&mut chunk.columns[at].1);
        }
        5 => chunk = from_donor(chunk, &donor, random),
        6 => chunk = stretched(chunk, random.one(&COUNTS)),
        7 => chunk = counts(chunk, random),
        8 => chunk = chunk.with(random.one(&SPECS), Vec::new()),
        9 => {
            let value = NUMBERS[random.below(NUMBERS.len())];
            match random.below(3) {
                0 => chunk.seq = value,
                1 => chunk.start_op = value,
                _ => chunk.time = value.cast_signed(),
            }
        }
        10 => {
            let near = random.below(4) as u64;
            match random.below(2) {
                0 => chunk.seq = chunk.seq.wrapping_add(near).wrapping_sub(1),
                _ => chunk.start_op = chunk.start_op.wrapping_add(near).wrapping_sub(1),
            }
        }
        11 => match random.below(3) {
            0 => raw(&mut chunk.message),
            1 => raw(&mut chunk.actor),
            _ => raw(&mut chunk.tail),
        },
        12 => {
            if let Some(other) = chunk.others.first_mut() {
                raw(other);
            } else {
                chunk.others = donor.others;
            }
        }
        13 => match random.below(3) {
            0 => chunk.deps.reverse(),
            1 => chunk.deps.extend(donor.deps),
            _ => drop(chunk.deps.pop()),
        },
        14 => chunk = value(chunk, random, raw),
        _ => chunk = operation(chunk, &donor, random),
    }
    chunk.write()
}

/// The same bytes under the header that fits.
fn with_body(bytes: &[u8], raw: Raw<'_>) -> Vec<u8> {
    let mut inner = body(bytes).to_vec();
    raw(&mut inner);
    with_header(bytes.get(8).copied().unwrap_or(1), &inner)
}

/// One column, or all of them, of another change.
fn from_donor(chunk: Chunk, donor: &Chunk, random: &mut Random) -> Chunk {
    if random.below(4) == 0 {
        return Chunk { columns: donor.columns.clone(), others: donor.others.clone(), ..chunk };
    }
    let spec = random.one(&SPECS);
    let column = donor.columns.iter().find(|(other, _)| *other == spec).map(|(_, column)| column.clone());
    chunk.with(spec, column.unwrap_or_default())
}

/// Every column a run of its first item, equally long: a change that asks for much in a few bytes.
fn stretched(mut chunk: Chunk, count: i64) -> Chunk {
    for (spec, column) in &mut chunk.columns {
        if matches!(*spec, 0x34) {
            *column = uleb(count.unsigned_abs());
        } else if *spec != VALUE && column.len() > 1 {
            *column = run(count, &column[1..]);
        }
    }
    chunk
}

/// The count of one column's first run.
fn counts(mut chunk: Chunk, random: &mut Random) -> Chunk {
    if chunk.columns.is_empty() {
        return chunk;
    }
    let at = random.below(chunk.columns.len());
    let (_, column) = &mut chunk.columns[at];
    let count = random.one(&COUNTS) * if random.below(4) == 0 { -1 } else { 1 };
    *column = run(count, column.get(1..).unwrap_or_default());
    chunk
}

/// The first value: its type, its length, its bytes.
fn value(chunk: Chunk, random: &mut Random, raw: Raw<'_>) -> Chunk {
    let held = chunk.columns.iter().find(|(spec, _)| *spec == VALUE);
    let mut bytes = held.map(|(_, bytes)| bytes.clone()).unwrap_or_default();
    raw(&mut bytes);
    chunk.with_value(random.below(16) as u64, &bytes)
}

/// What the operations do: which action, on which key, in which object, in place of what.
fn operation(chunk: Chunk, donor: &Chunk, random: &mut Random) -> Chunk {
    const KEYS: [&str; 10] =
        ["_", "", "phone", "name", "notes", "allergies", "/a", "/a/b", "nothing", "\u{0}"];
    let rows = chunk.ops().and_then(|ops| i64::try_from(ops).ok()).unwrap_or(1);
    match random.below(6) {
        0 => chunk.with(ACTION, run(rows, &uleb(random.below(8) as u64))),
        1 => {
            let key = random.one(&KEYS);
            chunk.with(KEY_TEXT, run(rows, &[uleb(key.len() as u64), key.as_bytes().to_vec()].concat()))
        }
        2 => chunk.with(0x01, run(rows, &uleb(random.below(3) as u64))),
        3 => chunk.with(0x02, run(rows, &uleb(random.below(24) as u64))),
        4 => {
            let each = random.below(3) as i64;
            chunk
                .with(REPLACED_COUNT, run(rows, &uleb(each as u64)))
                .with(0x71, run(rows * each, &uleb(random.below(3) as u64)))
                .with(0x73, run(rows * each, &uleb(random.below(2) as u64)))
        }
        _ => Chunk { deps: donor.deps.clone(), start_op: donor.start_op, seq: donor.seq, ..chunk },
    }
}

//! Change chunks taken apart and put together again with a valid checksum: what no honest tablet writes.

use ring::digest::{Context, SHA256};

/// First bytes of an Automerge chunk.
const MAGIC: [u8; 4] = [0x85, 0x6f, 0x4a, 0x83];
/// Column of value types and lengths, and the column of the values themselves.
pub const VALUE_META: u64 = 0x56;
pub const VALUE: u64 = 0x57;
/// Column of keys in maps.
pub const KEY_TEXT: u64 = 0x15;
/// Column of actions.
pub const ACTION: u64 = 0x42;
/// Columns of what an operation replaces.
pub const REPLACED_COUNT: u64 = 0x70;
/// Types of values.
pub const INT: u64 = 4;
pub const FLOAT: u64 = 5;
pub const TEXT: u64 = 6;

/// One change, part by part.
#[derive(Debug, Clone)]
pub struct Chunk {
    pub kind: u8,
    pub deps: Vec<[u8; 32]>,
    pub actor: Vec<u8>,
    pub seq: u64,
    pub start_op: u64,
    pub time: i64,
    pub message: Vec<u8>,
    pub others: Vec<Vec<u8>>,
    pub columns: Vec<(u64, Vec<u8>)>,
    pub tail: Vec<u8>,
}

struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(head)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|byte| byte[0])
    }

    fn uleb(&mut self) -> Option<u64> {
        let (mut number, mut shift) = (0u64, 0u32);
        loop {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f).checked_shl(shift)?;
            shift += 7;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
    }

    fn sleb(&mut self) -> Option<i64> {
        let (mut number, mut shift) = (0i64, 0u32);
        loop {
            let byte = self.byte()?;
            number |= i64::from(byte & 0x7f).checked_shl(shift)?;
            shift += 7;
            if byte & 0x80 == 0 {
                let negative = byte & 0x40 != 0 && shift < 64;
                return Some(if negative { number | (-1 << shift) } else { number });
            }
        }
    }

    /// A count of things of at least one byte each.
    fn count(&mut self) -> Option<usize> {
        usize::try_from(self.uleb()?).ok().filter(|count| *count <= self.0.len())
    }

    fn prefixed(&mut self) -> Option<Vec<u8>> {
        let count = self.count()?;
        self.take(count).map(<[u8]>::to_vec)
    }
}

/// An unsigned number in its shortest spelling.
#[must_use]
pub fn uleb(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

/// A signed number in its shortest spelling.
#[must_use]
pub fn sleb(mut number: i64) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (number & 0x7f) as u8;
        number >>= 7;
        let done = (number == 0 && low & 0x40 == 0) || (number == -1 && low & 0x40 != 0);
        bytes.push(if done { low } else { low | 0x80 });
        if done {
            return bytes;
        }
    }
}

/// A column in which one item stands for `count` rows.
#[must_use]
pub fn run(count: i64, item: &[u8]) -> Vec<u8> {
    [sleb(count), item.to_vec()].concat()
}

fn prefixed(bytes: &[u8]) -> Vec<u8> {
    [uleb(bytes.len() as u64), bytes.to_vec()].concat()
}

impl Chunk {
    /// Takes an honest change apart.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Self {
        Self::try_read(bytes).expect("a whole change")
    }

    /// Takes bytes apart that may be no change. Nothing is checked but that the parts are there.
    #[must_use]
    pub fn try_read(bytes: &[u8]) -> Option<Self> {
        let mut cursor = Cursor(bytes);
        if cursor.take(4)? != MAGIC {
            return None;
        }
        cursor.take(4)?;
        let kind = cursor.byte()?;
        cursor.uleb()?;
        let deps = (0..cursor.count()?).map(|_| cursor.take(32)?.try_into().ok()).collect::<Option<_>>()?;
        let actor = cursor.prefixed()?;
        let (seq, start_op, time) = (cursor.uleb()?, cursor.uleb()?, cursor.sleb()?);
        let message = cursor.prefixed()?;
        let others = (0..cursor.count()?).map(|_| cursor.prefixed()).collect::<Option<_>>()?;
        let described = (0..cursor.count()?).map(|_| Some((cursor.uleb()?, cursor.uleb()?)));
        let described = described.collect::<Option<Vec<(u64, u64)>>>()?;
        let column = |(spec, length)| Some((spec, cursor.take(usize::try_from(length).ok()?)?.to_vec()));
        let columns = described.into_iter().map(column).collect::<Option<_>>()?;
        let tail = cursor.0.to_vec();
        Some(Self { kind, deps, actor, seq, start_op, time, message, others, columns, tail })
    }

    /// How many operations it has, by its column of actions. `None` where that does not read.
    #[must_use]
    pub fn ops(&self) -> Option<u64> {
        let (_, column) = self.columns.iter().find(|(spec, _)| *spec == ACTION)?;
        let (mut cursor, mut total) = (Cursor(column), 0u64);
        while !cursor.0.is_empty() {
            let run = cursor.sleb()?;
            let items = if run < 0 { run.unsigned_abs() } else { u64::from(run > 0) };
            for _ in 0..items.min(column.len() as u64) {
                cursor.uleb()?;
            }
            let length = if run == 0 { cursor.uleb()? } else { run.unsigned_abs() };
            total = total.checked_add(length)?;
        }
        Some(total)
    }

    /// Puts it together, with the checksum that fits.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let mut body = uleb(self.deps.len() as u64);
        body.extend(self.deps.concat());
        body.extend(prefixed(&self.actor));
        body.extend([uleb(self.seq), uleb(self.start_op), sleb(self.time)].concat());
        body.extend(prefixed(&self.message));
        body.extend(uleb(self.others.len() as u64));
        self.others.iter().for_each(|other| body.extend(prefixed(other)));
        body.extend(uleb(self.columns.len() as u64));
        for (spec, column) in &self.columns {
            body.extend([uleb(*spec), uleb(column.len() as u64)].concat());
        }
        self.columns.iter().for_each(|(_, column)| body.extend(column));
        body.extend(&self.tail);
        with_header(self.kind, &body)
    }

    /// Replaces a column, or adds it; an empty one is left out.
    #[must_use]
    pub fn with(mut self, spec: u64, column: Vec<u8>) -> Self {
        self.columns.retain(|(other, _)| *other != spec);
        if !column.is_empty() {
            self.columns.push((spec, column));
            self.columns.sort_by_key(|(spec, _)| *spec);
        }
        self
    }

    /// Gives a change of one operation another value.
    #[must_use]
    pub fn with_value(self, kind: u64, value: &[u8]) -> Self {
        let meta = (value.len() as u64) << 4 | kind;
        self.with(VALUE_META, run(-1, &uleb(meta))).with(VALUE, value.to_vec())
    }

    /// Repeats a change of one operation: `count` puts of nothing at one key, none of which replaces another. A hundred
    /// bytes that ask for as many concurrent values.
    #[must_use]
    pub fn repeated(self, count: i64) -> Self {
        let key = self.columns.iter().find(|(spec, _)| *spec == KEY_TEXT).unwrap().1[1..].to_vec();
        self.with(KEY_TEXT, run(count, &key))
            .with(0x34, uleb(count as u64))
            .with(ACTION, run(count, &[1]))
            .with(VALUE_META, run(count, &[0]))
            .with(VALUE, Vec::new())
            .with(REPLACED_COUNT, run(count, &[0]))
            .with(0x71, Vec::new())
            .with(0x73, Vec::new())
    }

    /// Repeats a change of one operation: each put replaces the one before it, so that one value is left of as many.
    #[must_use]
    pub fn in_turn(self, count: i64) -> Self {
        let (own, first) = (uleb(0), sleb(self.start_op.cast_signed()));
        self.repeated(count)
            .with(REPLACED_COUNT, [run(-1, &[0]), run(count - 1, &[1])].concat())
            .with(0x71, run(count - 1, &own))
            .with(0x73, [run(-1, &first), run(count - 2, &[1])].concat())
    }

    /// Repeats a change that takes one character away: the same one, so many times.
    #[must_use]
    pub fn taken_again(self, count: i64) -> Self {
        let first = |spec| self.columns.iter().find(|(other, _)| *other == spec).unwrap().1[1..].to_vec();
        let again = [0x01, 0x02, 0x11, 0x71].map(|spec| (spec, run(count, &first(spec))));
        let still = [0x13, 0x73].map(|spec| (spec, [run(-1, &first(spec)), run(count - 1, &[0])].concat()));
        again
            .into_iter()
            .chain(still)
            .fold(self, |chunk, (spec, column)| chunk.with(spec, column))
            .with(0x34, uleb(count as u64))
            .with(ACTION, run(count, &[3]))
            .with(VALUE_META, run(count, &[0]))
            .with(REPLACED_COUNT, run(count, &[1]))
    }

    /// Repeats an insertion of one character into a text: as many characters of this value, each behind the one before
    /// it, or all of them at the beginning. Of the empty value, each costs nothing.
    #[must_use]
    pub fn typed(self, count: i64, value: &str, at_the_beginning: bool) -> Self {
        let object = |spec| self.columns.iter().find(|(other, _)| *other == spec).unwrap().1[1..].to_vec();
        let (actor, counter) = (object(0x01), object(0x02));
        let (own, first) = (uleb(0), sleb(self.start_op.cast_signed()));
        let (key_actor, key_counter) = if at_the_beginning {
            (Vec::new(), run(count, &[0]))
        } else {
            let null = vec![0, 1];
            let behind = [run(-2, &[vec![0], first].concat()), run(count - 2, &[1])].concat();
            ([null, run(count - 1, &own)].concat(), behind)
        };
        let values = value.repeat(count as usize).into_bytes();
        self.with(0x01, run(count, &actor))
            .with(0x02, run(count, &counter))
            .with(0x11, key_actor)
            .with(0x13, key_counter)
            .with(0x34, [uleb(0), uleb(count as u64)].concat())
            .with(ACTION, run(count, &[1]))
            .with(VALUE_META, run(count, &uleb((value.len() as u64) << 4 | TEXT)))
            .with(VALUE, values)
            .with(REPLACED_COUNT, run(count, &[0]))
            .with(0x71, Vec::new())
            .with(0x73, Vec::new())
    }
}

/// A chunk of this kind around a body.
#[must_use]
pub fn with_header(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(&hash(kind, body)[..4]);
    bytes.push(kind);
    bytes.extend(uleb(body.len() as u64));
    bytes.extend(body);
    bytes
}

/// What a chunk says after its header, in whatever header.
#[must_use]
pub fn body(chunk: &[u8]) -> &[u8] {
    let mut cursor = Cursor(chunk);
    let _ = cursor.take(9).and_then(|_| cursor.uleb());
    cursor.0
}

/// The hash of a chunk by which others name it.
#[must_use]
pub fn hash(kind: u8, body: &[u8]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    context.update(&[kind]);
    context.update(&uleb(body.len() as u64));
    context.update(body);
    context.finish().as_ref().try_into().unwrap()
}

/// The same chunk with one bit flipped and the checksum that fits.
#[must_use]
pub fn flipped(chunk: &[u8], bit: usize) -> Vec<u8> {
    let mut body = body(chunk).to_vec();
    let at = bit / 8 % body.len();
    body[at] ^= 1 << (bit % 8);
    with_header(chunk[8], &body)
}

/// Bits of a chunk's body.
#[must_use]
pub fn bits(chunk: &[u8]) -> usize {
    body(chunk).len() * 8
}

/// A deflate stream (RFC 1951) that inflates to this many zeros, 258 for every 13 bits.
#[must_use]
pub fn deflated_zeros(count: usize) -> Vec<u8> {
    let (mut bytes, mut held, mut free) = (Vec::with_capacity(count / 150), 0u64, 64u32);
    let mut put = |bytes: &mut Vec<u8>, bits: u64, length: u32| {
        held |= bits << (64 - free);
        free -= length;
        while free <= 56 {
            bytes.push((held & 0xff) as u8);
            held >>= 8;
            free += 8;
        }
    };
    // The last block, with fixed codes; Huffman codes stand with their first bit first.
    put(&mut bytes, 0b011, 3);
    put(&mut bytes, 0b0000_1100, 8);
    for _ in 0..count / 258 {
        // Length 258 (code 11000101), distance 1 (code 00000).
        put(&mut bytes, 0b1010_0011, 8);
        put(&mut bytes, 0, 5);
    }
    put(&mut bytes, 0, 7);
    put(&mut bytes, 0, 8);
    bytes
}

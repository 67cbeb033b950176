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
    fn take(&mut self, count: usize) -> &'a [u8] {
        let (head, rest) = self.0.split_at(count);
        self.0 = rest;
        head
    }

    fn uleb(&mut self) -> u64 {
        let (mut number, mut shift) = (0, 0);
        loop {
            let byte = self.take(1)[0];
            number |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                return number;
            }
        }
    }

    fn sleb(&mut self) -> i64 {
        let (mut number, mut shift) = (0i64, 0);
        loop {
            let byte = self.take(1)[0];
            number |= i64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                return if byte & 0x40 != 0 && shift < 64 { number | (-1 << shift) } else { number };
            }
        }
    }

    fn prefixed(&mut self) -> Vec<u8> {
        let count = self.uleb() as usize;
        self.take(count).to_vec()
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
        let mut cursor = Cursor(bytes);
        assert_eq!(cursor.take(4), MAGIC);
        cursor.take(4);
        let kind = cursor.take(1)[0];
        cursor.uleb();
        let deps = (0..cursor.uleb()).map(|_| cursor.take(32).try_into().unwrap()).collect();
        let actor = cursor.prefixed();
        let (seq, start_op, time) = (cursor.uleb(), cursor.uleb(), cursor.sleb());
        let message = cursor.prefixed();
        let others = (0..cursor.uleb()).map(|_| cursor.prefixed()).collect();
        let described: Vec<(u64, u64)> = (0..cursor.uleb()).map(|_| (cursor.uleb(), cursor.uleb())).collect();
        let columns =
            described.into_iter().map(|(spec, len)| (spec, cursor.take(len as usize).to_vec())).collect();
        let tail = cursor.0.to_vec();
        Self { kind, deps, actor, seq, start_op, time, message, others, columns, tail }
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
}

/// A chunk of this kind around a body.
#[must_use]
pub fn with_header(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = uleb(body.len() as u64);
    let mut context = Context::new(&SHA256);
    context.update(&[kind]);
    context.update(&length);
    context.update(body);
    let mut bytes = MAGIC.to_vec();
    bytes.extend(&context.finish().as_ref()[..4]);
    bytes.push(kind);
    bytes.extend(length);
    bytes.extend(body);
    bytes
}

/// The same chunk with one bit flipped and the checksum that fits.
#[must_use]
pub fn flipped(chunk: &[u8], bit: usize) -> Vec<u8> {
    let mut cursor = Cursor(chunk);
    cursor.take(9);
    cursor.uleb();
    let mut body = cursor.0.to_vec();
    let at = bit / 8 % body.len();
    body[at] ^= 1 << (bit % 8);
    with_header(chunk[8], &body)
}

/// Bits of a chunk's body.
#[must_use]
pub fn bits(chunk: &[u8]) -> usize {
    let mut cursor = Cursor(chunk);
    cursor.take(9);
    cursor.uleb();
    cursor.0.len() * 8
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

//! The encodings of Automerge's columns: LEB128 numbers, runs of equal values, counted flags.
//!
//! Reading is bounded by what the caller allows, whatever the bytes claim. Reads leniently; who needs canonical bytes
//! writes what was read and compares.

/// Bytes still to be read.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    pub fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    pub fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub fn unsigned(&mut self) -> Option<u64> {
        let (mut value, mut shift) = (0u64, 0u32);
        loop {
            let [byte] = self.array::<1>()?;
            value |= u64::from(byte & 0x7f).checked_shl(shift)?;
            if byte & 0x80 == 0 {
                return Some(value);
            }
            shift = shift.checked_add(7)?;
        }
    }

    pub fn signed(&mut self) -> Option<i64> {
        let (mut value, mut shift) = (0u64, 0u32);
        loop {
            let [byte] = self.array::<1>()?;
            value |= u64::from(byte & 0x7f).checked_shl(shift)?;
            shift = shift.checked_add(7)?;
            if byte & 0x80 == 0 {
                let sign = if byte & 0x40 == 0 { 0 } else { u64::MAX.checked_shl(shift).unwrap_or(0) };
                return Some((value | sign).cast_signed());
            }
        }
    }

    pub fn size(&mut self) -> Option<usize> {
        usize::try_from(self.unsigned()?).ok()
    }

    /// A count of things of at least one byte each.
    pub fn few(&mut self) -> Option<usize> {
        let count = self.size()?;
        (count <= self.0.len()).then_some(count)
    }

    pub fn prefixed(&mut self) -> Option<&'a [u8]> {
        let length = self.size()?;
        self.take(length)
    }
}

/// Writes an unsigned number.
pub(super) fn leb(mut value: u64, out: &mut Vec<u8>) {
    loop {
        let byte = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            out.push(byte);
            return;
        }
        out.push(byte | 0x80);
    }
}

/// Writes a signed number.
pub(super) fn signed_leb(mut value: i64, out: &mut Vec<u8>) {
    loop {
        let byte = (value & 0x7f) as u8;
        value >>= 7;
        let last = (value == 0 && byte & 0x40 == 0) || (value == -1 && byte & 0x40 != 0);
        if last {
            out.push(byte);
            return;
        }
        out.push(byte | 0x80);
    }
}

/// Reads a column of runs: a count above zero repeats one value, below zero that many follow, zero counts nulls.
pub(super) fn read_runs<'a, T: Clone>(
    bytes: &'a [u8],
    max: usize,
    mut value: impl FnMut(&mut Reader<'a>) -> Option<T>,
) -> Option<Vec<Option<T>>> {
    let mut reader = Reader(bytes);
    let mut values = Vec::new();
    while !reader.0.is_empty() {
        let run = reader.signed()?;
        let room = max.checked_sub(values.len())?;
        let within = |length: u64| usize::try_from(length).ok().filter(|length| *length <= room);
        match run {
            0 => {
                let length = within(reader.unsigned()?)?;
                values.extend(std::iter::repeat_n(None, length));
            }
            1.. => {
                let length = within(run.unsigned_abs())?;
                let repeated = Some(value(&mut reader)?);
                values.extend(std::iter::repeat_n(repeated, length));
            }
            _ => {
                for _ in 0..within(run.unsigned_abs())? {
                    values.push(Some(value(&mut reader)?));
                }
            }
        }
    }
    Some(values)
}

/// Writes a column of runs. A column of nothing but nulls is not written at all.
pub(super) fn write_runs<T: PartialEq>(
    values: impl Iterator<Item = Option<T>>,
    out: &mut Vec<u8>,
    mut write: impl FnMut(&T, &mut Vec<u8>),
) {
    let values: Vec<Option<T>> = values.collect();
    if values.iter().all(Option::is_none) {
        return;
    }
    let mut literal: Vec<&T> = Vec::new();
    let flush = |literal: &mut Vec<&T>, out: &mut Vec<u8>, write: &mut dyn FnMut(&T, &mut Vec<u8>)| {
        if !literal.is_empty() {
            signed_leb(0i64.saturating_sub_unsigned(literal.len() as u64), out);
            literal.drain(..).for_each(|value| write(value, out));
        }
    };
    for run in values.chunk_by(PartialEq::eq) {
        match run {
            [None, ..] => {
                flush(&mut literal, out, &mut write);
                signed_leb(0, out);
                leb(run.len() as u64, out);
            }
            [Some(alone)] => literal.push(alone),
            [Some(repeated), ..] => {
                flush(&mut literal, out, &mut write);
                signed_leb(run.len().cast_signed() as i64, out);
                write(repeated, out);
            }
            [] => {}
        }
    }
    flush(&mut literal, out, &mut write);
}

/// Reads a column of flags: counts of false and true in turn.
pub(super) fn read_flags(bytes: &[u8], length: usize) -> Option<Vec<bool>> {
    let mut reader = Reader(bytes);
    let (mut flags, mut flag) = (Vec::new(), false);
    while !reader.0.is_empty() {
        let room = length.checked_sub(flags.len())?;
        let run = reader.size().filter(|run| *run <= room)?;
        flags.extend(std::iter::repeat_n(flag, run));
        flag = !flag;
    }
    (flags.len() == length).then_some(flags)
}

/// Writes a column of flags that are all false.
pub(super) fn write_flags(length: usize, out: &mut Vec<u8>) {
    if length > 0 {
        leb(length as u64, out);
    }
}

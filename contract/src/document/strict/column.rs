//! Numbers and columns of a change chunk: LEB128 in its shortest spelling only, run-length and delta columns.
//!
//! Never allocates: a run is a counter, not a list. Invariant: every step either consumes bytes or a run that was
//! paid for with bytes.

/// A cursor over bytes. Every method returns `None` instead of reading past the end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub const fn left(&self) -> usize {
        self.0.len()
    }

    pub const fn rest(&self) -> &'a [u8] {
        self.0
    }

    pub fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    pub fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    /// A length: bounded by what the platform can address, checked against the rest by whoever takes it.
    pub fn size(&mut self) -> Option<usize> {
        self.uleb().and_then(|number| usize::try_from(number).ok())
    }

    /// Bytes with their length in front.
    pub fn prefixed(&mut self) -> Option<&'a [u8]> {
        let count = self.size()?;
        self.take(count)
    }

    /// An unsigned number. A longer spelling of the same number is refused: it would not survive a reload.
    pub fn uleb(&mut self) -> Option<u64> {
        let mut number = 0u64;
        for index in 0..10u32 {
            let byte = self.byte()?;
            if index == 9 && byte > 1 {
                return None;
            }
            number |= u64::from(byte & 0x7f) << (index * 7);
            if byte & 0x80 == 0 {
                return (byte != 0 || index == 0).then_some(number);
            }
        }
        None
    }

    /// A signed number, in its shortest spelling.
    pub fn sleb(&mut self) -> Option<i64> {
        let (mut number, mut before) = (0i64, 0u8);
        for index in 0..10u32 {
            let byte = self.byte()?;
            let shift = index * 7;
            number |= i64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                let negative = byte & 0x40 != 0;
                let padded = (byte == 0 && before & 0x40 == 0) || (byte == 0x7f && before & 0x40 != 0);
                let spills = index == 9 && byte != 0 && byte != 0x7f;
                if spills || (index > 0 && padded) {
                    return None;
                }
                let extension = if negative && shift < 57 { -1i64 << (shift + 7) } else { 0 };
                return Some(number | extension);
            }
            before = byte;
        }
        None
    }
}

/// How one item of a column is read.
type Item<'a, T> = fn(&mut Reader<'a>) -> Option<T>;

/// A run-length column. An empty one stands for nulls without end.
pub(super) struct Runs<'a, T> {
    bytes: Reader<'a>,
    item: Item<'a, T>,
    absent: bool,
    left: u64,
    /// `None` in a literal run, whose items stand one by one.
    repeated: Option<Option<T>>,
}

impl<'a, T: Copy> Runs<'a, T> {
    pub fn new(column: &'a [u8], item: Item<'a, T>) -> Self {
        Self { bytes: Reader::new(column), item, absent: column.is_empty(), left: 0, repeated: Some(None) }
    }

    /// The next item: `Some(None)` for null, `None` when the column is malformed or too short.
    pub fn next(&mut self) -> Option<Option<T>> {
        if self.absent {
            return Some(None);
        }
        if self.left == 0 {
            self.begin()?;
        }
        self.left = self.left.saturating_sub(1);
        match self.repeated {
            Some(value) => Some(value),
            None => (self.item)(&mut self.bytes).map(Some),
        }
    }

    fn begin(&mut self) -> Option<()> {
        let length = self.bytes.sleb()?;
        (self.left, self.repeated) = match length {
            0 => (self.bytes.uleb()?, Some(None)),
            1.. => (length.unsigned_abs(), Some(Some((self.item)(&mut self.bytes)?))),
            _ => (length.unsigned_abs(), None),
        };
        (self.left > 0).then_some(())
    }

    /// Whether nothing is left over.
    pub const fn is_done(&self) -> bool {
        self.left == 0 && self.bytes.left() == 0
    }

    /// How many items the column holds, without walking its runs; `None` beyond the maximum.
    pub fn count(mut self, max: u64) -> Option<u64> {
        let mut total = 0u64;
        while self.bytes.left() > 0 {
            self.begin()?;
            total = total.checked_add(self.left).filter(|total| *total <= max)?;
            if self.repeated.is_none() {
                for _ in 0..self.left {
                    (self.item)(&mut self.bytes)?;
                }
            }
        }
        Some(total)
    }
}

/// A column of differences.
pub(super) struct Deltas<'a> {
    runs: Runs<'a, i64>,
    at: i64,
}

impl<'a> Deltas<'a> {
    pub fn new(column: &'a [u8]) -> Self {
        Self { runs: Runs::new(column, Reader::sleb), at: 0 }
    }

    /// The next number, never negative.
    pub fn next(&mut self) -> Option<Option<u64>> {
        let Some(delta) = self.runs.next()? else { return Some(None) };
        self.at = self.at.checked_add(delta)?;
        u64::try_from(self.at).ok().map(Some)
    }

    pub const fn is_done(&self) -> bool {
        self.runs.is_done()
    }
}

/// A column of flags: lengths of alternating runs, the first one false.
pub(super) struct Flags<'a> {
    bytes: Reader<'a>,
    left: u64,
    flag: bool,
    begun: bool,
}

impl<'a> Flags<'a> {
    pub const fn new(column: &'a [u8]) -> Self {
        Self { bytes: Reader::new(column), left: 0, flag: true, begun: false }
    }

    pub fn next(&mut self) -> Option<bool> {
        while self.left == 0 {
            self.left = self.bytes.uleb()?;
            if self.begun && self.left == 0 {
                return None;
            }
            (self.flag, self.begun) = (!self.flag, true);
        }
        self.left = self.left.saturating_sub(1);
        Some(self.flag)
    }

    pub const fn is_done(&self) -> bool {
        self.left == 0 && self.bytes.left() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uleb(bytes: &[u8]) -> Option<u64> {
        let mut reader = Reader::new(bytes);
        reader.uleb().filter(|_| reader.left() == 0)
    }

    fn sleb(bytes: &[u8]) -> Option<i64> {
        let mut reader = Reader::new(bytes);
        reader.sleb().filter(|_| reader.left() == 0)
    }

    #[test]
    fn a_number_has_one_spelling() {
        assert_eq!(uleb(&[0]), Some(0));
        assert_eq!(uleb(&[0x81, 0x01]), Some(129));
        assert_eq!(uleb(&[0x81, 0x00]), None);
        assert_eq!(uleb(&[0x80, 0x80, 0x00]), None);
        assert_eq!(uleb(&[0xff; 9]), None);
        let mut largest = vec![0xff; 9];
        largest.push(1);
        assert_eq!(uleb(&largest), Some(u64::MAX));
        largest[9] = 2;
        assert_eq!(uleb(&largest), None);
        assert_eq!(uleb(&[0x80; 11]), None);
    }

    #[test]
    fn signed_numbers_keep_their_sign_and_have_one_spelling() {
        assert_eq!(sleb(&[0x7f]), Some(-1));
        assert_eq!(sleb(&[0x3f]), Some(63));
        assert_eq!(sleb(&[0xc0, 0x00]), Some(64));
        assert_eq!(sleb(&[0x80, 0x7f]), Some(-128));
        assert_eq!(sleb(&[0xff, 0x7f]), None, "-1, padded");
        assert_eq!(sleb(&[0xbf, 0x00]), None, "63, padded");
        let smallest = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7f];
        assert_eq!(sleb(&smallest), Some(i64::MIN));
    }

    #[test]
    fn a_run_of_billions_is_counted_without_being_walked() {
        let mut column = vec![0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x3f];
        column.push(1);
        assert_eq!(Runs::new(&column, Reader::uleb).count(70_000), None);
        assert_eq!(Runs::new(&[3, 1, 0x7e, 5, 6], Reader::uleb).count(70_000), Some(5));
        assert_eq!(Runs::new(&[0, 0], Reader::uleb).count(70_000), None, "a run of nothing");
        assert_eq!(Runs::new(&[0x7e, 5], Reader::uleb).count(70_000), None, "too short");
    }
}

//! The clinic's digest: an order-free sum over document heads that tablet and server compare.
//!
//! Invariant: the sum depends only on which documents there are, at which epoch and with which heads, so two
//! replicas that agree on it hold the same histories.

use crate::edit::DocumentId;
use minicbor::{Decode, Encode};

/// A sum of [`fingerprint`]s modulo 2^128. Adding and removing documents commute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Digest(pub u128);

impl Digest {
    /// Adds a document.
    pub fn add(&mut self, fingerprint: u128) {
        self.0 = self.0.wrapping_add(fingerprint);
    }

    /// Removes a document.
    pub fn remove(&mut self, fingerprint: u128) {
        self.0 = self.0.wrapping_sub(fingerprint);
    }

    /// Big-endian bytes.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// From big-endian bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(bytes))
    }
}

impl<C> Encode<C> for Digest {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.bytes(&self.to_bytes())?;
        Ok(())
    }
}

impl<'b, C> Decode<'b, C> for Digest {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        let bytes: [u8; 16] =
            d.bytes()?.try_into().map_err(|_| minicbor::decode::Error::message("a digest has 16 bytes"))?;
        Ok(Self::from_bytes(bytes))
    }
}

/// The term of one document: the first 16 bytes of SHA-256 over its id, epoch and sorted live heads. A document
/// without live changes (only its row) has no heads.
#[must_use]
pub fn fingerprint(document: &DocumentId, epoch: u32, heads: &[[u8; 32]]) -> u128 {
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    context.update(&document.table.0.to_be_bytes());
    context.update(document.record.0.as_bytes());
    context.update(&[document.facet.0]);
    context.update(&epoch.to_be_bytes());
    let mut sorted = heads.to_vec();
    sorted.sort_unstable();
    for head in &sorted {
        context.update(head);
    }
    let mut first = [0u8; 16];
    for (to, from) in first.iter_mut().zip(context.finish().as_ref()) {
        *to = *from;
    }
    u128::from_be_bytes(first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::{FacetId, TableId};
    use crate::ids::RecordId;

    fn document(n: u128) -> DocumentId {
        DocumentId { table: TableId(9), record: RecordId(uuid::Uuid::from_u128(n)), facet: FacetId(0) }
    }

    #[test]
    fn digest_does_not_depend_on_the_order_of_documents() {
        let (a, b) = (fingerprint(&document(1), 1, &[]), fingerprint(&document(2), 1, &[[7; 32]]));
        let mut one = Digest::default();
        one.add(a);
        one.add(b);
        let mut other = Digest::default();
        other.add(b);
        other.add(a);
        assert_eq!(one, other);
        other.remove(b);
        assert_ne!(one, other);
    }

    #[test]
    fn heads_are_a_set() {
        let (x, y) = ([1; 32], [2; 32]);
        assert_eq!(fingerprint(&document(1), 1, &[x, y]), fingerprint(&document(1), 1, &[y, x]));
        assert_ne!(fingerprint(&document(1), 1, &[x, y]), fingerprint(&document(1), 2, &[x, y]));
    }
}

//! Ids of imported records: a function of the source's own keys.
//!
//! Invariant: the same row has the same id in every run, so an import that is repeated finds what it wrote.

use ring::digest::{Context, SHA256};
use uuid::{Builder, Uuid};

/// Keeps these ids apart from every other use of the hash.
const NAMESPACE: &[u8] = b"neonpro import v1\0";

/// The id (`UUIDv8`, RFC 9562 §5.8) of the record of this kind with this key. Parts are texts: never numbers, so that no
/// two ways of writing one become the same.
pub(super) fn id(kind: &str, key: &[&str]) -> Uuid {
    let mut context = Context::new(&SHA256);
    context.update(NAMESPACE);
    for part in std::iter::once(&kind).chain(key) {
        let length = u64::try_from(part.len()).unwrap_or(u64::MAX);
        context.update(&length.to_be_bytes());
        context.update(part.as_bytes());
    }
    let mut bytes = [0u8; 16];
    for (to, from) in bytes.iter_mut().zip(context.finish().as_ref()) {
        *to = *from;
    }
    Builder::from_custom_bytes(bytes).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_differ_by_kind_by_key_and_by_how_a_key_is_cut() {
        assert_eq!(id("patient", &["a", "b"]), id("patient", &["a", "b"]));
        assert_ne!(id("patient", &["a", "b"]), id("clinic", &["a", "b"]));
        assert_ne!(id("patient", &["a", "b"]), id("patient", &["ab", ""]));
        assert_ne!(id("patient", &["9377952927E-5"]), id("patient", &["93779.52927"]));
        assert_eq!(id("patient", &["a"]).get_version_num(), 8);
    }
}

//! Typed identifiers. A patient id cannot be passed where a clinic id is meant.
//!
//! Ids are `UUIDv7` made on the device that creates the record (RFC 9562 §5.7), so creation order is
//! roughly key order in both databases. This module never draws randomness: [`fresh`] is given it.

use minicbor::{Decode, Decoder, Encode, Encoder};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Ok(Self(text.parse()?))
            }
        }

        impl<C> Encode<C> for $name {
            fn encode<W: minicbor::encode::Write>(
                &self,
                e: &mut Encoder<W>,
                _: &mut C,
            ) -> Result<(), minicbor::encode::Error<W::Error>> {
                e.bytes(self.0.as_bytes())?;
                Ok(())
            }
        }

        impl<'b, C> Decode<'b, C> for $name {
            fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
                uuid_from_bytes(d.bytes()?).map(Self)
            }
        }
    };
}

id!(
    /// A clinic: the unit of isolation.
    ClinicId
);
id!(
    /// A network of clinics.
    NetworkId
);
id!(
    /// A row of a catalogue table, whatever the table.
    RecordId
);
id!(
    /// A patient (the record id of a `patients` row).
    PatientId
);
id!(
    /// A person who writes: the record id of a `professionals` row.
    AuthorId
);
id!(
    /// An enrolled tablet.
    DeviceId
);
id!(
    /// One thing a person did. The idempotency key of everything that travels.
    EditId
);
id!(
    /// A matter a human must reconcile.
    ItemId
);

/// Reads a UUID from exactly 16 CBOR bytes.
///
/// # Errors
/// Any other length.
pub fn uuid_from_bytes(bytes: &[u8]) -> Result<Uuid, minicbor::decode::Error> {
    Uuid::from_slice(bytes).map_err(|_| minicbor::decode::Error::message("an id has 16 bytes"))
}

/// Makes a `UUIDv7` from an instant (µs since the epoch) and ten random bytes.
#[must_use]
pub fn fresh(at_us: i64, random: [u8; 10]) -> Uuid {
    let millis = u64::try_from(at_us / 1_000).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
}

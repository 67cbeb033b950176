//! Values in CBOR (RFC 8949): compact, and read back only against the column they are meant for.

use super::{Column, Decimal, Decoder, Encoder, Json, NaiveDate, Type, Value};
use minicbor::decode::Error as DecodeError;
use minicbor::encode::{Error as EncodeError, Write};

/// Days from 0001-01-01 (chrono's day 1) to 1970-01-01.
const EPOCH_DAYS_CE: i32 = 719_163;

impl Value {
    /// Writes the value.
    ///
    /// # Errors
    /// What the writer reports.
    pub fn encode_to<W: Write>(&self, e: &mut Encoder<W>) -> Result<(), EncodeError<W::Error>> {
        match self {
            Self::Null => e.null()?,
            Self::Bool(flag) => e.bool(*flag)?,
            Self::Int(number) | Self::Instant(number) => e.i64(*number)?,
            Self::Decimal(number) => e.str(&number.to_string())?,
            Self::Text(text) => e.str(text)?,
            Self::Uuid(id) => e.bytes(id.as_bytes())?,
            Self::Date(date) => {
                e.i32(chrono::Datelike::num_days_from_ce(date).saturating_sub(EPOCH_DAYS_CE))?
            }
            Self::Texts(members) => {
                e.array(members.len() as u64)?;
                for member in members {
                    e.str(member)?;
                }
                e
            }
            Self::Uuids(members) => {
                e.array(members.len() as u64)?;
                for member in members {
                    e.bytes(member.as_bytes())?;
                }
                e
            }
            Self::Json(json) => e.str(&json.to_string())?,
        };
        Ok(())
    }

    /// Reads a value of this column.
    ///
    /// # Errors
    /// Anything that is not such a value.
    pub fn decode_from(d: &mut Decoder<'_>, column: Column) -> Result<Self, DecodeError> {
        if d.datatype()? == Type::Null {
            d.null()?;
            return Ok(Self::Null);
        }
        Ok(match column {
            Column::Text => Self::Text(d.str()?.to_owned()),
            Column::Uuid => Self::Uuid(crate::ids::uuid_from_bytes(d.bytes()?)?),
            Column::Bool => Self::Bool(d.bool()?),
            Column::Int | Column::BigInt => Self::Int(d.i64()?),
            Column::Instant => Self::Instant(d.i64()?),
            Column::Numeric(..) => Self::Decimal(
                Decimal::from_str_exact(d.str()?).map_err(|_| DecodeError::message("not a decimal"))?,
            ),
            Column::Date => NaiveDate::from_num_days_from_ce_opt(d.i32()?.saturating_add(EPOCH_DAYS_CE))
                .map(Self::Date)
                .ok_or_else(|| DecodeError::message("not a date"))?,
            Column::TextArray => Self::Texts(list(d, |d| d.str().map(str::to_owned))?),
            Column::UuidArray => Self::Uuids(list(d, |d| crate::ids::uuid_from_bytes(d.bytes()?))?),
            Column::Json => Self::Json(
                serde_json::from_str::<Json>(d.str()?).map_err(|_| DecodeError::message("not JSON"))?,
            ),
        })
    }
}

fn list<T>(
    d: &mut Decoder<'_>,
    mut item: impl FnMut(&mut Decoder<'_>) -> Result<T, DecodeError>,
) -> Result<Vec<T>, DecodeError> {
    let length = d.array()?.ok_or_else(|| DecodeError::message("a list names its length"))?;
    if length > crate::limits::SET_MEMBERS_MAX as u64 {
        return Err(DecodeError::message("too many members"));
    }
    (0..length).map(|_| item(d)).collect()
}

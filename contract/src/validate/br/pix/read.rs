//! Reading a BR Code for PIX, static or dynamic.
//!
//! Owns what a valid code must hold. Never follows the address of a dynamic code. Invariant: a `BrCode` comes only from
//! a text whose checksum, lengths and required fields are right.

use std::fmt;

use rust_decimal::Decimal;

use super::tlv::{Fields, is_sealed};
use super::{
    AMOUNT, CITY_CHARS_MAX, GUI, NAME_CHARS_MAX, NO_TXID, PAYLOAD_CHARS_MAX, PixError, TXID_CHARS_MAX,
    bounded,
};

/// Templates of payment arrangements, among which PIX is found by its name.
const ACCOUNT_IDS: std::ops::RangeInclusive<u8> = 26..=51;

/// Characters of a key or an address, at most.
const TARGET_CHARS_MAX: usize = 77;

/// Where a BR Code sends the money.
#[derive(Clone, PartialEq, Eq)]
pub enum PixTarget {
    /// A static code: a key, as written in the code, and a text for the payer.
    Key {
        /// The key; see [`super::PixKey::parse`] to tell its kind.
        key: String,
        /// What the payer reads, if anything.
        description: Option<String>,
    },
    /// A dynamic code: the address (without scheme) where the charge is found.
    Url(String),
}

/// What a BR Code for PIX says.
#[derive(Clone, PartialEq, Eq)]
pub struct BrCode {
    /// Where the money goes.
    pub target: PixTarget,
    /// The amount in reais; without one the payer chooses.
    pub amount: Option<Decimal>,
    /// The receiver's name.
    pub name: String,
    /// The receiver's city.
    pub city: String,
    /// The name of the payment; none for `***`.
    pub txid: Option<String>,
    /// Whether the code says it should be paid only once (field 01 is 12).
    pub single_use: bool,
}

impl fmt::Debug for PixTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PixTarget(redacted)")
    }
}

impl fmt::Debug for BrCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BrCode(redacted)")
    }
}

/// Reads a BR Code for PIX; blanks around it, as pasting leaves them, do not matter.
///
/// # Errors
/// [`PixError`] names the first rule that the text does not keep.
pub fn parse(pasted: &str) -> Result<BrCode, PixError> {
    let payload = pasted.trim();
    if payload.len() > PAYLOAD_CHARS_MAX {
        return Err(PixError::TooLong);
    }
    if !payload.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
        return Err(PixError::NotAscii);
    }
    if !is_sealed(payload) {
        return Err(PixError::Checksum);
    }
    let fields = Fields::read(payload)?;
    let ids_at_the_ends = (fields.iter().next(), fields.iter().next_back().map(|(id, _)| id));
    if ids_at_the_ends != (Some((0, "01")), Some(63)) {
        return Err(PixError::Structure);
    }
    require_value(&fields, 53, "986")?;
    require_value(&fields, 58, "BR")?;
    let category = fields.require(52)?;
    if category.len() != 4 || !category.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(PixError::Field { id: 52 });
    }
    Ok(BrCode {
        target: target(&fields)?,
        amount: fields.find(54).map(amount).transpose()?,
        name: bounded_field(&fields, 59, NAME_CHARS_MAX)?,
        city: bounded_field(&fields, 60, CITY_CHARS_MAX)?,
        txid: txid(&fields)?,
        single_use: match fields.find(1) {
            None | Some("11") => false,
            Some("12") => true,
            Some(_) => return Err(PixError::Field { id: 1 }),
        },
    })
}

fn require_value(fields: &Fields<'_>, id: u8, value: &str) -> Result<(), PixError> {
    if fields.require(id)? == value { Ok(()) } else { Err(PixError::Field { id }) }
}

fn bounded_field(fields: &Fields<'_>, id: u8, chars_max: usize) -> Result<String, PixError> {
    bounded(fields.require(id)?.to_owned(), chars_max).ok_or(PixError::Field { id })
}

/// The account template that names PIX.
fn target(fields: &Fields<'_>) -> Result<PixTarget, PixError> {
    for (id, template) in fields.iter().filter(|(id, _)| ACCOUNT_IDS.contains(id)) {
        let account = Fields::read(template)?;
        if !account.find(0).is_some_and(|gui| gui.eq_ignore_ascii_case(GUI)) {
            continue;
        }
        let bounded = |text: &str| bounded(text.to_owned(), TARGET_CHARS_MAX).ok_or(PixError::Field { id });
        return match (account.find(1), account.find(25)) {
            (Some(key), None) => {
                Ok(PixTarget::Key { key: bounded(key)?, description: account.find(2).map(str::to_owned) })
            }
            (None, Some(url)) => Ok(PixTarget::Url(bounded(url)?)),
            _ => Err(PixError::Field { id }),
        };
    }
    Err(PixError::Missing { id: 26 })
}

/// EMV also allows an amount without cents (`10`); zero means the payer chooses.
fn amount(written: &str) -> Result<Decimal, PixError> {
    let amount = AMOUNT.parse(written).map_err(|_| PixError::Field { id: 54 })?;
    if written.starts_with('-') { Err(PixError::Field { id: 54 }) } else { Ok(amount) }
}

fn txid(fields: &Fields<'_>) -> Result<Option<String>, PixError> {
    let additional = Fields::read(fields.require(62)?)?;
    let txid = additional.find(5).ok_or(PixError::Field { id: 62 })?;
    let txid = bounded(txid.to_owned(), TXID_CHARS_MAX).ok_or(PixError::Field { id: 62 })?;
    Ok((txid != NO_TXID).then_some(txid))
}

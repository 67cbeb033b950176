//! PIX static BR Code: the text behind the QR code that a patient's bank reads.
//!
//! Owns building a static code, reading any BR Code for PIX, and the checksum. Never says "paid": a static code can be
//! paid many times and cannot be queried by txid. Invariant: what [`StaticPix::payload`] writes, [`parse`] reads back.
//!
//! Source: Banco Central do Brasil, *Manual do BR Code* and *Manual de Padrões para Iniciação do Pix* (IN BCB 553/2024),
//! over EMV QRCPS Merchant-Presented Mode 1.1.

use rust_decimal::Decimal;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::decimal::Numeric;

mod tlv;

mod key;

mod read;

pub use key::{PixKey, PixKeyKind};
pub use read::{BrCode, PixTarget, parse};
pub use tlv::crc16;

/// Characters of a whole BR Code, at most.
pub const PAYLOAD_CHARS_MAX: usize = 512;

/// Characters of the receiver's name (field 59), at most.
pub const NAME_CHARS_MAX: usize = 25;

/// Characters of the receiver's city (field 60), at most.
pub const CITY_CHARS_MAX: usize = 15;

/// Characters of a txid in a static code (field 62, 05), at most.
pub const TXID_CHARS_MAX: usize = 25;

/// Reais of field 54: thirteen characters with the point and the cents.
const AMOUNT: Numeric = Numeric::new(12, 2);

/// The arrangement's name in the merchant account template; compared without regard to case.
const GUI: &str = "br.gov.bcb.pix";

/// What stands for "no txid".
const NO_TXID: &str = "***";

/// Why a text is not a BR Code for PIX, or cannot become part of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PixError {
    /// More than 512 characters.
    #[error("a BR Code has at most 512 characters")]
    TooLong,
    /// A character outside printable ASCII.
    #[error("a BR Code has only printable ASCII characters")]
    NotAscii,
    /// The last four characters are not the CRC-16 of all that precedes them.
    #[error("the checksum of the BR Code does not fit")]
    Checksum,
    /// Identifiers and lengths do not divide the text, or one identifier stands twice.
    #[error("the fields of the BR Code do not fit together")]
    Structure,
    /// A field that PIX requires is absent.
    #[error("the BR Code lacks field {id:02}")]
    Missing {
        /// EMV identifier of the field.
        id: u8,
    },
    /// A field has a value that PIX does not allow.
    #[error("field {id:02} of the BR Code has a value that PIX does not allow")]
    Field {
        /// EMV identifier of the field.
        id: u8,
    },
    /// Not a CPF, CNPJ, e-mail, phone or random key.
    #[error("not a PIX key")]
    Key,
    /// The name is empty or has over 25 characters once in ASCII.
    #[error("the receiver's name has one to 25 characters")]
    Name,
    /// The city is empty or has over 15 characters once in ASCII.
    #[error("the receiver's city has one to 15 characters")]
    City,
    /// The amount is not positive, has fractions of a cent, or is above 9999999999.99.
    #[error("the amount is not a positive number of cents up to ten digits of reais")]
    Amount,
    /// The txid is not 1–25 ASCII letters and digits.
    #[error("a txid has one to 25 letters and digits")]
    Txid,
}

impl PixError {
    /// The stable code of this error.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::TooLong => "pix_too_long",
            Self::NotAscii => "pix_not_ascii",
            Self::Checksum => "pix_checksum",
            Self::Structure => "pix_structure",
            Self::Missing { .. } => "pix_missing_field",
            Self::Field { .. } => "pix_field",
            Self::Key => "pix_key",
            Self::Name => "pix_name",
            Self::City => "pix_city",
            Self::Amount => "pix_amount",
            Self::Txid => "pix_txid",
        }
    }
}

/// A static PIX code in the making.
#[derive(Clone, PartialEq, Eq)]
pub struct StaticPix {
    key: PixKey,
    name: String,
    city: String,
    amount: Option<Decimal>,
    txid: Option<String>,
}

impl StaticPix {
    /// A code that pays any amount to `key`. Name and city are brought to capitals by [`merchant_text`].
    ///
    /// # Errors
    /// [`PixError::Name`] or [`PixError::City`]: nothing is cut off here, see [`merchant_text_cut`].
    pub fn new(key: PixKey, name: &str, city: &str) -> Result<Self, PixError> {
        let name = bounded(merchant_text(name), NAME_CHARS_MAX).ok_or(PixError::Name)?;
        let city = bounded(merchant_text(city), CITY_CHARS_MAX).ok_or(PixError::City)?;
        Ok(Self { key, name, city, amount: None, txid: None })
    }

    /// Fixes the amount, in reais.
    ///
    /// # Errors
    /// [`PixError::Amount`] when it is not positive, has fractions of a cent, or does not fit field 54.
    pub fn with_amount(mut self, amount: Decimal) -> Result<Self, PixError> {
        let amount = AMOUNT.fit(amount).map_err(|_| PixError::Amount)?;
        if amount <= Decimal::ZERO {
            return Err(PixError::Amount);
        }
        self.amount = Some(amount);
        Ok(self)
    }

    /// Names the payment: the receiver's bank repeats this text with the credit.
    ///
    /// # Errors
    /// [`PixError::Txid`] when it is not 1–25 ASCII letters and digits.
    pub fn with_txid(mut self, txid: &str) -> Result<Self, PixError> {
        let well_formed = txid.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let txid = bounded(txid.to_owned(), TXID_CHARS_MAX).filter(|_| well_formed).ok_or(PixError::Txid)?;
        self.txid = Some(txid);
        Ok(self)
    }

    /// The text to draw as a QR code and to offer as "Pix copia e cola".
    #[must_use]
    pub fn payload(&self) -> String {
        let account = tlv::write(0, GUI) + &tlv::write(1, self.key.as_str());
        let mut payload = tlv::write(0, "01") + &tlv::write(26, &account);
        payload += &(tlv::write(52, "0000") + &tlv::write(53, "986"));
        if let Some(amount) = &self.amount {
            payload += &tlv::write(54, &amount.to_string());
        }
        payload += &(tlv::write(58, "BR") + &tlv::write(59, &self.name) + &tlv::write(60, &self.city));
        payload += &tlv::write(62, &tlv::write(5, self.txid.as_deref().unwrap_or(NO_TXID)));
        tlv::seal(payload)
    }
}

/// Shows neither key nor amount.
impl std::fmt::Debug for StaticPix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StaticPix(redacted)")
    }
}

/// Name or city as every bank reads it: printable ASCII in capitals, accents dropped, single spaces.
///
/// EMV's `ans` set also has small letters, and the Central Bank's sample uses them; capitals are the house's choice
/// within that set.
#[must_use]
pub fn merchant_text(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    for character in text.nfkd().filter(|character| !is_combining_mark(*character)) {
        if character.is_ascii_graphic() {
            written.push(character.to_ascii_uppercase());
        } else if !written.is_empty() && !written.ends_with(' ') {
            written.push(' ');
        }
    }
    written.truncate(written.trim_end().len());
    written
}

/// [`merchant_text`] cut to `chars_max`, for the screen to propose: the person sees and confirms what is lost.
#[must_use]
pub fn merchant_text_cut(text: &str, chars_max: usize) -> String {
    let cut: String = merchant_text(text).chars().take(chars_max).collect();
    cut.trim_end().to_owned()
}

/// An ASCII text of one to `chars_max` characters.
fn bounded(text: String, chars_max: usize) -> Option<String> {
    (!text.is_empty() && text.len() <= chars_max).then_some(text)
}

#[cfg(test)]
mod tests;

//! What a GS1 barcode on a package says: product (GTIN), lot, expiry, serial number.
//!
//! Source: GS1 General Specifications, section 3 (application identifiers) and 7.12 (years of two digits). Medicines in Brazil carry
//! these in a GS1 DataMatrix (ANVISA RDC 157/2017). Reads the text a scanner gives, as transmitted (with a group separator behind
//! parts of variable length) or as printed (identifiers in brackets). Never looks anything up.

use chrono::{Datelike, NaiveDate};

/// Ends a part of variable length (FNC1 as scanners send it).
const SEPARATOR: char = '\u{1d}';
/// Longest text that is read, characters.
const TEXT_CHARS_MAX: usize = 256;

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Package {
    /// Global trade item number, 14 digits, check digit verified.
    pub gtin: Option<String>,
    /// Lot.
    pub lot: Option<String>,
    /// Last day of use.
    pub expiry: Option<NaiveDate>,
    /// Serial number.
    pub serial: Option<String>,
    /// ANVISA registration (identifier 713).
    pub anvisa: Option<String>,
}

/// Why a text is no GS1 barcode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotGs1 {
    /// Nothing of what is looked for is in it.
    #[error("this is not a GS1 barcode")]
    Unknown,
    /// The check digit of the product number is wrong.
    #[error("the product number has a wrong check digit: scan again")]
    CheckDigit,
    /// A day that does not exist.
    #[error("the expiry is not a day")]
    Expiry,
}

/// How long the value of an identifier is: exactly, or at most.
enum Length {
    Exactly(usize),
    AtMost(usize),
}

/// Identifiers that are read over or kept. Others end the reading: where they end is not known.
fn length(identifier: &str) -> Option<Length> {
    Some(match identifier {
        "00" => Length::Exactly(18),
        "01" | "02" => Length::Exactly(14),
        "11" | "12" | "13" | "15" | "16" | "17" => Length::Exactly(6),
        "20" => Length::Exactly(2),
        "10" | "21" | "22" | "713" => Length::AtMost(20),
        "30" | "37" => Length::AtMost(8),
        "240" | "241" | "250" => Length::AtMost(30),
        _ => return None,
    })
}

/// Reads a barcode's text. `today` decides the century of its years. A plain EAN-8, UPC-A, EAN-13 or GTIN-14 counts as a product
/// number alone.
///
/// # Errors
/// It is none, or what it says is wrong.
pub fn read(text: &str, today: NaiveDate) -> Result<Package, NotGs1> {
    let text = text.trim();
    if text.chars().count() > TEXT_CHARS_MAX {
        return Err(NotGs1::Unknown);
    }
    if text.chars().all(|c| c.is_ascii_digit()) && matches!(text.len(), 8 | 12 | 13 | 14) {
        return Ok(Package { gtin: Some(gtin(text)?), ..Package::default() });
    }
    // Symbology identifiers of DataMatrix, GS1-128 and QR that some scanners put in front.
    let text = ["]d2", "]C1", "]Q3"].iter().find_map(|mark| text.strip_prefix(mark)).unwrap_or(text);
    let parts = if text.starts_with('(') { printed(text) } else { transmitted(text) };
    let mut package = Package::default();
    for (identifier, value) in parts {
        match identifier {
            "01" => package.gtin = Some(gtin(value)?),
            "10" => package.lot = Some(value.to_owned()),
            "17" => package.expiry = Some(day(value, today).ok_or(NotGs1::Expiry)?),
            "21" => package.serial = Some(value.to_owned()),
            "713" => package.anvisa = Some(value.to_owned()),
            _ => {}
        }
    }
    if package == Package::default() { Err(NotGs1::Unknown) } else { Ok(package) }
}

/// `(01)…(17)…(10)…`
fn printed(text: &str) -> Vec<(&str, &str)> {
    let parts = text.split('(').skip(1).filter_map(|part| part.split_once(')'));
    parts
        .map(|(identifier, value)| (identifier, value.trim()))
        .filter(|(_, value)| !value.is_empty())
        .collect()
}

/// `01…17…10…`, parts of variable length ended by a separator.
fn transmitted(text: &str) -> Vec<(&str, &str)> {
    let (mut parts, mut rest) = (Vec::new(), text.trim_start_matches(SEPARATOR));
    while !rest.is_empty() {
        let found = [2, 3].into_iter().find_map(|digits| {
            let (identifier, value) = rest.split_at_checked(digits)?;
            Some((identifier, value, length(identifier)?))
        });
        let Some((identifier, value, length)) = found else { break };
        let whole = value.find(SEPARATOR).unwrap_or(value.len());
        let take = match length {
            Length::Exactly(length) => length,
            Length::AtMost(length) => whole.min(length),
        };
        let Some((value, left)) = value.split_at_checked(take) else { break };
        if !value.is_empty() && !value.contains(SEPARATOR) {
            parts.push((identifier, value));
        }
        rest = left.trim_start_matches(SEPARATOR);
    }
    parts
}

/// As 14 digits, its check digit verified (GS1 General Specifications 7.9).
fn gtin(text: &str) -> Result<String, NotGs1> {
    if !matches!(text.len(), 8 | 12 | 13 | 14) || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(NotGs1::Unknown);
    }
    let whole = format!("{text:0>14}");
    let weighted = whole.bytes().zip([3u32, 1].into_iter().cycle());
    let sum: u32 =
        weighted.map(|(digit, weight)| u32::from(digit.saturating_sub(b'0')).saturating_mul(weight)).sum();
    if sum.is_multiple_of(10) { Ok(whole) } else { Err(NotGs1::CheckDigit) }
}

/// `YYMMDD`; day 00 is the last of its month. A year is at most 50 ahead of this one and at most 49 behind it.
fn day(text: &str, today: NaiveDate) -> Option<NaiveDate> {
    let number = |from: usize| text.get(from..from.checked_add(2)?)?.parse::<u32>().ok();
    let (year, month, day) = (i32::try_from(number(0)?).ok()?, number(2)?, number(4)?);
    let century = today.year().div_euclid(100).checked_mul(100)?;
    let apart = year.checked_sub(today.year().rem_euclid(100))?;
    let year = century.checked_add(year)?.checked_add(match apart {
        51.. => -100,
        ..=-50 => 100,
        _ => 0,
    })?;
    if day > 0 {
        return NaiveDate::from_ymd_opt(year, month, day);
    }
    let first = NaiveDate::from_ymd_opt(year, month, 1)?;
    first.checked_add_months(chrono::Months::new(1))?.pred_opt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn today() -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 11, 26).unwrap()
    }

    fn ymd(year: i32, month: u32, day: u32) -> Option<NaiveDate> {
        NaiveDate::from_ymd_opt(year, month, day)
    }

    #[test]
    fn a_transmitted_and_a_printed_code_say_the_same() {
        let sent = "]d20107891234567895172703311 0LOTE7".replace(' ', "");
        let package = read(&format!("{sent}\u{1d}21SN1"), today()).unwrap();
        let printed = read("(01)07891234567895(17)270331(10)LOTE7(21)SN1", today()).unwrap();
        assert_eq!(package, printed);
        assert_eq!(package.gtin.as_deref(), Some("07891234567895"));
        assert_eq!((package.lot.as_deref(), package.expiry), (Some("LOTE7"), ymd(2027, 3, 31)));
        assert_eq!(package.serial.as_deref(), Some("SN1"));
    }

    #[test]
    fn a_lot_in_the_middle_ends_at_its_separator() {
        let package = read("010789123456789510AB-9\u{1d}17271200", today()).unwrap();
        assert_eq!((package.lot.as_deref(), package.expiry), (Some("AB-9"), ymd(2027, 12, 31)));
    }

    #[test]
    fn a_day_of_zero_is_the_last_of_its_month_and_years_slide() {
        assert_eq!(day("280200", today()), ymd(2028, 2, 29));
        assert_eq!(day("760101", today()), ymd(2076, 1, 1));
        assert_eq!(day("770101", today()), ymd(1977, 1, 1));
        assert_eq!(day("271301", today()), None);
    }

    #[test]
    fn plain_product_numbers_count_and_wrong_ones_are_named() {
        assert_eq!(read("7891234567895", today()).unwrap().gtin.as_deref(), Some("07891234567895"));
        assert_eq!(read("7891234567890", today()), Err(NotGs1::CheckDigit));
        assert_eq!(read("(17)271301", today()), Err(NotGs1::Expiry));
        for text in ["", "botox", "99", "(99)x", "]d2"] {
            assert_eq!(read(text, today()), Err(NotGs1::Unknown), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,80}") {
            let _ = read(&text, today());
        }
    }
}

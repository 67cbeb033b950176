//! Numbers as people type them.
//!
//! Owns telling a separator of thousands from a decimal point. Invariant: `1.500` is one thousand five hundred, as every Brazilian
//! reads it, and never one and a half.

use rust_decimal::Decimal;

/// Digits between two separators of thousands.
const GROUP: usize = 3;

/// A number as Brazilians type it (`1.234,50`, `1.500`), or with a decimal point where that cannot be a separator of thousands
/// (`1234.5`, `0.125`). `None` for anything else, and for more digits than a [`Decimal`] holds.
#[must_use]
pub fn decimal(typed: &str) -> Option<Decimal> {
    let plain: String = typed.chars().filter(|c| !c.is_whitespace()).collect();
    let (negative, plain) = plain.strip_prefix('-').map_or((false, plain.as_str()), |rest| (true, rest));
    let (whole, part) = match plain.split_once(',') {
        Some((whole, part)) => (ungrouped(whole)?, part),
        None => match (ungrouped(plain), plain.split_once('.')) {
            (Some(whole), _) => (whole, ""),
            (None, Some((whole, part))) => (whole.to_owned(), part),
            (None, None) => return None,
        },
    };
    let digits = whole.bytes().chain(part.bytes()).all(|byte| byte.is_ascii_digit());
    if !digits || (whole.is_empty() && part.is_empty()) {
        return None;
    }
    let text = if part.is_empty() { whole } else { format!("{whole}.{part}") };
    let number: Decimal = text.parse().ok()?;
    Some(if negative { -number } else { number })
}

/// Digits without their separators of thousands; `None` where the points stand elsewhere.
fn ungrouped(text: &str) -> Option<String> {
    let mut groups = text.split('.');
    let first = groups.next()?;
    let grouped = groups.clone().next().is_some();
    let begins = !grouped || ((1..=GROUP).contains(&first.len()) && !first.starts_with('0'));
    (begins && groups.all(|group| group.len() == GROUP)).then(|| text.replace('.', ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_as_brazilians_type_it() {
        for (typed, read) in [
            ("1.234,50", "1234.50"),
            ("1.500", "1500"),
            ("12.345.678", "12345678"),
            ("1234.5", "1234.5"),
            ("1.5", "1.5"),
            ("0.125", "0.125"),
            ("0,125", "0.125"),
            (",5", "0.5"),
            ("-2", "-2"),
            (" 1 500,00 ", "1500.00"),
            ("0", "0"),
        ] {
            assert_eq!(decimal(typed).map(|number| number.to_string()).as_deref(), Some(read), "{typed}");
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        let long = "9".repeat(40);
        for typed in
            ["", "-", ",", ".", "1,2,3", "1.2.3", "12.34,5", "1e5", "R$ 5", "--1", "1,-2", "٣", &long]
        {
            assert_eq!(decimal(typed), None, "{typed}");
        }
    }
}

//! Forms that Brazilian law and practice give to numbers, texts, amounts and dates.
//!
//! Owns the rules of form that tablet and server share, each with its source. Never looks anything up, never
//! corrects a value silently, and never puts a person's data in an error or in `Debug`. Invariant: what one of these
//! functions accepts on a tablet is accepted by the same function on the server, so an offline edit is never
//! refused for its form. What is only usually true (TUSS, ANVISA, councils) warns and never refuses.

pub mod text;

pub mod decimal;

pub mod date;

pub mod cpf;

pub mod cnpj;

pub mod cns;

pub mod tuss;

pub mod council;

pub mod anvisa;

pub mod pix;

pub use cnpj::{Cnpj, CnpjError};
pub use cns::{Cns, CnsError};
pub use cpf::{Cpf, CpfError};

/// Why typed symbols could not be read; each identifier turns it into its own error.
enum Unread {
    Character,
    Length,
}

/// Reads exactly `N` symbols, skipping `separators`; `accept` returns a symbol's canonical form.
fn read_symbols<const N: usize>(
    typed: &str,
    separators: &[char],
    accept: fn(u8) -> Option<u8>,
) -> Result<[u8; N], Unread> {
    let mut symbols = Vec::with_capacity(N);
    for typed_char in typed.trim().chars() {
        if separators.contains(&typed_char) {
            continue;
        }
        let symbol = u8::try_from(typed_char).ok().and_then(accept).ok_or(Unread::Character)?;
        if symbols.len() == N {
            return Err(Unread::Length);
        }
        symbols.push(symbol);
    }
    symbols.try_into().map_err(|_| Unread::Length)
}

/// Accepts an ASCII digit. Not `char::is_numeric`: that also takes Arabic-Indic and fullwidth digits.
fn accept_digit(symbol: u8) -> Option<u8> {
    symbol.is_ascii_digit().then_some(symbol)
}

/// The number an ASCII symbol stands for: its code minus 48, which also serves the letters of a CNPJ.
fn value_of(symbol: u8) -> u32 {
    u32::from(symbol.saturating_sub(b'0'))
}

/// Σ value × weight, over as many symbols as there are weights.
fn weighted_sum(symbols: &[u8], weights: impl IntoIterator<Item = u32>) -> u32 {
    symbols.iter().zip(weights).map(|(symbol, weight)| value_of(*symbol) * weight).sum()
}

/// The digit, in ASCII, that modulus 11 gives to a weighted sum in CPF and CNPJ: 0 when the rest is below 2.
fn mod_11_digit(sum: u32) -> u8 {
    match sum % 11 {
        0 | 1 => b'0',
        rest => ascii_digit(11 - rest),
    }
}

/// A number 0–9 as its ASCII digit.
fn ascii_digit(number: u32) -> u8 {
    char::from_digit(number % 10, 10).and_then(|digit| u8::try_from(digit).ok()).unwrap_or(b'0')
}

/// Whether all symbols are the same one.
fn all_equal(symbols: &[u8]) -> bool {
    symbols.iter().zip(symbols.iter().skip(1)).all(|(left, right)| left == right)
}

/// ASCII symbols as text.
fn to_text(symbols: &[u8]) -> String {
    symbols.iter().copied().map(char::from).collect()
}

/// Writes `text` with `marks`: each a number of characters and the mark that follows them.
fn punctuated(text: &str, marks: &[(usize, char)]) -> String {
    let mut symbols = text.chars();
    let mut written = String::with_capacity(text.len() + marks.len());
    for (count, mark) in marks {
        written.extend(symbols.by_ref().take(*count));
        written.push(*mark);
    }
    written.extend(symbols);
    written
}

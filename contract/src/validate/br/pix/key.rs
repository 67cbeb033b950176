//! PIX keys, the addresses of accounts in the Central Bank's directory (DICT).
//!
//! Owns their five forms. Never says whether a key is registered, or whose it is. Invariant: a `PixKey` is in the form
//! the directory stores.

use std::fmt;

use super::PixError;
use crate::validate::br::{Cnpj, Cpf};

/// Characters of a key, at most: an e-mail address.
const KEY_CHARS_MAX: usize = 77;

/// A PIX key in the directory's form (Resolução BCB 1/2020, Manual Operacional do DICT).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PixKey {
    kind: PixKeyKind,
    text: String,
}

/// What a PIX key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PixKeyKind {
    /// A person's CPF, digits only.
    Cpf,
    /// A company's CNPJ, without punctuation.
    Cnpj,
    /// A phone number in E.164 form, with its `+`.
    Phone,
    /// An e-mail address in small letters.
    Email,
    /// A random key (EVP), a UUID.
    Random,
}

impl PixKey {
    /// Reads a key as people type it. A phone number must begin with `+`: without it, it could be a CPF.
    ///
    /// # Errors
    /// [`PixError::Key`] when it is none of the five kinds.
    pub fn parse(typed: &str) -> Result<Self, PixError> {
        let typed = typed.trim();
        let key = |kind, text| Ok(Self { kind, text });
        if typed.starts_with('+') {
            return key(PixKeyKind::Phone, phone(typed).ok_or(PixError::Key)?);
        }
        if typed.contains('@') {
            return key(PixKeyKind::Email, email(typed).ok_or(PixError::Key)?);
        }
        if is_uuid(typed) {
            return key(PixKeyKind::Random, typed.to_ascii_lowercase());
        }
        if let Ok(cpf) = Cpf::parse(typed) {
            return key(PixKeyKind::Cpf, cpf.as_str().to_owned());
        }
        let cnpj = Cnpj::parse(typed).map_err(|_| PixError::Key)?;
        key(PixKeyKind::Cnpj, cnpj.as_str().to_owned())
    }

    /// What the key is.
    #[must_use]
    pub fn kind(&self) -> PixKeyKind {
        self.kind
    }

    /// The key as the directory stores it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for PixKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PixKey({:?}, redacted)", self.kind)
    }
}

/// `+` and 2–15 digits, the first not zero (ITU-T E.164).
fn phone(typed: &str) -> Option<String> {
    let number: String = typed.chars().filter(|typed| !" -().".contains(*typed)).collect();
    let digits = number.strip_prefix('+')?;
    let well_formed = (2..=15).contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && !digits.starts_with('0');
    well_formed.then_some(number)
}

/// One `@` between two parts of printable ASCII, the second with a dot inside.
fn email(typed: &str) -> Option<String> {
    let (local, domain) = typed.split_once('@')?;
    let well_formed = typed.len() <= KEY_CHARS_MAX
        && typed.bytes().all(|byte| byte.is_ascii_graphic())
        && !local.is_empty()
        && !domain.contains('@')
        && domain.split('.').count() > 1
        && domain.split('.').all(|label| !label.is_empty());
    well_formed.then(|| typed.to_ascii_lowercase())
}

/// The 8-4-4-4-12 form (RFC 9562). The version is not looked at: the manual's own sample key has none.
fn is_uuid(typed: &str) -> bool {
    let groups = typed.split('-').map(str::len);
    groups.eq([8, 4, 4, 4, 12]) && typed.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_key_takes_the_form_of_the_directory() {
        let cases = [
            ("529.982.247-25", PixKeyKind::Cpf, "52998224725"),
            ("12.ABC.345/01DE-35", PixKeyKind::Cnpj, "12ABC34501DE35"),
            ("+55 (11) 91234-5678", PixKeyKind::Phone, "+5511912345678"),
            (" Caixa@Clinica.com.br ", PixKeyKind::Email, "caixa@clinica.com.br"),
            (
                "123E4567-E12B-12D1-A456-426655440000",
                PixKeyKind::Random,
                "123e4567-e12b-12d1-a456-426655440000",
            ),
        ];
        for (typed, kind, stored) in cases {
            let key = PixKey::parse(typed).unwrap();
            assert_eq!((key.kind(), key.as_str()), (kind, stored));
        }
    }

    #[test]
    fn anything_else_is_no_key() {
        let long = format!("{}@clinica.com.br", "x".repeat(64));
        let others = [
            "",
            "minha-chave",
            "11912345678",
            "+",
            "+0551191234567",
            "+55119123456789012",
            "+55x",
            "@a.b",
            "a@b",
            "a@b.",
            "a@.b",
            "a@b@c.d",
            "ã@b.c",
            "a b@c.d",
            &long,
            "123e4567-e12b-12d1-a456-42665544000",
            "123e4567-e12b-12d1-a456-42665544000g",
            "52998224724",
        ];
        for typed in others {
            assert_eq!(PixKey::parse(typed), Err(PixError::Key), "{typed:?}");
        }
    }

    #[test]
    fn debug_shows_the_kind_only() {
        assert_eq!(format!("{:?}", PixKey::parse("52998224725")), "Ok(PixKey(Cpf, redacted))");
    }
}

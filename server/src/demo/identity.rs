//! Numbers and addresses of people who do not exist.
//!
//! Telephones begin with 90, which no operator has; e-mail goes to `example.com` (RFC 2606). A CPF must have valid check
//! digits to be of use, so one may happen to be somebody's: nothing else here is.

use super::names::{FAMILIES, MEN, WOMEN};
use super::places::Place;
use super::random::Random;
use neonpro_contract::validate::br::cns::Cns;
use neonpro_contract::validate::br::cpf::Cpf;
use std::collections::HashSet;

/// Who somebody is.
#[derive(Debug)]
pub(super) struct Identity {
    /// Full name.
    pub(super) name: String,
    /// `female` or `male`.
    pub(super) gender: &'static str,
}

/// A name: one first name or two, one family name or two.
pub(super) fn person(random: &mut Random, women_percent: u32) -> Identity {
    let woman = random.chance(women_percent);
    let (gender, list) = if woman { ("female", WOMEN) } else { ("male", MEN) };
    let mut name = random.word(list).to_owned();
    if random.chance(35) {
        let second = random.word(list);
        if second != name {
            name = format!("{name} {second}");
        }
    }
    let (first, last) = (random.word(FAMILIES), random.word(FAMILIES));
    let name = if first != last && random.chance(70) {
        format!("{name} {first} {last}")
    } else {
        format!("{name} {last}")
    };
    Identity { name, gender }
}

/// A CPF that nobody in the clinic has yet.
pub(super) fn cpf(random: &mut Random, place: &Place, taken: &mut HashSet<String>) -> Option<String> {
    for _ in 0..16 {
        let digits: [u8; 8] = random.digits();
        let [a, b, c, d, e, f, g, h] = digits;
        let made = Cpf::from_base([a, b, c, d, e, f, g, h, place.fiscal_region]).ok()?;
        if taken.insert(made.as_str().to_owned()) {
            return Some(made.as_str().to_owned());
        }
    }
    None
}

/// A provisional CNS. One base in eleven has no check digit: then there is none.
pub(super) fn cns(random: &mut Random) -> Option<String> {
    let digits: [u8; 12] = random.digits();
    let base: Vec<u8> = b"89".iter().copied().chain(digits).collect();
    Cns::from_provisional_base(base.try_into().ok()?).ok().map(|cns| cns.as_str().to_owned())
}

/// A mobile number.
pub(super) fn phone(random: &mut Random, ddd: &str) -> String {
    format!("({ddd}) 90{:03}-{:04}", random.below(1_000), random.below(10_000))
}

/// An e-mail address made of a name and a number.
pub(super) fn email(name: &str, number: u32) -> String {
    let plain: String = name
        .to_lowercase()
        .chars()
        .map(|letter| match letter {
            'á' | 'à' | 'â' | 'ã' => 'a',
            'é' | 'ê' => 'e',
            'í' => 'i',
            'ó' | 'ô' | 'õ' => 'o',
            'ú' => 'u',
            'ç' => 'c',
            ' ' => '.',
            other => other,
        })
        .collect();
    format!("{plain}.{number}@example.com")
}

/// A postal address.
pub(super) fn address(random: &mut Random, place: &Place) -> String {
    let (street, quarter) = (random.word(place.streets), random.word(place.neighbourhoods));
    let number = random.between(12, 1_980);
    let flat = if random.chance(45) { format!(", apto. {}", random.between(11, 184)) } else { String::new() };
    let cep = format!("{}{:02}-{:03}", place.cep_prefix, random.below(90), random.below(990));
    format!("{street}, {number}{flat} - {quarter}, {}/{}, {cep}", place.city, place.uf)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_e_mail_address_has_only_plain_letters() {
        assert_eq!(email("Ângela Conceição Araújo", 7), "angela.conceicao.araujo.7@example.com");
    }
}

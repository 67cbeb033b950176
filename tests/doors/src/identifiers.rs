//! Readers of what people type: identifiers, payment codes, dates, amounts, texts.

use crate::{Door, Random, Raw};
use neonpro_contract::validate::br;

pub const DOOR: Door = Door { name: "identifiers", seeds, run, reshape: mutate };

/// What a reader takes, it takes again in the form it gave.
fn run(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    people(&text);
    payments(&text);
    let _ = br::tuss::TussCheck::of(&text).warning_code();
    let _ = br::anvisa::AnvisaKind::of(&text).warning_code();
    let parts: Vec<&str> = text.splitn(4, ' ').collect();
    if let [council, region, number, ..] = parts[..] {
        let _ = br::council::CouncilRegistration::new(council, region, number, parts.get(3).copied());
    }
    for kind in [br::text::TextKind::Line, br::text::TextKind::Long] {
        if let Ok(stored) = br::text::normalise(&text, kind, 800) {
            assert!(stored.len() <= 800);
            assert_eq!(br::text::normalise(&stored, kind, 800).as_deref(), Ok(stored.as_str()));
        }
    }
    if let Ok(date) = br::date::parse(&text) {
        assert_eq!(br::date::parse(&date.to_string()), Ok(date));
    }
    let amounts = br::decimal::Numeric::new(10, 2);
    if let Ok(amount) = amounts.parse(&text) {
        assert!(amount.scale() <= 2);
        assert_eq!(amounts.parse(&amount.to_string()), Ok(amount));
    }
}

fn people(text: &str) {
    if let Ok(cpf) = br::cpf::Cpf::parse(text) {
        assert!(br::cpf::Cpf::parse(cpf.as_str()).is_ok_and(|again| again.as_str() == cpf.as_str()));
        assert!(br::cpf::Cpf::parse(&cpf.formatted()).is_ok_and(|again| again.as_str() == cpf.as_str()));
    }
    if let Ok(cnpj) = br::cnpj::Cnpj::parse(text) {
        assert!(br::cnpj::Cnpj::parse(cnpj.as_str()).is_ok_and(|again| again.as_str() == cnpj.as_str()));
        assert!(br::cnpj::Cnpj::parse(&cnpj.formatted()).is_ok_and(|again| again.as_str() == cnpj.as_str()));
    }
    if let Ok(cns) = br::cns::Cns::parse(text) {
        assert!(br::cns::Cns::parse(cns.as_str()).is_ok_and(|again| again.as_str() == cns.as_str()));
        assert!(br::cns::Cns::parse(&cns.formatted()).is_ok_and(|again| again.as_str() == cns.as_str()));
    }
}

fn payments(text: &str) {
    let _ = br::pix::parse(text);
    let Ok(key) = br::pix::PixKey::parse(text) else { return };
    assert!(br::pix::PixKey::parse(key.as_str()).is_ok_and(|again| again.kind() == key.kind()));
    if let Ok(code) = br::pix::StaticPix::new(key, "Ana", "Recife") {
        assert!(br::pix::parse(&code.payload()).is_ok(), "what is shown can be scanned");
    }
}

/// Bytes; or, of a payment code, with the checksum that fits at its end.
fn mutate(input: &[u8], random: &mut Random, raw: Raw<'_>) -> Vec<u8> {
    let mut bytes = input.to_vec();
    raw(&mut bytes);
    let body = bytes.len().saturating_sub(4);
    if input.starts_with(b"000201") && random.below(2) == 0 {
        bytes.truncate(body);
        bytes.extend(format!("{:04X}", crc16(&bytes)).bytes());
    }
    bytes
}

/// CRC-16/CCITT-FALSE.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xffff, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte) << 8, |crc: u16, _| {
            crc << 1 ^ if crc & 0x8000 == 0 { 0 } else { 0x1021 }
        })
    })
}

fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let pix = br::pix::PixKey::parse("ana@exemplo.com.br")
        .and_then(|key| br::pix::StaticPix::new(key, "Ana", "Recife"))
        .and_then(|pix| pix.with_txid("CONSULTA1"))
        .map(|pix| pix.payload())
        .unwrap();
    let texts = [
        ("cpf", "529.982.247-25"),
        ("cpf-digits", "52998224725"),
        ("cnpj", "11.222.333/0001-81"),
        ("cnpj-letters", "12ABC34501DE35"),
        ("cns", "898000000043208"),
        ("cns-definitive", "100000000060018"),
        ("pix-random-key", "123e4567-e89b-42d3-a456-426614174000"),
        ("pix-phone", "+5511912345678"),
        ("pix-mail", "ana@exemplo.com.br"),
        ("pix-code", &pix),
        ("tuss", "40304361"),
        ("anvisa-device", "80102519001"),
        ("anvisa-medicine", "1037800120017"),
        ("council", "CRM SP 123456"),
        ("council-category", "COREN SP 123456 ENF"),
        ("date", "2026-02-28"),
        ("amount", "-1234.50"),
        ("text", "A\u{301}na\r\n\0"),
        ("text-bidi", "\u{202e}Ana\u{2066} Silva"),
    ];
    texts.into_iter().map(|(name, text)| (name, text.as_bytes().to_vec())).collect()
}

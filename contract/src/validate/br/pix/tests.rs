//! Static codes built and read, against the Central Bank's sample.

use super::*;

/// The static example of the *Manual de Padrões para Iniciação do Pix*.
const SAMPLE: &str = "00020126580014br.gov.bcb.pix0136123e4567-e12b-12d1-a456-426655440000\
    5204000053039865802BR5913Fulano de Tal6008BRASILIA62070503***63041D3D";

fn sample_code() -> StaticPix {
    let key = PixKey::parse("123e4567-e12b-12d1-a456-426655440000").unwrap();
    StaticPix::new(key, "Fulano de Tal", "Brasília").unwrap()
}

/// A code with the right checksum over any fields.
fn sealed(fields: &str) -> String {
    tlv::seal(fields.to_owned())
}

#[test]
fn the_sample_of_the_central_bank_is_read() {
    let code = parse(SAMPLE).unwrap();
    let PixTarget::Key { key, description } = &code.target else { panic!("not static") };
    assert_eq!((key.as_str(), description), ("123e4567-e12b-12d1-a456-426655440000", &None));
    assert_eq!((code.name.as_str(), code.city.as_str()), ("Fulano de Tal", "BRASILIA"));
    assert_eq!((code.amount, &code.txid, code.single_use), (None, &None, false));
    assert_eq!(parse(&format!(" {SAMPLE}\n")).unwrap(), code);
    assert_eq!(format!("{code:?} {:?}", code.target), "BrCode(redacted) PixTarget(redacted)");
}

#[test]
fn the_sample_is_built_again_but_for_its_small_letters() {
    let fields = SAMPLE.strip_suffix("63041D3D").unwrap();
    assert_eq!(sealed(fields), SAMPLE);
    assert_eq!(sample_code().payload(), sealed(&fields.replace("Fulano de Tal", "FULANO DE TAL")));
}

#[test]
fn what_is_built_is_read_back() {
    let code = sample_code().with_amount(Decimal::new(12_345, 1)).unwrap().with_txid("SESSAO42").unwrap();
    assert!(code.payload().contains("54071234.505802BR"));
    let read = parse(&code.payload()).unwrap();
    assert_eq!((read.amount, read.txid.as_deref()), (Some(Decimal::new(123_450, 2)), Some("SESSAO42")));
    assert_eq!(format!("{code:?}"), "StaticPix(redacted)");
    // The longest everything still fits template 26 (99 characters) and the whole (512).
    let key = PixKey::parse(&format!("{}@clinica.com.br", "x".repeat(62))).unwrap();
    assert_eq!(key.as_str().len(), 77);
    let code = StaticPix::new(key, &"N".repeat(25), &"C".repeat(15)).unwrap();
    let code =
        code.with_amount(Decimal::new(999_999_999_999, 2)).unwrap().with_txid(&"t".repeat(25)).unwrap();
    assert!(parse(&code.payload()).is_ok());
}

#[test]
fn a_code_is_not_built_from_what_would_not_fit() {
    let key = || PixKey::parse("52998224725").unwrap();
    assert_eq!(StaticPix::new(key(), "", "Brasília").err(), Some(PixError::Name));
    assert_eq!(StaticPix::new(key(), &"n".repeat(26), "Brasília").err(), Some(PixError::Name));
    assert_eq!(StaticPix::new(key(), "Clínica", "東京").err(), Some(PixError::City));
    assert_eq!(StaticPix::new(key(), "Clínica", "São José dos Campos").err(), Some(PixError::City));
    for amount in [Decimal::ZERO, Decimal::new(-1, 2), Decimal::new(1, 3), Decimal::new(1_000_000_000_000, 2)]
    {
        assert_eq!(sample_code().with_amount(amount).err(), Some(PixError::Amount), "{amount}");
    }
    for txid in ["", "***", "a b", "ação", &"t".repeat(26)] {
        assert_eq!(sample_code().with_txid(txid).err(), Some(PixError::Txid), "{txid}");
    }
}

#[test]
fn names_and_cities_become_plain_capitals() {
    assert_eq!(merchant_text(" Clínica  São João – Estética & Cia. "), "CLINICA SAO JOAO ESTETICA & CIA.");
    assert_eq!(merchant_text("Conceic\u{327}a\u{303}o\n1ª"), "CONCEICAO 1A");
    assert_eq!(merchant_text("日本"), "");
    assert_eq!(merchant_text_cut("São José dos Campos", CITY_CHARS_MAX), "SAO JOSE DOS CA");
    assert_eq!(merchant_text_cut("São José dos  Campos", 14), "SAO JOSE DOS C");
    assert_eq!(merchant_text_cut("São José dos Campos", 9), "SAO JOSE");
}

#[test]
fn each_broken_rule_of_a_code_is_named() {
    let with = |old: &str, new: &str| sealed(&SAMPLE.strip_suffix("63041D3D").unwrap().replace(old, new));
    let cases = [
        (String::new(), PixError::Checksum),
        (SAMPLE.replace("1D3D", "1D3E"), PixError::Checksum),
        (SAMPLE.replace("Fulano", "Fulana"), PixError::Checksum),
        (SAMPLE.replace("6304", ""), PixError::Checksum),
        (with("BRASILIA", "BRASÍLIA"), PixError::NotAscii),
        (with("6207", &format!("6399{}6207", "8".repeat(400))), PixError::TooLong),
        (with("6008", "6099"), PixError::Structure),
        (with("000201", ""), PixError::Structure),
        (with("000201", "000202"), PixError::Structure),
        (with("5802BR", "5802BR5802BR"), PixError::Structure),
        (with("0014br.gov", "0099br.gov"), PixError::Structure),
        (with("br.gov.bcb.pix", "br.gov.bcb.pax"), PixError::Missing { id: 26 }),
        (with("0136", "0236"), PixError::Field { id: 26 }),
        (with("5802BR", ""), PixError::Missing { id: 58 }),
        (with("5802BR", "5802PT"), PixError::Field { id: 58 }),
        (with("5303986", "5303840"), PixError::Field { id: 53 }),
        (with("52040000", "520400x0"), PixError::Field { id: 52 }),
        (with("5802BR", "5404-1.05802BR"), PixError::Field { id: 54 }),
        (with("5802BR", "54051.0015802BR"), PixError::Field { id: 54 }),
        (with("26580014", "01021326580014"), PixError::Field { id: 1 }),
        (with("5913Fulano de Tal", ""), PixError::Missing { id: 59 }),
        (with("5913Fulano de Tal", &format!("5926{}", "n".repeat(26))), PixError::Field { id: 59 }),
        (with("6008BRASILIA", &format!("6016{}", "c".repeat(16))), PixError::Field { id: 60 }),
        (with("62070503***", ""), PixError::Missing { id: 62 }),
        (with("62070503***", "62070403***"), PixError::Field { id: 62 }),
        (with("62070503***", &format!("62300526{}", "t".repeat(26))), PixError::Field { id: 62 }),
    ];
    for (payload, expected) in cases {
        assert_eq!(parse(&payload).err(), Some(expected), "{payload}");
    }
    assert_eq!(PixError::Missing { id: 26 }.code(), "pix_missing_field");
}

#[test]
fn other_arrangements_beside_pix_are_passed_over() {
    let code = sealed(&SAMPLE.strip_suffix("63041D3D").unwrap().replace("2658", "26160012BR.COM.OUTRO2758"));
    assert!(matches!(parse(&code).unwrap().target, PixTarget::Key { .. }));
}

#[test]
fn a_dynamic_code_is_told_from_a_static_one() {
    let account = tlv::write(0, "BR.GOV.BCB.PIX") + &tlv::write(25, "banco.com.br/pix/v2/1");
    let fields = SAMPLE.strip_suffix("63041D3D").unwrap();
    let (_, after) = fields.split_once("440000").unwrap();
    let code = sealed(&format!("000201010212{}{after}", tlv::write(26, &account)));
    let read = parse(&code).unwrap();
    assert!(read.target == PixTarget::Url("banco.com.br/pix/v2/1".to_owned()) && read.single_use);
}

//! The Brazilian rules against collected vectors and open data, where those are on the machine.
//!
//! The files are not part of the repository (their licences differ); the unit tests of `validate::br` hold golden values
//! for every rule. `NEONPRO_VECTORS` names the folder; without it a sibling folder of the workspace is tried.

#[cfg(test)]
mod vectors {
    use std::path::PathBuf;

    use neonpro_contract::validate::br::anvisa::AnvisaKind;
    use neonpro_contract::validate::br::pix::{self, PixTarget};
    use neonpro_contract::validate::br::tuss::TussCheck;
    use neonpro_contract::validate::br::{Cnpj, Cns, Cpf};

    /// A vector file's text; says so when it is not there.
    fn find_vectors(path: &str) -> Option<String> {
        let folder = std::env::var_os("NEONPRO_VECTORS").map_or_else(
            || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/vectors"),
            PathBuf::from,
        );
        let file = folder.join(path);
        if !file.exists() {
            eprintln!("vectors absent, golden values in unit tests only: {}", file.display());
            return None;
        }
        Some(std::fs::read_to_string(file).unwrap())
    }

    /// The cells of one CSV line; quoted cells may hold commas.
    fn cells(line: &str) -> Vec<String> {
        let mut cells = vec![String::new()];
        let mut quoted = false;
        for character in line.chars() {
            match character {
                '"' => quoted = !quoted,
                ',' if !quoted => cells.push(String::new()),
                _ => cells.last_mut().unwrap().push(character),
            }
        }
        cells
    }

    #[test]
    fn identifiers_get_the_expected_verdict() {
        let Some(file) = find_vectors("br_ids/br_ids.csv") else { return };
        let mut checked = 0;
        for line in file.lines().skip(1) {
            let cells = cells(line);
            let (kind, value, expected) = (cells[0].as_str(), cells[1].as_str(), cells[2].as_str());
            let accepted = match kind {
                "cpf" => Cpf::parse(value).is_ok(),
                "cnpj" => Cnpj::parse(value).is_ok(),
                "cns" => Cns::parse(value).is_ok(),
                other => panic!("a kind without a rule: {other}"),
            };
            let expected = match expected {
                // A mask of the wrong shape over right digits is accepted: typing is free, the stored form is one.
                "valid" | "valid_lenient" => true,
                // A CPF that lost its zero is not guessed; a definitive CNS must also pass the routine of DATASUS.
                "invalid" | "invalid_strict" | "conflict" => false,
                other => panic!("a verdict without a meaning: {other}"),
            };
            assert_eq!(accepted, expected, "{line}");
            checked += 1;
        }
        assert!(checked >= 50);
    }

    #[test]
    fn real_companies_have_valid_numbers() {
        let Some(file) = find_vectors("br_ids/cnpj_real_companies.txt") else { return };
        let mut checked = 0;
        for number in file.split_whitespace() {
            let cnpj = Cnpj::parse(number).unwrap();
            assert_eq!(cnpj.as_str(), number);
            assert_eq!(Cnpj::parse(&cnpj.formatted()).unwrap(), cnpj);
            let last = number.as_bytes()[13];
            let wrong = format!("{}{}", &number[..13], if last == b'9' { '0' } else { char::from(last + 1) });
            assert!(Cnpj::parse(&wrong).is_err());
            checked += 1;
        }
        assert!(checked >= 900);
    }

    #[test]
    fn br_codes_get_the_expected_verdict() {
        let Some(file) = find_vectors("pix/pix_brcode_vectors.json") else { return };
        let file: serde_json::Value = serde_json::from_str(&file).unwrap();
        let check = file["crc"]["check_ascii_123456789"].as_str().unwrap();
        assert_eq!(format!("{:04X}", pix::crc16(b"123456789")), check);
        let vectors = file["vectors"].as_array().unwrap();
        assert!(vectors.len() >= 13);
        for vector in vectors {
            let read = pix::parse(vector["payload"].as_str().unwrap());
            match vector["expect"].as_str().unwrap() {
                // "policy": an amount without cents, a postal code of nine characters; EMV allows both.
                "valid" | "policy" => {
                    let is_static = matches!(read.as_ref().unwrap().target, PixTarget::Key { .. });
                    assert_eq!(is_static, vector["kind"] == "static", "{vector}");
                }
                "invalid_semantic" | "invalid_crc_or_tlv" => assert!(read.is_err(), "{vector}"),
                other => panic!("a verdict without a meaning: {other}"),
            }
        }
    }

    #[test]
    fn all_but_nine_procedure_codes_fit_their_digit() {
        let Some(file) = find_vectors("../tuss/tuss22_clean.csv") else { return };
        let (mut fits, mut differ) = (0, 0);
        for line in file.lines().skip(1) {
            match TussCheck::of(&cells(line)[0]) {
                TussCheck::Fits => fits += 1,
                TussCheck::DigitDiffers => differ += 1,
                TussCheck::NotTuss => panic!("{line}"),
            }
        }
        assert_eq!((fits, differ), (5_842, 9));
    }

    #[test]
    fn every_registered_device_is_recognised() {
        let Some(file) = find_vectors("../anvisa/produtos_saude_2020.csv") else { return };
        for line in file.lines().skip(1) {
            let cells = cells(line);
            assert_eq!(AnvisaKind::of(&cells[0]), AnvisaKind::Device, "{line}");
            assert!(Cnpj::parse(&cells[5]).is_ok(), "{line}");
            if cells[1].len() > 13 {
                assert_eq!(AnvisaKind::of(&cells[1]), AnvisaKind::Process, "{line}");
            }
        }
    }
}

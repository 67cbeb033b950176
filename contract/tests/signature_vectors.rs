//! Ed25519 against Project Wycheproof's vectors, where those are on the machine.
//!
//! `NEONPRO_VECTORS` names the folder; without it a sibling folder of the workspace is tried.
#![expect(clippy::unwrap_used, reason = "helpers of tests may take the short way")]

use neonpro_contract::signature::verifies;
use serde_json::Value as Json;
use std::path::PathBuf;

fn bytes(json: &Json) -> Vec<u8> {
    let text = json.as_str().unwrap();
    (0..text.len() / 2).map(|at| u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).unwrap()).collect()
}

#[test]
fn every_vector_verifies_or_is_refused_as_it_says() {
    let folder = std::env::var_os("NEONPRO_VECTORS").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/vectors"),
        PathBuf::from,
    );
    let Ok(text) = std::fs::read_to_string(folder.join("jose/wycheproof_ed25519_test.json")) else {
        eprintln!("vectors absent");
        return;
    };
    let suite: Json = serde_json::from_str(&text).unwrap();
    let mut tried = 0;
    for group in suite["testGroups"].as_array().unwrap() {
        let key = bytes(&group["publicKey"]["pk"]);
        for test in group["tests"].as_array().unwrap() {
            let told = verifies(&key, &bytes(&test["msg"]), &bytes(&test["sig"]));
            assert_eq!(told, test["result"] == "valid", "{}: {}", test["tcId"], test["comment"]);
            tried += 1;
        }
    }
    assert!(tried >= 100, "{tried} vectors");
}

#[test]
fn the_first_vector_of_rfc_8032_verifies_and_no_bit_of_it_may_be_other() {
    let key = bytes(&"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a".into());
    let signature = bytes(
        &"e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
            .into(),
    );
    assert!(verifies(&key, b"", &signature));
    for bit in 0..signature.len() * 8 {
        let mut other = signature.clone();
        other[bit / 8] ^= 1 << (bit % 8);
        assert!(!verifies(&key, b"", &other));
    }
    assert!(!verifies(&key[1..], b"", &signature) && !verifies(&key, b"", &signature[1..]));
}

//! The cipher: what is sealed opens with its key and place alone; Wycheproof's vectors.

use super::*;
use serde_json::Value as Json;
use std::path::PathBuf;

fn bytes(json: &Json) -> Vec<u8> {
    let text = json.as_str().unwrap();
    (0..text.len() / 2).map(|at| u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).unwrap()).collect()
}

#[test]
fn what_is_sealed_opens_with_the_same_key_and_place_and_with_no_other() {
    let (key, other) = (Key::random().unwrap(), Key::random().unwrap());
    let sealed = key.seal(b"here", b"Conceicao").unwrap();
    assert_eq!(sealed.len(), 9 + OVERHEAD_BYTES);
    assert_eq!(*key.open(b"here", &sealed).unwrap(), b"Conceicao");
    assert!(key.open(b"there", &sealed).is_none());
    assert!(other.open(b"here", &sealed).is_none());
    for bit in 0..sealed.len() * 8 {
        let mut changed = sealed.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(key.open(b"here", &changed).is_none(), "bit {bit}");
    }
    for length in 0..sealed.len() {
        assert!(key.open(b"here", &sealed[..length]).is_none(), "{length} bytes");
    }
}

#[test]
fn the_same_text_is_sealed_to_other_bytes_each_time() {
    let key = Key::random().unwrap();
    let sealed: std::collections::HashSet<Vec<u8>> =
        (0..1_000).map(|_| key.seal(b"", b"the same").unwrap()).collect();
    assert_eq!(sealed.len(), 1_000);
}

/// Project Wycheproof's vectors, where those are on the machine: `NEONPRO_VECTORS` names the folder; without it a
/// sibling folder of the workspace is tried.
#[test]
fn wycheproofs_vectors_open_or_are_refused_as_they_say() {
    let folder = std::env::var_os("NEONPRO_VECTORS").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/vectors"),
        PathBuf::from,
    );
    let Ok(text) = std::fs::read_to_string(folder.join("jose/wycheproof_aes_gcm_test.json")) else {
        eprintln!("vectors absent");
        return;
    };
    let suite: Json = serde_json::from_str(&text).unwrap();
    let mut tried = 0;
    for group in suite["testGroups"].as_array().unwrap() {
        // The only sizes in use here.
        if (&group["keySize"], &group["ivSize"], &group["tagSize"]) != (&256.into(), &96.into(), &128.into())
        {
            continue;
        }
        for test in group["tests"].as_array().unwrap() {
            let key = Key::from_bytes(&bytes(&test["key"])).unwrap();
            let (nonce, bound) = (bytes(&test["iv"]), bytes(&test["aad"]));
            let sealed = [nonce.clone(), bytes(&test["ct"]), bytes(&test["tag"])].concat();
            let (valid, plain) = (test["result"] == "valid", bytes(&test["msg"]));
            let opened = key.open(&bound, &sealed);
            assert_eq!(opened.is_some_and(|opened| *opened == plain), valid, "{}", test["tcId"]);
            if valid {
                let made = key.encrypt(nonce.clone().try_into().unwrap(), &bound, plain).unwrap();
                assert_eq!([nonce, made].concat(), sealed, "{}", test["tcId"]);
            }
            tried += 1;
        }
    }
    assert!(tried >= 60, "{tried} vectors");
}

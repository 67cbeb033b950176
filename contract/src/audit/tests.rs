//! The chain's bytes are pinned: an entry hashed today verifies for ever.

use super::*;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::json;

const CLINIC: ClinicId = ClinicId(Uuid::from_u128(1));

fn entry(detail: &Json) -> Entry<'_> {
    Entry {
        clinic: CLINIC,
        seq: 1,
        at: ServerInstant(1_772_366_400_000_000),
        action: "edit_quarantined",
        device: Some(Uuid::from_u128(2)),
        author: None,
        edit: Some(Uuid::from_u128(3)),
        read: None,
        code: Some("consent_missing"),
        detail,
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_hash_of_an_entry_is_pinned() {
    let detail = json!({ "b": [1, 2.5, "ç\n"], "a": { "z": null, "aa": true } });
    insta::assert_snapshot!(hex(&entry(&detail).hash(&genesis(CLINIC))));
}

#[test]
fn every_part_of_an_entry_changes_its_hash() {
    let (detail, other) = (json!({ "a": 1 }), json!({ "a": "1" }));
    let (base, previous) = (entry(&detail), genesis(CLINIC));
    let changed = [
        Entry { clinic: ClinicId(Uuid::from_u128(9)), ..base },
        Entry { seq: 2, ..base },
        Entry { at: ServerInstant(base.at.0 + 1), ..base },
        Entry { action: "edit_refused", ..base },
        Entry { device: None, ..base },
        Entry { author: base.device, device: None, ..base },
        Entry { edit: None, ..base },
        Entry { read: base.edit, edit: None, ..base },
        Entry { code: None, ..base },
        Entry { detail: &other, ..base },
    ];
    let mut hashes: Vec<ChainHash> = changed.iter().map(|entry| entry.hash(&previous)).collect();
    hashes.push(base.hash(&previous));
    hashes.push(base.hash(&genesis(ClinicId(Uuid::from_u128(9)))));
    let count = hashes.len();
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len(), count);
}

#[test]
fn a_checkpoint_speaks_of_one_place_and_survives_its_line() {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
    let key: [u8; 32] = pair.public_key().as_ref().try_into().unwrap();
    let at = ServerInstant(5);
    let made = Checkpoint::sign(CLINIC, (3, [4; 32]), at, key, |bytes| pair.sign(bytes).as_ref().to_vec());
    assert!(made.is_signed_by(&key));
    assert_eq!(Checkpoint::from_line(&made.to_line()), Some(made.clone()));
    for forged in [
        Checkpoint { clinic: ClinicId(Uuid::from_u128(2)), ..made.clone() },
        Checkpoint { size: 2, ..made.clone() },
        Checkpoint { hash: [5; 32].into(), ..made.clone() },
        Checkpoint { at: ServerInstant(6), ..made.clone() },
    ] {
        assert!(!forged.is_signed_by(&key));
    }
    assert!(!made.is_signed_by(&[9; 32]), "another server's key");
    for line in ["", "{}", "{\"clinic\":\"x\"}", &made.to_line().replace("size", "sise")] {
        assert_eq!(Checkpoint::from_line(line), None, "{line}");
    }
}

//! The clinic's half of the escrow: its keys, and opening a file with them.

use hpke::aead::ExportOnlyAead;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, OpModeR, Serializable, setup_receiver};
use neonpro_contract::escrow::{Content, KEY_LABEL, Records, associated_data, nonce, read_header};
use neonpro_contract::ids::EditId;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use std::collections::BTreeMap;
use std::path::Path;

type Pair = (<X25519HkdfSha256 as Kem>::PrivateKey, <X25519HkdfSha256 as Kem>::PublicKey);

fn pair(number: u8) -> Pair {
    X25519HkdfSha256::derive_keypair(&[number; 32])
}

/// The public key of a clinic's n-th key pair.
pub(crate) fn public_key(number: u8) -> [u8; 32] {
    pair(number).1.to_bytes().into()
}

/// What the clinic reads in the file beside a replica: the last expression of every edit in it.
pub(crate) fn read(replica: &Path, number: u8) -> BTreeMap<EditId, Content> {
    let file = std::fs::read(crate::store::files::beside(replica, ".escrow")).unwrap();
    let header = read_header(&file).unwrap();
    assert_eq!(header.public_key, public_key(number));
    Records::of(&file)
        .map(|(_, record)| {
            let context = setup_receiver::<ExportOnlyAead, HkdfSha256, X25519HkdfSha256>(
                &OpModeR::Base,
                &pair(number).0,
                &<X25519HkdfSha256 as Kem>::EncappedKey::from_bytes(&record.encapsulated).unwrap(),
                &header.info(),
            )
            .unwrap();
            let mut key = [0; 32];
            context.export(KEY_LABEL, &mut key).unwrap();
            let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key).unwrap());
            let bound = Aad::from(associated_data(record.sequence, record.edit, &record.mark));
            let nonce = Nonce::assume_unique_for_key(nonce(record.sequence));
            let mut bytes = record.sealed.to_vec();
            (record.edit, minicbor::decode(key.open_in_place(nonce, bound, &mut bytes).unwrap()).unwrap())
        })
        .collect()
}

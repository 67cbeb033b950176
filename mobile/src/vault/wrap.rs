//! One person's part of the vault: their PIN seals a private key, whose public half the replica's key is sealed to.
//!
//! AES-256-GCM under Argon2id (RFC 9106) for the first, HPKE (RFC 9180) for the second. Invariant: what is sealed for one
//! person does not open in another's place.

use super::{Holder, VaultError};
use crate::key_file::{KEY_BYTES, Key};
use crate::pin::Pin;
use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable, single_shot_open, single_shot_seal};
use neonpro_contract::ids::AuthorId;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Salt};
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// Memory of one derivation, KiB; with the passes, above what OWASP asks of Argon2id (19 MiB and 2 passes).
const KDF_MEMORY_KIB: u32 = 64 * 1024;
/// Passes over it.
const KDF_PASSES: u32 = 3;
/// Bytes of a salt.
const SALT_BYTES: usize = 16;
/// What the replica's key is sealed for.
const KEY_INFO: &[u8] = b"neonpro replica key for a person v1";
/// What vouches for a person's public key.
const VOUCH_INFO: &[u8] = b"neonpro public key of a person v1";
/// What keeps the old key under the new one.
const PREVIOUS_INFO: &[u8] = b"neonpro previous replica key v1";

/// The replica's key, sealed for one person.
#[derive(Serialize, Deserialize)]
pub(super) struct Wrap {
    pub person: AuthorId,
    pub name: String,
    memory_kib: u32,
    passes: u32,
    salt: String,
    nonce: String,
    /// The person's private key; in a file of the first version, the replica's key itself.
    sealed: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pair: Option<Pair>,
}

/// What needs no PIN.
#[derive(Serialize, Deserialize)]
struct Pair {
    /// The person's public key.
    public: String,
    /// HPKE's encapsulated key.
    encapsulated: String,
    /// The replica's key.
    key: String,
    /// Who knows the replica's key put this public key here: nobody else's gets the next one.
    vouched: String,
}

/// Bytes under AES-256-GCM.
#[derive(Serialize, Deserialize)]
pub(super) struct Sealed {
    nonce: String,
    sealed: String,
}

impl Wrap {
    /// Seals a key for a person with a new key pair and salt.
    pub fn seal(key: &Key, holder: &Holder, pin: &Pin) -> Result<Self, VaultError> {
        let (private, public) = X25519HkdfSha256::gen_keypair();
        let private: Key = Zeroizing::new(private.to_bytes().into());
        let salt: [u8; SALT_BYTES] = fill()?;
        let wrapping = derive(pin, &salt, KDF_MEMORY_KIB, KDF_PASSES)?;
        let Sealed { nonce, sealed } = encrypt(&wrapping, &bound_to(holder.person, true), &private)?;
        Ok(Self {
            person: holder.person,
            name: holder.name.clone(),
            memory_kib: KDF_MEMORY_KIB,
            passes: KDF_PASSES,
            salt: STANDARD.encode(salt),
            nonce,
            sealed,
            pair: Some(Pair::seal(key, holder.person, &public)?),
        })
    }

    /// Whether it dates from the first version: nobody can seal another key for this person without their PIN.
    pub const fn is_old(&self) -> bool {
        self.pair.is_none()
    }

    /// The same PIN, another key.
    pub fn with_key(&self, old: &Key, key: &Key) -> Result<Self, VaultError> {
        let pair = self.pair.as_ref().ok_or(VaultError::Damaged)?;
        let public = read(&pair.public)?;
        ring::hmac::verify(&voucher(old)?, &vouched(self.person, &public), &read(&pair.vouched)?)
            .map_err(|_| VaultError::Damaged)?;
        let public = <X25519HkdfSha256 as Kem>::PublicKey::from_bytes(&public);
        let pair = Pair::seal(key, self.person, &public.map_err(|_| VaultError::Damaged)?)?;
        Ok(Self {
            person: self.person,
            name: self.name.clone(),
            memory_kib: self.memory_kib,
            passes: self.passes,
            salt: self.salt.clone(),
            nonce: self.nonce.clone(),
            sealed: self.sealed.clone(),
            pair: Some(pair),
        })
    }

    /// The replica's key, if the PIN is this person's.
    pub fn open(&self, pin: &Pin) -> Result<Key, VaultError> {
        let wrapping = derive(pin, &read(&self.salt)?, self.memory_kib, self.passes)?;
        let bound = bound_to(self.person, self.pair.is_some());
        let opened = decrypt(&wrapping, &bound, &self.nonce, &self.sealed)?;
        match &self.pair {
            Some(pair) => pair.open(&opened, self.person),
            None => Ok(opened),
        }
    }
}

impl Pair {
    fn seal(
        key: &Key,
        person: AuthorId,
        public: &<X25519HkdfSha256 as Kem>::PublicKey,
    ) -> Result<Self, VaultError> {
        let (encapsulated, sealed) = single_shot_seal::<AesGcm256, HkdfSha256, X25519HkdfSha256>(
            &OpModeS::Base,
            public,
            KEY_INFO,
            key.as_slice(),
            person.0.as_bytes(),
        )
        .map_err(|_| VaultError::Damaged)?;
        Ok(Self {
            public: STANDARD.encode(public.to_bytes()),
            encapsulated: STANDARD.encode(encapsulated.to_bytes()),
            key: STANDARD.encode(sealed),
            vouched: STANDARD.encode(ring::hmac::sign(&voucher(key)?, &vouched(person, &public.to_bytes()))),
        })
    }

    fn open(&self, private: &Key, person: AuthorId) -> Result<Key, VaultError> {
        let private = <X25519HkdfSha256 as Kem>::PrivateKey::from_bytes(private.as_slice());
        let encapsulated = <X25519HkdfSha256 as Kem>::EncappedKey::from_bytes(&read(&self.encapsulated)?);
        let opened = single_shot_open::<AesGcm256, HkdfSha256, X25519HkdfSha256>(
            &OpModeR::Base,
            &private.map_err(|_| VaultError::Damaged)?,
            &encapsulated.map_err(|_| VaultError::Damaged)?,
            KEY_INFO,
            &read(&self.key)?,
            person.0.as_bytes(),
        );
        to_key(&Zeroizing::new(opened.map_err(|_| VaultError::Damaged)?))
    }
}

/// The old key under the new one, while the replica changes from one to the other.
pub(super) fn seal_previous(key: &Key, previous: &Key) -> Result<Sealed, VaultError> {
    encrypt(&under(key, PREVIOUS_INFO)?, PREVIOUS_INFO, previous)
}

/// The old key.
pub(super) fn open_previous(key: &Key, sealed: &Sealed) -> Result<Key, VaultError> {
    decrypt(&under(key, PREVIOUS_INFO)?, PREVIOUS_INFO, &sealed.nonce, &sealed.sealed)
        .map_err(|_| VaultError::Damaged)
}

fn voucher(key: &Key) -> Result<ring::hmac::Key, VaultError> {
    Ok(ring::hmac::Key::new(ring::hmac::HMAC_SHA256, under(key, VOUCH_INFO)?.as_slice()))
}

fn vouched(person: AuthorId, public: &[u8]) -> Vec<u8> {
    [person.0.as_bytes().as_slice(), public].concat()
}

/// The replica's key itself encrypts pages and nothing else.
fn under(key: &Key, purpose: &[u8]) -> Result<Key, VaultError> {
    let mut derived: Key = Zeroizing::new([0u8; KEY_BYTES]);
    Salt::new(HKDF_SHA256, &[])
        .extract(key.as_slice())
        .expand(&[purpose], HKDF_SHA256)
        .and_then(|okm| okm.fill(derived.as_mut_slice()))
        .map_err(|_| VaultError::Damaged)?;
    Ok(derived)
}

/// Each wrapping key is derived anew from fresh randomness or seals once, so a random nonce does not repeat under it.
fn encrypt(wrapping: &Key, bound: &[u8], key: &Key) -> Result<Sealed, VaultError> {
    let nonce: [u8; NONCE_LEN] = fill()?;
    // Room for the tag: a buffer that grows leaves a copy of the key behind.
    let mut sealed = Zeroizing::new(Vec::with_capacity(KEY_BYTES + AES_256_GCM.tag_len()));
    sealed.extend_from_slice(key.as_slice());
    cipher(wrapping)?
        .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(bound), &mut *sealed)
        .map_err(|_| VaultError::Damaged)?;
    Ok(Sealed { nonce: STANDARD.encode(nonce), sealed: STANDARD.encode(&*sealed) })
}

fn decrypt(wrapping: &Key, bound: &[u8], nonce: &str, sealed: &str) -> Result<Key, VaultError> {
    let nonce: [u8; NONCE_LEN] = read(nonce)?.try_into().map_err(|_| VaultError::Damaged)?;
    let mut sealed = Zeroizing::new(read(sealed)?);
    let opened = cipher(wrapping)?
        .open_in_place(Nonce::assume_unique_for_key(nonce), Aad::from(bound), sealed.as_mut_slice())
        .map_err(|_| VaultError::Wrong)?;
    to_key(opened)
}

fn to_key(bytes: &[u8]) -> Result<Key, VaultError> {
    bytes.try_into().map(Zeroizing::new).map_err(|_| VaultError::Damaged)
}

fn read(text: &str) -> Result<Vec<u8>, VaultError> {
    STANDARD.decode(text).map_err(|_| VaultError::Damaged)
}

fn fill<const N: usize>() -> Result<[u8; N], VaultError> {
    let mut bytes = [0u8; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| VaultError::Random)?;
    Ok(bytes)
}

/// What a sealed key belongs to: copied to another person's place it does not open.
fn bound_to(person: AuthorId, has_pair: bool) -> Vec<u8> {
    let context: &[u8] = if has_pair { b"neonpro pin wrap v2 " } else { b"neonpro pin wrap v1 " };
    [context, person.0.as_bytes()].concat()
}

fn cipher(wrapping: &Key) -> Result<LessSafeKey, VaultError> {
    let key = UnboundKey::new(&AES_256_GCM, wrapping.as_slice()).map_err(|_| VaultError::Damaged)?;
    Ok(LessSafeKey::new(key))
}

/// Argon2id (RFC 9106).
fn derive(pin: &Pin, salt: &[u8], memory_kib: u32, passes: u32) -> Result<Key, VaultError> {
    // A damaged file must not ask for all the memory there is.
    if memory_kib > KDF_MEMORY_KIB * 4 || passes > KDF_PASSES * 4 {
        return Err(VaultError::Damaged);
    }
    let params = Params::new(memory_kib, passes, 1, Some(KEY_BYTES)).map_err(|_| VaultError::Damaged)?;
    let mut key: Key = Zeroizing::new([0u8; KEY_BYTES]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(pin.bytes(), salt, key.as_mut_slice())
        .map_err(|_| VaultError::Damaged)?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn helena() -> Holder {
        Holder { person: AuthorId(Uuid::from_u128(1)), name: "Helena".to_owned() }
    }

    fn pin() -> Pin {
        Pin::choose("274916").unwrap()
    }

    fn key(byte: u8) -> Key {
        Zeroizing::new([byte; KEY_BYTES])
    }

    #[test]
    fn a_seal_changed_by_one_bit_does_not_open() {
        let mut wrap = Wrap::seal(&key(42), &helena(), &pin()).unwrap();
        let sealed = STANDARD.decode(&wrap.sealed).unwrap();
        for byte in (0..sealed.len()).step_by(16) {
            let mut changed = sealed.clone();
            changed[byte] ^= 1;
            wrap.sealed = STANDARD.encode(changed);
            assert!(matches!(wrap.open(&pin()), Err(VaultError::Wrong)), "byte {byte}");
        }
    }

    #[test]
    fn a_new_key_reaches_a_person_without_their_pin_and_nobody_who_put_a_public_key_in_its_place() {
        let wrap = Wrap::seal(&key(42), &helena(), &pin()).unwrap();
        let mut changed = wrap.with_key(&key(42), &key(43)).unwrap();
        assert_eq!(changed.open(&pin()).unwrap(), key(43));
        assert!(wrap.with_key(&key(41), &key(43)).is_err(), "whoever changes it knows the old one");
        let (_, stranger) = X25519HkdfSha256::gen_keypair();
        changed.pair.as_mut().unwrap().public = STANDARD.encode(stranger.to_bytes());
        assert!(matches!(changed.with_key(&key(43), &key(44)), Err(VaultError::Damaged)));
    }

    #[test]
    fn a_key_sealed_by_an_older_app_opens_and_waits_for_its_holder_before_it_can_be_changed() {
        let salt: [u8; SALT_BYTES] = fill().unwrap();
        let wrapping = derive(&pin(), &salt, KDF_MEMORY_KIB, KDF_PASSES).unwrap();
        let Sealed { nonce, sealed } =
            encrypt(&wrapping, &bound_to(helena().person, false), &key(42)).unwrap();
        let old = Wrap {
            person: helena().person,
            name: helena().name,
            memory_kib: KDF_MEMORY_KIB,
            passes: KDF_PASSES,
            salt: STANDARD.encode(salt),
            nonce,
            sealed,
            pair: None,
        };
        assert_eq!(old.open(&pin()).unwrap(), key(42));
        assert!(old.is_old() && old.with_key(&key(42), &key(43)).is_err());
    }
}

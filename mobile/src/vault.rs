//! The replica's key under PINs: one sealed copy of it for each person, in the key file.
//!
//! Owns that file once it has a PIN: who may try, how often, and what comes out. Never keeps a PIN and never prints a
//! key. Invariants: a try is counted on disk before it is made, so that ending the program forgives nothing; the file
//! is replaced whole or not at all.

use crate::pin::Pin;
use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use neonpro_contract::ids::AuthorId;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

use crate::key_file::KEY_BYTES;

/// Memory of one derivation, KiB; with the passes, above what OWASP asks of Argon2id (19 MiB and 2 passes).
const KDF_MEMORY_KIB: u32 = 64 * 1024;
/// Passes over it.
const KDF_PASSES: u32 = 3;
/// Bytes of a salt.
const SALT_BYTES: usize = 16;
/// Wrong tries in a row before the next one has to wait.
pub const FREE_TRIES: u32 = 5;
/// The first wait, seconds. Each wrong try doubles it.
const WAIT_FIRST_SECONDS: i64 = 30;
/// The longest wait, seconds.
const WAIT_MAX_SECONDS: i64 = 900;
const US: i64 = 1_000_000;

/// A replica's key in memory. Wiped when dropped.
pub type Key = Zeroizing<[u8; KEY_BYTES]>;

/// Why the vault did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The file could not be read or written.
    #[error("the key file cannot be read or written; check the folder and its permissions")]
    Io(#[from] std::io::Error),
    /// It is no key file of ours.
    #[error("the key file is damaged; restore it from the copy made with the tablet's backup")]
    Damaged,
    /// The system gave no randomness.
    #[error("the system gave no randomness; try again")]
    Random,
    /// The PIN is not this person's.
    #[error("the PIN is not right")]
    Wrong,
    /// Too many wrong tries.
    #[error("too many wrong PINs; wait")]
    Wait {
        /// When the next try counts, µs.
        until_us: i64,
    },
}

/// Somebody who has a PIN here. The name stands on the locked page, so it lies outside of the encrypted file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Who.
    pub person: AuthorId,
    /// Name as it is shown.
    pub name: String,
}

/// The key file with PINs.
pub struct Vault {
    path: PathBuf,
    content: Content,
}

#[derive(Serialize, Deserialize)]
struct Content {
    version: u8,
    wraps: Vec<Wrap>,
    /// Wrong tries in a row.
    failures: u32,
    /// No try counts before, µs.
    not_before_us: i64,
}

/// The replica's key, sealed for one person.
#[derive(Serialize, Deserialize)]
struct Wrap {
    person: AuthorId,
    name: String,
    memory_kib: u32,
    passes: u32,
    salt: String,
    nonce: String,
    sealed: String,
}

impl Vault {
    /// The vault in this file; `None` while the file is a plain key or not there yet.
    ///
    /// # Errors
    /// A file that cannot be read or is damaged.
    pub fn read(path: &Path) -> Result<Option<Self>, VaultError> {
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(VaultError::Io(error)),
        };
        if bytes.len() == KEY_BYTES {
            return Ok(None);
        }
        let content: Content = serde_json::from_slice(&bytes).map_err(|_| VaultError::Damaged)?;
        if content.version != 1 || content.wraps.is_empty() {
            return Err(VaultError::Damaged);
        }
        Ok(Some(Self { path: path.to_owned(), content }))
    }

    /// Puts the key under its first PIN: from here on the file no longer holds it in the clear.
    ///
    /// # Errors
    /// Randomness or storage failed; the file is as it was.
    pub fn create(path: &Path, key: &Key, holder: &Holder, pin: &Pin) -> Result<Self, VaultError> {
        let content = Content { version: 1, wraps: Vec::new(), failures: 0, not_before_us: 0 };
        let mut vault = Self { path: path.to_owned(), content };
        vault.put(key, holder, pin)?;
        Ok(vault)
    }

    /// Who has a PIN, in the order in which they got it.
    #[must_use]
    pub fn holders(&self) -> Vec<Holder> {
        let holder = |wrap: &Wrap| Holder { person: wrap.person, name: wrap.name.clone() };
        self.content.wraps.iter().map(holder).collect()
    }

    /// Gives a person a PIN, or another one.
    ///
    /// # Errors
    /// Randomness or storage failed; the file is as it was.
    pub fn put(&mut self, key: &Key, holder: &Holder, pin: &Pin) -> Result<(), VaultError> {
        let wrap = seal(key, holder, pin)?;
        let mut wraps: Vec<Wrap> = std::mem::take(&mut self.content.wraps);
        wraps.retain(|other| other.person != holder.person);
        wraps.push(wrap);
        self.content.wraps = wraps;
        self.write()
    }

    /// Tries a PIN. Takes some 0.2 s of computing, right or wrong.
    ///
    /// # Errors
    /// It is wrong, too many were, or the file cannot be written.
    pub fn open(&mut self, person: AuthorId, pin: &Pin, now_us: i64) -> Result<Key, VaultError> {
        let until_us = self.content.not_before_us;
        // A clock that was put back does not lengthen the wait beyond the longest one.
        if now_us < until_us && until_us.saturating_sub(now_us) <= WAIT_MAX_SECONDS * US {
            return Err(VaultError::Wait { until_us });
        }
        self.content.failures = self.content.failures.saturating_add(1);
        self.content.not_before_us = now_us.saturating_add(wait_us(self.content.failures));
        self.write()?;
        let wrap = self.content.wraps.iter().find(|wrap| wrap.person == person).ok_or(VaultError::Wrong)?;
        let key = unseal(wrap, pin)?;
        self.content.failures = 0;
        self.content.not_before_us = 0;
        self.write()?;
        Ok(key)
    }

    /// Whole or not at all: a file beside it takes its place once it is on disk.
    fn write(&self) -> Result<(), VaultError> {
        let bytes = serde_json::to_vec_pretty(&self.content).map_err(|_| VaultError::Damaged)?;
        let fresh = self.path.with_extension("fresh");
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&fresh)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        std::fs::rename(&fresh, &self.path)?;
        if let Some(folder) = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    }
}

/// How long the next try waits after so many wrong ones.
fn wait_us(failures: u32) -> i64 {
    let Some(doublings) = failures.checked_sub(FREE_TRIES) else { return 0 };
    let factor = 1i64.checked_shl(doublings.min(16)).unwrap_or(i64::MAX);
    WAIT_FIRST_SECONDS.saturating_mul(factor).min(WAIT_MAX_SECONDS).saturating_mul(US)
}

fn seal(key: &Key, holder: &Holder, pin: &Pin) -> Result<Wrap, VaultError> {
    let random = SystemRandom::new();
    let (mut salt, mut nonce) = ([0u8; SALT_BYTES], [0u8; NONCE_LEN]);
    random.fill(&mut salt).and_then(|()| random.fill(&mut nonce)).map_err(|_| VaultError::Random)?;
    let wrapping = derive(pin, &salt, KDF_MEMORY_KIB, KDF_PASSES)?;
    // A fresh salt makes a fresh wrapping key, which seals this once: its nonce cannot repeat.
    let mut sealed = key.to_vec();
    cipher(&wrapping)?
        .seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(bound_to(holder.person)),
            &mut sealed,
        )
        .map_err(|_| VaultError::Damaged)?;
    Ok(Wrap {
        person: holder.person,
        name: holder.name.clone(),
        memory_kib: KDF_MEMORY_KIB,
        passes: KDF_PASSES,
        salt: STANDARD.encode(salt),
        nonce: STANDARD.encode(nonce),
        sealed: STANDARD.encode(sealed),
    })
}

fn unseal(wrap: &Wrap, pin: &Pin) -> Result<Key, VaultError> {
    let read = |text: &str| STANDARD.decode(text).map_err(|_| VaultError::Damaged);
    let nonce: [u8; NONCE_LEN] = read(&wrap.nonce)?.try_into().map_err(|_| VaultError::Damaged)?;
    let mut sealed = Zeroizing::new(read(&wrap.sealed)?);
    let wrapping = derive(pin, &read(&wrap.salt)?, wrap.memory_kib, wrap.passes)?;
    let opened = cipher(&wrapping)?
        .open_in_place(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(bound_to(wrap.person)),
            sealed.as_mut_slice(),
        )
        .map_err(|_| VaultError::Wrong)?;
    let bytes: [u8; KEY_BYTES] = (&*opened).try_into().map_err(|_| VaultError::Damaged)?;
    Ok(Zeroizing::new(bytes))
}

/// What a sealed key belongs to: copied to another person's place it does not open.
fn bound_to(person: AuthorId) -> Vec<u8> {
    [b"neonpro pin wrap v1 ".as_slice(), person.0.as_bytes()].concat()
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

    const NOW: i64 = 1_795_438_800_000_000;

    fn holder(n: u128, name: &str) -> Holder {
        Holder { person: AuthorId(Uuid::from_u128(n)), name: name.to_owned() }
    }

    fn pin(digits: &str) -> Pin {
        Pin::choose(digits).unwrap()
    }

    struct Case {
        folder: tempfile::TempDir,
        helena: Holder,
        key: Key,
    }

    impl Case {
        fn new() -> (Self, Vault) {
            let folder = tempfile::tempdir().unwrap();
            let case =
                Self { folder, helena: holder(1, "Dra. Helena Prado"), key: Zeroizing::new([42; KEY_BYTES]) };
            std::fs::write(case.path(), case.key.as_slice()).unwrap();
            assert!(Vault::read(&case.path()).unwrap().is_none(), "a plain key has no PIN");
            let vault = Vault::create(&case.path(), &case.key, &case.helena, &pin("274916")).unwrap();
            (case, vault)
        }

        fn path(&self) -> PathBuf {
            self.folder.path().join("tablet.key")
        }

        fn again(&self) -> Vault {
            Vault::read(&self.path()).unwrap().unwrap()
        }
    }

    #[test]
    fn each_person_opens_with_their_own_pin_and_the_file_no_longer_holds_the_key() {
        let (case, mut vault) = Case::new();
        let joana = holder(2, "Joana");
        vault.put(&case.key, &joana, &pin("902817")).unwrap();
        let mut vault = case.again();
        assert_eq!(vault.holders(), vec![case.helena.clone(), joana.clone()]);
        assert_eq!(vault.open(case.helena.person, &pin("274916"), NOW).unwrap(), case.key);
        assert_eq!(vault.open(joana.person, &pin("902817"), NOW).unwrap(), case.key);
        assert!(matches!(vault.open(joana.person, &pin("274916"), NOW), Err(VaultError::Wrong)));
        assert!(matches!(vault.open(holder(3, "").person, &pin("274916"), NOW), Err(VaultError::Wrong)));
        let bytes = std::fs::read(case.path()).unwrap();
        assert!(!bytes.windows(8).any(|window| window == [42; 8]));
    }

    #[test]
    fn a_new_pin_replaces_the_old_one() {
        let (case, mut vault) = Case::new();
        vault.put(&case.key, &case.helena, &pin("335577")).unwrap();
        let mut vault = case.again();
        assert!(vault.open(case.helena.person, &pin("274916"), NOW).is_err());
        assert_eq!(vault.open(case.helena.person, &pin("335577"), NOW).unwrap(), case.key);
    }

    #[test]
    fn after_five_wrong_tries_the_next_one_waits_also_in_another_life_of_the_program() {
        let (case, mut vault) = Case::new();
        for _ in 0..FREE_TRIES {
            assert!(matches!(vault.open(case.helena.person, &pin("902817"), NOW), Err(VaultError::Wrong)));
        }
        let mut vault = case.again();
        let Err(VaultError::Wait { until_us }) = vault.open(case.helena.person, &pin("274916"), NOW) else {
            panic!("the right PIN waits, too")
        };
        assert_eq!(until_us, NOW + WAIT_FIRST_SECONDS * US);
        assert!(vault.open(case.helena.person, &pin("902817"), until_us).is_err());
        let Err(VaultError::Wait { until_us: next }) =
            vault.open(case.helena.person, &pin("274916"), until_us)
        else {
            panic!("and longer")
        };
        assert_eq!(next, until_us + 2 * WAIT_FIRST_SECONDS * US);
        assert_eq!(vault.open(case.helena.person, &pin("274916"), next).unwrap(), case.key);
        assert_eq!(vault.open(case.helena.person, &pin("274916"), NOW).unwrap(), case.key, "forgiven");
        assert_eq!(wait_us(u32::MAX), WAIT_MAX_SECONDS * US);
    }

    #[test]
    fn a_sealed_key_moved_to_another_person_or_changed_by_one_bit_does_not_open() {
        let (case, vault) = Case::new();
        let text = std::fs::read_to_string(case.path()).unwrap();
        drop(vault);
        let joana = holder(2, "Joana").person;
        let moved = text.replace(&case.helena.person.to_string(), &joana.to_string());
        std::fs::write(case.path(), moved).unwrap();
        assert!(matches!(case.again().open(joana, &pin("274916"), NOW), Err(VaultError::Wrong)));
        let mut content: serde_json::Value = serde_json::from_str(&text).unwrap();
        let mut sealed = STANDARD.decode(content["wraps"][0]["sealed"].as_str().unwrap()).unwrap();
        for byte in 0..sealed.len() {
            sealed[byte] ^= 1;
            content["wraps"][0]["sealed"] = STANDARD.encode(&sealed).into();
            let wrap: Wrap = serde_json::from_value(content["wraps"][0].clone()).unwrap();
            // The derivation is the same for all: only the seal is looked at here.
            if byte % 16 == 0 {
                assert!(matches!(unseal(&wrap, &pin("274916")), Err(VaultError::Wrong)), "byte {byte}");
            }
            sealed[byte] ^= 1;
        }
    }

    #[test]
    fn a_damaged_file_says_so_and_asks_for_no_more_memory_than_it_may() {
        let (case, _) = Case::new();
        let text = std::fs::read_to_string(case.path()).unwrap();
        for damaged in ["", "{", "[]", "{\"version\":1,\"wraps\":[],\"failures\":0,\"not_before_us\":0}"] {
            std::fs::write(case.path(), damaged).unwrap();
            assert!(matches!(Vault::read(&case.path()), Err(VaultError::Damaged)), "{damaged}");
        }
        std::fs::write(case.path(), text.replace("65536", "4000000000")).unwrap();
        let opened = case.again().open(case.helena.person, &pin("274916"), NOW);
        assert!(matches!(opened, Err(VaultError::Damaged)));
    }
}

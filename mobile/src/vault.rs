//! The replica's key under PINs: one sealed copy of it for each person, in the key file.
//!
//! Owns that file once it has a PIN: who may try, how often, and what comes out. A person's PIN seals the private half of a
//! key pair (`vault/wrap.rs`), and the replica's key is sealed to the public half, so that a new one reaches everybody
//! without their PINs. Never keeps a PIN and never prints a key. Invariants: a try is counted on disk before it is made,
//! so that ending the program forgives nothing; the file is replaced whole or not at all; while the key is changed it holds both.

mod wrap;

pub use crate::key_file::{Key, Keys};

use crate::key_file::{is_plain, replace};
use crate::pin::Pin;
use neonpro_contract::ids::AuthorId;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use wrap::{Sealed, Wrap};

/// Wrong tries in a row before the next one has to wait.
pub const FREE_TRIES: u32 = 5;
/// The first wait, seconds. Each wrong try doubles it.
const WAIT_FIRST_SECONDS: i64 = 30;
/// The longest wait, seconds.
const WAIT_MAX_SECONDS: i64 = 900;
const US: i64 = 1_000_000;

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
    /// People whose PIN dates from an older app must enter once before the key can be changed.
    #[error("the key was not changed: {0} must enter with their PIN once first")]
    EnterFirst(String),
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
    /// The key the replica had, under the one it is being given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    previous: Option<Sealed>,
    /// Wrong tries in a row.
    failures: u32,
    /// No try counts before, µs.
    not_before_us: i64,
}

/// Version of the file written here. The first one sealed the key itself under each PIN.
const VERSION: u8 = 2;

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
        if is_plain(&bytes) {
            return Ok(None);
        }
        let content: Content = serde_json::from_slice(&bytes).map_err(|_| VaultError::Damaged)?;
        if !(1..=VERSION).contains(&content.version) || content.wraps.is_empty() {
            return Err(VaultError::Damaged);
        }
        Ok(Some(Self { path: path.to_owned(), content }))
    }

    /// Puts the keys under their first PIN: from here on the file no longer holds them in the clear.
    ///
    /// # Errors
    /// Randomness or storage failed; the file is as it was.
    pub fn create(path: &Path, keys: &Keys, holder: &Holder, pin: &Pin) -> Result<Self, VaultError> {
        let previous =
            keys.previous.as_ref().map(|previous| wrap::seal_previous(&keys.key, previous)).transpose()?;
        let content =
            Content { version: VERSION, wraps: Vec::new(), previous, failures: 0, not_before_us: 0 };
        let mut vault = Self { path: path.to_owned(), content };
        vault.put(&keys.key, holder, pin)?;
        Ok(vault)
    }

    /// Seals a new key for everybody, and the old one under it until [`Vault::forget_previous`].
    ///
    /// # Errors
    /// Somebody must enter first, or randomness or storage failed; the file is as it was.
    pub fn change(&mut self, old: &Key, new: &Key) -> Result<(), VaultError> {
        let late: Vec<&str> =
            self.content.wraps.iter().filter(|wrap| wrap.is_old()).map(|wrap| wrap.name.as_str()).collect();
        if !late.is_empty() {
            return Err(VaultError::EnterFirst(late.join(", ")));
        }
        let wraps =
            self.content.wraps.iter().map(|wrap| wrap.with_key(old, new)).collect::<Result<_, _>>()?;
        self.content.previous = Some(wrap::seal_previous(new, old)?);
        self.content.wraps = wraps;
        self.write()
    }

    /// The replica opens with the new key: the old one goes.
    ///
    /// # Errors
    /// Storage failed; the file is as it was.
    pub fn forget_previous(&mut self) -> Result<(), VaultError> {
        if self.content.previous.take().is_some() {
            self.write()?;
        }
        Ok(())
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
        let wrap = Wrap::seal(key, holder, pin)?;
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
    pub fn open(&mut self, person: AuthorId, pin: &Pin, now_us: i64) -> Result<Keys, VaultError> {
        let until_us = self.content.not_before_us;
        // A clock that was put back does not lengthen the wait beyond the longest one.
        if now_us < until_us && until_us.saturating_sub(now_us) <= WAIT_MAX_SECONDS * US {
            return Err(VaultError::Wait { until_us });
        }
        self.content.failures = self.content.failures.saturating_add(1);
        self.content.not_before_us = now_us.saturating_add(wait_us(self.content.failures));
        self.write()?;
        let wraps = &mut self.content.wraps;
        let wrap = wraps.iter_mut().find(|wrap| wrap.person == person).ok_or(VaultError::Wrong)?;
        let key = wrap.open(pin)?;
        if wrap.is_old() {
            *wrap = Wrap::seal(&key, &Holder { person, name: wrap.name.clone() }, pin)?;
        }
        self.content.failures = 0;
        self.content.not_before_us = 0;
        self.write()?;
        let previous = self.content.previous.as_ref().map(|sealed| wrap::open_previous(&key, sealed));
        Ok(Keys { key, previous: previous.transpose()? })
    }

    /// Whole or not at all.
    fn write(&mut self) -> Result<(), VaultError> {
        self.content.version = VERSION;
        let bytes = serde_json::to_vec_pretty(&self.content).map_err(|_| VaultError::Damaged)?;
        Ok(replace(&self.path, &bytes)?)
    }
}

/// How long the next try waits after so many wrong ones.
fn wait_us(failures: u32) -> i64 {
    let Some(doublings) = failures.checked_sub(FREE_TRIES) else { return 0 };
    let factor = 1i64.checked_shl(doublings.min(16)).unwrap_or(i64::MAX);
    WAIT_FIRST_SECONDS.saturating_mul(factor).min(WAIT_MAX_SECONDS).saturating_mul(US)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key_file::KEY_BYTES;
    use uuid::Uuid;
    use zeroize::Zeroizing;

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
            let vault = Vault::create(&case.path(), &case.keys(), &case.helena, &pin("274916")).unwrap();
            (case, vault)
        }

        fn path(&self) -> PathBuf {
            self.folder.path().join("tablet.key")
        }

        fn keys(&self) -> Keys {
            Keys { key: self.key.clone(), previous: None }
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
        assert_eq!(vault.open(case.helena.person, &pin("274916"), NOW).unwrap().key, case.key);
        assert_eq!(vault.open(joana.person, &pin("902817"), NOW).unwrap().key, case.key);
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
        assert_eq!(vault.open(case.helena.person, &pin("335577"), NOW).unwrap().key, case.key);
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
        assert_eq!(vault.open(case.helena.person, &pin("274916"), next).unwrap().key, case.key);
        assert_eq!(vault.open(case.helena.person, &pin("274916"), NOW).unwrap().key, case.key, "forgiven");
        assert_eq!(wait_us(u32::MAX), WAIT_MAX_SECONDS * US);
    }

    #[test]
    fn a_sealed_key_moved_to_another_person_does_not_open() {
        let (case, vault) = Case::new();
        let text = std::fs::read_to_string(case.path()).unwrap();
        drop(vault);
        let joana = holder(2, "Joana").person;
        let moved = text.replace(&case.helena.person.to_string(), &joana.to_string());
        std::fs::write(case.path(), moved).unwrap();
        assert!(matches!(case.again().open(joana, &pin("274916"), NOW), Err(VaultError::Wrong)));
    }

    #[test]
    fn while_the_key_is_changed_the_file_gives_both_and_afterwards_only_the_new_one() {
        let (case, mut vault) = Case::new();
        let joana = holder(2, "Joana");
        vault.put(&case.key, &joana, &pin("902817")).unwrap();
        let new: Key = Zeroizing::new([43; KEY_BYTES]);
        vault.change(&case.key, &new).unwrap();
        let keys = case.again().open(joana.person, &pin("902817"), NOW).unwrap();
        assert_eq!((keys.key, keys.previous), (new.clone(), Some(case.key.clone())));
        case.again().forget_previous().unwrap();
        let keys = case.again().open(case.helena.person, &pin("274916"), NOW).unwrap();
        assert_eq!((keys.key, keys.previous), (new, None));
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

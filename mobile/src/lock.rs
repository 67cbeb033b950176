//! The tablet behind its PINs: locked, or open in one person's name.
//!
//! Owns opening and closing the replica. While it is locked the key is nowhere in memory, nothing is read and nothing is
//! sent. Without any PIN the tablet is open from the start to the end. Invariants: at most one replica is open; a PIN
//! is tried by one request at a time; a tablet is locked only between requests, never in the middle of one.

mod gate;
mod gone;
mod pages;

pub use gate::router;

use crate::app::{App, LockControl};
use crate::guard::Guard;
use crate::key_file::{Key, KeyFileError, Keys, random};
use crate::opening::{self, OpenError};
use crate::pin::Pin;
use crate::vault::{Holder, Vault, VaultError};
use crate::wipe::{self, Note, WipeError};
use axum::Router;
use neonpro_client_core::{Clock, Replica, ReplicaError, ReplicaKey, SyncOptions, User};
use neonpro_contract::catalogue::Role;
use neonpro_contract::ids::AuthorId;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio::sync::{Mutex, RwLock, watch};

/// Minutes without a sign of a person after which a tablet with PINs locks itself.
pub const AUTO_LOCK_MINUTES: i64 = 5;
/// How often that is looked at.
const IDLE_LOOK: Duration = Duration::from_secs(5);
const US_PER_MINUTE: i64 = 60_000_000;

/// Where a tablet keeps what it opens.
#[derive(Debug, Clone)]
pub struct Place {
    /// The replica file.
    pub replica: PathBuf,
    /// Its key file: a plain key, or one under PINs.
    pub key_file: PathBuf,
    /// Whether a replica that is opened begins to talk to the server: `None` where nothing is ever sent.
    pub online: Option<bool>,
}

/// Why a tablet did not open, lock or take a PIN.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// The PIN was not taken, or the key file failed.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// There is no key.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// The replica does not open.
    #[error("the replica does not open")]
    Replica(#[from] ReplicaError),
    /// The PIN is right, and its holder no longer uses this tablet.
    #[error("this person no longer uses this tablet; somebody of the clinic must open it")]
    NotOfClinic,
    /// Only they themselves, a manager or an administrator may change somebody's PIN.
    #[error("only its holder, a manager or an administrator changes a PIN")]
    NotYours,
    /// Wiping did not come to its end; the next start goes on.
    #[error("wiping the tablet did not come to its end; start it again")]
    Wipe(#[from] WipeError),
    /// Nothing protects the tablet yet.
    #[error("the tablet has no PIN yet")]
    NoPin,
    /// The tablet is locked.
    #[error("the tablet is locked")]
    Locked,
    /// The work ended early.
    #[error("the work ended early")]
    Interrupted(#[from] tokio::task::JoinError),
}

impl From<OpenError> for LockError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Key(error) => Self::Key(error),
            OpenError::Vault(error) => Self::Vault(error),
            OpenError::Replica(error) => Self::Replica(error),
            OpenError::NotOfClinic => Self::NotOfClinic,
        }
    }
}

/// A tablet, locked or open. Cheap to clone.
#[derive(Clone)]
pub struct Tablet(Arc<Inner>);

struct Inner {
    place: Place,
    guard: Guard,
    clock: Clock,
    state: RwLock<Option<Opened>>,
    /// Held while a PIN is tried: tries at once would be counted as one.
    trying: Mutex<()>,
    /// Last sign of a person, µs.
    seen_us: AtomicI64,
    /// Counts what opens and locks.
    turns: watch::Sender<u64>,
    /// The tablet was told to destroy what it holds.
    gone: RwLock<Option<Note>>,
}

/// A tablet whose replica is open.
struct Opened {
    app: App,
    router: Router,
    /// With the previous one as long as the replica has that.
    keys: Keys,
    /// In whose name, once there are PINs.
    signed_in: Option<AuthorId>,
}

impl Tablet {
    /// A tablet with PINs: locked.
    #[must_use]
    pub fn locked(place: Place, guard: Guard, clock: Clock) -> Self {
        Self::new(place, guard, clock, None)
    }

    /// A tablet without PINs: open.
    #[must_use]
    pub fn open(place: Place, guard: Guard, replica: Replica, key: Key) -> Self {
        let clock = replica.clock();
        Self::opened(place, guard, clock, replica, Keys { key, previous: None })
    }

    fn opened(place: Place, guard: Guard, clock: Clock, replica: Replica, keys: Keys) -> Self {
        let opened = Opened::new(&place, &guard, replica, keys, None);
        Self::new(place, guard, clock, Some(opened))
    }

    /// Opens the place if its key lies there in the clear, and leaves it locked if it is under PINs.
    ///
    /// # Errors
    /// No key, or a replica that does not open. Blocks.
    pub fn begin(place: Place, guard: Guard, clock: Clock) -> Result<Self, LockError> {
        match wipe::find(&place.replica) {
            // What lies there now was enrolled after the wipe.
            Some(note) if note.done && place.replica.exists() => {
                wipe::forget(&place.replica).map_err(WipeError::from)?
            }
            Some(note) => return Ok(Self::gone(place, guard, clock, note)),
            None => {}
        }
        if Vault::read(&place.key_file)?.is_some() {
            return Ok(Self::locked(place, guard, clock));
        }
        let (replica, keys) = opening::open_plain(&place.replica, &place.key_file, clock.clone())?;
        Ok(Self::opened(place, guard, clock, replica, keys))
    }

    fn new(place: Place, guard: Guard, clock: Clock, opened: Option<Opened>) -> Self {
        let seen_us = AtomicI64::new(clock.now_us());
        let (state, trying, turns) = (RwLock::new(opened), Mutex::new(()), watch::Sender::new(0));
        let gone = RwLock::new(None);
        Self(Arc::new(Inner { place, guard, clock, state, trying, seen_us, turns, gone }))
    }

    /// The door.
    #[must_use]
    pub fn guard(&self) -> &Guard {
        &self.0.guard
    }

    /// Whether nothing can be read.
    pub async fn is_locked(&self) -> bool {
        self.0.state.read().await.is_none()
    }

    /// Who has a PIN; nobody while the key lies in the clear.
    ///
    /// # Errors
    /// A key file that cannot be read.
    pub fn holders(&self) -> Result<Vec<Holder>, LockError> {
        Ok(Vault::read(&self.0.place.key_file)?.map(|vault| vault.holders()).unwrap_or_default())
    }

    /// Tries a PIN: opens a locked tablet, or hands an open one to another person.
    ///
    /// # Errors
    /// The PIN is wrong or must wait, its holder left the clinic, or the replica does not open.
    ///
    /// # Cancel safety
    /// Cancelling leaves the try counted and the tablet as it was.
    pub async fn enter(&self, person: AuthorId, pin: Pin) -> Result<(), LockError> {
        let _one = self.0.trying.lock().await;
        let (path, now_us) = (self.0.place.key_file.clone(), self.0.clock.now_us());
        let tried = tokio::task::spawn_blocking(move || {
            Vault::read(&path)?.ok_or(VaultError::Wrong)?.open(person, &pin, now_us)
        });
        let mut keys = tried.await??;
        let mut state = self.0.state.write().await;
        let (place, clock) = (self.0.place.clone(), self.0.clock.clone());
        let known = state.as_ref().map(|opened| opened.app.replica().clone());
        let was_locked = known.is_none();
        let looked = tokio::task::spawn_blocking(move || {
            let replica = match known {
                Some(replica) => replica,
                None => open_entered(&place, &mut keys, clock)?,
            };
            if replica.users()?.iter().any(|user| user.is_active && user.author == person) {
                return Ok((replica, keys));
            }
            if was_locked {
                replica.close()?;
            }
            Err(LockError::NotOfClinic)
        });
        let (replica, keys) = looked.await??;
        match state.as_mut() {
            Some(opened) => opened.signed_in = Some(person),
            None => {
                let opened = Opened::new(&self.0.place, &self.0.guard, replica, keys, Some(person));
                opened.app.set_lock(LockControl::Lock);
                *state = Some(opened);
            }
        }
        drop(state);
        self.touch();
        self.turn();
        Ok(())
    }

    /// Gives a person a PIN. The first one gives the replica a new key, which never lay in the clear.
    ///
    /// # Errors
    /// The tablet is locked, the person is not of the clinic, or it is not theirs to change.
    ///
    /// # Cancel safety
    /// Cancelling leaves the key file as it was or as it was to be.
    pub async fn choose_pin(&self, person: AuthorId, pin: Pin) -> Result<(), LockError> {
        let _one = self.0.trying.lock().await;
        let mut state = self.0.state.write().await;
        let opened = state.as_mut().ok_or(LockError::Locked)?;
        let (replica, keys) = (opened.app.replica().clone(), opened.keys.clone());
        let (signed_in, path) = (opened.signed_in, self.0.place.key_file.clone());
        let put = tokio::task::spawn_blocking(move || {
            let users = replica.users()?;
            let user = users.iter().find(|user| user.is_active && user.author == person);
            let holder = Holder { person, name: user.ok_or(LockError::NotOfClinic)?.name.clone() };
            let Some(mut vault) = Vault::read(&path)? else {
                return first_pin(&path, &replica, keys, &holder, &pin).map(Some);
            };
            let has_one = vault.holders().iter().any(|other| other.person == person);
            if has_one && signed_in != Some(person) && !may_reset(&users, signed_in) {
                return Err(LockError::NotYours);
            }
            vault.put(&keys.key, &holder, &pin)?;
            Ok(None)
        });
        if let Some(keys) = put.await?? {
            opened.keys = keys;
            opened.signed_in = Some(person);
            opened.app.set_lock(LockControl::Lock);
        }
        Ok(())
    }

    /// Closes the replica and wipes its key. What was being written is committed first.
    ///
    /// # Errors
    /// Nothing protects the tablet, or the file does not close.
    ///
    /// # Cancel safety
    /// Not cancel safe: run it to its end.
    pub async fn lock(&self) -> Result<(), LockError> {
        if self.holders()?.is_empty() {
            return Err(LockError::NoPin);
        }
        self.shut().await
    }

    /// Closes the replica, if one is open, with or without PINs.
    ///
    /// # Errors
    /// The file does not close.
    ///
    /// # Cancel safety
    /// Not cancel safe: run it to its end.
    pub async fn shut(&self) -> Result<(), LockError> {
        let mut state = self.0.state.write().await;
        let closed = match state.take() {
            Some(opened) => {
                opened.app.close();
                opened.app.stop_sync().await;
                let replica = opened.app.replica().clone();
                drop(opened);
                tokio::task::spawn_blocking(move || replica.close()).await?
            }
            None => Ok(()),
        };
        drop(state);
        self.turn();
        Ok(closed?)
    }

    /// Locks the tablet when nobody uses it, until the future is dropped.
    pub async fn watch_idle(&self) {
        loop {
            tokio::time::sleep(IDLE_LOOK).await;
            if let Err(error) = self.lock_if_idle().await {
                tracing::warn!(%error, "locking an idle tablet failed; trying again");
            }
        }
    }

    /// Locks it if nobody gave a sign for [`AUTO_LOCK_MINUTES`].
    ///
    /// # Errors
    /// As [`Tablet::lock`].
    pub async fn lock_if_idle(&self) -> Result<(), LockError> {
        let idle_us = self.0.clock.now_us().saturating_sub(self.0.seen_us.load(Ordering::Relaxed));
        if idle_us < AUTO_LOCK_MINUTES * US_PER_MINUTE || self.is_locked().await || self.holders()?.is_empty()
        {
            return Ok(());
        }
        self.lock().await
    }

    /// A sign of a person.
    fn touch(&self) {
        self.0.seen_us.store(self.0.clock.now_us(), Ordering::Relaxed);
    }

    fn turn(&self) {
        self.0.turns.send_modify(|turn| *turn = turn.wrapping_add(1));
    }

    /// Resolves when the tablet was opened or locked after this call.
    async fn turned(&self) {
        let mut turns = self.0.turns.subscribe();
        // The sender lives in `self`.
        let _ = turns.changed().await;
    }
}

impl Opened {
    fn new(place: &Place, guard: &Guard, replica: Replica, keys: Keys, signed_in: Option<AuthorId>) -> Self {
        let sync =
            place.online.map(|online| replica.start_sync(SyncOptions { online, ..SyncOptions::default() }));
        let app = App::new(replica, place.replica.clone(), guard.clone(), sync);
        app.set_lock(LockControl::Offer);
        let router = crate::router::router(app.clone());
        Self { app, router, keys, signed_in }
    }
}

/// Opens the replica with what a PIN brought, and takes an old key out of the key file once it is of no use.
fn open_entered(place: &Place, keys: &mut Keys, clock: Clock) -> Result<Replica, LockError> {
    let opening = opening::open(&place.replica, keys, clock)?;
    if opening.settled
        && keys.previous.take().is_some()
        && let Some(mut vault) = Vault::read(&place.key_file)?
    {
        vault.forget_previous()?;
    }
    Ok(opening.replica)
}

/// Puts a new key under the first PIN and gives it to the replica: whoever copied the key file before opens nothing.
fn first_pin(
    path: &Path,
    replica: &Replica,
    keys: Keys,
    holder: &Holder,
    pin: &Pin,
) -> Result<Keys, LockError> {
    let old = keys.previous.unwrap_or(keys.key);
    let new = random()?;
    let mut vault =
        Vault::create(path, &Keys { key: new.clone(), previous: Some(old.clone()) }, holder, pin)?;
    if !opening::change(replica, &ReplicaKey::new(*old), &ReplicaKey::new(*new)) {
        return Ok(Keys { key: new, previous: Some(old) });
    }
    // The PIN is chosen either way: what is left of the old key goes when somebody enters.
    if let Err(error) = vault.forget_previous() {
        tracing::warn!(%error, "the old key is still in the key file, under the new one");
    }
    Ok(Keys { key: new, previous: None })
}

/// Whether somebody may give others a new PIN.
fn may_reset(users: &[User], signed_in: Option<AuthorId>) -> bool {
    let user = users.iter().find(|user| user.is_active && Some(user.author) == signed_in);
    user.is_some_and(|user| matches!(user.role, Role::Admin | Role::Manager))
}

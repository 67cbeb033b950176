//! The tablet's page on a loopback address, until the program is told to end.
//!
//! Owns opening or enrolling the replica, the listener and the clean end: streams told, sync stopped, file closed.
//! Invariant: nothing is ever served on an address that is not loopback.

use crate::guard::Guard;
use crate::key_file::{KeyFileError, load_or_create};
use crate::lock::{LockError, Place, Tablet, router};
use crate::wipe::{self, WipeError};
use neonpro_client_core::{Clock, EnrolError, ReplicaError, ReplicaKey, enrol};
use std::net::SocketAddr;
use std::path::PathBuf;
use zeroize::Zeroizing;

/// What is served, and where.
#[derive(Debug, Clone)]
pub struct Served {
    /// The replica file.
    pub replica: PathBuf,
    /// Its key file.
    pub key_file: PathBuf,
    /// Ticket and name, for a tablet that is not enrolled yet.
    pub enrol: Option<(String, String)>,
    /// The loopback address; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Begin without talking to the server.
    pub offline: bool,
}

/// Why the page is not served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address is not loopback.
    #[error("the page is served on loopback only; use an address such as 127.0.0.1:0")]
    NotLoopback,
    /// The address could not be taken.
    #[error("the address could not be listened on; another program may have it")]
    Listen(#[source] std::io::Error),
    /// There is no key.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// The tablet was not enrolled.
    #[error("the tablet was not enrolled; ask for a new ticket or check the network")]
    Enrol(#[from] EnrolError),
    /// The replica does not open or close.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The system gave no randomness.
    #[error("the system gave no randomness for the page's secret; try again")]
    Random,
    /// Opening the file ended early.
    #[error("opening the replica ended early")]
    Interrupted(#[from] tokio::task::JoinError),
}

impl ServeError {
    /// A stable name, for logs and for whoever helps.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Lock(LockError::Replica(error)) => error.code(),
            Self::NotLoopback => "not_loopback",
            Self::Listen(_) => "address_taken",
            Self::Key(_) | Self::Lock(LockError::Key(_) | LockError::Vault(_)) => "key",
            Self::Enrol(_) => "not_enrolled",
            Self::Lock(_) => "lock",
            Self::Random => "no_randomness",
            Self::Interrupted(_) => "interrupted",
        }
    }

    /// Whether another program has the replica open: one that is ending gives it back.
    #[must_use]
    pub const fn is_in_use(&self) -> bool {
        matches!(self, Self::Lock(LockError::Replica(ReplicaError::InUse)))
    }
}

/// Serves the page until `end` resolves. `ready` is told the address that opens it.
///
/// # Errors
/// Whatever keeps the page from being served.
///
/// # Cancel safety
/// Not cancel safe: end it by `end`, so the file is closed.
pub async fn serve(
    served: Served,
    ready: impl FnOnce(&str),
    end: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    if !served.listen.ip().is_loopback() {
        return Err(ServeError::NotLoopback);
    }
    let listener = tokio::net::TcpListener::bind(served.listen).await.map_err(ServeError::Listen)?;
    let guard =
        Guard::new(listener.local_addr().map_err(ServeError::Listen)?).map_err(|_| ServeError::Random)?;
    let tablet = open(served, guard).await?;
    ready(&tablet.guard().entrance());

    let closing = tablet.clone();
    let end = async move {
        end.await;
        // Open event streams end with the replica, so that the listener can.
        if let Err(error) = closing.shut().await {
            tracing::error!(%error, "closing the replica failed");
        }
    };
    let idle = tokio::spawn({
        let tablet = tablet.clone();
        async move { tablet.watch_idle().await }
    });
    let wipe = tokio::spawn({
        let tablet = tablet.clone();
        async move { tablet.watch_wipe().await }
    });
    let result = axum::serve(listener, router(tablet.clone())).with_graceful_shutdown(end).await;
    idle.abort();
    wipe.abort();
    tablet.shut().await?;
    result.map_err(ServeError::Listen)
}

/// A wipe that had begun here comes to its end before the place is used again.
async fn end_wipe(place: &Place) -> Result<(), LockError> {
    let Some(note) = wipe::find(&place.replica) else { return Ok(()) };
    let (replica, key_file) = (place.replica.clone(), place.key_file.clone());
    let ended = tokio::task::spawn_blocking(move || wipe::finish(note, &replica, &key_file));
    let mut note = ended.await??;
    if let Err(error) = wipe::tell(&mut note, &place.replica).await {
        tracing::warn!(
            code = error.code(),
            "the server was not told of the wipe before the tablet was enrolled anew"
        );
    }
    Ok(())
}

async fn open(served: Served, guard: Guard) -> Result<Tablet, ServeError> {
    let Served { replica, key_file, enrol: ticket, offline, .. } = served;
    let place = Place { replica, key_file, online: Some(!offline) };
    if let Some((ticket, name)) = ticket.filter(|_| !place.replica.exists()) {
        end_wipe(&place).await?;
        let key = Zeroizing::new(load_or_create(&place.key_file)?);
        let opening = ReplicaKey::new(*key);
        let replica = enrol(&ticket, &place.replica, opening, &name, Clock::system()).await?;
        wipe::forget(&place.replica).map_err(WipeError::from).map_err(LockError::from)?;
        return Ok(Tablet::open(place, guard, replica, key));
    }
    Ok(tokio::task::spawn_blocking(move || Tablet::begin(place, guard, Clock::system())).await??)
}

//! The tablet's page on a loopback address, until the program is told to end.
//!
//! Owns opening or enrolling the replica, the listener and the clean end: streams told, sync stopped, file closed.
//! Invariant: nothing is ever served on an address that is not loopback.

use crate::app::App;
use crate::guard::Guard;
use crate::key_file::{KeyFileError, load_or_create};
use crate::router::router;
use neonpro_client_core::{Clock, EnrolError, Replica, ReplicaError, ReplicaKey, SyncOptions, enrol};
use std::net::SocketAddr;
use std::path::PathBuf;

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
    /// The replica does not open.
    #[error("the replica does not open")]
    Replica(#[from] ReplicaError),
    /// The system gave no randomness.
    #[error("the system gave no randomness for the page's secret; try again")]
    Random,
    /// Opening the file ended early.
    #[error("opening the replica ended early")]
    Interrupted(#[from] tokio::task::JoinError),
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
    let replica = open(&served).await?;
    let listener = tokio::net::TcpListener::bind(served.listen).await.map_err(ServeError::Listen)?;
    let guard =
        Guard::new(listener.local_addr().map_err(ServeError::Listen)?).map_err(|_| ServeError::Random)?;
    let sync = replica.start_sync(SyncOptions { online: !served.offline, ..SyncOptions::default() });
    let app = App::new(replica.clone(), served.replica, guard, Some(sync));
    ready(&app.guard().entrance());

    let closing = app.clone();
    let end = async move {
        end.await;
        closing.close();
    };
    let result = axum::serve(listener, router(app.clone())).with_graceful_shutdown(end).await;
    app.stop_sync().await;
    tokio::task::spawn_blocking(move || replica.close()).await??;
    result.map_err(ServeError::Listen)
}

async fn open(served: &Served) -> Result<Replica, ServeError> {
    let key = ReplicaKey::new(load_or_create(&served.key_file)?);
    let path = served.replica.clone();
    if let Some((ticket, name)) = served.enrol.as_ref().filter(|_| !path.exists()) {
        return Ok(enrol(ticket, &path, key, name, Clock::system()).await?);
    }
    Ok(tokio::task::spawn_blocking(move || Replica::open(path, key, Clock::system())).await??)
}

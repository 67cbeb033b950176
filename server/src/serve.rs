//! A running server: database, listener, jobs; and an orderly stop.

use crate::admission::{Admission, AdmissionConfig, AdmissionError};
use crate::audit::{KeyError, Notary};
use crate::blobs::{BlobError, Blobs};
use crate::clock::Clock;
use crate::config::ServeArgs;
use crate::database::{Database, DatabaseError};
use crate::erasure::ledger::Ledger;
use crate::erasure::{self, ErasureError};
use crate::state::{AppState, Outside};
use crate::telemetry::Metrics;
use crate::tls::{Tls, TlsError};
use crate::{clock, http, jobs, scope};
use axum_server::Handle;
use axum_server::accept::NoDelayAcceptor;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How long sessions get to finish when the server stops.
const GRACE: Duration = Duration::from_secs(5);

/// Why a server does not run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The database.
    #[error("the database could not be opened")]
    Database(#[from] DatabaseError),
    /// Erasures could not be carried out again: what they erased may be in this database.
    #[error("erasures could not be carried out again, so nobody is served")]
    Erasure(#[from] ErasureError),
    /// The embedded cluster's place.
    #[error("no data directory")]
    DataDir(#[from] crate::postgres::PostgresError),
    /// TLS.
    #[error("TLS could not be set up")]
    Tls(#[from] TlsError),
    /// No change could be admitted.
    #[error("no admission worker")]
    Admission(#[from] AdmissionError),
    /// The audit's signing key.
    #[error("the audit's signing key could not be opened")]
    AuditKey(#[from] KeyError),
    /// The store of files.
    #[error("no place for files of patients")]
    Blobs(#[from] BlobError),
    /// The address.
    #[error("listening on {address} failed")]
    Listen {
        /// Which address.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

/// A server that listens.
pub struct Server {
    /// Shared state, also for tests and the demo.
    pub state: AppState,
    /// Where it listens.
    pub address: SocketAddr,
    /// What tablets pin.
    pub fingerprint: String,
    database: Database,
    stop: watch::Sender<bool>,
    handle: Handle<SocketAddr>,
    serving: JoinHandle<std::io::Result<()>>,
    upkeep: JoinHandle<()>,
}

impl Server {
    /// Opens everything and listens.
    ///
    /// # Errors
    /// What could not be opened.
    ///
    /// # Cancel safety
    /// A cancelled start may leave an embedded cluster running until the process ends.
    pub async fn start(args: &ServeArgs) -> Result<Self, ServeError> {
        let database = args.database.open().await?;
        // A restored backup may hold what was erased since: nobody is served before it is erased again.
        let ledger = Ledger::new(args.ledger.file(&args.database).await?);
        erasure::replay(&database.store, &ledger, clock::now()).await?;
        // Without rules of law the clinics' own still count: no reason not to serve.
        if let Err(error) = scope::install_shipped(&database.store, clock::now()).await {
            tracing::error!(%error, source = ?std::error::Error::source(&error), "scope bundles were not installed");
        }
        let tls = match (&args.tls_certificate, &args.tls_key) {
            (Some(certificate), Some(key)) => Tls::load(certificate, key)?,
            _ => Tls::load_or_make(&args.database.data_dir().await?, &args.tls_name)?,
        };
        let notary = Arc::new(Notary::open(&args.audit.key_file(&args.database).await?)?);
        let admission = args.admission.config().map_err(AdmissionError::Start)?;
        let blobs = Blobs::in_folder(&args.files.folder(&args.database).await?)?;
        let outside = Outside { notary, ledger: Arc::new(ledger), blobs };
        Self::over(database, tls, args.listen, outside, admission).await
    }

    /// Listens over an open database.
    ///
    /// # Errors
    /// An admission worker that does not start, an address that cannot be listened on.
    pub async fn over(
        database: Database,
        tls: Tls,
        listen: SocketAddr,
        outside: Outside,
        admission: AdmissionConfig,
    ) -> Result<Self, ServeError> {
        let metrics = Arc::new(Metrics::default());
        let admission = Admission::new(admission, Arc::clone(&metrics));
        admission.check().await?;
        let failed = |source| ServeError::Listen { address: listen, source };
        let listener = std::net::TcpListener::bind(listen).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let (stop, stopping) = watch::channel(false);
        let clock = Clock::system();
        let state = AppState::new(database.store.clone(), metrics, outside, admission, clock, stopping);
        let handle = Handle::new();
        let router = http::router(state.clone()).into_make_service();
        // A small frame after another would else wait for the peer's delayed acknowledgement: 40 ms of every handshake.
        let acceptor = RustlsAcceptor::new(RustlsConfig::from_config(tls.config)).acceptor(NoDelayAcceptor);
        let server =
            axum_server::from_tcp(listener).map_err(failed)?.acceptor(acceptor).handle(handle.clone());
        let serving = tokio::spawn(server.serve(router));
        let upkeep = tokio::spawn(jobs::run(state.clone()));
        Ok(Self { state, address, fingerprint: tls.fingerprint, database, stop, handle, serving, upkeep })
    }

    /// Base URL for tablets.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// Resolves when the embedded cluster dies by itself.
    pub async fn crashed(&mut self) -> crate::postgres::PostgresError {
        self.database.crashed().await
    }

    /// Says goodbye to every session, finishes what was begun, closes the database.
    ///
    /// # Errors
    /// When the embedded cluster does not stop.
    pub async fn stop(self) -> Result<(), ServeError> {
        // Receivers may all be gone; then nobody is left to tell.
        let _ = self.stop.send(true);
        self.handle.graceful_shutdown(Some(GRACE));
        let _ = self.serving.await;
        let _ = self.upkeep.await;
        self.database.close().await?;
        Ok(())
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Server({})", self.address)
    }
}

//! TLS 1.3 only. A certificate is given, or made once and kept; tablets pin its fingerprint when they enrol.

use ring::digest::{SHA256, digest};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file of certificate or key.
    #[error("reading or writing {path} failed")]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// PEM that holds no certificate or key.
    #[error("{0} holds no certificate or key in PEM form")]
    Pem(PathBuf),
    /// Making the self-signed certificate.
    #[error("making a self-signed certificate failed")]
    Make(#[from] rcgen::Error),
    /// A certificate and key that do not fit.
    #[error("the certificate and key cannot be used")]
    Config(#[from] rustls::Error),
}

/// A TLS configuration and the fingerprint tablets pin.
#[derive(Debug, Clone)]
pub struct Tls {
    /// For the listener.
    pub config: Arc<ServerConfig>,
    /// SHA-256 of the leaf certificate, hexadecimal.
    pub fingerprint: String,
}

impl Tls {
    /// Loads a given certificate.
    ///
    /// # Errors
    /// Files that cannot be read or used.
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let chain = CertificateDer::pem_file_iter(certificate)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|_| TlsError::Pem(certificate.to_owned()))?;
        let leaf = chain.first().ok_or_else(|| TlsError::Pem(certificate.to_owned()))?;
        let fingerprint = digest(&SHA256, leaf).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        let key = PrivateKeyDer::from_pem_file(key).map_err(|_| TlsError::Pem(key.to_owned()))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        Ok(Self { config: Arc::new(config), fingerprint })
    }

    /// Loads the certificate kept in a directory, or makes one for these names and keeps it.
    ///
    /// # Errors
    /// Files that cannot be read, written or used.
    pub fn load_or_make(dir: &Path, names: &[String]) -> Result<Self, TlsError> {
        let (certificate, key) = (dir.join("tls-certificate.pem"), dir.join("tls-key.pem"));
        if !certificate.exists() || !key.exists() {
            std::fs::create_dir_all(dir).map_err(|source| TlsError::File { path: dir.to_owned(), source })?;
            let made = rcgen::generate_simple_self_signed(names.to_vec())?;
            write_private(&key, &made.signing_key.serialize_pem())?;
            write_private(&certificate, &made.cert.pem())?;
        }
        Self::load(&certificate, &key)
    }
}

fn write_private(path: &Path, text: &str) -> Result<(), TlsError> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let failed = |source| TlsError::File { path: path.to_owned(), source };
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    file.sync_all().map_err(failed)
}

//! One GET at a time, to loopback: plain to a tablet's page, TLS 1.3 to the server with its own certificate as the only
//! root.

use super::{Outcome, Problem};
use crate::http::exchange;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::version::TLS13;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// Longest wait for an answer.
const LIMIT: Duration = Duration::from_secs(10);

/// An answer.
#[derive(Debug)]
pub struct Reply {
    /// Status code.
    pub status: u16,
    /// Body.
    pub body: String,
}

/// TLS to a server that holds this certificate (PEM).
///
/// # Errors
/// A file that is no certificate.
pub fn trusting(certificate: &Path) -> Outcome<TlsConnector> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificate).map_err(|error| error.to_string())?)?;
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&TLS13])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// GET over TLS.
///
/// # Errors
/// No answer within the limit.
pub async fn get_encrypted(address: SocketAddr, tls: &TlsConnector, path: &str) -> Outcome<Reply> {
    within(async {
        let line = TcpStream::connect(address).await?;
        let line = tls.connect(ServerName::from(address.ip()), line).await?;
        get(line, address, path, &[]).await
    })
    .await
}

/// GET without TLS, with a bearer's secret.
///
/// # Errors
/// No answer within the limit.
pub async fn get_plain(address: SocketAddr, path: &str, secret: &str) -> Outcome<Reply> {
    let headers = [("authorization", format!("Bearer {secret}"))];
    within(async { get(TcpStream::connect(address).await?, address, path, &headers).await }).await
}

async fn get<L>(line: L, host: SocketAddr, path: &str, headers: &[(&str, String)]) -> Outcome<Reply>
where
    L: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let answer = exchange(line, host, ("GET", path), headers, &[]).await?;
    Ok(Reply { status: answer.status, body: String::from_utf8(answer.body.into())? })
}

async fn within(work: impl Future<Output = Outcome<Reply>>) -> Outcome<Reply> {
    tokio::time::timeout(LIMIT, work).await.map_err(|_| Problem::from("no answer in time"))?
}

/// The address and the secret in the line that opens a tablet's page: `http://127.0.0.1:4000/?key=…`.
///
/// # Errors
/// Another address.
pub fn entrance(url: &str) -> Outcome<(SocketAddr, String)> {
    let (address, secret) = url
        .strip_prefix("http://")
        .and_then(|rest| rest.split_once("/?key="))
        .ok_or("not the address of a tablet's page")?;
    Ok((address.parse()?, secret.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_entrance_of_a_tablet_is_taken_apart() {
        let (address, secret) = entrance("http://127.0.0.1:4000/?key=a-b_c").unwrap();
        assert_eq!((address.to_string().as_str(), secret.as_str()), ("127.0.0.1:4000", "a-b_c"));
        for url in ["https://127.0.0.1:4000/?key=a", "http://127.0.0.1:4000/", "http://example/?key=a"] {
            assert!(entrance(url).is_err(), "{url}");
        }
    }
}

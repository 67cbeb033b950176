//! One GET at a time, to loopback: plain to a tablet's page, TLS 1.3 to the server with its own certificate as the only
//! root.

use super::{Outcome, Problem};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::version::TLS13;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// Longest wait for an answer.
const LIMIT: Duration = Duration::from_secs(10);
/// Longest answer, bytes.
const BYTES_MAX: u64 = 8 * 1024 * 1024;

/// An answer.
#[derive(Debug, PartialEq, Eq)]
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
        exchange(line, address, path, None).await
    })
    .await
}

/// GET without TLS, with a bearer's secret.
///
/// # Errors
/// No answer within the limit.
pub async fn get_plain(address: SocketAddr, path: &str, secret: &str) -> Outcome<Reply> {
    within(async { exchange(TcpStream::connect(address).await?, address, path, Some(secret)).await }).await
}

async fn within(work: impl Future<Output = Outcome<Reply>>) -> Outcome<Reply> {
    tokio::time::timeout(LIMIT, work).await.map_err(|_| Problem::from("no answer in time"))?
}

async fn exchange<L>(mut line: L, host: SocketAddr, path: &str, secret: Option<&str>) -> Outcome<Reply>
where
    L: AsyncRead + AsyncWrite + Unpin,
{
    let secret = secret.map_or_else(String::new, |secret| format!("Authorization: Bearer {secret}\r\n"));
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{secret}Connection: close\r\n\r\n");
    line.write_all(request.as_bytes()).await?;
    line.flush().await?;
    let mut bytes = Vec::new();
    line.take(BYTES_MAX).read_to_end(&mut bytes).await?;
    read(&bytes)
}

/// Reads an answer whose body ends with the connection.
///
/// # Errors
/// Not such an answer.
pub fn read(bytes: &[u8]) -> Outcome<Reply> {
    let text = std::str::from_utf8(bytes)?;
    let (head, body) = text.split_once("\r\n\r\n").ok_or("an answer without an end of its head")?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 ")).and_then(|line| line.get(..3));
    let status = status.and_then(|digits| digits.parse().ok()).ok_or("an answer without a status")?;
    let mut fields = lines.filter_map(|line| line.split_once(':'));
    if fields.any(|(name, _)| name.eq_ignore_ascii_case("transfer-encoding")) {
        return Err("an answer in pieces".into());
    }
    Ok(Reply { status, body: body.to_owned() })
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
    fn status_and_body_are_read() {
        let reply = read(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nready\n").unwrap();
        assert_eq!(reply, Reply { status: 200, body: "ready\n".to_owned() });
        assert_eq!(read(b"HTTP/1.1 403 Forbidden\r\n\r\n").unwrap().status, 403);
    }

    #[test]
    fn an_answer_that_cannot_be_read_whole_is_an_error() {
        let pieces = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".as_slice();
        for bytes in
            [b"".as_slice(), b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 abc\r\n\r\n", b"\xff\r\n\r\n", pieces]
        {
            assert!(read(bytes).is_err());
        }
    }

    #[test]
    fn the_entrance_of_a_tablet_is_taken_apart() {
        let (address, secret) = entrance("http://127.0.0.1:4000/?key=a-b_c").unwrap();
        assert_eq!((address.to_string().as_str(), secret.as_str()), ("127.0.0.1:4000", "a-b_c"));
        for url in ["https://127.0.0.1:4000/?key=a", "http://127.0.0.1:4000/", "http://example/?key=a"] {
            assert!(entrance(url).is_err(), "{url}");
        }
    }
}

//! One HTTP request on a line of its own, by whoever a test says.

use crate::raw::tls;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::Request;
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use std::net::SocketAddr;
use tokio::io::{AsyncRead, AsyncWrite};

/// Longest answer, bytes: a photograph, or a picture of a screen.
const BYTES_MAX: usize = 64 * 1024 * 1024;

/// What was answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Bytes,
}

impl Answer {
    /// The body as JSON.
    #[must_use]
    pub fn json<T: DeserializeOwned>(&self) -> T {
        let told = String::from_utf8_lossy(&self.body);
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{}: {told}", self.status))
    }

    /// The stable code of a refusal.
    #[must_use]
    pub fn code(&self) -> String {
        self.json::<serde_json::Value>()["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// Asks the server.
pub async fn ask(
    server: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, String)],
    body: &[u8],
) -> Answer {
    let line = tls(server, &[&rustls::version::TLS13]).await.unwrap();
    exchange(line, server, (method, path), headers, body).await.unwrap()
}

/// Asks whoever is at the other end of a line.
///
/// # Errors
/// No whole answer came.
pub async fn exchange<L>(
    line: L,
    host: SocketAddr,
    (method, path): (&str, &str),
    headers: &[(&str, String)],
    body: &[u8],
) -> Result<Answer, Box<dyn std::error::Error + Send + Sync>>
where
    L: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = handshake(TokioIo::new(line)).await?;
    // It ends with the sender.
    tokio::spawn(connection);
    let request = Request::builder().method(method).uri(path).header("host", host.to_string());
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, value));
    let response = sender.send_request(request.body(Full::new(Bytes::copy_from_slice(body)))?).await?;
    let status = response.status().as_u16();
    let body = Limited::new(response.into_body(), BYTES_MAX).collect().await?.to_bytes();
    Ok(Answer { status, body })
}

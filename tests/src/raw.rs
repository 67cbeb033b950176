//! A peer that speaks frames but keeps no promises: for attacks on the sync socket.

use crate::device::Device;
use futures_util::{SinkExt, StreamExt};
use neonpro_contract::catalogue::CATALOGUE_VERSION;
use neonpro_contract::digest::Digest;
use neonpro_contract::wire::{ByeCode, Challenge, Frame, Hello, PROTOCOL, SYNC_PATH, hello_bytes};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme, SupportedProtocolVersion};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

/// Longest wait for an answer.
const LIMIT: Duration = Duration::from_secs(180);

/// Accepts any certificate: attackers do not care whom they talk to.
#[derive(Debug)]
struct Anyone;

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }
    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }
    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256, SignatureScheme::ED25519]
    }
}

/// A TLS connection with exactly these protocol versions.
///
/// # Errors
/// When the server does not take it.
pub async fn tls(
    server: SocketAddr,
    versions: &[&'static SupportedProtocolVersion],
) -> std::io::Result<TlsStream<TcpStream>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anyone))
        .with_no_client_auth();
    let stream = TcpStream::connect(server).await?;
    TlsConnector::from(Arc::new(config)).connect(ServerName::from(server.ip()), stream).await
}

/// A sync socket.
pub struct Raw(WebSocketStream<TlsStream<TcpStream>>);

impl Raw {
    /// Connects and upgrades.
    pub async fn connect(server: SocketAddr) -> Self {
        let stream = tls(server, &[&rustls::version::TLS13]).await.unwrap();
        let url = format!("wss://{server}{SYNC_PATH}");
        let (socket, _) = tokio_tungstenite::client_async(url, stream).await.unwrap();
        Self(socket)
    }

    /// Connects and takes the challenge.
    pub async fn challenged(server: SocketAddr) -> (Self, Challenge) {
        let mut raw = Self::connect(server).await;
        match raw.frame().await {
            Some(Frame::Challenge(challenge)) => (raw, challenge),
            other => panic!("no challenge: {other:?}"),
        }
    }

    /// Sends a message as it is.
    pub async fn send(&mut self, message: Message) {
        // The server may have hung up already; the answer tells.
        let _ = self.0.send(message).await;
    }

    pub async fn send_frame(&mut self, frame: &Frame) {
        self.send(Message::Binary(frame.encode().into())).await;
    }

    /// The next frame; `None` when the server hung up.
    pub async fn frame(&mut self) -> Option<Frame> {
        loop {
            match tokio::time::timeout(LIMIT, self.0.next()).await.expect("the server answers or hangs up") {
                Some(Ok(Message::Binary(bytes))) => return Some(Frame::decode(&bytes).unwrap()),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(_) | Err(_)) | None => return None,
            }
        }
    }

    /// Reads until the server closes; what it said goodbye with.
    pub async fn goodbye(&mut self) -> Option<ByeCode> {
        let mut code = None;
        while let Some(frame) = self.frame().await {
            if let Frame::Bye(bye) = frame {
                code = Some(bye.code);
            }
        }
        code
    }
}

/// An honest hello of a device.
#[must_use]
pub fn hello(device: &Device, nonce: &[u8; 32]) -> Hello {
    Hello {
        protocol: PROTOCOL,
        app: "test".into(),
        catalogue: CATALOGUE_VERSION,
        device: device.id,
        generation: 1,
        signature: device.sign(&hello_bytes(nonce, device.id)).into(),
        cursor: -1,
        bootstrap: None,
        reference_seq: 0,
        digest: Digest(0),
        epoch: None,
        credit: 4 * 1024 * 1024,
        waiting: 0,
        checkpoint: None,
    }
}

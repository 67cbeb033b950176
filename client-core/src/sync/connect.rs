//! The line to the server: TLS 1.3 to exactly one certificate, then a WebSocket or a single HTTP request.
//!
//! Trust is a pin (SHA-256 of the server's certificate) taken from the enrolment ticket, not a list of authorities: a
//! captive portal or a stolen authority gets nothing. Plain `http://` is for tests, and only to this machine.

use ring::digest::{SHA256, digest};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Why no line could be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ConnectError {
    #[error("the server's address does not read")]
    Address,
    #[error("the server cannot be reached")]
    Unreachable,
    #[error("the server does not hold the pinned certificate")]
    Certificate,
    #[error("the server does not speak the protocol")]
    Handshake,
}

impl ConnectError {
    pub const fn code(self) -> &'static str {
        match self {
            Self::Address => "address_unreadable",
            Self::Unreachable => "unreachable",
            Self::Certificate => "certificate_not_pinned",
            Self::Handshake => "handshake",
        }
    }
}

/// A byte stream, encrypted or (to this machine) plain.
pub(crate) trait Line: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Line for T {}

/// A server's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    pub host: String,
    pub port: u16,
    pub encrypted: bool,
}

impl Address {
    /// Reads `https://host:port`, or `http://` for a loopback host.
    pub fn parse(url: &str) -> Result<Self, ConnectError> {
        let (encrypted, rest) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
            (Some(rest), _) => (true, rest),
            (_, Some(rest)) => (false, rest),
            _ => return Err(ConnectError::Address),
        };
        let authority = rest.split('/').next().unwrap_or_default();
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                (host, port.parse().map_err(|_| ConnectError::Address)?)
            }
            _ => (authority, if encrypted { 443 } else { 80 }),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let loopback = host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
        if host.is_empty() || (!encrypted && !loopback) {
            return Err(ConnectError::Address);
        }
        Ok(Self { host, port, encrypted })
    }

    /// `host:port`, for the Host header.
    pub fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// Opens a line to it.
    pub async fn connect(&self, pin: [u8; 32]) -> Result<Box<dyn Line>, ConnectError> {
        let tcp = TcpStream::connect((self.host.as_str(), self.port))
            .await
            .map_err(|_| ConnectError::Unreachable)?;
        // Small frames (an ack, one edit) must not wait for more.
        tcp.set_nodelay(true).map_err(|_| ConnectError::Unreachable)?;
        if !self.encrypted {
            return Ok(Box::new(tcp));
        }
        let name = ServerName::try_from(self.host.clone()).map_err(|_| ConnectError::Address)?;
        let connector = TlsConnector::from(Arc::new(config(pin)?));
        let tls = connector.connect(name, tcp).await.map_err(|error| {
            let refused = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
            match refused {
                Some(rustls::Error::InvalidCertificate(_)) => ConnectError::Certificate,
                Some(_) => ConnectError::Handshake,
                None => ConnectError::Unreachable,
            }
        })?;
        Ok(Box::new(tls))
    }
}

fn config(pin: [u8; 32]) -> Result<ClientConfig, ConnectError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = Pinned { pin, provider: Arc::clone(&provider) };
    Ok(ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|_| ConnectError::Handshake)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth())
}

/// Accepts one certificate.
#[derive(Debug)]
struct Pinned {
    pin: [u8; 32],
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if digest(&SHA256, end_entity).as_ref() == self.pin {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(rustls::Error::InvalidCertificate(rustls::CertificateError::ApplicationVerificationFailure))
        }
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::PeerIncompatible(rustls::PeerIncompatible::Tls13RequiredForQuic))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_encrypted_unless_it_is_this_machine() {
        let at = |host: &str, port, encrypted| Ok(Address { host: host.into(), port, encrypted });
        assert_eq!(Address::parse("https://sync.example:8443/x"), at("sync.example", 8443, true));
        assert_eq!(Address::parse("https://sync.example"), at("sync.example", 443, true));
        assert_eq!(Address::parse("https://[::1]:9"), at("::1", 9, true));
        assert_eq!(Address::parse("http://127.0.0.1:9"), at("127.0.0.1", 9, false));
        assert_eq!(Address::parse("http://sync.example:80"), Err(ConnectError::Address));
        assert_eq!(Address::parse("ftp://sync.example"), Err(ConnectError::Address));
        assert_eq!(Address::parse("https://:1"), Err(ConnectError::Address));
    }
}

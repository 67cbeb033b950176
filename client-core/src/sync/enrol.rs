//! Enrolment: a ticket becomes a device, a key pair and an empty replica.
//!
//! The private key is made here and never leaves; the server gets the public half. Invariant: a replica exists only
//! after the server has accepted the device.

use super::http::{Request, RequestError, request};
use crate::clock::Clock;
use crate::device::{Identity, ReplicaKey, SigningKey, hex, unhex};
use crate::error::ReplicaError;
use crate::replica::Replica;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use neonpro_contract::ids::{ClinicId, DeviceId, NetworkId};
use neonpro_contract::permissions::Audience;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::path::Path;
use std::time::Duration;

/// How long enrolment may take.
const ENROL_MAX: Duration = Duration::from_secs(30);
/// Bytes of the server's answer. It is a handful of ids.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;

/// What an administrator hands to a new tablet, as base64url text or a QR code.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// The server, such as `https://127.0.0.1:8443`.
    pub url: String,
    /// SHA-256 of the server's certificate (DER), hexadecimal.
    pub pin: String,
    /// One-time code.
    pub code: String,
}

/// The code is a secret.
impl std::fmt::Debug for Ticket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Ticket({}, …)", self.url)
    }
}

impl Ticket {
    /// Reads base64url text without padding.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let json = URL_SAFE_NO_PAD.decode(text.trim()).ok()?;
        serde_json::from_slice(&json).ok()
    }

    /// Base64url text without padding.
    #[must_use]
    pub fn to_text(&self) -> String {
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default())
    }
}

/// Why a tablet could not be enrolled.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// The ticket does not read.
    #[error("the ticket does not read")]
    Ticket,
    /// The server could not be reached, or is not the pinned one.
    #[error("the server could not be reached: {0}")]
    Unreachable(&'static str),
    /// The server refused, with its code.
    #[error("the server refused: {code}")]
    Refused {
        /// The server's stable code.
        code: String,
        /// The server's words.
        detail: String,
    },
    /// The server's answer does not read.
    #[error("the server's answer does not read")]
    Answer,
    /// The replica could not be made.
    #[error(transparent)]
    Replica(#[from] ReplicaError),
}

impl EnrolError {
    /// The stable name.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::Ticket => "ticket_unreadable",
            Self::Unreachable(code) => code,
            Self::Refused { code, .. } => code,
            Self::Answer => "answer_unreadable",
            Self::Replica(error) => error.code(),
        }
    }
}

impl From<RequestError> for EnrolError {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::Connect(error) => Self::Unreachable(error.code()),
            RequestError::Answer => Self::Answer,
        }
    }
}

#[derive(Deserialize)]
struct Answer {
    device: DeviceId,
    clinic: ClinicId,
    clinic_name: String,
    network: Option<NetworkId>,
    audience: Audience,
    /// The clinic's public key for unsent work, hexadecimal; absent from an older server.
    escrow_key: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Problem {
    code: String,
    detail: String,
}

/// Enrols a tablet and makes its replica, which is empty until its first sync.
///
/// # Errors
/// A ticket that does not read or was used, a server out of reach, or a storage failure.
///
/// # Cancel safety
/// Cancelling may use the ticket up without a replica; ask for another ticket then.
pub async fn enrol(
    ticket: &str,
    path: impl AsRef<Path>,
    key: ReplicaKey,
    name: &str,
    clock: Clock,
) -> Result<Replica, EnrolError> {
    let ticket = Ticket::parse(ticket).ok_or(EnrolError::Ticket)?;
    let pin = unhex::<32>(&ticket.pin).ok_or(EnrolError::Ticket)?;
    let signing_key = SigningKey::generate()?;
    let body = json!({
        "code": ticket.code,
        "public_key": hex(&signing_key.public_key()),
        "name": name,
        "app": env!("CARGO_PKG_VERSION"),
    });
    let asked = tokio::time::timeout(ENROL_MAX, post(&ticket.url, pin, "/enrol", &body.to_string())).await;
    let (status, answer) = asked.map_err(|_| EnrolError::Unreachable("timed_out"))??;
    if status != 200 {
        let problem: Problem = serde_json::from_slice(&answer).unwrap_or_default();
        let code = if problem.code.is_empty() { format!("http_{status}") } else { problem.code };
        return Err(EnrolError::Refused { code, detail: problem.detail });
    }
    let answer: Answer = serde_json::from_slice(&answer).map_err(|_| EnrolError::Answer)?;
    let identity = Identity {
        device: answer.device,
        name: name.to_owned(),
        clinic: answer.clinic,
        clinic_name: answer.clinic_name,
        network: answer.network,
        audience: answer.audience,
        server_url: ticket.url,
        pin,
        signing_key,
    };
    let (path, escrow_key) = (path.as_ref().to_owned(), answer.escrow_key.as_deref().and_then(unhex::<32>));
    let make = move || {
        let replica = Replica::create(path, key, identity, clock)?;
        // From the first edit on, also before the first session.
        replica.inner.store.write(|tx| {
            tx.meta.escrow_key = escrow_key;
            Ok::<_, ReplicaError>(())
        })?;
        Ok::<_, ReplicaError>(replica)
    };
    let made = tokio::task::spawn_blocking(make).await;
    Ok(made.map_err(|_| ReplicaError::Bookkeeping("replica"))??)
}

/// Posts JSON; status and body.
pub(crate) async fn post(
    url: &str,
    pin: [u8; 32],
    path: &str,
    body: &str,
) -> Result<(u16, Vec<u8>), EnrolError> {
    let headers = [("content-type", "application/json".to_owned())];
    let (method, body, answer_bytes_max) = ("POST", body.as_bytes(), ANSWER_BYTES_MAX);
    let answer =
        request(url, pin, &Request { method, path, headers: &headers, body, answer_bytes_max }).await?;
    Ok((answer.status, answer.body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_survives_the_round_trip_and_hides_its_code() {
        let ticket = Ticket { url: "https://127.0.0.1:1".into(), pin: "00".into(), code: "segredo".into() };
        assert_eq!(Ticket::parse(&ticket.to_text()), Some(ticket.clone()));
        assert!(!format!("{ticket:?}").contains("segredo"));
        assert_eq!(Ticket::parse("%%%"), None);
    }
}

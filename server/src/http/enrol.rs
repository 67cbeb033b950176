//! Enrolment: a one-time code becomes a device identity.
//!
//! An operator makes the code on the command line (or later in the console); the tablet sends it with the public key it
//! just made. Only the code's hash is kept; exactly one tablet can use it.

use crate::actor::Actor;
use crate::clock;
use crate::state::AppState;
use crate::store::audit::AuditRecord;
use crate::store::authority::{Grant, People};
use crate::store::{Store, StoreError, StoreResult};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use neonpro_contract::ids::{AuthorId, ClinicId, DeviceId};
use neonpro_contract::permissions::Audience;
use neonpro_contract::time::{ServerInstant, US_PER_SECOND};
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// How long a code may be used: one working day.
pub const CODE_SECONDS: i64 = 12 * 3_600;
/// Longest name of a device, in characters.
const NAME_CHARS_MAX: usize = 80;

/// What a tablet sends.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EnrolForm {
    code: String,
    /// Ed25519 public key, 64 hexadecimal digits.
    public_key: String,
    name: String,
    #[serde(default)]
    app: String,
}

/// What it gets.
#[derive(Debug, Serialize)]
struct Enrolled {
    device: DeviceId,
    clinic: ClinicId,
    clinic_name: String,
    network: Option<uuid::Uuid>,
    audience: Audience,
    /// Who may write on it; every member when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    people: Option<Vec<AuthorId>>,
    /// The clinic's public key (X25519) unsent work is sealed to, hexadecimal.
    escrow_key: String,
}

/// Why a tablet was not enrolled.
#[derive(Debug, thiserror::Error)]
enum EnrolError {
    #[error("the key is not 64 hexadecimal digits, or the name is empty or longer than 80 characters")]
    Invalid,
    #[error("the code is wrong, was used, or is too old: ask for a new one")]
    Code,
    #[error("enrolment could not be stored; try again")]
    Store(#[from] StoreError),
}

impl IntoResponse for EnrolError {
    fn into_response(self) -> Response {
        let (status, code) = match &self {
            Self::Invalid => (StatusCode::UNPROCESSABLE_ENTITY, "invalid_request"),
            Self::Code => (StatusCode::FORBIDDEN, "enrolment_code_refused"),
            Self::Store(error) => {
                tracing::error!(%error, "enrolment failed");
                (StatusCode::SERVICE_UNAVAILABLE, "unavailable")
            }
        };
        (status, Json(json!({ "code": code, "detail": self.to_string() }))).into_response()
    }
}

/// `POST /enrol`
pub(super) async fn post(State(state): State<AppState>, Json(form): Json<EnrolForm>) -> Response {
    // A task of its own: a tablet that hangs up must not cut a transaction in the middle.
    match tokio::spawn(enrol(state, form)).await {
        Ok(Ok(enrolled)) => Json(enrolled).into_response(),
        Ok(Err(error)) => error.into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn enrol(state: AppState, form: EnrolForm) -> Result<Enrolled, EnrolError> {
    let key = parse_hex::<32>(&form.public_key).ok_or(EnrolError::Invalid)?;
    let name = form.name.trim();
    if name.is_empty() || name.chars().count() > NAME_CHARS_MAX || form.app.len() > NAME_CHARS_MAX {
        return Err(EnrolError::Invalid);
    }
    let now = state.clock.now();
    let device = DeviceId(clock::fresh_id(now));
    let used = state.store.mark_enrolment_used(&hash(&form.code), device, now).await?;
    let (clinic, grant) = used.ok_or(EnrolError::Code)?;
    let (audience, people) = (grant.audience, grant.people.named());
    let mut scoped = state.store.begin(&Actor::system(clinic)).await?;
    scoped.lock_head().await?;
    scoped.append_device(device, name, &key, &grant, now).await?;
    let audit = AuditRecord {
        action: "device_enrolled",
        device: Some(device.0),
        author: None,
        edit: None,
        code: None,
        detail: json!({ "audience": audience, "app": form.app, "people": people }),
    };
    scoped.append_audit(&[audit], now).await?;
    let (clinic_name, network) = scoped.find_clinic_name().await?.unwrap_or_default();
    let key = crate::escrow::public_key(&mut scoped, now).await?;
    scoped.commit().await?;
    let escrow_key = key.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Enrolled { device, clinic, clinic_name, network, audience, people, escrow_key })
}

/// Makes a one-time code for a clinic and returns it; only its hash is stored.
///
/// # Errors
/// Someone named who is not a member of the clinic, a database failure, or a system without randomness.
pub async fn make_code(
    store: &Store,
    clinic: ClinicId,
    grant: &Grant,
    now: ServerInstant,
) -> StoreResult<String> {
    if let People::Named(people) = &grant.people {
        let ids: Vec<uuid::Uuid> = people.iter().map(|person| person.0).collect();
        let mut scoped = store.begin(&Actor::system(clinic)).await?;
        let members = scoped.list_memberships(&ids).await?;
        scoped.rollback().await?;
        if ids.iter().any(|id| !members.contains_key(id)) {
            return Err(StoreError::Missing("member of this clinic"));
        }
    }
    let secret: [u8; 15] = clock::try_random().map_err(|_| StoreError::Missing("randomness"))?;
    let code = URL_SAFE_NO_PAD.encode(secret);
    let expires = ServerInstant(now.0.saturating_add(CODE_SECONDS.saturating_mul(US_PER_SECOND)));
    store.append_enrolment(&hash(&code), clinic, grant, now, expires).await?;
    Ok(code)
}

/// The ticket a tablet is given: where the server is, which certificate it has, and the code.
#[must_use]
pub fn ticket(url: &str, fingerprint: &str, code: &str) -> String {
    URL_SAFE_NO_PAD.encode(json!({ "url": url, "pin": fingerprint, "code": code }).to_string())
}

fn hash(code: &str) -> Vec<u8> {
    digest(&SHA256, code.as_bytes()).as_ref().to_vec()
}

pub(super) fn parse_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0u8; N];
    if text.len() != N.saturating_mul(2) || !text.is_ascii() {
        return None;
    }
    for (index, byte) in bytes.iter_mut().enumerate() {
        let start = index.saturating_mul(2);
        *byte = u8::from_str_radix(text.get(start..start.saturating_add(2))?, 16).ok()?;
    }
    Some(bytes)
}

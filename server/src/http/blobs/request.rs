//! Who makes a request about a file, and what it is answered when it cannot be served.

use crate::actor::Actor;
use crate::blobs::BlobError;
use crate::blobs::custody::CustodyError;
use crate::http::enrol::parse_hex;
use crate::state::AppState;
use crate::store::StoreError;
use crate::sync::NOBODYS_KEY;
use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use neonpro_contract::blob::{AT_HEADER, DEVICE_HEADER, SIGNATURE_HEADER, SIZE_HEADER, request_bytes};
use neonpro_contract::ids::{ClinicId, DeviceId};
use neonpro_contract::limits::BLOB_REQUEST_AGE_MAX_US;
use ring::signature::{ED25519, UnparsedPublicKey};
use serde_json::json;
use uuid::Uuid;

/// Why a request is not served. Stable codes; nothing in them tells of another clinic.
#[derive(Debug)]
pub(in crate::http) enum Problem {
    /// No device's signature, a revoked device, or a time too far from the server's.
    Unauthorised,
    /// Nothing this device may have.
    NotFound,
    /// The chunk's length is not what the file's size says, or the size is another than before.
    Size,
    /// Another chunk is the next one: ask how far the file is.
    OutOfOrder,
    /// The whole file is not what its address says.
    Mismatch,
    /// The server's own trouble.
    Failed,
}

impl Problem {
    const fn told(&self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::Unauthorised => (StatusCode::UNAUTHORIZED, "unauthorised", "sign as an active device, now"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not_found", "no such file"),
            Self::Size => {
                (StatusCode::UNPROCESSABLE_ENTITY, "size", "the chunk does not fit the file's size")
            }
            Self::OutOfOrder => (StatusCode::CONFLICT, "out_of_order", "ask how far the file is"),
            Self::Mismatch => {
                (StatusCode::UNPROCESSABLE_ENTITY, "mismatch", "the file is not what its address says")
            }
            Self::Failed => (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "try again"),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, code, detail) = self.told();
        (status, Json(json!({ "code": code, "detail": detail }))).into_response()
    }
}

impl From<PathRejection> for Problem {
    fn from(_: PathRejection) -> Self {
        Self::NotFound
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "a request about a file failed");
        Self::Failed
    }
}

impl From<BlobError> for Problem {
    fn from(error: BlobError) -> Self {
        tracing::error!(%error, source = ?std::error::Error::source(&error), "a request about a file failed");
        Self::Failed
    }
}

impl From<CustodyError> for Problem {
    fn from(error: CustodyError) -> Self {
        match error {
            CustodyError::Store(error) => error.into(),
            CustodyError::Blobs(error) => error.into(),
        }
    }
}

/// A request whose device is known.
#[derive(Debug)]
pub(super) struct Signed {
    /// The device.
    pub actor: Actor,
    /// Bytes of the whole file, where the request says so.
    pub size: Option<u64>,
}

impl Signed {
    /// Checks who signed a request. Unknown, revoked and forged devices are answered alike at the same cost.
    pub async fn read(
        state: &AppState,
        headers: &HeaderMap,
        method: &Method,
        path: &str,
        body: &[u8],
    ) -> Result<Self, Problem> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let device: Option<DeviceId> = text(DEVICE_HEADER).and_then(|device| device.parse().ok());
        let at: Option<i64> = text(AT_HEADER).and_then(|at| at.parse().ok());
        let signature = text(SIGNATURE_HEADER).and_then(parse_hex::<64>);
        let (Some(device), Some(at), Some(signature)) = (device, at, signature) else {
            return Err(Problem::Unauthorised);
        };
        let routed = state.store.find_clinic_of_device(device).await?;
        let clinic = routed.unwrap_or(ClinicId(Uuid::nil()));
        let mut scoped = state.store.begin(&Actor::system(clinic)).await?;
        let known = scoped.find_device(device).await?;
        scoped.rollback().await?;
        let key = known.as_ref().map_or(&NOBODYS_KEY[..], |known| &known.public_key);
        let message = request_bytes(device, at, method.as_str(), path, body);
        let genuine = UnparsedPublicKey::new(&ED25519, key).verify(&message, &signature).is_ok();
        let fresh = state.clock.now().0.abs_diff(at) <= BLOB_REQUEST_AGE_MAX_US.unsigned_abs();
        let known = known.filter(|known| genuine && fresh && known.active).ok_or(Problem::Unauthorised)?;
        let size = text(SIZE_HEADER).and_then(|size| size.parse().ok());
        Ok(Self { actor: Actor::device(clinic, device, known.audience), size })
    }
}

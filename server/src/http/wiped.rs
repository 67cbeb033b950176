//! `POST /wiped`: a device that was told to wipe says that it has. Its key is gone by then: it signed before.
//!
//! Invariant: whoever is not such a device learns nothing, and is answered at the same cost.

use super::enrol::parse_hex;
use crate::actor::Actor;
use crate::state::AppState;
use crate::store::StoreResult;
use crate::store::audit::AuditRecord;
use crate::sync::NOBODYS_KEY;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use neonpro_contract::ids::{ClinicId, DeviceId};
use neonpro_contract::wire::wiped_bytes;
use ring::signature::{ED25519, UnparsedPublicKey};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

/// What a tablet sends.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WipedForm {
    device: DeviceId,
    /// Ed25519 over [`wiped_bytes`], hexadecimal.
    signature: String,
}

/// `POST /wiped`
pub(super) async fn post(State(state): State<AppState>, Json(form): Json<WipedForm>) -> Response {
    // A task of its own: a tablet that hangs up must not cut a transaction in the middle.
    match tokio::spawn(note(state, form)).await {
        Ok(Ok(true)) => StatusCode::NO_CONTENT.into_response(),
        Ok(Ok(false)) => {
            let told = json!({ "code": "not_asked", "detail": "no such device was asked to wipe" });
            (StatusCode::FORBIDDEN, Json(told)).into_response()
        }
        Ok(Err(error)) => {
            tracing::error!(%error, "noting a wipe failed");
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Whether a device that was asked says so, for the first time or again.
async fn note(state: AppState, form: WipedForm) -> StoreResult<bool> {
    let routed = state.store.find_clinic_of_device(form.device).await?;
    let clinic = routed.unwrap_or(ClinicId(Uuid::nil()));
    let mut scoped = state.store.begin(&Actor::system(clinic)).await?;
    let device = scoped.find_device(form.device).await?;
    let asked = scoped.find_wipe(form.device).await?;
    let key = device.as_ref().map_or(&NOBODYS_KEY[..], |device| &device.public_key);
    let signature = parse_hex::<64>(&form.signature).unwrap_or([0; 64]);
    let genuine = UnparsedPublicKey::new(&ED25519, key).verify(&wiped_bytes(form.device), &signature).is_ok();
    if !genuine || !asked || device.is_none() {
        scoped.rollback().await?;
        return Ok(false);
    }
    let now = state.clock.now();
    scoped.lock_head().await?;
    if scoped.mark_wiped(form.device, now).await? {
        let entry = AuditRecord {
            action: "device_wiped",
            device: Some(form.device.0),
            author: None,
            edit: None,
            code: None,
            detail: json!({}),
        };
        scoped.append_audit(&[entry], now).await?;
    }
    scoped.commit().await?;
    Ok(true)
}

//! Ends the sessions of devices whose authority changed: at once when a node says so, within a second in any case.
//!
//! A notification is a hint; whether a device is revoked is always read from the database. Invariant: a session is
//! silent two seconds after its device's revocation was committed, also when no notification came.

use crate::state::AppState;
use crate::store::StoreResult;
use neonpro_contract::ids::DeviceId;
use neonpro_contract::limits::REVOCATION_POLL_MS;
use neonpro_contract::wire::{Bye, ByeCode};
use std::time::Duration;

/// When a device whose people changed should come back, ms: at once, to hear of it.
const COME_BACK_MS: u32 = 0;

/// Looks for revocations until the server stops.
pub(super) async fn run(state: AppState) {
    loop {
        tokio::select! {
            () = state.clock.sleep(Duration::from_millis(REVOCATION_POLL_MS)) => {}
            () = state.stopping() => return,
        }
        let devices = state.live.devices();
        if !devices.is_empty() {
            // The next round tries again; merges and pages look for themselves meanwhile.
            let _ = cut_revoked(&state, &devices).await;
        }
    }
}

/// A device's authority changed. Another task asks how, so that the listener goes on.
pub fn changed(state: &AppState, device: DeviceId) {
    if !state.live.has(device) {
        return;
    }
    let state = state.clone();
    tokio::spawn(async move {
        if cut_revoked(&state, &[device]).await == Some(0) {
            state.live.cut(device, Bye { code: ByeCode::Finished, retry_after_ms: COME_BACK_MS });
        }
    });
}

/// How many of these are revoked; `None` when it could not be found out.
async fn cut_revoked(state: &AppState, devices: &[DeviceId]) -> Option<usize> {
    let found = async {
        let revoked = state.store.list_revoked_devices(devices).await?;
        let wiping =
            if revoked.is_empty() { Vec::new() } else { state.store.list_wiping_devices(&revoked).await? };
        StoreResult::Ok((revoked, wiping))
    };
    match found.await {
        Ok((revoked, wiping)) => {
            for device in &revoked {
                tracing::info!(%device, "ending the sessions of a revoked device");
                let code = if wiping.contains(device) { ByeCode::Wipe } else { ByeCode::Revoked };
                state.live.cut(*device, Bye { code, retry_after_ms: 0 });
            }
            Some(revoked.len())
        }
        Err(error) => {
            tracing::warn!(%error, "looking for revocations failed; the next round tries again");
            None
        }
    }
}

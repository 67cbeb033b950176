//! Who is on the other end: challenge, signature, and where the tablet stands.

use crate::actor::Actor;
use crate::clock;
use crate::state::AppState;
use crate::store::StoreResult;
use crate::store::devices::Seen;
use neonpro_contract::ids::ClinicId;
use neonpro_contract::limits::PUSH_BYTES_MAX;
use neonpro_contract::wire::{ByeCode, Challenge, Hello, PROTOCOL, Welcome, hello_bytes};
use ring::signature::{ED25519, UnparsedPublicKey};
use std::sync::Arc;
use uuid::Uuid;

/// How long a tablet may work offline, seconds: 14 days, the clinic's default lease.
const LEASE_SECONDS: u32 = 14 * 24 * 3_600;

/// A valid Ed25519 public key (the curve's base point), so that checking a stranger's signature costs what any costs.
const NOBODYS_KEY: [u8; 32] = {
    let mut key = [0x66; 32];
    key[0] = 0x58;
    key
};

/// An authenticated session.
#[derive(Debug)]
pub(super) struct Caller {
    pub actor: Actor,
    pub public_key: Arc<[u8]>,
    pub hello: Hello,
}

/// A fresh challenge.
pub(super) fn challenge() -> Option<Challenge> {
    let nonce: [u8; 32] = clock::try_random().ok()?;
    Some(Challenge { nonce: nonce.into(), protocol_min: PROTOCOL, protocol_max: PROTOCOL })
}

/// Checks the tablet's answer. Unknown, revoked and forged devices get the same kind of answer at the same cost.
pub(super) async fn authenticate(
    state: &AppState,
    challenge: &Challenge,
    hello: Hello,
) -> StoreResult<Result<Caller, ByeCode>> {
    if hello.protocol != PROTOCOL {
        return Ok(Err(ByeCode::Version));
    }
    let routed = state.store.find_clinic_of_device(hello.device).await?;
    // A device nobody knows is looked for in a clinic nobody has, and its signature checked with a key nobody holds: what
    // is asked of the database and what is answered tells no one whether a device exists.
    let clinic = routed.unwrap_or(ClinicId(Uuid::nil()));
    let mut scoped = state.store.begin(&Actor::system(clinic)).await?;
    let device = scoped.find_device(hello.device).await?;
    scoped.commit().await?;
    let message = hello_bytes(&challenge.nonce, hello.device);
    let key = device.as_ref().map_or(&NOBODYS_KEY[..], |device| &device.public_key);
    let genuine = UnparsedPublicKey::new(&ED25519, key).verify(&message, &hello.signature).is_ok();
    let Some(device) = device.filter(|_| genuine) else { return Ok(Err(ByeCode::Unauthorised)) };
    if !device.active {
        return Ok(Err(ByeCode::Revoked));
    }
    let actor = Actor::device(clinic, device.id, device.audience);
    Ok(Ok(Caller { actor, public_key: device.public_key.into(), hello }))
}

/// Notes the device and says where its clinic stands.
pub(super) async fn welcome(state: &AppState, caller: &Caller) -> StoreResult<Result<Welcome, ByeCode>> {
    let server = state.store.load_server_row().await?;
    let now = clock::now();
    let mut scoped = state.store.begin(&caller.actor).await?;
    let hello = &caller.hello;
    let seen =
        Seen { generation: hello.generation, app: &hello.app, cursor: hello.cursor, waiting: hello.waiting };
    scoped.mark_device_seen(hello.device, &seen, now).await?;
    let head = scoped.find_head().await?;
    let bootstrap_records = if hello.cursor < 0 { super::bootstrap::total(&mut scoped).await? } else { 0 };
    scoped.commit().await?;
    if hello.cursor >= 0 && hello.cursor < head.horizon {
        return Ok(Err(ByeCode::Reseed));
    }
    Ok(Ok(Welcome {
        protocol: PROTOCOL,
        clinic: ClinicId(caller.actor.clinic().0),
        audience: caller.actor.audience(),
        now: clock::now(),
        epoch: server.epoch.into_bytes().into(),
        head: head.seq,
        digest: head.digest(caller.actor.audience()),
        reference_head: server.reference_seq,
        bootstrap_records,
        push_bytes: u32::try_from(PUSH_BYTES_MAX.saturating_mul(4)).unwrap_or(u32::MAX),
        lease_seconds: LEASE_SECONDS,
    }))
}

//! Who is on the other end: challenge, signature, and where the tablet stands.

use crate::actor::Actor;
use crate::clock;
use crate::state::AppState;
use crate::store::StoreResult;
use crate::store::devices::Seen;
use neonpro_contract::ids::{AuthorId, ClinicId};
use neonpro_contract::limits::PUSH_BYTES_MAX;
use neonpro_contract::wire::{ByeCode, Challenge, Hello, PROTOCOL, Welcome, hello_bytes};
use ring::signature::{ED25519, UnparsedPublicKey};
use std::sync::Arc;

/// How long a tablet may work offline, seconds: 14 days, the clinic's default lease.
const LEASE_SECONDS: u32 = 14 * 24 * 3_600;

/// An authenticated session.
#[derive(Debug)]
pub(super) struct Caller {
    pub actor: Actor,
    pub public_key: Arc<[u8]>,
    pub hello: Hello,
    /// Who may write on the device; `None` for every member.
    pub people: Option<Vec<AuthorId>>,
    /// Records announced for a first sync.
    pub first_sync_records: u64,
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
    let Some(clinic) = state.store.find_clinic_of_device(hello.device).await? else {
        return Ok(Err(ByeCode::Unauthorised));
    };
    let mut scoped = state.store.begin(&Actor::system(clinic)).await?;
    let device = scoped.find_device(hello.device).await?;
    scoped.commit().await?;
    let Some(device) = device else { return Ok(Err(ByeCode::Unauthorised)) };
    let message = hello_bytes(&challenge.nonce, hello.device);
    if UnparsedPublicKey::new(&ED25519, &device.public_key).verify(&message, &hello.signature).is_err() {
        return Ok(Err(ByeCode::Unauthorised));
    }
    if !device.active {
        return Ok(Err(ByeCode::Revoked));
    }
    let actor = Actor::device(clinic, device.id, device.audience);
    let people = device.people.named();
    Ok(Ok(Caller { actor, public_key: device.public_key.into(), hello, people, first_sync_records: 0 }))
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
        people: caller.people.clone(),
    }))
}

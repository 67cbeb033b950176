//! Who is on the other end: challenge, signature, and where the tablet stands.

use crate::actor::Actor;
use crate::audit::open_item;
use crate::clock;
use crate::state::AppState;
use crate::store::StoreResult;
use crate::store::devices::Seen;
use neonpro_contract::audit::Checkpoint;
use neonpro_contract::ids::{AuthorId, ClinicId};
use neonpro_contract::limits::{LEASE_SECONDS, PUSH_BYTES_MAX};
use neonpro_contract::wire::{ByeCode, Challenge, Hello, PROTOCOL, Welcome, hello_bytes};
use ring::signature::{ED25519, UnparsedPublicKey};
use serde_json::json;
use std::sync::Arc;
use uuid::Uuid;

/// A valid Ed25519 public key (the curve's base point), so that checking a stranger's signature costs what any costs.
pub(crate) const NOBODYS_KEY: [u8; 32] = {
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
    let routed = state.store.find_clinic_of_device(hello.device).await?;
    // A device nobody knows is looked for in a clinic nobody has, and its signature checked with a key nobody holds: what
    // is asked of the database and what is answered tells no one whether a device exists.
    let clinic = routed.unwrap_or(ClinicId(Uuid::nil()));
    let mut scoped = state.store.begin(&Actor::system(clinic)).await?;
    let device = scoped.find_device(hello.device).await?;
    let wipes = match &device {
        Some(device) if !device.active => scoped.find_wipe(device.id).await?,
        _ => false,
    };
    scoped.commit().await?;
    let message = hello_bytes(&challenge.nonce, hello.device);
    let key = device.as_ref().map_or(&NOBODYS_KEY[..], |device| &device.public_key);
    let genuine = UnparsedPublicKey::new(&ED25519, key).verify(&message, &hello.signature).is_ok();
    let Some(device) = device.filter(|_| genuine) else { return Ok(Err(ByeCode::Unauthorised)) };
    if !device.active {
        return Ok(Err(if wipes { ByeCode::Wipe } else { ByeCode::Revoked }));
    }
    let actor = Actor::device(clinic, device.id, device.audience);
    let people = device.people.named();
    Ok(Ok(Caller { actor, public_key: device.public_key.into(), hello, people, first_sync_records: 0 }))
}

/// Notes the device and says where its clinic stands.
pub(super) async fn welcome(state: &AppState, caller: &Caller) -> StoreResult<Result<Welcome, ByeCode>> {
    let server = state.store.load_server_row().await?;
    let now = state.clock.now();
    let mut scoped = state.store.begin(&caller.actor).await?;
    let hello = &caller.hello;
    let seen =
        Seen { generation: hello.generation, app: &hello.app, cursor: hello.cursor, waiting: hello.waiting };
    let was_at = scoped.mark_device_seen(hello.device, &seen, now).await?;
    // It completed its first sync, and its word of that was lost with the line.
    if was_at < 0 && hello.cursor >= 0 {
        super::purges::first_sync_ended(&mut scoped, hello.device, hello.cursor, now).await?;
    }
    let head = scoped.find_head().await?;
    let newest = scoped.list_checkpoints(1).await?.into_iter().next();
    let agrees = match &hello.checkpoint {
        Some(held) => Some(scoped.find_audit_hash(held.size).await? == Some(*held.hash)),
        None => None,
    };
    let escrow_key = crate::escrow::public_key(&mut scoped, now).await?;
    let bootstrap_records = if hello.cursor < 0 { super::bootstrap::total(&mut scoped).await? } else { 0 };
    scoped.commit().await?;
    if let (Some(held), Some(false)) = (&hello.checkpoint, agrees) {
        contradicted(state, caller, held).await?;
    }
    if hello.cursor >= 0 && hello.cursor < head.horizon {
        return Ok(Err(ByeCode::Reseed));
    }
    Ok(Ok(Welcome {
        protocol: PROTOCOL,
        clinic: ClinicId(caller.actor.clinic().0),
        audience: caller.actor.audience(),
        now: state.clock.now(),
        epoch: server.epoch.into_bytes().into(),
        head: head.seq,
        digest: head.digest(caller.actor.audience()),
        reference_head: server.reference_seq,
        bootstrap_records,
        push_bytes: u32::try_from(PUSH_BYTES_MAX.saturating_mul(4)).unwrap_or(u32::MAX),
        lease_seconds: LEASE_SECONDS,
        people: caller.people.clone(),
        checkpoint: newer(state.notary.newest(caller.actor.clinic()), newest).map(Box::new),
        audit_agrees: agrees,
        escrow_key: Some(escrow_key.into()),
    }))
}

fn newer(a: Option<Checkpoint>, b: Option<Checkpoint>) -> Option<Checkpoint> {
    a.into_iter().chain(b).max_by_key(|checkpoint| checkpoint.size)
}

/// A tablet holds a checkpoint that the log does not agree with. If this server signed it, the log was tampered with or
/// restored, and a person must look; anybody can send one that it did not.
async fn contradicted(state: &AppState, caller: &Caller, held: &Checkpoint) -> StoreResult<()> {
    let clinic = caller.actor.clinic();
    if held.clinic != clinic || !held.is_signed_by(&state.notary.public_key()) {
        return Ok(());
    }
    tracing::error!(%clinic, size = held.size, "a tablet holds a checkpoint the audit does not agree with");
    let sides = json!({ "size": held.size, "at_us": held.at.0, "device": caller.hello.device });
    open_item(&state.store, clinic, "audit_forked", sides, state.clock.now()).await
}

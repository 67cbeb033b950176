//! Forged and replayed edits, in every combination: what was merged once is merged once.

use neonpro_contract::catalogue::Role;
use neonpro_contract::edit::{Envelope, SignedEdit};
use neonpro_contract::fate::{Code, Fate};
use neonpro_contract::ids::{AuthorId, ClinicId, DeviceId, EditId};
use neonpro_server::clock::{fresh_id, now};
use neonpro_server::merge::Incoming;
use neonpro_tests::device::{document, put};
use neonpro_tests::world::World;
use serde_json::json;

const fn refused(code: Code) -> Fate {
    Fate::Refused { code }
}

/// How an envelope is forged.
type Forge = fn(&mut Envelope, DeviceId);

#[tokio::test]
async fn every_flipped_bit_of_a_signed_envelope_and_of_its_signature_is_refused() {
    let world = World::new().await;
    let clinic = world.clinic(0).id;
    let mut a = world.device(clinic).await;
    let edit = a.new_patient(world.person(0, Role::Assistant), fresh_id(now()), None);
    let flip = |bytes: &[u8], bit: usize| {
        let mut flipped = bytes.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        flipped
    };
    let (envelope, signature) = (&edit.signed.envelope, &edit.signed.signature);
    let mut edits = Vec::new();
    for bit in 0..envelope.len() * 8 {
        let signed = SignedEdit { envelope: flip(envelope, bit).into(), signature: signature.clone() };
        edits.push(Incoming { signed, ..edit.clone() });
    }
    for bit in 0..signature.len() * 8 {
        let signed = SignedEdit { envelope: envelope.clone(), signature: flip(signature, bit).into() };
        edits.push(Incoming { signed, ..edit.clone() });
    }
    let count = edits.len();
    for part in edits.chunks(256) {
        let fates = world.push(clinic, part.to_vec()).await;
        // Not an envelope any more, or one that nobody signed.
        let expected = [refused(Code::BadSignature), refused(Code::Malformed)];
        assert!(fates.iter().all(|fate| expected.contains(fate)));
    }
    assert!(count > 2_000, "{count} bits");
    assert!(
        matches!(world.push(clinic, vec![edit]).await[0], Fate::Accepted { .. }),
        "the true one is taken"
    );
}

#[tokio::test]
async fn an_envelope_that_claims_another_author_edit_device_or_time_than_its_changes_is_malformed() {
    let world = World::new().await;
    let clinic = world.clinic(0).id;
    let (mut a, b) = (world.device(clinic).await, world.device(clinic).await);
    let author = world.person(0, Role::Assistant);
    let record = document("patients", fresh_id(now()), 0);
    let honest = a.envelope(author, &[(record, true, vec![put("name", json!("X"))])]);
    let forged: [(&str, Forge); 6] = [
        ("author", |envelope, _| envelope.author = AuthorId(fresh_id(now()))),
        ("edit", |envelope, _| envelope.edit = EditId(fresh_id(now()))),
        ("time", |envelope, _| envelope.captured_at.0 += 1),
        ("uncertainty", |envelope, _| envelope.uncertainty_ms += 1),
        ("seen", |envelope, _| envelope.seen_seq += 1),
        ("twice", |envelope, _| envelope.changes.push(envelope.changes[0].clone())),
    ];
    for (what, forge) in forged {
        let mut envelope = honest.clone();
        forge(&mut envelope, b.id);
        assert_eq!(
            world.push(clinic, vec![a.incoming(&envelope)]).await,
            vec![refused(Code::Malformed)],
            "{what}"
        );
    }
    // The other device's key, and its name: the changes' actor is still a's.
    let mut envelope = honest.clone();
    envelope.device = b.id;
    assert_eq!(world.push(clinic, vec![b.incoming(&envelope)]).await, vec![refused(Code::Malformed)]);
    assert_eq!(world.push(clinic, vec![a.incoming(&envelope)]).await, vec![refused(Code::BadSignature)]);
    assert!(world.row(clinic, "patients", record.record.0).await.is_none());
}

#[tokio::test]
async fn a_replay_in_every_combination_changes_nothing() {
    let world = World::new().await;
    let (here, there) = (world.clinic(0).id, world.clinic(1).id);
    let author = world.person(0, Role::Assistant);
    let (mut a, b) = (world.device(here).await, world.device(here).await);
    let record = fresh_id(now());
    let first = a.new_patient(author, record, None);
    let id = document("patients", record, 0);
    let second = a.edit(author, &[(id, false, vec![put("phone", json!("1"))])]);
    // Backwards, twice, and once more in one push: the second waits for the first, then both are known.
    let fates = world.push(here, vec![second.clone(), first.clone(), first.clone(), second.clone()]).await;
    assert!(fates.iter().all(|fate| !matches!(fate, Fate::Quarantined { .. })), "{fates:?}");
    let settled = world.push(here, vec![first.clone(), second.clone()]).await;
    assert!(settled.iter().all(|fate| matches!(fate, Fate::Duplicate { .. })), "{settled:?}");
    let (head, row) = (head(&world, here).await, world.row(here, "patients", record).await.unwrap());
    let replays = [
        vec![first.clone(), second.clone()],
        vec![second.clone(), first.clone()],
        vec![second.clone(); 3],
        vec![first.clone(), first.clone(), second.clone(), first.clone()],
    ];
    for replay in replays {
        let fates = world.push(here, replay).await;
        assert!(fates.iter().all(|fate| matches!(fate, Fate::Duplicate { .. })), "{fates:?}");
    }
    // In the session of another device, and in another clinic.
    let public_key: std::sync::Arc<[u8]> = b.public_key().into();
    let stolen = Incoming { device: b.id, public_key, ..first.clone() };
    assert_eq!(world.push(here, vec![stolen]).await, vec![refused(Code::BadSignature)]);
    assert_eq!(world.push(there, vec![first.clone()]).await, vec![refused(Code::BadSignature)]);
    // Its id, over other content.
    let mut envelope: Envelope = minicbor::decode(&first.signed.envelope).unwrap();
    envelope.changes[0].change =
        minicbor::decode::<Envelope>(&second.signed.envelope).unwrap().changes[0].change.clone();
    let fates = world.push(here, vec![a.incoming(&envelope)]).await;
    assert!(!matches!(fates[0], Fate::Accepted { .. }), "{fates:?}");
    assert_eq!(world.row(here, "patients", record).await.unwrap(), row);
    assert_eq!(self::head(&world, here).await, head, "nothing new in the feed");
}

async fn head(world: &World, clinic: ClinicId) -> i64 {
    let actor = neonpro_server::actor::Actor::system(clinic);
    let mut scoped = world.store().begin(&actor).await.unwrap();
    let head = scoped.find_head().await.unwrap().seq;
    scoped.rollback().await.unwrap();
    head
}

#[tokio::test]
async fn a_change_whose_dependency_never_came_is_held_and_merged_when_it_comes() {
    let world = World::new().await;
    let clinic = world.clinic(0).id;
    let author = world.person(0, Role::Assistant);
    let (patient, row) = world.patient(0, 5);
    let id = document("patients", patient, 0);
    let mut a = world.device(clinic).await;
    a.open(id, row);
    let first = a.edit(author, &[(id, false, vec![put("phone", json!("1"))])]);
    let second = a.edit(author, &[(id, false, vec![put("phone", json!("2"))])]);
    let mut b = world.device(clinic).await;
    b.open(id, row);
    let other = b.edit(author, &[(id, false, vec![put("email", json!("b@x.br"))])]);
    let fates = world.push(clinic, vec![other, second]).await;
    assert!(matches!(fates[0], Fate::Accepted { .. }), "{fates:?}");
    assert_eq!(fates[1], Fate::Held { missing: id });
    assert!(matches!(world.push(clinic, vec![first]).await[0], Fate::Accepted { .. }));
    let merged = world.row(clinic, "patients", patient).await.unwrap();
    assert_eq!(merged.get("phone").as_text(), Some("2"), "admitted and merged when it could be");
}

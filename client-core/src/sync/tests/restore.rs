//! A server restored from a backup: the tablets notice and give back what it lacks.

use crate::Draft;
use crate::testing::world::{ANA, ASSISTANT, server, synced};
use serde_json::json;
use uuid::Uuid;

#[test]
fn tablets_give_a_restored_server_the_edits_it_lacks() {
    let mut current = server();
    let tablet = synced(1, &mut current);
    tablet.put(ASSISTANT, "patients", ANA, "phone", json!("antes do backup"));
    tablet.sync(&mut current);
    // What the backup holds, rebuilt: the same first edit, nothing after it.
    let mut restored = server();
    let first = synced(7, &mut restored);
    first.put(ASSISTANT, "patients", ANA, "address", json!("outra fita"));
    first.sync(&mut restored);
    restored.epoch = Uuid::from_u128(2);
    let created =
        tablet.replica.edit(Draft::new(ASSISTANT).create("patients", [("name", json!("Depois"))])).unwrap();
    tablet.put(ASSISTANT, "patients", ANA, "phone", json!("depois do backup"));
    tablet.sync(&mut current);
    assert!(tablet.open(&restored).start_over);
    assert_eq!(tablet.phone().as_deref(), Some("depois do backup"), "nothing disappears meanwhile");
    for _ in 0..3 {
        tablet.sync(&mut restored);
    }
    assert!(restored.fates.contains_key(&created.edit));
    assert_eq!(tablet.phone().as_deref(), Some("depois do backup"));
    assert_eq!(tablet.text("patients", ANA, "address").as_deref(), Some("outra fita"));
    tablet.assert_equal(&restored);
    assert_eq!(tablet.replica.status().unwrap().waiting.edits, 0);
    assert!(tablet.replica.attention().unwrap().is_empty());
}

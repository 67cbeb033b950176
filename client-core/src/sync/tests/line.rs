//! Real sockets on this machine: whole sessions, cut lines, goodbyes.

use crate::testing::line::{Line, start};
use crate::testing::world::{ANA, ASSISTANT, Tablet, server};
use crate::{Connection, Draft, EnrolError, SyncOptions, Ticket, enrol, sync_once};
use neonpro_contract::permissions::Audience;
use neonpro_contract::wire::{Bye, ByeCode};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

fn tablet(number: u8, line: &Arc<Line>, url: &str) -> Tablet {
    let tablet = Tablet::with_audience(number, Audience::Clinical, url);
    let identity = tablet.replica.identity();
    line.keys.lock().unwrap().insert(identity.device, identity.signing_key.public_key());
    tablet
}

fn options() -> SyncOptions {
    SyncOptions { limit: Duration::from_secs(20), ..SyncOptions::default() }
}

#[tokio::test]
async fn two_tablets_see_each_others_edits_as_they_happen() {
    let (line, url) = start(server()).await;
    let (a, b) = (tablet(1, &line, &url), tablet(3, &line, &url));
    let mut running = [a.replica.start_sync(options()), b.replica.start_sync(options())];
    for handle in &mut running {
        handle.wait_for(|state| state.quiet).await.unwrap();
    }
    let mut watch = b.replica.watch(&["patients"]);
    a.put(ASSISTANT, "patients", ANA, "phone", json!("ao vivo"));
    while b.phone().as_deref() != Some("ao vivo") {
        watch.changed().await;
    }
    running[0].wait_for(|state| state.quiet && state.accepted == 1).await.unwrap();
    assert!(a.replica.status().unwrap().last_confirmed_at.is_some());
    assert_eq!(a.replica.status().unwrap().connection, Connection::Live { caught_up: true });
    for handle in running {
        handle.stop().await;
    }
    a.assert_equal(&line.server.lock().unwrap());
    b.assert_equal(&line.server.lock().unwrap());
}

#[tokio::test]
async fn a_line_cut_after_any_frame_loses_nothing() {
    let (line, url) = start(server()).await;
    let a = tablet(1, &line, &url);
    assert!(sync_once(&a.replica, options()).await.settled);
    for cut in 2..40 {
        *line.cut_after.lock().unwrap() = Some(cut);
        a.put(ASSISTANT, "patients", ANA, "phone", json!(cut.to_string()));
        if cut % 3 == 0 {
            a.replica
                .edit(Draft::new(ASSISTANT).create("patients", [("name", json!(format!("P{cut}")))]))
                .unwrap();
        }
        let report = sync_once(&a.replica, options()).await;
        assert!(report.settled || report.problem.is_some());
    }
    *line.cut_after.lock().unwrap() = None;
    let report = sync_once(&a.replica, options()).await;
    assert!(report.settled, "{report:?}");
    a.assert_equal(&line.server.lock().unwrap());
    assert_eq!(a.replica.status().unwrap().waiting.edits, 0);
    assert_eq!(
        line.server.lock().unwrap().row("patients", ANA),
        a.replica.row("patients", ANA).unwrap().unwrap()
    );
}

#[tokio::test]
async fn a_busy_server_is_asked_again_and_a_refusing_one_is_not() {
    let (line, url) = start(server()).await;
    let a = tablet(1, &line, &url);
    *line.goodbye.lock().unwrap() = Some(Bye { code: ByeCode::Busy, retry_after_ms: 1 });
    let mut handle = a.replica.start_sync(options());
    handle.wait_for(|state| state.quiet).await.unwrap();
    assert_eq!(*line.sessions.lock().unwrap(), 2);
    handle.go_offline();
    handle.wait_for(|state| state.connection == Connection::Offline).await.unwrap();
    a.put(ASSISTANT, "patients", ANA, "phone", json!("offline"));
    assert_eq!(a.replica.status().unwrap().waiting.edits, 1);
    *line.goodbye.lock().unwrap() = Some(Bye { code: ByeCode::Revoked, retry_after_ms: 0 });
    handle.go_online();
    let stopped = Connection::Stopped { reason: "revoked".into() };
    handle.wait_for(|state| state.connection == stopped).await.unwrap();
    let mut watch = a.replica.watch(&[crate::STATUS]);
    while a.replica.status().unwrap().connection != stopped {
        watch.changed().await;
    }
    assert_eq!(a.replica.status().unwrap().waiting.edits, 1, "unsent work stays");
    handle.go_online();
    handle.wait_for(|state| state.quiet && state.accepted == 1).await.unwrap();
    assert_eq!(a.replica.status().unwrap().connection, Connection::Live { caught_up: true });
    handle.stop().await;
}

#[tokio::test]
async fn an_unreachable_server_is_a_report_not_a_hang() {
    let a = Tablet::with_audience(1, Audience::Clinical, "http://127.0.0.1:9");
    let report = sync_once(&a.replica, options()).await;
    assert!(!report.settled);
    assert_eq!(report.problem.as_deref(), Some("unreachable"));
    assert!(a.replica.status().unwrap().last_confirmed_at.is_none());
}

#[tokio::test]
async fn a_ticket_that_does_not_read_or_leads_nowhere_makes_no_replica() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c.db");
    let (key, clock) = (crate::testing::world::key(), crate::Clock::system());
    let refused = enrol("???", &path, key.clone(), "t", clock.clone()).await.unwrap_err();
    assert!(matches!(refused, EnrolError::Ticket));
    let ticket = Ticket { url: "http://127.0.0.1:9".into(), pin: "00".repeat(32), code: "x".into() };
    let refused = enrol(&ticket.to_text(), &path, key, "t", clock).await.unwrap_err();
    assert_eq!(refused.code(), "unreachable");
    assert!(!path.exists());
}

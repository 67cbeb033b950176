//! The engine's decisions, without any I/O.

use super::*;
use crate::store::outbox::{Outgoing, Taken};
use crate::sync::apply::Applied;
use crate::sync::session::Opened;
use neonpro_contract::digest::Digest;
use neonpro_contract::edit::SignedEdit;
use neonpro_contract::ids::EditId;
use neonpro_contract::wire::{Buckets, Challenge, Fates, Page, Receipt, Received, Repair, Welcome};
use neonpro_contract::{ids::ClinicId, permissions::Audience, time::ServerInstant};
use uuid::Uuid;

fn challenge() -> Event {
    let frame = Frame::Challenge(Challenge { nonce: [1; 32].into(), protocol_min: 1, protocol_max: 1 });
    Event::Frame { frame, bytes: 40 }
}

fn welcome(head: i64) -> Event {
    let frame = Frame::Welcome(Welcome {
        protocol: 1,
        clinic: ClinicId(Uuid::nil()),
        audience: Audience::Clinical,
        now: ServerInstant(1),
        epoch: [1; 16].into(),
        head,
        digest: Digest(0),
        reference_head: 0,
        bootstrap_records: 0,
        push_bytes: 1_000,
        lease_seconds: 1,
        people: None,
        checkpoint: None,
        audit_agrees: None,
        escrow_key: None,
    });
    Event::Frame { frame, bytes: 90 }
}

fn opened(cursor: i64, head: i64) -> Opened {
    Opened {
        unanswered: 0,
        cursor,
        head,
        server_digest: Digest(0),
        differs: false,
        start_over: false,
        push_bytes: 1_000,
        waiting: 0,
        reads: false,
        receipts: false,
    }
}

fn page(from: i64, to: i64, digest: Option<Digest>) -> Event {
    Event::Frame { frame: Frame::Page(Page::new(from, to, digest, &Vec::new())), bytes: 70 }
}

fn bye(code: ByeCode, retry_after_ms: u32) -> Event {
    Event::Frame { frame: Frame::Bye(Bye { code, retry_after_ms }), bytes: 5 }
}

fn applied(cursor: i64) -> Event {
    Event::Applied(Applied { cursor, head: cursor, ..Applied::default() })
}

fn outgoing(n: u128, bytes: usize) -> Outgoing {
    let signed = SignedEdit { envelope: vec![0; bytes].into(), signature: vec![0; 64].into() };
    Outgoing { edit: EditId(Uuid::from_u128(n)), signed }
}

fn names(actions: &[Action]) -> Vec<&'static str> {
    actions
        .iter()
        .map(|action| match action {
            Action::Connect => "connect",
            Action::Disconnect => "disconnect",
            Action::Send(frame) => frame.name(),
            Action::Ping => "ping",
            Action::Greet { .. } => "greet",
            Action::Open(_) => "open",
            Action::Take { .. } => "take",
            Action::Apply(_) => "apply",
            Action::Settle { .. } => "settle",
            Action::Sum => "sum",
            Action::TakeReceipts => "take_receipts",
            Action::ForgetReceipts(_) => "forget_receipts",
            Action::Confirm => "confirm",
            Action::MarkStopped(_) => "mark_stopped",
            Action::Reseed => "reseed",
            Action::TakeReads => "take_reads",
            Action::NoteAudit(_) => "note_audit",
        })
        .collect()
}

/// A machine in an open session at a cursor, with an empty outbox.
fn live(cursor: i64, head: i64) -> Machine {
    let mut machine = Machine::new(true, Retry::Forever);
    assert_eq!(names(&machine.on(Event::Tick, 0, 0)), ["connect"]);
    assert_eq!(names(&machine.on(challenge(), 1, 0)), ["greet"]);
    assert!(machine.on(Event::Greeted, 1, 0).is_empty());
    assert_eq!(names(&machine.on(welcome(head), 2, 0)), ["open"]);
    assert_eq!(names(&machine.on(Event::Opened(opened(cursor, head)), 3, 0)), ["take"]);
    machine
}

#[test]
fn a_reconnect_with_nothing_to_do_is_over_after_one_round_trip() {
    let mut machine = live(7, 7);
    assert!(!machine.state().quiet);
    assert_eq!(names(&machine.on(Event::Taken(Taken::default()), 4, 0)), ["confirm"]);
    assert!(!machine.state().quiet, "not before it was noted");
    assert!(machine.on(Event::Noted, 5, 0).is_empty());
    assert!(machine.state().quiet);
    assert_eq!(machine.state().connection, Connection::Live { caught_up: true });
}

#[test]
fn a_page_is_acknowledged_only_after_it_was_committed() {
    let mut machine = live(0, 9);
    machine.on(Event::Taken(Taken::default()), 4, 0);
    assert_eq!(names(&machine.on(page(0, 5, None), 5, 0)), ["apply"]);
    assert!(machine.on(page(5, 9, Some(Digest(0))), 6, 0).is_empty(), "one at a time");
    let actions = machine.on(applied(5), 7, 0);
    assert_eq!(names(&actions), ["ack", "apply"]);
    assert!(matches!(&actions[0], Action::Send(Frame::Ack(ack)) if ack.cursor == 5 && ack.credit == 70));
    assert!(!machine.state().quiet);
    assert_eq!(names(&machine.on(applied(9), 8, 0)), ["ack", "confirm"]);
    machine.on(Event::Noted, 9, 0);
    assert!(machine.state().quiet);
}

#[test]
fn two_pushes_travel_at_once_and_no_more_than_the_server_allows() {
    let mut machine = live(0, 0);
    let actions = machine.on(Event::Taken(vec![outgoing(1, 200), outgoing(2, 100)].into()), 4, 0);
    assert_eq!(names(&actions), ["push", "take"], "a second one while the first is merged");
    assert_eq!(
        names(&machine.on(Event::Taken(vec![outgoing(3, 300)].into()), 5, 0)),
        ["push"],
        "the budget is used up"
    );
    let fates = || Event::Frame { frame: Frame::Fates(Fates { fates: Vec::new() }), bytes: 9 };
    let actions = machine.on(fates(), 6, 0);
    assert!(matches!(&actions[0], Action::Settle { sent, .. } if sent.len() == 2), "answers come in order");
    assert_eq!(names(&actions), ["settle", "take"]);
    assert!(machine.on(fates(), 7, 0).is_empty());
    assert_eq!(names(&machine.on(applied(0), 8, 0)), ["settle"]);
}

#[test]
fn an_edit_made_while_the_outbox_is_read_is_not_forgotten() {
    let mut machine = live(0, 0);
    assert!(machine.on(Event::Edited, 4, 0).is_empty());
    assert_eq!(names(&machine.on(Event::Taken(Taken::default()), 5, 0)), ["take"]);
    assert_eq!(names(&machine.on(Event::Taken(Taken::default()), 6, 0)), ["confirm"]);
    assert_eq!(names(&machine.on(Event::Edited, 7, 0)), ["take"]);
}

#[test]
fn a_flapping_link_backs_off_until_something_got_done() {
    let mut machine = Machine::new(true, Retry::Forever);
    machine.on(Event::Tick, 0, 0);
    let (mut now, mut ceiling_seen) = (0, 0);
    for round in 0..12 {
        assert_eq!(names(&machine.on(Event::Disconnected, now, u64::MAX)), ["disconnect"]);
        let due = machine.deadline_ms().unwrap();
        assert!(due <= now + 30_000, "round {round}");
        ceiling_seen = ceiling_seen.max(due - now);
        now = due;
        assert_eq!(names(&machine.on(Event::Tick, now, 0)), ["connect"]);
        // It even gets as far as a welcome, and breaks again.
        machine.on(challenge(), now, 0);
        machine.on(Event::Greeted, now, 0);
        machine.on(welcome(3), now, 0);
        machine.on(Event::Opened(opened(0, 3)), now, 0);
        machine.on(Event::Taken(Taken::default()), now, 0);
    }
    assert!(ceiling_seen > 2_000);
    machine.on(page(0, 3, Some(Digest(0))), now, 0);
    machine.on(applied(3), now, 0);
    machine.on(Event::Noted, now, 0);
    machine.on(Event::Disconnected, now, 250);
    assert!(machine.deadline_ms().unwrap() <= now + 250, "progress resets the wait");
}

#[test]
fn a_new_session_waits_for_what_the_last_one_still_writes() {
    let mut machine = live(0, 9);
    machine.on(page(0, 5, None), 4, 0);
    machine.on(Event::Disconnected, 5, 0);
    assert_eq!(machine.deadline_ms(), None, "two jobs are out");
    assert!(machine.on(Event::Tick, 6, 0).is_empty());
    assert!(
        machine.on(Event::Taken(vec![outgoing(1, 9)].into()), 7, 0).is_empty(),
        "not sent: marked sent, asked again later"
    );
    assert_eq!(names(&machine.on(applied(5), 8, 0)), ["connect"]);
}

#[test]
fn a_silent_server_is_asked_and_then_given_up() {
    let mut machine = live(0, 0);
    machine.on(Event::Taken(Taken::default()), 10, 0);
    machine.on(Event::Noted, 10, 0);
    let ping_at = machine.deadline_ms().unwrap();
    assert_eq!(names(&machine.on(Event::Tick, ping_at, 0)), ["ping"]);
    assert_eq!(
        names(&machine.on(Event::Heard, ping_at + 5, 0)),
        ["confirm"],
        "it is there, and all is settled"
    );
    machine.on(Event::Noted, ping_at + 5, 0);
    let ping_at = machine.deadline_ms().unwrap();
    machine.on(Event::Tick, ping_at, 0);
    let dead_at = machine.deadline_ms().unwrap();
    assert_eq!(names(&machine.on(Event::Tick, dead_at, 0)), ["disconnect"]);
    assert_eq!(machine.state().problem.as_deref(), Some("silent"));
}

#[test]
fn a_greeting_that_takes_too_long_is_given_up() {
    let mut machine = Machine::new(true, Retry::Forever);
    machine.on(Event::Tick, 0, 0);
    let due = machine.deadline_ms().unwrap();
    assert_eq!(names(&machine.on(Event::Tick, due, 0)), ["disconnect"]);
}

#[test]
fn goodbyes_are_understood() {
    for (code, wait) in [(ByeCode::Busy, 2_000), (ByeCode::Restarting, 2_000), (ByeCode::Internal, 2_000)] {
        let mut machine = live(0, 0);
        assert_eq!(names(&machine.on(bye(code, wait), 100, 7)), ["disconnect"]);
        machine.on(Event::Taken(Taken::default()), 100, 0);
        let due = machine.deadline_ms().unwrap();
        assert!((2_100..=3_100).contains(&due), "{due}");
    }
    for code in [ByeCode::Revoked, ByeCode::Unauthorised, ByeCode::Version] {
        let mut machine = live(0, 0);
        assert_eq!(names(&machine.on(bye(code, 1), 100, 7)), ["disconnect", "mark_stopped"]);
        assert_eq!(machine.deadline_ms(), None, "it does not try again");
        assert_eq!(machine.state().connection, Connection::Stopped { reason: code.as_str().into() });
        machine.on(Event::Taken(Taken::default()), 100, 0);
        machine.on(Event::Noted, 100, 0);
        assert_eq!(names(&machine.on(Event::GoOnline, 200, 0)), ["connect"], "unless a person asks");
    }
    let mut machine = live(5, 9);
    assert_eq!(names(&machine.on(bye(ByeCode::Reseed, 0), 100, 7)), ["disconnect", "reseed"]);
    machine.on(Event::Taken(Taken::default()), 100, 0);
    assert_eq!(names(&machine.on(Event::Noted, 101, 7)), ["connect"], "after the reseed was written");
}

#[test]
fn a_restored_server_makes_the_session_start_over() {
    let mut machine = Machine::new(true, Retry::Forever);
    machine.on(Event::Tick, 0, 0);
    machine.on(challenge(), 1, 0);
    machine.on(Event::Greeted, 1, 0);
    machine.on(welcome(3), 2, 0);
    let again = Opened { start_over: true, ..opened(-1, 3) };
    assert_eq!(names(&machine.on(Event::Opened(again), 3, 0)), ["disconnect", "connect"]);
}

#[test]
fn offline_is_offline_until_someone_says_otherwise() {
    let mut machine = live(0, 0);
    assert_eq!(names(&machine.on(Event::GoOffline, 4, 0)), ["disconnect"]);
    machine.on(Event::Taken(Taken::default()), 5, 0);
    assert!(machine.on(Event::Edited, 6, 0).is_empty());
    assert!(machine.on(Event::Tick, 1_000_000, 0).is_empty());
    assert_eq!(machine.state().connection, Connection::Offline);
    assert_eq!(names(&machine.on(Event::GoOnline, 7, 0)), ["connect"]);
}

#[test]
fn differing_digests_are_repaired_a_few_times_and_then_only_reported() {
    let mut machine = live(0, 5);
    machine.on(Event::Taken(Taken::default()), 4, 0);
    machine.on(page(0, 5, Some(Digest(1))), 5, 0);
    let mut actions = machine.on(applied(5), 6, 0);
    let mut repairs = 0;
    while names(&actions).contains(&"sum") {
        repairs += 1;
        assert!(!machine.state().quiet);
        let summed = Event::Summed(Buckets { cursor: 5, sums: Vec::new() });
        assert_eq!(names(&machine.on(summed, 7, 0)), ["buckets"]);
        let repair = Frame::Repair(Repair::new(5, vec![1], &Vec::new()));
        assert_eq!(names(&machine.on(Event::Frame { frame: repair, bytes: 3 }, 8, 0)), ["apply"]);
        actions = machine.on(applied(5), 9, 0);
    }
    assert_eq!(repairs, 3);
    assert_eq!(machine.state().repairs, 3);
    machine.on(Event::Noted, 10, 0);
    assert!(machine.state().quiet, "it is told, not fought");
}

#[test]
fn own_edits_merged_after_a_page_do_not_look_like_a_difference() {
    let mut machine = live(0, 5);
    machine.on(Event::Taken(vec![outgoing(1, 10)].into()), 4, 0);
    machine.on(Event::Frame { frame: Frame::Fates(Fates { fates: Vec::new() }), bytes: 9 }, 5, 0);
    machine.on(page(0, 5, Some(Digest(1))), 5, 0);
    // The edit was merged as number 6; the page ends at 5.
    let settled = Applied { cursor: 0, head: 6, digest: Digest(2), ..Applied::default() };
    machine.on(Event::Applied(settled), 6, 0);
    let paged = Applied { cursor: 5, head: 6, digest: Digest(2), ..Applied::default() };
    let actions = machine.on(Event::Applied(paged), 7, 0);
    assert!(!names(&actions).contains(&"sum"));
}

#[test]
fn frames_out_of_turn_and_bytes_that_are_none_end_the_session() {
    let mut machine = live(0, 0);
    assert_eq!(names(&machine.on(challenge(), 4, 0)), ["disconnect"]);
    let mut machine = live(0, 0);
    assert_eq!(names(&machine.on(Event::Garbled, 4, 0)), ["disconnect"]);
    let mut machine = Machine::new(true, Retry::Forever);
    machine.on(Event::Tick, 0, 0);
    assert_eq!(names(&machine.on(page(0, 1, None), 1, 0)), ["disconnect"]);
    let newer = Frame::Challenge(Challenge { nonce: [1; 32].into(), protocol_min: 9, protocol_max: 9 });
    let mut machine = Machine::new(true, Retry::Forever);
    machine.on(Event::Tick, 0, 0);
    let actions = machine.on(Event::Frame { frame: newer, bytes: 1 }, 1, 0);
    assert_eq!(names(&actions), ["disconnect", "mark_stopped"]);
}

#[test]
fn a_single_sync_ends_with_its_first_failure() {
    let mut machine = Machine::new(true, Retry::Never);
    machine.on(Event::Tick, 0, 0);
    machine.on(Event::ConnectFailed("unreachable".into()), 1, 0);
    let state = machine.state();
    assert!(state.ended && !state.quiet);
    assert_eq!(state.problem.as_deref(), Some("unreachable"));
}

#[test]
fn reads_are_told_one_batch_at_a_time_beside_everything_else() {
    let read = |n| neonpro_contract::wire::Read {
        id: [n; 16].into(),
        at: neonpro_contract::time::DeviceInstant(1),
        person: None,
        table: None,
        record: None,
        facets: 0,
        query: Some([n; 32].into()),
    };
    let audited = || Event::Frame {
        frame: Frame::Audited(neonpro_contract::wire::Audited { reads: Vec::new(), checkpoint: None }),
        bytes: 9,
    };
    let mut machine = live(7, 7);
    assert_eq!(names(&machine.on(Event::ReadLogged, 4, 0)), ["take_reads"]);
    assert!(machine.on(Event::ReadLogged, 4, 0).is_empty(), "one at a time");
    assert_eq!(names(&machine.on(Event::ReadsTaken(vec![read(1)]), 5, 0)), ["reads"]);
    assert_eq!(
        names(&machine.on(Event::Taken(Taken::default()), 5, 0)),
        ["confirm"],
        "edits do not wait for it"
    );
    assert_eq!(names(&machine.on(audited(), 6, 0)), ["note_audit"]);
    assert_eq!(names(&machine.on(Event::AuditNoted { more: true }, 7, 0)), ["take_reads"]);
    assert!(machine.on(Event::ReadsTaken(Vec::new()), 8, 0).is_empty());
    assert_eq!(names(&machine.on(Event::ReadLogged, 9, 0)), ["take_reads"]);
}

fn receipt() -> Receipt {
    let document = neonpro_contract::edit::DocumentId {
        table: neonpro_contract::catalogue::TableId(9),
        record: neonpro_contract::ids::RecordId(Uuid::nil()),
        facet: neonpro_contract::catalogue::FacetId(1),
    };
    Receipt { seq: 5, document, purged_at: neonpro_contract::time::DeviceInstant(1) }
}

#[test]
fn a_purge_is_told_at_once_and_the_session_is_not_quiet_before_the_server_has_the_receipt() {
    let mut machine = live(0, 5);
    machine.on(Event::Taken(Taken::default()), 4, 0);
    machine.on(page(0, 5, Some(Digest(0))), 5, 0);
    let purged = Applied { cursor: 5, head: 5, receipts: true, ..Applied::default() };
    assert_eq!(names(&machine.on(Event::Applied(purged), 6, 0)), ["ack", "take_receipts"]);
    assert_eq!(names(&machine.on(Event::Purged(vec![receipt()]), 7, 0)), ["receipts"]);
    assert!(!machine.state().quiet);
    let received = Frame::Received(Received { seqs: vec![5] });
    assert_eq!(names(&machine.on(Event::Frame { frame: received, bytes: 9 }, 8, 0)), ["forget_receipts"]);
    assert_eq!(
        names(&machine.on(Event::Forgotten(true), 9, 0)),
        ["take_receipts"],
        "more than one frame holds"
    );
    machine.on(Event::Purged(vec![receipt()]), 10, 0);
    assert_eq!(names(&machine.on(Event::Forgotten(false), 11, 0)), ["confirm"]);
    machine.on(Event::Noted, 12, 0);
    assert!(machine.state().quiet);
}

#[test]
fn receipts_of_an_earlier_session_are_told_when_the_next_one_opens() {
    let mut machine = Machine::new(true, Retry::Forever);
    machine.on(Event::Tick, 0, 0);
    machine.on(challenge(), 1, 0);
    machine.on(Event::Greeted, 1, 0);
    machine.on(welcome(7), 2, 0);
    let waiting = Opened { receipts: true, ..opened(7, 7) };
    assert_eq!(names(&machine.on(Event::Opened(waiting), 3, 0)), ["take", "take_receipts"]);
    machine.on(Event::Taken(Taken::default()), 4, 0);
    // A reader holds on to the log: nothing can be told yet, and that holds up nothing else.
    assert_eq!(names(&machine.on(Event::Purged(Vec::new()), 5, 0)), ["confirm"]);
}

#[test]
fn what_comes_before_the_welcome_is_written_waits_for_it() {
    let mut machine = Machine::new(true, Retry::Forever);
    machine.on(Event::Tick, 0, 0);
    machine.on(challenge(), 1, 0);
    machine.on(Event::Greeted, 2, 0);
    assert_eq!(names(&machine.on(welcome(9), 3, 0)), ["open"]);
    assert!(machine.on(page(5, 7, None), 4, 0).is_empty());
    assert!(machine.on(page(7, 9, Some(Digest(0))), 4, 0).is_empty());
    assert_eq!(names(&machine.on(Event::Opened(opened(5, 9)), 5, 0)), ["take", "apply"]);
    assert_eq!(names(&machine.on(applied(7), 6, 0)), ["ack", "apply"]);
    assert_eq!(machine.state().problem, None);
}

#[test]
fn a_page_before_any_welcome_is_out_of_turn() {
    let mut machine = Machine::new(true, Retry::Forever);
    machine.on(Event::Tick, 0, 0);
    machine.on(challenge(), 1, 0);
    assert_eq!(names(&machine.on(page(5, 7, None), 2, 0)), ["disconnect"]);
    assert_eq!(machine.state().problem.as_deref(), Some("protocol"));
}

//! The consent table of 4.1 as a case table, and the fold's laws.

use super::*;
use crate::catalogue::{Roles, table};
use crate::time::{DeviceInstant, US_PER_MS};

const HOUR: i64 = 3_600 * 1_000 * US_PER_MS;

fn id(n: u128) -> RecordId {
    RecordId(uuid::Uuid::from_u128(n))
}

fn grant(n: u128, at_us: i64, seen: &[u128]) -> ConsentEvent {
    ConsentEvent {
        id: id(n),
        purpose: Purpose::Treatment,
        given: true,
        at_us,
        expires_us: None,
        version: 1,
        seen_withdrawals: seen.iter().map(|n| id(*n)).collect(),
        feed_seq: Some(i64::try_from(n).unwrap()),
    }
}

fn withdrawal(n: u128, at_us: i64) -> ConsentEvent {
    ConsentEvent { given: false, ..grant(n, at_us, &[]) }
}

fn at(us: i64) -> Capture {
    Capture { at: DeviceInstant(us), uncertainty_ms: 1_000 }
}

/// Asked when the capture ended.
fn covered(events: &[ConsentEvent], capture: Capture, seen: i64) -> Cover {
    covered_asked_at(events, capture, seen, capture.latest_us())
}

fn covered_asked_at(events: &[ConsentEvent], capture: Capture, seen: i64, now_us: i64) -> Cover {
    cover(standing(events, Purpose::Treatment, now_us), events, Purpose::Treatment, capture, seen)
}

#[test]
fn a_withdrawal_beats_a_grant_that_had_not_seen_it_in_any_order() {
    let (g, w) = (grant(1, HOUR, &[]), withdrawal(2, 0));
    assert!(matches!(
        standing(&[g.clone(), w.clone()], Purpose::Treatment, HOUR),
        Standing::Withdrawn { .. }
    ));
    assert!(matches!(standing(&[w, g], Purpose::Treatment, HOUR), Standing::Withdrawn { .. }));
}

#[test]
fn a_grant_that_had_seen_the_withdrawal_counts() {
    let events = [grant(1, 0, &[]), withdrawal(2, HOUR), grant(3, 2 * HOUR, &[2])];
    assert_eq!(covered(&events, at(3 * HOUR), 3), Cover::Covered);
}

#[test]
fn a_capture_before_the_withdrawal_is_recognised_and_one_that_straddles_it_is_not() {
    let events = [grant(1, 0, &[]), withdrawal(2, 2 * HOUR)];
    assert_eq!(covered(&events, at(HOUR), 1), Cover::BeforeWithdrawal);
    assert_eq!(covered(&events, at(2 * HOUR - 500 * US_PER_MS), 1), Cover::After);
    assert_eq!(covered(&events, at(3 * HOUR), 1), Cover::After);
}

#[test]
fn a_device_that_had_received_the_withdrawal_cannot_claim_an_earlier_capture() {
    let events = [grant(1, 0, &[]), withdrawal(2, 2 * HOUR)];
    assert_eq!(covered(&events, at(HOUR), 2), Cover::After);
}

#[test]
fn an_expired_grant_covers_until_its_end() {
    let mut g = grant(1, 0, &[]);
    g.expires_us = Some(HOUR);
    let events = [g];
    assert_eq!(covered(&events, at(HOUR / 2), 1), Cover::Covered);
    assert_eq!(covered(&events, at(2 * HOUR), 1), Cover::After);
    assert_eq!(covered(&events, at(HOUR - 500 * US_PER_MS), 1), Cover::After, "it straddles the end");
}

#[test]
fn what_was_captured_under_a_grant_that_has_expired_since_is_told_from_what_is_covered_still() {
    let mut g = grant(1, 0, &[]);
    g.expires_us = Some(HOUR);
    let events = [g];
    assert_eq!(
        standing(&events, Purpose::Treatment, HOUR),
        Standing::Granted { since_us: 0, until_us: Some(HOUR) }
    );
    assert_eq!(standing(&events, Purpose::Treatment, HOUR + 1), Standing::Expired { at_us: HOUR });
    assert_eq!(covered_asked_at(&events, at(HOUR / 2), 1, 2 * HOUR), Cover::BeforeWithdrawal);
    assert_eq!(covered_asked_at(&events, at(2 * HOUR), 1, 3 * HOUR), Cover::After);
}

#[test]
fn a_grant_that_follows_an_expiry_leaves_the_gap_but_a_renewal_in_time_leaves_none() {
    let mut g = grant(1, 0, &[]);
    g.expires_us = Some(HOUR);
    let late = [g.clone(), grant(2, 4 * HOUR, &[])];
    assert_eq!(covered_asked_at(&late, at(2 * HOUR), 1, 5 * HOUR), Cover::After);
    assert_eq!(covered(&late, at(5 * HOUR), 2), Cover::Covered);
    assert_eq!(covered_asked_at(&late, at(-HOUR), 0, 5 * HOUR), Cover::Covered, "before the first grant");
    let renewed = [g, grant(2, HOUR / 2, &[])];
    assert_eq!(covered(&renewed, at(2 * HOUR), 2), Cover::Covered);
}

#[test]
fn the_newest_text_a_patient_signed_governs_and_an_older_one_ends_where_it_begins() {
    let old = grant(1, 0, &[]);
    let mut new = grant(2, 2 * HOUR, &[]);
    (new.version, new.expires_us) = (2, Some(4 * HOUR));
    // The order of arrival does not matter.
    for events in [[old.clone(), new.clone()], [new, old]] {
        assert_eq!(ground(&events, Purpose::Treatment).unwrap().id, id(2));
        assert_eq!(covered(&events, at(HOUR), 0), Cover::Covered);
        assert_eq!(covered(&events, at(2 * HOUR), 0), Cover::Covered, "the old one until the new one began");
        assert_eq!(covered(&events, at(3 * HOUR), 0), Cover::Covered);
        assert_eq!(covered(&events, at(5 * HOUR), 0), Cover::After, "not the old one again");
    }
}

#[test]
fn a_withdrawal_ends_every_version_of_the_text() {
    let mut new = grant(2, HOUR, &[]);
    new.version = 2;
    let events = [grant(1, 0, &[]), new, withdrawal(3, 2 * HOUR)];
    assert!(matches!(standing(&events, Purpose::Treatment, 3 * HOUR), Standing::Withdrawn { .. }));
    assert_eq!(ground(&events, Purpose::Treatment).unwrap().id, id(3));
}

#[test]
fn a_row_that_names_a_withdrawal_is_one_and_is_in_force_when_the_server_has_it_at_the_latest() {
    let mut row = Row::empty(table("data_consent_records").unwrap());
    row.set("consent_type", Value::Text("photography".into()));
    row.set("consent_given", Value::Bool(true));
    row.set("consent_date", Value::Instant(HOUR));
    let event =
        |row: &Row| ConsentEvent::of_row(id(1), row, 0, Some(ServerInstant(2 * HOUR)), Some(1)).unwrap();
    assert_eq!((event(&row).given, event(&row).at_us, event(&row).version), (true, HOUR, 1));
    row.set("withdrawn_at", Value::Instant(9 * HOUR));
    assert_eq!((event(&row).given, event(&row).at_us), (false, 2 * HOUR));
    row.set("withdrawn_at", Value::Instant(HOUR));
    assert_eq!(event(&row).at_us, HOUR);
}

#[test]
fn what_rests_on_consent_alone_leaves_the_devices_when_it_ends() {
    let leaving: Vec<Purpose> =
        Purpose::ALL.into_iter().filter(|purpose| rests_on_consent(*purpose)).collect();
    assert_eq!(leaving, [Purpose::Photography, Purpose::DataSharing, Purpose::Marketing, Purpose::Research]);
    assert_eq!(may_be_held(Standing::Never), None);
    assert_eq!(may_be_held(Standing::Granted { since_us: 0, until_us: None }), Some(true));
    assert_eq!(may_be_held(Standing::Expired { at_us: 0 }), Some(false));
    assert_eq!(may_be_held(Standing::Withdrawn { at_us: 0, feed_seq: None }), Some(false));
}

#[test]
fn a_first_grant_reaches_back_but_a_new_one_leaves_the_gap_after_a_withdrawal() {
    assert_eq!(covered(&[grant(1, 2 * HOUR, &[])], at(HOUR), 0), Cover::Covered);
    let events = [grant(1, 0, &[]), withdrawal(2, 2 * HOUR), grant(3, 4 * HOUR, &[2])];
    assert_eq!(covered(&events, at(HOUR), 0), Cover::Covered);
    assert_eq!(covered(&events, at(3 * HOUR), 0), Cover::After);
    assert_eq!(covered(&events, at(5 * HOUR), 3), Cover::Covered);
}

#[test]
fn knowing_an_answered_withdrawal_is_not_knowing_the_next_one() {
    let events = [grant(1, 0, &[]), withdrawal(2, HOUR), grant(3, 2 * HOUR, &[2]), withdrawal(4, 6 * HOUR)];
    assert_eq!(covered(&events, at(4 * HOUR), 3), Cover::BeforeWithdrawal);
    assert_eq!(covered(&events, at(4 * HOUR), 4), Cover::After);
}

#[test]
fn the_consent_table_holds_cell_by_cell() {
    use Cover::{After, BeforeWithdrawal, Covered, Never};
    use Verdict::{Accept, AcceptWithItem, Quarantine};
    let plain = Facet::new("clinical", Purpose::Treatment, Roles::P);
    let safety = table("patients").unwrap().facets[1];
    let (missing, withdrawn) = (Code::ConsentMissing, Code::ConsentWithdrawn);
    // facet, purpose, cover → verdict
    let cells = [
        (plain, Purpose::Operation, Never, Accept),
        (plain, Purpose::Operation, After, Accept),
        (plain, Purpose::Treatment, Never, Quarantine(missing)),
        (plain, Purpose::Treatment, Covered, Accept),
        (plain, Purpose::Treatment, BeforeWithdrawal, Accept),
        (plain, Purpose::Treatment, After, Quarantine(withdrawn)),
        (safety, Purpose::Treatment, Never, AcceptWithItem(missing)),
        (safety, Purpose::Treatment, Covered, Accept),
        (safety, Purpose::Treatment, BeforeWithdrawal, Accept),
        (safety, Purpose::Treatment, After, AcceptWithItem(withdrawn)),
        (plain, Purpose::Photography, Never, Quarantine(missing)),
        (plain, Purpose::Photography, Covered, Accept),
        (plain, Purpose::Photography, BeforeWithdrawal, Quarantine(withdrawn)),
        (plain, Purpose::Photography, After, Quarantine(withdrawn)),
        (plain, Purpose::Marketing, Never, Quarantine(missing)),
        (plain, Purpose::Marketing, Covered, Accept),
        (plain, Purpose::Marketing, BeforeWithdrawal, Quarantine(withdrawn)),
        (plain, Purpose::Research, After, Quarantine(withdrawn)),
    ];
    for (facet, purpose, cover, verdict) in cells {
        assert_eq!(judge(&facet, purpose, cover), verdict, "{purpose:?} {cover:?}");
    }
}

#[test]
fn the_booleans_say_what_the_ledger_says_at_that_instant() {
    let says = |events: &[ConsentEvent], now: i64| flags(events, now).collect::<Vec<_>>();
    let photos = ConsentEvent { purpose: Purpose::Photography, ..grant(2, 0, &[]) };
    let until = ConsentEvent { expires_us: Some(HOUR), ..grant(1, 0, &[]) };
    let columns = |photo, care| {
        vec![("photo_consent", photo), ("data_processing_consent", care), ("marketing_consent", false)]
    };
    assert_eq!(says(&[], 0), columns(false, false));
    assert_eq!(says(&[until.clone(), photos.clone()], HOUR), columns(true, true));
    assert_eq!(says(&[until.clone(), photos], HOUR + 1), columns(true, false), "expired");
    assert_eq!(says(&[until, withdrawal(3, 1)], 2), columns(false, false), "withdrawn");
}

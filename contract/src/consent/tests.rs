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

fn covered(events: &[ConsentEvent], capture: Capture, seen: i64) -> Cover {
    cover(standing(events, Purpose::Treatment), events, Purpose::Treatment, capture, seen)
}

#[test]
fn a_withdrawal_beats_a_grant_that_had_not_seen_it_in_any_order() {
    let (g, w) = (grant(1, HOUR, &[]), withdrawal(2, 0));
    assert!(matches!(standing(&[g.clone(), w.clone()], Purpose::Treatment), Standing::Withdrawn { .. }));
    assert!(matches!(standing(&[w, g], Purpose::Treatment), Standing::Withdrawn { .. }));
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
    assert_eq!(covered(std::slice::from_ref(&g), at(HOUR / 2), 1), Cover::Covered);
    assert_eq!(covered(&[g], at(2 * HOUR), 1), Cover::After);
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

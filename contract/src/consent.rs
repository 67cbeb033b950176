//! Consent, judged by the merge itself (4-rules 4.1; LGPD art. 7, 8 §5 and 11; Lei 13.787/2018).
//!
//! Owns the fold over a patient's consent events and the verdict on one document of one edit. Pure: the tablet
//! previews with it, the server decides with it. Invariant: device time never orders anything by itself; where
//! a capture interval straddles a withdrawal, the verdict is the cautious one.

use crate::catalogue::{Facet, Purpose};
use crate::fate::Code;
use crate::ids::RecordId;
use crate::time::Capture;

/// One row of `data_consent_records`.
#[derive(Debug, Clone, PartialEq)]
pub struct ConsentEvent {
    /// The record.
    pub id: RecordId,
    /// What was granted or withdrawn.
    pub purpose: Purpose,
    /// Grant, or withdrawal.
    pub given: bool,
    /// When it took effect (µs): `withdrawn_at`, or `consent_date`, or the capture time.
    pub at_us: i64,
    /// When a grant ends (µs).
    pub expires_us: Option<i64>,
    /// Withdrawals the author of a grant had seen. A grant answers only those.
    pub seen_withdrawals: Vec<RecordId>,
    /// Feed number, once merged.
    pub feed_seq: Option<i64>,
}

/// Where a patient stands on one purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Nothing was ever granted.
    Never,
    /// Granted since this instant (µs), until the other if it expires.
    Granted {
        /// Start, µs.
        since_us: i64,
        /// End, µs.
        until_us: Option<i64>,
    },
    /// Withdrawn at this instant (µs), known under this feed number.
    Withdrawn {
        /// When, µs.
        at_us: i64,
        /// Feed number of the withdrawal, once merged.
        feed_seq: Option<i64>,
    },
}

/// Folds the events of one purpose. A withdrawal beats every grant that had not seen it; order of arrival and
/// clocks do not matter.
#[must_use]
pub fn standing(events: &[ConsentEvent], purpose: Purpose) -> Standing {
    let of_purpose = || events.iter().filter(|event| event.purpose == purpose);
    let withdrawals: Vec<_> = of_purpose().filter(|event| !event.given).collect();
    let valid = of_purpose()
        .filter(|grant| grant.given)
        .filter(|grant| withdrawals.iter().all(|w| grant.seen_withdrawals.contains(&w.id)));
    if let Some(grant) = valid.max_by_key(|grant| (grant.expires_us.is_none(), grant.expires_us, grant.id)) {
        return Standing::Granted { since_us: grant.at_us, until_us: grant.expires_us };
    }
    match withdrawals.iter().max_by_key(|event| (event.at_us, event.id)) {
        Some(last) => Standing::Withdrawn { at_us: last.at_us, feed_seq: last.feed_seq },
        None => Standing::Never,
    }
}

/// Whether consent covered a purpose over a whole capture interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cover {
    /// Never granted.
    Never,
    /// Granted over the whole interval.
    Covered,
    /// Captured before a withdrawal that arrived earlier.
    BeforeWithdrawal,
    /// Captured after a withdrawal or expiry, or straddling it.
    After,
}

/// Relates a capture to a patient's events. `seen_seq` is the feed cursor the device held: whoever had received a
/// withdrawal captured after it, whatever the clock says. A first grant recorded after the act covers it; one that
/// follows a withdrawal does not reach back into the gap.
#[must_use]
pub fn cover(
    standing: Standing,
    events: &[ConsentEvent],
    purpose: Purpose,
    capture: Capture,
    seen_seq: i64,
) -> Cover {
    let of_purpose = || events.iter().filter(|event| event.purpose == purpose);
    let withdrawals = || of_purpose().filter(|event| !event.given);
    // Withdrawn before the capture ended, or known to the device: then the capture came after it.
    let precedes =
        |w: &ConsentEvent| w.at_us <= capture.latest_us() || w.feed_seq.is_some_and(|seq| seq <= seen_seq);
    let lasts = |grant: &ConsentEvent| grant.expires_us.is_none_or(|until| capture.latest_us() <= until);
    let in_force = of_purpose().filter(|grant| grant.given && lasts(grant)).any(|grant| {
        grant.at_us <= capture.earliest_us()
            && withdrawals().filter(|w| !grant.seen_withdrawals.contains(&w.id)).all(|w| !precedes(w))
    });
    match standing {
        Standing::Never => Cover::Never,
        Standing::Granted { .. } if in_force => Cover::Covered,
        Standing::Granted { until_us, .. } => {
            let expired = until_us.is_some_and(|until| capture.latest_us() > until);
            if expired || withdrawals().any(precedes) { Cover::After } else { Cover::Covered }
        }
        Standing::Withdrawn { .. } if in_force => Cover::BeforeWithdrawal,
        Standing::Withdrawn { .. } => Cover::After,
    }
}

/// The verdict on one document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Merge it.
    Accept,
    /// Merge it and open an item of kind `consent_photos`.
    AcceptWithItem(Code),
    /// Keep it sealed until consent arrives or an administrator decides.
    Quarantine(Code),
}

/// The consent table of 4.1 for one document.
#[must_use]
pub fn judge(facet: &Facet, purpose: Purpose, cover: Cover) -> Verdict {
    use Cover::{After, BeforeWithdrawal, Covered, Never};
    use Verdict::{Accept, AcceptWithItem, Quarantine};
    let code = if cover == Never { Code::ConsentMissing } else { Code::ConsentWithdrawn };
    match (purpose, cover) {
        // Running the clinic needs no consent; whatever is covered needs no decision; an act before the withdrawal
        // was lawful and its record stays in the chart.
        (Purpose::Operation, _) | (_, Covered) | (Purpose::Treatment, BeforeWithdrawal) => Accept,
        // Allergies, medications and history protect life (LGPD art. 11 II e): kept, and shown to a person.
        (Purpose::Treatment, Never | After) if facet.safety => AcceptWithItem(code),
        (
            Purpose::Treatment
            | Purpose::Photography
            | Purpose::DataSharing
            | Purpose::Marketing
            | Purpose::Research,
            _,
        ) => Quarantine(code),
    }
}

#[cfg(test)]
mod tests;

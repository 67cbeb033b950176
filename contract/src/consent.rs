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
        Some(last) => {
            let feed_seq = withdrawals.iter().filter_map(|event| event.feed_seq).min();
            let first = withdrawals.iter().map(|event| event.at_us).min().unwrap_or(last.at_us);
            Standing::Withdrawn { at_us: unanswered(events, purpose).unwrap_or(first), feed_seq }
        }
        None => Standing::Never,
    }
}

/// The earliest withdrawal that some grant did not answer: from then on nothing was covered.
fn unanswered(events: &[ConsentEvent], purpose: Purpose) -> Option<i64> {
    let answered = |id: &RecordId| {
        events
            .iter()
            .any(|event| event.purpose == purpose && event.given && event.seen_withdrawals.contains(id))
    };
    events
        .iter()
        .filter(|event| event.purpose == purpose && !event.given && !answered(&event.id))
        .map(|event| event.at_us)
        .min()
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

/// Relates a capture to a standing. `seen_seq` is the feed cursor the device held: whoever had received the
/// withdrawal captured after it, whatever the clock says.
#[must_use]
pub fn cover(
    standing: Standing,
    events: &[ConsentEvent],
    purpose: Purpose,
    capture: Capture,
    seen_seq: i64,
) -> Cover {
    match standing {
        Standing::Never => Cover::Never,
        Standing::Granted { until_us: Some(until), .. } if capture.latest_us() > until => Cover::After,
        Standing::Granted { .. } => Cover::Covered,
        Standing::Withdrawn { at_us, feed_seq } => {
            let knew = feed_seq.is_some_and(|seq| seq <= seen_seq);
            let was_granted = events
                .iter()
                .any(|event| event.purpose == purpose && event.given && event.at_us <= capture.earliest_us());
            if !knew && was_granted && capture.latest_us() < at_us {
                Cover::BeforeWithdrawal
            } else {
                Cover::After
            }
        }
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

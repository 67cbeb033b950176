//! Consent, judged by the merge itself (4-rules 4.1; LGPD art. 7, 8 §5 and 11; Lei 13.787/2018).
//!
//! Owns the fold over a patient's consent events and the verdict on one document of one edit. Pure: the tablet
//! previews with it, the server decides with it. Invariant: device time never orders anything by itself; where
//! a capture interval straddles a withdrawal, the verdict is the cautious one.

use crate::catalogue::{Facet, Purpose};
use crate::edit::DocumentId;
use crate::fate::Code;
use crate::ids::RecordId;
use crate::row::Row;
use crate::time::{Capture, ServerInstant};
use crate::value::Value;

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
    /// Version of the text that was agreed to.
    pub version: i64,
    /// Withdrawals the author of a grant had seen. A grant answers only those.
    pub seen_withdrawals: Vec<RecordId>,
    /// Feed number, once merged.
    pub feed_seq: Option<i64>,
}

impl ConsentEvent {
    /// The event a row stands for; `None` for a purpose this catalogue does not know. A row that names a withdrawal is
    /// one, whatever else it says. A withdrawal is in force at the latest when the server has it: a tablet whose clock
    /// runs ahead cannot put it off.
    #[must_use]
    pub fn of_row(
        id: RecordId,
        row: &Row,
        captured_us: i64,
        merged_at: Option<ServerInstant>,
        feed_seq: Option<i64>,
    ) -> Option<Self> {
        let purpose = row.get("consent_type").as_text().and_then(Purpose::from_name)?;
        let withdrawn = row.get("withdrawn_at").as_instant();
        let given = row.get("consent_given").as_bool().unwrap_or(false) && withdrawn.is_none();
        let told =
            if given { row.get("consent_date").as_instant() } else { withdrawn }.unwrap_or(captured_us);
        let at_us = if given { told } else { merged_at.map_or(told, |merged| told.min(merged.0)) };
        let version = if let Value::Int(version) = row.get("version") { *version } else { 1 };
        let seen = if let Value::Uuids(ids) = row.get("seen_withdrawals") { ids.as_slice() } else { &[] };
        Some(Self {
            id,
            purpose,
            given,
            at_us,
            expires_us: row.get("expiry_date").as_instant(),
            version,
            seen_withdrawals: seen.iter().copied().map(RecordId).collect(),
            feed_seq,
        })
    }

    fn lasts(&self, until_us: i64) -> bool {
        self.expires_us.is_none_or(|end| until_us <= end)
    }
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
    /// The grant in force ended by itself at this instant (µs).
    Expired {
        /// When, µs.
        at_us: i64,
    },
    /// Withdrawn at this instant (µs), known under this feed number.
    Withdrawn {
        /// When, µs.
        at_us: i64,
        /// Feed number of the withdrawal, once merged.
        feed_seq: Option<i64>,
    },
}

impl Standing {
    /// The stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::Granted { .. } => "granted",
            Self::Expired { .. } => "expired",
            Self::Withdrawn { .. } => "withdrawn",
        }
    }
}

fn of_purpose(events: &[ConsentEvent], purpose: Purpose) -> impl Iterator<Item = &ConsentEvent> + Clone {
    events.iter().filter(move |event| event.purpose == purpose)
}

/// Grants that answer every withdrawal.
fn valid(events: &[ConsentEvent], purpose: Purpose) -> impl Iterator<Item = &ConsentEvent> + Clone {
    let withdrawals = of_purpose(events, purpose).filter(|event| !event.given);
    of_purpose(events, purpose)
        .filter(|grant| grant.given)
        .filter(move |grant| withdrawals.clone().all(|w| grant.seen_withdrawals.contains(&w.id)))
}

/// The event the standing on a purpose rests on: the grant in force or the one that ended, else the last withdrawal.
/// Of several grants the newest text governs, of one text the grant that lasts longest: whoever signs the newer text
/// replaces the older consent with it. A text that nobody asked this patient to sign changes nothing (LGPD art. 8 §6:
/// the patient is told of the change and may withdraw).
#[must_use]
pub fn ground(events: &[ConsentEvent], purpose: Purpose) -> Option<&ConsentEvent> {
    valid(events, purpose)
        .max_by_key(|grant| (grant.version, grant.expires_us.is_none(), grant.expires_us, grant.id))
        .or_else(|| {
            let withdrawals = of_purpose(events, purpose).filter(|event| !event.given);
            withdrawals.max_by_key(|event| (event.at_us, event.id))
        })
}

/// Folds the events of one purpose as of an instant (µs, the server's clock). A withdrawal beats every grant that had
/// not seen it; order of arrival and clocks do not matter.
#[must_use]
pub fn standing(events: &[ConsentEvent], purpose: Purpose, now_us: i64) -> Standing {
    match ground(events, purpose) {
        None => Standing::Never,
        Some(last) if !last.given => Standing::Withdrawn { at_us: last.at_us, feed_seq: last.feed_seq },
        Some(ConsentEvent { expires_us: Some(end), .. }) if *end < now_us => {
            Standing::Expired { at_us: *end }
        }
        Some(grant) => Standing::Granted { since_us: grant.at_us, until_us: grant.expires_us },
    }
}

/// The booleans of a patient that are derived from the ledger, and the purpose each tells of. Care is what a clinic
/// processes data for, so `data_processing_consent` is the consent to treatment.
const FLAGS: [(&str, Purpose); 3] = [
    ("photo_consent", Purpose::Photography),
    ("data_processing_consent", Purpose::Treatment),
    ("marketing_consent", Purpose::Marketing),
];

/// What a patient's derived booleans say at an instant (µs): column and value.
pub fn flags(events: &[ConsentEvent], now_us: i64) -> impl Iterator<Item = (&'static str, bool)> + '_ {
    FLAGS.into_iter().map(move |(column, purpose)| {
        (column, matches!(standing(events, purpose, now_us), Standing::Granted { .. }))
    })
}

/// Whether consent covered a purpose over a whole capture interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cover {
    /// Never granted.
    Never,
    /// Granted over the whole interval, and still.
    Covered,
    /// Captured while a grant was in force that has ended since: withdrawn, or expired.
    BeforeWithdrawal,
    /// Captured after a withdrawal or expiry, or straddling it.
    After,
}

impl Cover {
    /// The stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::Covered => "covered",
            Self::BeforeWithdrawal => "before_withdrawal",
            Self::After => "after",
        }
    }
}

/// Relates a capture to a patient's events. `seen_seq` is the feed cursor the device held: whoever had received a
/// withdrawal captured after it, whatever the clock says. A first grant recorded after the act covers it; one that
/// follows a withdrawal or an expiry does not reach back into the gap.
#[must_use]
pub fn cover(
    standing: Standing,
    events: &[ConsentEvent],
    purpose: Purpose,
    capture: Capture,
    seen_seq: i64,
) -> Cover {
    let grants = || of_purpose(events, purpose).filter(|event| event.given);
    let withdrawals = || of_purpose(events, purpose).filter(|event| !event.given);
    // Withdrawn before the capture ended, or known to the device: then the capture came after it.
    let precedes =
        |w: &ConsentEvent| w.at_us <= capture.latest_us() || w.feed_seq.is_some_and(|seq| seq <= seen_seq);
    let began = |grant: &ConsentEvent| grant.at_us <= capture.earliest_us();
    let replaced = |grant: &ConsentEvent| {
        valid(events, purpose).any(|newer| newer.version > grant.version && began(newer))
    };
    let in_force = grants().any(|grant| {
        began(grant)
            && grant.lasts(capture.latest_us())
            && !replaced(grant)
            && withdrawals().filter(|w| !grant.seen_withdrawals.contains(&w.id)).all(|w| !precedes(w))
    });
    let ended = || grants().any(|grant| !grant.lasts(capture.latest_us())) || withdrawals().any(precedes);
    match standing {
        Standing::Never => Cover::Never,
        Standing::Granted { .. } if in_force || !ended() => Cover::Covered,
        Standing::Expired { .. } | Standing::Withdrawn { .. } if in_force => Cover::BeforeWithdrawal,
        Standing::Granted { .. } | Standing::Expired { .. } | Standing::Withdrawn { .. } => Cover::After,
    }
}

/// What a decision about one document rested on, for the audit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The document.
    pub document: DocumentId,
    /// Its purpose.
    pub purpose: Purpose,
    /// Where the patient stood when the server judged.
    pub standing: &'static str,
    /// How the capture related to it.
    pub cover: Cover,
    /// The event the standing rests on, its version and its feed number; `None` where nobody was ever asked.
    pub ground: Option<(RecordId, i64, Option<i64>)>,
}

impl Evidence {
    /// Gathers it.
    #[must_use]
    pub fn of(
        document: DocumentId,
        purpose: Purpose,
        standing: Standing,
        cover: Cover,
        events: &[ConsentEvent],
    ) -> Self {
        let ground = ground(events, purpose).map(|event| (event.id, event.version, event.feed_seq));
        Self { document, purpose, standing: standing.name(), cover, ground }
    }

    /// The cell of the table that decided, as `purpose/cover`.
    #[must_use]
    pub fn rule(&self) -> String {
        format!("{}/{}", self.purpose.name(), self.cover.name())
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

/// Whether documents of a purpose rest on consent alone and so leave the devices when it ends. The clinical chart does
/// not: its clinic must keep it (LGPD art. 16 I; Lei 13.787/2018), and what runs the clinic rests on other grounds.
#[must_use]
pub const fn rests_on_consent(purpose: Purpose) -> bool {
    match purpose {
        Purpose::Operation | Purpose::Treatment => false,
        Purpose::Photography | Purpose::DataSharing | Purpose::Marketing | Purpose::Research => true,
    }
}

/// Whether devices may hold documents of a purpose that rests on consent: `None` where nobody was ever asked, and what
/// is there stays as it is.
#[must_use]
pub const fn may_be_held(standing: Standing) -> Option<bool> {
    match standing {
        Standing::Never => None,
        Standing::Granted { .. } => Some(true),
        Standing::Expired { .. } | Standing::Withdrawn { .. } => Some(false),
    }
}

#[cfg(test)]
mod tests;

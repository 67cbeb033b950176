//! Shares between clinics of a network (3-records 3.3): when one is open, and what it carries.
//!
//! Pure. Invariant: nothing is shared without a referral that was accepted and a consent to data sharing that counts now
//! (LGPD art. 7 §5 and 11 §3), and never more than the care referred needs (art. 6 III).

use crate::catalogue::{FacetId, Purpose, Table};
use crate::consent::Standing;

/// Tables a share carries, beside the referral itself: who the patient is, and the chart. Not the agenda, not payments,
/// not what the clinic's professionals say among themselves.
pub const CARRIED: [&str; 5] =
    ["patients", "patient_documents", "treatment_plans", "treatment_sessions", "treatment_assessments"];

/// Why a share is not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// The referral is not accepted: not yet, not any more, or its care is completed.
    ReferralNotAccepted,
    /// Nobody consented to data sharing.
    ConsentMissing,
    /// The consent to data sharing was withdrawn or has expired.
    ConsentEnded,
    /// The two clinics are not of one network.
    OtherNetwork,
}

impl Closed {
    /// The stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ReferralNotAccepted => "referral_not_accepted",
            Self::ConsentMissing => "consent_missing",
            Self::ConsentEnded => "consent_ended",
            Self::OtherNetwork => "other_network",
        }
    }
}

/// Whether a referral to another clinic opens a share.
///
/// # Errors
/// Why it does not.
pub fn open(status: &str, retired: bool, consent: Standing) -> Result<(), Closed> {
    if status != "accepted" || retired {
        return Err(Closed::ReferralNotAccepted);
    }
    match consent {
        Standing::Granted { .. } => Ok(()),
        Standing::Never => Err(Closed::ConsentMissing),
        Standing::Expired { .. } | Standing::Withdrawn { .. } => Err(Closed::ConsentEnded),
    }
}

/// Whether a share carries a facet of the patient's records. Photographs stay: nobody consented to showing them
/// elsewhere.
#[must_use]
pub fn carries(table: &Table, facet: FacetId, purpose: Purpose) -> bool {
    let identity = table.name == "patients" && facet == FacetId(0);
    CARRIED.contains(&table.name) && (identity || purpose == Purpose::Treatment)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::table;

    #[test]
    fn a_share_needs_an_accepted_referral_and_a_consent_that_counts() {
        let granted = Standing::Granted { since_us: 0, until_us: None };
        assert_eq!(open("accepted", false, granted), Ok(()));
        for status in ["pending", "declined", "cancelled", "completed"] {
            assert_eq!(open(status, false, granted), Err(Closed::ReferralNotAccepted), "{status}");
        }
        assert_eq!(open("accepted", true, granted), Err(Closed::ReferralNotAccepted));
        assert_eq!(open("accepted", false, Standing::Never), Err(Closed::ConsentMissing));
        assert_eq!(open("accepted", false, Standing::Expired { at_us: 0 }), Err(Closed::ConsentEnded));
        let withdrawn = Standing::Withdrawn { at_us: 0, feed_seq: None };
        assert_eq!(open("accepted", false, withdrawn), Err(Closed::ConsentEnded));
    }

    #[test]
    fn it_carries_identity_and_chart_and_nothing_else() {
        let carried = |name: &str, facet: u8, purpose| carries(table(name).unwrap(), FacetId(facet), purpose);
        assert!(carried("patients", 0, Purpose::Operation));
        assert!(carried("patients", 1, Purpose::Treatment));
        assert!(carried("treatment_sessions", 0, Purpose::Treatment));
        assert!(carried("patient_documents", 0, Purpose::Treatment));
        assert!(!carried("treatment_sessions", 1, Purpose::Photography));
        assert!(!carried("patient_documents", 0, Purpose::Photography));
        assert!(!carried("patient_documents", 0, Purpose::Operation));
        assert!(!carried("payments", 0, Purpose::Operation));
        assert!(!carried("coordination_threads", 0, Purpose::Treatment));
    }
}

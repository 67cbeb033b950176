//! What an erasure erases, and what stays with its reason. Pure.
//!
//! Needs a named legal reviewer: the sources are secondary. Consent-based data goes (LGPD art. 16, 18 VI); the chart
//! stays at least 20 years after its last entry (Lei 13.787/2018 art. 6) and is never removed by itself; records of
//! payments stay five years (CTN art. 173 and 174).

use chrono::{DateTime, Months, NaiveDate};
use neonpro_contract::catalogue::Purpose;
use neonpro_contract::consent::{ConsentEvent, Standing, rests_on_consent, standing};
use neonpro_contract::time::ServerInstant;
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;

/// Years a chart is kept after its last entry: Lei 13.787/2018 art. 6.
const CHART_YEARS: u32 = 20;
/// Years records of payments are kept: CTN art. 173 and 174.
const FISCAL_YEARS: u32 = 5;

/// What is known of a patient.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Last entry of care, µs.
    pub last_care: Option<i64>,
    /// Last payment, µs.
    pub last_payment: Option<i64>,
    /// Every consent event.
    pub consents: Vec<ConsentEvent>,
    /// When it is decided.
    pub now: ServerInstant,
}

/// Why a purpose stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// The chart; the day from which a person may decide anew.
    Chart {
        /// That day.
        review_on: Option<NaiveDate>,
    },
    /// Records of payments.
    Fiscal {
        /// That day.
        review_on: Option<NaiveDate>,
    },
    /// The patient consents: the consent is withdrawn first.
    Consent,
}

impl Keep {
    /// A stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Chart { .. } => "chart_retention",
            Self::Fiscal { .. } => "fiscal_retention",
            Self::Consent => "consent_in_force",
        }
    }

    /// The reason as the patient is told it, with its source.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Chart { .. } => {
                "O prontuário deve ser guardado por pelo menos 20 anos após o último registro (Lei 13.787/2018, art. 6)."
            }
            Self::Fiscal { .. } => "Registros de pagamento são guardados por 5 anos (CTN, arts. 173 e 174).",
            Self::Consent => "O consentimento para esta finalidade está em vigor: revogue-o antes.",
        }
    }

    /// From when a person may decide anew.
    #[must_use]
    pub const fn review_on(self) -> Option<NaiveDate> {
        match self {
            Self::Chart { review_on } | Self::Fiscal { review_on } => review_on,
            Self::Consent => None,
        }
    }
}

/// What happens to what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Erased.
    pub erase: BTreeSet<Purpose>,
    /// Stays.
    pub keep: Vec<(Purpose, Keep)>,
}

impl Plan {
    /// Purposes that stay by law: off devices, and read only with a reason.
    pub fn restrict(&self) -> impl Iterator<Item = (Purpose, Keep)> + '_ {
        self.keep.iter().copied().filter(|(_, keep)| super::is_restricting(keep))
    }

    /// Whether a purpose is restricted.
    #[must_use]
    pub fn is_restricted(&self, purpose: Purpose) -> bool {
        self.restrict().any(|(other, _)| other == purpose)
    }

    /// What stays, as it is kept and certified.
    #[must_use]
    pub fn kept_json(&self) -> Json {
        let kept = self.keep.iter().map(|(purpose, keep)| {
            json!({
                "purpose": purpose.name(),
                "code": keep.code(),
                "reason": keep.reason(),
                "review_on": keep.review_on().map(|day| day.to_string()),
            })
        });
        Json::Array(kept.collect())
    }

    /// Every reason in one line.
    #[must_use]
    pub fn reasons(&self) -> String {
        let reasons = self.keep.iter().map(|(purpose, keep)| format!("{}: {}", purpose.name(), keep.code()));
        reasons.collect::<Vec<_>>().join(", ")
    }
}

/// Decides.
#[must_use]
pub fn plan(asked: &BTreeSet<Purpose>, facts: &Facts) -> Plan {
    let mut plan = Plan { erase: BTreeSet::new(), keep: Vec::new() };
    for purpose in asked {
        match keep(*purpose, asked, facts) {
            Some(keep) => plan.keep.push((*purpose, keep)),
            None => drop(plan.erase.insert(*purpose)),
        }
    }
    plan
}

/// Decides again what was decided before: what was erased once is erased again, whatever a restored database says.
#[must_use]
pub fn plan_again(erased: &BTreeSet<Purpose>, asked: &BTreeSet<Purpose>, facts: &Facts) -> Plan {
    let mut again = plan(asked, facts);
    again.keep.retain(|(purpose, _)| !erased.contains(purpose));
    again.erase = erased.clone();
    again
}

fn keep(purpose: Purpose, asked: &BTreeSet<Purpose>, facts: &Facts) -> Option<Keep> {
    let chart = facts.last_care.map(|at| Keep::Chart { review_on: years_after(at, CHART_YEARS) });
    match purpose {
        Purpose::Treatment => chart,
        // Whose chart it is must stay as long as the chart; and a patient without a name cannot stay registered for the
        // rest.
        Purpose::Operation => {
            let fiscal =
                facts.last_payment.map(|at| Keep::Fiscal { review_on: years_after(at, FISCAL_YEARS) });
            let rest =
                Purpose::ALL.into_iter().filter(|other| rests_on_consent(*other) && !asked.contains(other));
            let consented = rest.into_iter().any(|other| stands(other, facts));
            chart.or(fiscal).or(consented.then_some(Keep::Consent))
        }
        _ => stands(purpose, facts).then_some(Keep::Consent),
    }
}

fn stands(purpose: Purpose, facts: &Facts) -> bool {
    matches!(standing(&facts.consents, purpose, facts.now.0), Standing::Granted { .. })
}

fn years_after(at_us: i64, years: u32) -> Option<NaiveDate> {
    let day = DateTime::from_timestamp_micros(at_us)?.date_naive();
    day.checked_add_months(Months::new(years.saturating_mul(12)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(last_care: Option<i64>, last_payment: Option<i64>) -> Facts {
        Facts { last_care, last_payment, consents: Vec::new(), now: ServerInstant(1_800_000_000_000_000) }
    }

    const EVERYTHING: [Purpose; 6] = Purpose::ALL;

    #[test]
    fn the_chart_stays_twenty_years_after_its_last_entry_and_the_rest_goes() {
        let plan = plan(&EVERYTHING.into(), &facts(Some(1_700_000_000_000_000), None));
        assert_eq!(
            plan.erase,
            [Purpose::Photography, Purpose::DataSharing, Purpose::Marketing, Purpose::Research].into()
        );
        let day = NaiveDate::from_ymd_opt(2043, 11, 14);
        assert_eq!(
            plan.keep,
            vec![
                (Purpose::Operation, Keep::Chart { review_on: day }),
                (Purpose::Treatment, Keep::Chart { review_on: day })
            ]
        );
        assert!(plan.is_restricted(Purpose::Treatment));
    }

    #[test]
    fn who_was_never_treated_and_never_paid_goes_whole() {
        let plan = plan(&EVERYTHING.into(), &facts(None, None));
        assert_eq!((plan.erase.len(), plan.keep), (6, vec![]));
    }

    #[test]
    fn a_payment_keeps_the_registration_five_years() {
        let plan = plan(&EVERYTHING.into(), &facts(None, Some(1_700_000_000_000_000)));
        let day = NaiveDate::from_ymd_opt(2028, 11, 14);
        assert_eq!(plan.keep, vec![(Purpose::Operation, Keep::Fiscal { review_on: day })]);
    }

    #[test]
    fn what_was_erased_once_is_erased_again_whatever_the_facts_say_by_then() {
        let (erased, asked) = ([Purpose::Treatment].into(), [Purpose::Treatment].into());
        let plan = plan_again(&erased, &asked, &facts(Some(1), None));
        assert_eq!((plan.erase, plan.keep), (erased, vec![]));
    }
}

//! Scope of practice: whether a professional may perform an act, under the rules in force when it takes place (4-rules 4.3).
//!
//! Owns the one verdict that tablet and server share; the SQL function `validate_professional_scope` gives the same. Never
//! holds a rule itself: rules of law are signed data ([`Bundle`]), the clinic's are its records ([`Facts`]). Invariant:
//! "prohibited" blocks *starting* an act; it never blocks *recording* what already happened.
//!
//! Legal texts behind the shipped rules come from secondary sources: they need a named legal reviewer before use.

mod act;
mod bundle;
mod facts;
mod law;

pub use act::{Act, Asked, asked};
pub use bundle::{
    Bundle, BundleError, Entry, EntryLevel, PublisherKey, SHIPPED, publisher_keys, read_hex, write_hex,
};
pub use facts::{Decision, Facts, Person, Procedure, Supervision, Validation};

use law::Ruling;
use serde::Serialize;
use std::collections::BTreeSet;
use uuid::Uuid;

/// Nobody of that id works here.
const NOT_WORKING: &str = "Profissional sem atuação nesta clínica";
/// Neither law nor clinic speaks of the act.
const NO_RULE: &str = "Nenhuma regra vigente autoriza este ato";
/// The clinic has not chosen.
const UNDECIDED: &str = "A lei é contestada: a direção da clínica precisa decidir, com motivo";
/// Nobody supervises.
const UNSUPERVISED: &str = "Exige supervisão clínica vigente";
/// A rule that no named lawyer has read.
const UNREVIEWED: &str = "Precisa de revisão jurídica nomeada";

/// On which terms, from the mildest to the strictest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Alone.
    Independent,
    /// Under a clinical supervision in force.
    Supervised,
    /// No rule in force names it: not authorised, and not forbidden either.
    Unruled,
    /// The law is contested and the clinic has not decided.
    Contested,
    /// Not at all.
    Prohibited,
}

impl Level {
    /// The stable name, as the SQL function returns it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Independent => "independent",
            Self::Supervised => "supervised",
            Self::Unruled => "unruled",
            Self::Contested => "contested",
            Self::Prohibited => "prohibited",
        }
    }
}

/// What the rules say about an act.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// On which terms.
    pub level: Level,
    /// Whether the act is authorised as it is: a supervised one needs its supervision.
    pub authorised: bool,
    /// Conditions in words, for people.
    pub conditions: Vec<String>,
    /// Version of the bundle in force at the act.
    pub bundle: Option<String>,
    /// Rules of the bundle that decided, one per thing asked about.
    pub rules: Vec<String>,
    /// Contested rules on which the clinic has not decided.
    pub undecided: Vec<String>,
    /// Legal basis of those rules, with their litigation.
    pub basis: Vec<String>,
    /// Whether one of them has no named legal reviewer.
    pub needs_review: bool,
}

impl Verdict {
    /// Whether the act must not start.
    #[must_use]
    pub fn forbids(&self) -> bool {
        self.level == Level::Prohibited
    }
}

/// The verdict on an act, under what was in force when it takes place.
#[must_use]
pub fn verdict(facts: &Facts, act: &Act) -> Verdict {
    let Some(person) = facts.working(act.professional, act.at_us) else {
        return Verdict {
            level: Level::Prohibited,
            authorised: false,
            conditions: vec![NOT_WORKING.to_owned()],
            bundle: None,
            rules: Vec::new(),
            undecided: Vec::new(),
            basis: Vec::new(),
            needs_review: false,
        };
    };
    let bundle = facts.bundle_at(act.at_us);
    let rulings = law::rulings(bundle, facts, person, act);
    let clinic = Clinic::of(facts, act);
    let level = rulings
        .iter()
        .map(|ruling| ruling.level.unwrap_or_else(|| clinic.silent_law(ruling)))
        .chain(clinic.own_level())
        .max()
        .filter(|level| !rulings.is_empty() || *level == Level::Prohibited)
        .unwrap_or(Level::Unruled);
    let autonomy = facts.autonomy(act.professional, act.at_us);
    let needs_review =
        rulings.iter().any(|ruling| ruling.entry.is_some_and(|entry| entry.reviewed_by.is_none()));
    let rules: Vec<&Entry> = rulings.iter().filter_map(|ruling| ruling.entry).collect();
    Verdict {
        level,
        authorised: level == Level::Independent || level == Level::Supervised && autonomy.is_some(),
        conditions: conditions(level, autonomy, &rulings, clinic.wordings, needs_review),
        bundle: bundle.map(|bundle| bundle.version.clone()),
        rules: distinct(rules.iter().map(|entry| entry.id.clone())),
        undecided: distinct(rulings.iter().filter(|ruling| ruling.undecided()).filter_map(Ruling::rule)),
        basis: distinct(rules.iter().map(|entry| entry.basis())),
        needs_review,
    }
}

/// What the clinic's own validations say of an act.
struct Clinic {
    prohibited: bool,
    supervised: bool,
    procedure_named: bool,
    products_named: Vec<Uuid>,
    wordings: BTreeSet<String>,
}

impl Clinic {
    fn of(facts: &Facts, act: &Act) -> Self {
        let spoken: Vec<&Validation> =
            facts.validations.iter().filter(|validation| validation.speaks_of(act)).collect();
        let permits = || spoken.iter().filter(|validation| validation.permits());
        Self {
            prohibited: spoken.iter().any(|validation| !validation.permits()),
            supervised: permits().any(|validation| validation.level.as_deref() != Some("independent")),
            procedure_named: permits().any(|validation| validation.procedure.is_some()),
            products_named: permits().filter_map(|validation| validation.medication).collect(),
            wordings: spoken.iter().flat_map(|validation| validation.wordings()).collect(),
        }
    }

    /// The level of a thing of which the law does not speak.
    fn silent_law(&self, ruling: &Ruling<'_>) -> Level {
        let named = match ruling.product {
            None => self.procedure_named,
            Some(product) => self.products_named.contains(&product),
        };
        if named { Level::Independent } else { Level::Unruled }
    }

    /// What the clinic adds to the law: never a permission, only a restriction.
    fn own_level(&self) -> Option<Level> {
        if self.prohibited { Some(Level::Prohibited) } else { self.supervised.then_some(Level::Supervised) }
    }
}

/// Conditions in the order in which the SQL function lists them.
fn conditions(
    level: Level,
    autonomy: Option<i64>,
    rulings: &[Ruling<'_>],
    wordings: BTreeSet<String>,
    needs_review: bool,
) -> Vec<String> {
    let reasons = rulings.iter().filter_map(|ruling| ruling.decision);
    let mut all: Vec<String> = wordings.into_iter().collect();
    all.extend(distinct(reasons.map(|decision| format!("Decisão da clínica: {}", decision.reason))));
    match (level, autonomy) {
        (Level::Independent | Level::Prohibited, _) => {}
        (Level::Unruled, _) => all.push(NO_RULE.to_owned()),
        (Level::Contested, _) => all.push(UNDECIDED.to_owned()),
        (Level::Supervised, None) => all.push(UNSUPERVISED.to_owned()),
        (Level::Supervised, Some(autonomy)) => {
            all.push(format!("Sob supervisão clínica, autonomia {autonomy} de 5"));
        }
    }
    if needs_review {
        all.push(UNREVIEWED.to_owned());
    }
    all
}

fn distinct(texts: impl Iterator<Item = String>) -> Vec<String> {
    texts.collect::<BTreeSet<_>>().into_iter().collect()
}

#[cfg(test)]
mod tests;

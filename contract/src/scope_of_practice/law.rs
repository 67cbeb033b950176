//! What the bundle says about each thing an act consists of: its procedure, and every product used.
//!
//! The most specific rule in force speaks; among equals, the strictest. The SQL function orders the same way.

use super::{Act, Bundle, Decision, Entry, EntryLevel, Facts, Level, Person};
use uuid::Uuid;

/// The law on one thing.
#[derive(Debug)]
pub(super) struct Ruling<'a> {
    /// The product; `None` for the procedure.
    pub product: Option<Uuid>,
    /// The rule that speaks of it.
    pub entry: Option<&'a Entry>,
    /// The clinic's choice, where the rule is contested.
    pub decision: Option<&'a Decision>,
    /// On which terms; `None` where the law is silent.
    pub level: Option<Level>,
}

impl Ruling<'_> {
    /// Whether the clinic has yet to choose.
    pub fn undecided(&self) -> bool {
        self.level == Some(Level::Contested)
    }

    pub fn rule(&self) -> Option<String> {
        self.entry.map(|entry| entry.id.clone())
    }
}

/// One ruling per thing.
pub(super) fn rulings<'a>(
    bundle: Option<&'a Bundle>,
    facts: &'a Facts,
    person: &Person,
    act: &Act,
) -> Vec<Ruling<'a>> {
    let procedure = act.procedure.and_then(|id| facts.procedures.get(&id));
    let area = procedure.and_then(|procedure| procedure.body_area.as_deref());
    let class = procedure.and_then(|procedure| procedure.class.as_deref());
    let procedures = act.procedure.map(|_| Thing { product: None, class });
    let products = act.products.iter().map(|id| Thing {
        product: Some(*id),
        class: facts.products.get(id).and_then(|class| class.as_deref()),
    });
    procedures
        .into_iter()
        .chain(products)
        .map(|thing| {
            let entries = bundle.into_iter().flat_map(|bundle| &bundle.entries);
            let entry = entries
                .filter(|entry| concerns(entry, person, act.at_us, area) && thing.named_by(entry))
                .max_by(|a, b| {
                    specificity(a).cmp(&specificity(b)).then(a.level.cmp(&b.level)).then(b.id.cmp(&a.id))
                });
            ruling(thing.product, entry, facts, act.at_us)
        })
        .collect()
}

struct Thing<'a> {
    product: Option<Uuid>,
    class: Option<&'a str>,
}

impl Thing<'_> {
    /// A rule that lists no class at all speaks of everything.
    fn named_by(&self, entry: &Entry) -> bool {
        let listed = if self.product.is_some() { &entry.product_classes } else { &entry.procedure_classes };
        entry.names_nothing() || self.class.is_some_and(|class| listed.iter().any(|one| one == class))
    }
}

fn concerns(entry: &Entry, person: &Person, at_us: i64, area: Option<&str>) -> bool {
    entry.profession == person.profession
        && entry.credential.as_ref().is_none_or(|council| *council == person.council)
        && (entry.jurisdiction == Entry::NATIONAL || entry.jurisdiction == person.state)
        && (entry.body_areas.is_empty()
            || area.is_some_and(|area| entry.body_areas.iter().any(|one| one == area)))
        && entry.valid_from.timestamp_micros() <= at_us
        && entry.valid_until.is_none_or(|until| at_us < until.timestamp_micros())
}

/// A state's rule before the nation's, a place on the body, a council, a class.
fn specificity(entry: &Entry) -> (bool, bool, bool, bool) {
    (
        entry.jurisdiction != Entry::NATIONAL,
        !entry.body_areas.is_empty(),
        entry.credential.is_some(),
        !entry.names_nothing(),
    )
}

fn ruling<'a>(product: Option<Uuid>, entry: Option<&'a Entry>, facts: &'a Facts, at_us: i64) -> Ruling<'a> {
    let contested = entry.filter(|entry| entry.level == EntryLevel::Contested);
    let decision = contested.and_then(|entry| facts.decision_at(&entry.id, at_us));
    let level = entry.map(|entry| match entry.level {
        EntryLevel::Independent => Level::Independent,
        EntryLevel::Supervised => Level::Supervised,
        EntryLevel::Prohibited => Level::Prohibited,
        EntryLevel::Contested => match decision.map(|decision| decision.choice.as_str()) {
            Some("permit") => Level::Independent,
            Some("supervise") => Level::Supervised,
            Some(_) => Level::Prohibited,
            None => Level::Contested,
        },
    });
    Ruling { product, entry, decision, level }
}

//! What the verdict is drawn from: people, the clinic's validations, supervisions and decisions, classes, bundles.
//!
//! Never reads a database. The server fills it with one statement, the tablet from its rows.

use super::{Act, Bundle};
use crate::row::Row;
use crate::value::Value;
use serde::Deserialize;
use std::collections::HashMap;
use std::sync::Arc;
use uuid::Uuid;

/// Who may act: one row of `professionals`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Person {
    /// Profession.
    pub profession: String,
    /// Council.
    pub council: String,
    /// UF or region of the registration.
    pub state: String,
    /// Still works here. Not dated: it holds for every instant.
    pub active: bool,
    /// When the record was retired (µs).
    pub retired_us: Option<i64>,
}

/// One row of `professional_scope_validation`: what the clinic itself allows or forbids a person.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Validation {
    /// Whom it concerns.
    pub professional: Uuid,
    /// Procedure it names.
    pub procedure: Option<Uuid>,
    /// Product it names.
    pub medication: Option<Uuid>,
    /// Whether the act is allowed.
    pub authorised: bool,
    /// On which terms; one without counts as supervised.
    pub level: Option<String>,
    /// Conditions in words.
    pub conditions: Vec<String>,
    /// What the supervision must be.
    pub supervision: Option<String>,
    /// In force from (µs).
    pub from_us: i64,
    /// In force until (µs).
    pub until_us: Option<i64>,
}

impl Validation {
    /// Whether it allows anything.
    pub(super) fn permits(&self) -> bool {
        self.authorised && self.level.as_deref() != Some("prohibited")
    }

    /// Whether it speaks of an act. A permission that names nothing permits nothing.
    pub(super) fn speaks_of(&self, act: &Act) -> bool {
        self.professional == act.professional
            && self.from_us <= act.at_us
            && self.until_us.is_none_or(|until| act.at_us < until)
            && self.procedure.is_none_or(|id| act.procedure == Some(id))
            && self.medication.is_none_or(|id| act.products.contains(&id))
            && (!self.permits() || self.procedure.is_some() || self.medication.is_some())
    }

    pub(super) fn wordings(&self) -> impl Iterator<Item = String> {
        self.conditions.iter().chain(&self.supervision).cloned()
    }
}

/// A clinical supervision: one row of `professional_supervision`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Supervision {
    /// Who supervises.
    pub supervisor: Uuid,
    /// Who is supervised.
    pub supervisee: Uuid,
    /// `max_autonomy_level`, 1 to 5.
    pub autonomy: i64,
    /// In force at all.
    pub active: bool,
    /// From (µs).
    pub from_us: i64,
    /// Until (µs).
    pub until_us: Option<i64>,
}

/// One row of `scope_decisions`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Decision {
    /// Its id.
    pub id: Uuid,
    /// The contested rule.
    pub rule: String,
    /// `permit`, `supervise` or `forbid`.
    pub choice: String,
    /// Why.
    pub reason: String,
    /// For acts from (µs).
    pub from_us: i64,
    /// For acts until (µs).
    pub until_us: Option<i64>,
}

/// What a procedure is to the rules.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Procedure {
    /// Its class.
    pub class: Option<String>,
    /// Where on the body.
    pub body_area: Option<String>,
}

/// Everything the verdict may ask for. What is absent is unknown here.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Facts {
    /// People by id.
    pub people: HashMap<Uuid, Person>,
    /// The clinic's validations.
    pub validations: Vec<Validation>,
    /// Clinical supervisions.
    pub supervisions: Vec<Supervision>,
    /// The clinic's decisions.
    pub decisions: Vec<Decision>,
    /// Classes of procedures.
    pub procedures: HashMap<Uuid, Procedure>,
    /// Classes of products.
    pub products: HashMap<Uuid, Option<String>>,
    /// Bundles whose signature is a publisher's.
    #[serde(skip)]
    pub bundles: Vec<Arc<Bundle>>,
}

impl Facts {
    /// The bundle an act of this instant is judged by.
    pub(super) fn bundle_at(&self, at_us: i64) -> Option<&Bundle> {
        let began = |bundle: &&Arc<Bundle>| bundle.in_force_from.timestamp_micros() <= at_us;
        let bundles = self.bundles.iter().filter(began);
        bundles.max_by_key(|bundle| (bundle.in_force_from, &bundle.version)).map(AsRef::as_ref)
    }

    pub(super) fn working(&self, person: Uuid, at_us: i64) -> Option<&Person> {
        let works = |person: &&Person| person.active && person.retired_us.is_none_or(|at| at_us < at);
        self.people.get(&person).filter(works)
    }

    /// The highest autonomy a clinical supervision in force gives; `None` without one.
    pub(super) fn autonomy(&self, person: Uuid, at_us: i64) -> Option<i64> {
        let in_force = |one: &&Supervision| {
            one.supervisee == person
                && one.active
                && one.from_us <= at_us
                && one.until_us.is_none_or(|until| at_us < until)
                && self.working(one.supervisor, at_us).is_some()
        };
        self.supervisions.iter().filter(in_force).map(|one| one.autonomy).max()
    }

    pub(super) fn decision_at(&self, rule: &str, at_us: i64) -> Option<&Decision> {
        let in_force = |one: &&Decision| {
            one.rule == rule && one.from_us <= at_us && one.until_us.is_none_or(|until| at_us < until)
        };
        self.decisions.iter().filter(in_force).max_by_key(|one| (one.from_us, one.id))
    }

    /// Whether the clinic has ever decided on a rule.
    #[must_use]
    pub fn has_decided(&self, rule: &str) -> bool {
        self.decisions.iter().any(|decision| decision.rule == rule)
    }

    /// Takes a record in, if it is of a table the verdict asks.
    pub fn learn(&mut self, id: Uuid, row: &Row) {
        match row.table().name {
            "professionals" => drop(self.people.insert(id, Person::of(row))),
            "service_types" => {
                let procedure =
                    Procedure { class: text(row, "procedure_class"), body_area: text(row, "body_area") };
                self.procedures.insert(id, procedure);
            }
            "inventory_products" => drop(self.products.insert(id, text(row, "product_class"))),
            "professional_scope_validation" => self.validations.extend(Validation::of(row)),
            "professional_supervision" => self.supervisions.extend(Supervision::of(row)),
            "scope_decisions" => {
                self.decisions.retain(|decision| decision.id != id);
                self.decisions.push(Decision::of(id, row));
            }
            _ => {}
        }
    }
}

impl Person {
    fn of(row: &Row) -> Self {
        Self {
            profession: text(row, "professional_type").unwrap_or_default(),
            council: text(row, "council_type").unwrap_or_default(),
            state: text(row, "council_state").unwrap_or_default(),
            active: is_active(row),
            retired_us: row.get("retired_at").as_instant(),
        }
    }
}

impl Validation {
    fn of(row: &Row) -> Option<Self> {
        let conditions = row.get("conditions");
        Some(Self {
            professional: row.get("professional_id").as_uuid()?,
            procedure: row.get("procedure_id").as_uuid(),
            medication: row.get("medication_id").as_uuid(),
            authorised: row.get("is_authorized").as_bool()?,
            level: text(row, "authorization_level"),
            conditions: if let Value::Texts(members) = conditions { members.clone() } else { Vec::new() },
            supervision: text(row, "supervision_requirements"),
            from_us: row.get("valid_from").as_instant()?,
            until_us: row.get("valid_until").as_instant(),
        })
    }
}

impl Supervision {
    /// Nothing for any other kind of supervision than a clinical one.
    fn of(row: &Row) -> Option<Self> {
        let level = row.get("max_autonomy_level");
        let clinical = row.get("supervision_type").as_text() == Some("clinical");
        clinical.then_some(Self {
            supervisor: row.get("supervisor_id").as_uuid()?,
            supervisee: row.get("supervisee_id").as_uuid()?,
            autonomy: if let Value::Int(level) = level { *level } else { 1 },
            active: is_active(row),
            from_us: row.get("start_date").as_instant()?,
            until_us: row.get("end_date").as_instant(),
        })
    }
}

impl Decision {
    fn of(id: Uuid, row: &Row) -> Self {
        Self {
            id,
            rule: text(row, "rule_id").unwrap_or_default(),
            choice: text(row, "choice").unwrap_or_default(),
            reason: text(row, "reason").unwrap_or_default(),
            from_us: row.get("valid_from").as_instant().unwrap_or(i64::MAX),
            until_us: row.get("valid_until").as_instant(),
        }
    }
}

fn text(row: &Row, name: &str) -> Option<String> {
    row.get(name).as_text().map(str::to_owned)
}

fn is_active(row: &Row) -> bool {
    row.get("is_active").as_bool().unwrap_or(true)
}

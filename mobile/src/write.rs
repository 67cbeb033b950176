//! From a checked form to the replica: one author, one edit, one answer.
//!
//! Owns turning a refusal into what the form shows. Invariant: without an author nothing is written.

use crate::failure::Failure;
use crate::forms::{Problems, Wanted};
use crate::text::errors;
use crate::visit::Visit;
use neonpro_client_core::{Draft, EditRejected, Replica};
use neonpro_contract::edit::FieldOp;
use neonpro_contract::ids::{AuthorId, EditId, RecordId};

/// What became of a form.
pub enum Outcome {
    /// Written on this tablet.
    Saved(RecordId),
    /// The values were already these.
    Unchanged,
    /// Nothing was written; the form is shown again with what was typed.
    Refused(Refusal),
}

/// Why nothing was written.
#[derive(Default)]
pub struct Refusal {
    /// Above the form.
    pub problem: Option<&'static str>,
    /// Beside fields.
    pub problems: Problems,
}

impl Refusal {
    /// A refusal of the whole form.
    #[must_use]
    pub fn of(problem: &'static str) -> Self {
        Self { problem: Some(problem), problems: Problems::new() }
    }
}

/// Creates a record from a form. `corrects` is the set-aside edit that is over once this one is written.
///
/// # Errors
/// The replica failed; what the person can correct is in the outcome.
pub fn create(
    replica: &Replica,
    visit: &Visit,
    table: &str,
    wanted: Wanted,
    corrects: Option<EditId>,
) -> Result<Outcome, Failure> {
    create_as(replica, visit, (table, replica.new_record_id()), wanted, corrects)
}

/// The same under an id that was drawn before, so that a value of the record can be made from it.
///
/// # Errors
/// As [`create`].
pub fn create_as(
    replica: &Replica,
    visit: &Visit,
    (table, record): (&str, RecordId),
    wanted: Wanted,
    corrects: Option<EditId>,
) -> Result<Outcome, Failure> {
    let Some(author) = author(replica, visit)? else {
        return Ok(Outcome::Refused(Refusal::of(errors::AUTHOR)));
    };
    if !wanted.problems.is_empty() {
        return Ok(Outcome::Refused(unfit(wanted.problems)));
    }
    let values = wanted.values();
    let values = values.iter().map(|(name, value)| (name.as_str(), value.clone()));
    write(replica, Draft::new(author).create_as(table, record, values), record, corrects)
}

/// Changes a record from a form. `corrects` is the set-aside edit that is over once this one is written.
///
/// # Errors
/// The replica failed; what the person can correct is in the outcome.
pub fn update(
    replica: &Replica,
    visit: &Visit,
    table: &str,
    record: RecordId,
    wanted: Wanted,
    corrects: Option<EditId>,
) -> Result<Outcome, Failure> {
    let Some(author) = author(replica, visit)? else {
        return Ok(Outcome::Refused(Refusal::of(errors::AUTHOR)));
    };
    if !wanted.problems.is_empty() {
        return Ok(Outcome::Refused(unfit(wanted.problems)));
    }
    if wanted.ops.is_empty() {
        return Ok(Outcome::Unchanged);
    }
    let with = |draft: Draft, op: FieldOp| draft.op(table, record, op);
    write(replica, wanted.ops.into_iter().fold(Draft::new(author), with), record, corrects)
}

/// The person using the tablet, if chosen and still of the clinic.
///
/// # Errors
/// What the replica reports.
pub fn author(replica: &Replica, visit: &Visit) -> Result<Option<AuthorId>, Failure> {
    let people = crate::screens::frame::list_people(replica)?;
    Ok(visit.author.filter(|author| people.iter().any(|person| person.id == *author)))
}

fn unfit(problems: Problems) -> Refusal {
    Refusal { problem: Some(errors::CHECK_FIELDS), problems }
}

fn write(
    replica: &Replica,
    draft: Draft,
    record: RecordId,
    corrects: Option<EditId>,
) -> Result<Outcome, Failure> {
    let author = draft.author;
    match replica.edit(draft) {
        Ok(_) => close_corrected(replica, author, corrects).map(|()| Outcome::Saved(record)),
        Err(EditRejected::NothingToDo) => Ok(Outcome::Unchanged),
        Err(EditRejected::InvalidValue(invalid)) => {
            Ok(Outcome::Refused(unfit(Problems::from([(invalid.field, errors::invalid(invalid.field))]))))
        }
        Err(EditRejected::Replica(error)) => Err(Failure::Replica(error)),
        Err(EditRejected::NotFound) => Err(Failure::NotFound),
        Err(rejected) => Ok(Outcome::Refused(Refusal::of(errors::rejected(&rejected)))),
    }
}

/// One that is not set aside any more needs nothing.
fn close_corrected(replica: &Replica, author: AuthorId, corrects: Option<EditId>) -> Result<(), Failure> {
    match corrects.map(|edit| replica.dismiss(edit, author)) {
        None | Some(Ok(()) | Err(EditRejected::NoSuchEdit)) => Ok(()),
        Some(Err(error)) => Err(Failure::Edit(error)),
    }
}

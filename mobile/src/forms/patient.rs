//! The forms of a patient: identity, health notes, allergies and medications.
//!
//! Owns which fields they show and what makes them valid. Never writes. Invariant: identity and health, which serve
//! two consent purposes, are never in one form.

use super::input::Input;
use super::{Posted, Problems, Wanted, field, shown_text, text_or_null};
use crate::text::{errors, patient as text, status};
use crate::zone::{date_br, date_iso};
use chrono::NaiveDate;
use neonpro_contract::edit::FieldOp;
use neonpro_contract::validate::br::Cpf;
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;

const TABLE: &str = "patients";

/// Identity fields, in the order they are shown: name, label, input type, hint.
const IDENTITY: &[(&str, &str, &str, Option<&str>)] = &[
    ("name", text::NAME, "text", None),
    ("date_of_birth", text::BORN, "text", Some(text::BORN_HINT)),
    ("cpf", text::CPF, "text", Some(text::CPF_HINT)),
    ("phone", text::PHONE, "tel", None),
    ("email", text::EMAIL, "email", None),
    ("address", text::ADDRESS, "text", None),
];

/// Other values of disputed fields, by field name, each already written for people.
pub type Disputes = BTreeMap<String, Vec<String>>;

/// The identity form's controls.
#[must_use]
pub fn identity_inputs(
    record: &Map<String, Json>,
    disputes: &Disputes,
    posted: Option<&Posted>,
    problems: &Problems,
) -> Vec<Input> {
    IDENTITY
        .iter()
        .map(|(name, label, kind, hint)| {
            let value = shown_text(record, name);
            let value = match *name {
                "cpf" => cpf_text(value),
                "date_of_birth" => date_br(value),
                _ => value.to_owned(),
            };
            let mut input = Input::line(name, label, value).kind(kind).typed(posted, problems);
            input.hint = *hint;
            input.wide = matches!(*name, "name" | "address");
            input.disputes = disputes_of(disputes, name);
            input
        })
        .collect()
}

/// Other values of one field, for its control.
#[must_use]
pub fn disputes_of(disputes: &Disputes, field: &str) -> Vec<String> {
    let line = |value: &String| format!("{}: {value}", status::OTHER);
    disputes.get(field).map(|values| values.iter().map(line).collect()).unwrap_or_default()
}

/// What the identity form asks for. Of an existing patient only touched fields count.
#[must_use]
pub fn read_identity(posted: &Posted, today: NaiveDate, creates: bool) -> Wanted {
    let mut wanted = Wanted::default();
    for (name, ..) in IDENTITY {
        let touched = if creates { posted.has(name) } else { posted.changed(name) };
        let typed = match *name {
            "date_of_birth" => date_iso(posted.trimmed(name)),
            _ => posted.trimmed(name).to_owned(),
        };
        let Some(field) = field(TABLE, name).filter(|_| touched) else { continue };
        if creates && typed.is_empty() && !field.required {
            continue;
        }
        wanted.put(field, text_or_null(&typed));
    }
    let born = NaiveDate::parse_from_str(&date_iso(posted.trimmed("date_of_birth")), "%Y-%m-%d");
    if born.is_ok_and(|born| born > today) {
        wanted.refuse("date_of_birth", errors::BORN_LATER);
    }
    wanted
}

/// The notes form's control.
#[must_use]
pub fn notes_input(record: &Map<String, Json>, posted: Option<&Posted>, problems: &Problems) -> Input {
    let current = shown_text(record, "notes");
    Input::line("notes", text::HEALTH_NOTES, current).area().typed(posted, problems).moved(current)
}

/// What the notes form asks for.
#[must_use]
pub fn read_notes(posted: &Posted, record: &Map<String, Json>) -> Wanted {
    let mut wanted = Wanted::default();
    if let Some(field) = field(TABLE, "notes") {
        wanted.put_text(field, posted, shown_text(record, "notes"));
    }
    wanted
}

/// What a form of allergies or medications asks for; `None` where it names neither.
///
/// # Errors
/// The message beside its control.
pub fn read_member(posted: &Posted) -> Option<Result<FieldOp, &'static str>> {
    let field =
        ["allergies", "medications"].into_iter().find(|field| *field == posted.get("campo"))?.to_owned();
    let member = posted.trimmed("item").to_owned();
    if posted.get("acao") != "remover" {
        return Some(if member.is_empty() {
            Err(errors::MEMBER)
        } else {
            Ok(FieldOp::Add { field, member })
        });
    }
    let reason = posted.trimmed("motivo").to_owned();
    let member = posted.get("item").to_owned();
    Some(if reason.is_empty() { Err(errors::REASON) } else { Ok(FieldOp::Remove { field, member, reason }) })
}

/// `529.982.247-25`; anything that is not a CPF as it is.
#[must_use]
pub fn cpf_text(digits: &str) -> String {
    Cpf::parse(digits).map_or_else(|_| digits.to_owned(), |cpf| cpf.formatted())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn posted(pairs: &[(&str, &str)]) -> Posted {
        Posted::new(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    fn today() -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 11, 23).unwrap()
    }

    #[test]
    fn saving_one_field_never_touches_the_others() {
        let form = posted(&[
            ("name", "Ana Lima"),
            ("era_name", "Ana"),
            ("phone", "11 98888-7777"),
            ("era_phone", "11 98888-7777"),
            ("email", ""),
            ("era_email", ""),
        ]);
        let wanted = read_identity(&form, today(), false);
        assert_eq!(wanted.ops, [FieldOp::Put { field: "name".into(), value: "Ana Lima".into() }]);
    }

    #[test]
    fn a_name_may_not_be_emptied_and_a_birth_is_not_in_the_future() {
        let form = posted(&[
            ("name", " "),
            ("era_name", "Ana"),
            ("date_of_birth", "01/01/2031"),
            ("era_date_of_birth", ""),
        ]);
        let wanted = read_identity(&form, today(), false);
        assert_eq!(wanted.problems.get("name"), Some(&errors::REQUIRED));
        assert_eq!(wanted.problems.get("date_of_birth"), Some(&errors::BORN_LATER));
    }

    #[test]
    fn an_emptied_optional_field_is_cleared() {
        let form = posted(&[("phone", ""), ("era_phone", "11 98888-7777")]);
        let wanted = read_identity(&form, today(), false);
        assert_eq!(wanted.ops, [FieldOp::Put { field: "phone".into(), value: Json::Null }]);
    }

    #[test]
    fn removing_an_allergy_needs_a_reason() {
        let form = [("campo", "allergies"), ("item", "látex"), ("acao", "remover")];
        assert_eq!(read_member(&posted(&form)), Some(Err(errors::REASON)));
        assert_eq!(read_member(&posted(&[("campo", "name"), ("item", "x")])), None);
    }

    #[test]
    fn a_cpf_is_written_with_its_marks() {
        assert_eq!(cpf_text("52998224725"), "529.982.247-25");
        assert_eq!(cpf_text("5299"), "5299");
    }
}

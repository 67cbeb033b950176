//! Forms: what was typed, what is wrong with it, and which of it becomes operations.
//!
//! Owns the reading of posted fields, the typed messages beside them and the difference between what was shown and
//! what came back. Never writes a replica. Invariant: what a person typed is shown again whenever it is not saved,
//! and a field nobody touched never becomes an operation, so an open form cannot undo somebody else's work.

pub mod appointment;
pub mod input;
pub mod merge_text;
pub mod number;
pub mod patient;
pub mod record;
pub mod session;

use crate::text::errors;
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, FromRequest, Request};
use merge_text::Merged;
use neonpro_contract::catalogue::{self, Field, Kind};
use neonpro_contract::edit::FieldOp;
use neonpro_contract::ids::EditId;
use neonpro_contract::validate;
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;

/// Prefix of the hidden fields that carry what a field showed when its form was drawn.
pub const SHOWN_PREFIX: &str = "era_";

/// Hidden field naming the set-aside edit that a form corrects.
pub const CORRECTS: &str = "corrige";

/// Fields of a posted form. Holds patient data: it does not print.
#[derive(Clone, Default)]
pub struct Posted(BTreeMap<String, String>);

impl<S: Send + Sync> FromRequest<S> for Posted {
    type Rejection = FormRejection;

    async fn from_request(request: Request, state: &S) -> Result<Self, FormRejection> {
        let Form(pairs) = Form::from_request(request, state).await?;
        Ok(Self::new(pairs))
    }
}

impl Posted {
    /// Reads posted pairs; of a repeated name the last counts. Browsers end lines with CR LF, records with LF.
    #[must_use]
    pub fn new(pairs: Vec<(String, String)>) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name, value.replace("\r\n", "\n"))).collect())
    }

    /// A form filled with what an edit had written.
    #[must_use]
    pub fn of_ops(ops: &[FieldOp]) -> Self {
        let text = |value: &Json| match value {
            Json::String(text) => text.clone(),
            Json::Null => String::new(),
            other => other.to_string(),
        };
        let pairs = ops.iter().filter_map(|op| match op {
            FieldOp::Put { field, value } => Some((field.clone(), text(value))),
            FieldOp::Text { field, value } => Some((field.clone(), value.clone())),
            FieldOp::Add { .. } | FieldOp::Remove { .. } | FieldOp::Merge { .. } => None,
        });
        Self(pairs.collect())
    }

    /// The same form, correcting a set-aside edit.
    #[must_use]
    pub fn correcting(mut self, edit: &str) -> Self {
        self.0.insert(CORRECTS.to_owned(), edit.to_owned());
        self
    }

    /// The set-aside edit this form corrects.
    #[must_use]
    pub fn corrects(&self) -> Option<EditId> {
        self.get(CORRECTS).parse().ok()
    }

    /// The value of a field; empty where it is missing.
    #[must_use]
    pub fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// The value without surrounding spaces.
    #[must_use]
    pub fn trimmed(&self, name: &str) -> &str {
        self.get(name).trim()
    }

    /// Whether the field was posted at all.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// What the field showed when the form was drawn, if the form says so.
    #[must_use]
    pub fn find_shown(&self, name: &str) -> Option<&str> {
        self.0.get(&format!("{SHOWN_PREFIX}{name}")).map(String::as_str)
    }

    /// What the field showed when the form was drawn.
    #[must_use]
    pub fn shown(&self, name: &str) -> &str {
        self.find_shown(name).unwrap_or("")
    }

    /// Whether a person changed the field.
    #[must_use]
    pub fn changed(&self, name: &str) -> bool {
        self.has(name) && self.trimmed(name) != self.shown(name).trim()
    }
}

/// Messages beside fields, by field name.
pub type Problems = BTreeMap<&'static str, &'static str>;

/// What a form asks for, once every value in it fits.
#[derive(Default)]
pub struct Wanted {
    /// Operations on the record, in order.
    pub ops: Vec<FieldOp>,
    /// What is wrong instead.
    pub problems: Problems,
}

impl Wanted {
    /// Sets a field to JSON after checking it, or notes what is wrong with it.
    pub fn put(&mut self, field: &'static Field, value: Json) {
        if field.required && is_blank(&value) {
            self.problems.insert(field.name, errors::REQUIRED);
            return;
        }
        match validate::from_json(field, &value) {
            Err(_) => {
                self.problems.insert(field.name, errors::invalid(field.name));
            }
            Ok(_) => self.ops.push(operation(field, value)),
        }
    }

    /// Sets fields by their names. A name the table does not have is refused like a value that does not fit, never left out.
    pub fn set(&mut self, table: &str, values: impl IntoIterator<Item = (&'static str, Json)>) {
        for (name, value) in values {
            match field(table, name) {
                Some(field) => self.put(field, value),
                None => self.refuse(name, errors::invalid(name)),
            }
        }
    }

    /// Sets a long text that was typed over a shown one while the record may have moved on.
    pub fn put_text(&mut self, field: &'static Field, posted: &Posted, current: &str) {
        if !posted.changed(field.name) {
            return;
        }
        match merge_text::merge(posted.shown(field.name), posted.get(field.name).trim_end(), current) {
            Merged::Text(text) => self.put(field, Json::from(text)),
            Merged::Disputed => self.refuse(field.name, errors::TEXT_MOVED),
        }
    }

    /// Notes what is wrong with a field.
    pub fn refuse(&mut self, field: &'static str, why: &'static str) {
        self.problems.insert(field, why);
    }

    /// The operations as field → value, as a new record takes them.
    #[must_use]
    pub fn values(&self) -> Map<String, Json> {
        let mut values = Map::new();
        for op in &self.ops {
            match op {
                FieldOp::Put { field, value } => values.insert(field.clone(), value.clone()),
                FieldOp::Text { field, value } => values.insert(field.clone(), Json::from(value.as_str())),
                FieldOp::Add { .. } | FieldOp::Remove { .. } | FieldOp::Merge { .. } => None,
            };
        }
        values
    }
}

fn is_blank(value: &Json) -> bool {
    value.is_null() || value.as_str().is_some_and(str::is_empty)
}

fn operation(field: &'static Field, value: Json) -> FieldOp {
    let name = field.name.to_owned();
    match (field.kind, value) {
        (Kind::Text, Json::String(text)) => FieldOp::Text { field: name, value: text },
        (Kind::Text, _) => FieldOp::Text { field: name, value: String::new() },
        (_, value) => FieldOp::Put { field: name, value },
    }
}

/// A field of the catalogue.
#[must_use]
pub fn field(table: &str, name: &str) -> Option<&'static Field> {
    catalogue::table(table)?.field(name).map(|(_, field)| field)
}

/// A text of a record; empty where there is none.
#[must_use]
pub fn shown_text<'r>(record: &'r Map<String, Json>, name: &str) -> &'r str {
    record.get(name).and_then(Json::as_str).unwrap_or("")
}

/// A posted text as JSON: nothing typed is null.
#[must_use]
pub fn text_or_null(text: &str) -> Json {
    if text.is_empty() { Json::Null } else { Json::from(text) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use neonpro_contract::catalogue::table;

    fn posted(pairs: &[(&str, &str)]) -> Posted {
        Posted::new(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn only_what_a_person_changed_counts_as_changed() {
        let form = posted(&[("name", "Ana"), ("era_name", "Ana"), ("phone", "11 9"), ("era_phone", "")]);
        assert!(!form.changed("name"));
        assert!(form.changed("phone"));
        assert!(!form.changed("email"));
    }

    #[test]
    fn a_value_that_does_not_fit_becomes_a_message_and_no_operation() {
        let (_, cpf) = table("patients").unwrap().field("cpf").unwrap();
        let mut wanted = Wanted::default();
        wanted.put(cpf, Json::from("111.111.111-11"));
        assert!(wanted.ops.is_empty());
        assert_eq!(wanted.problems.get("cpf"), Some(&errors::CPF));
    }

    #[test]
    fn lines_end_as_records_end_them() {
        assert_eq!(posted(&[("notes", "a\r\nb")]).get("notes"), "a\nb");
    }
}

//! The form of a record of any table, made from the catalogue: a control per field a person may write.
//!
//! Owns which control fits a field and how what was typed becomes operations. Never writes, never reads a replica: choices come
//! from the caller. Tables whose work deserves a screen of its own have one; everything else is written here.

use super::input::{Choice, Input};
use super::number::decimal;
use super::{Posted, Problems, Wanted, shown_text};
use crate::read::records::{json_text, label};
use crate::text::{self, errors};
use crate::zone::{Zone, date_br, date_iso};
use chrono::NaiveDateTime;
use neonpro_contract::catalogue::{Field, Format, Kind, Table};
use neonpro_contract::edit::FieldOp;
use neonpro_contract::value::{Column, instant_text};
use neonpro_contract::words::choice_label;
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;

/// How browsers write a day and an hour.
const LOCAL: &str = "%Y-%m-%dT%H:%M";

/// What references may be chosen from, by field.
pub type Choices = BTreeMap<&'static str, Vec<Choice>>;

/// The fields a person writes: at creation all, later those that are not fixed. Times the catalogue fills in itself, files and
/// sets of people are not typed.
pub fn fields(table: &'static Table, creates: bool) -> impl Iterator<Item = &'static Field> {
    table.fields.iter().filter(move |field| {
        field.kind != Kind::Derived
            && (creates || !field.fixed)
            && !field.blob
            && field.column != Column::UuidArray
            && !matches!(field.name, "created_at" | "logo_url" | "profile_image_url")
    })
}

/// A value as its control shows it.
fn shown(field: &Field, record: &Map<String, Json>, zone: Zone) -> String {
    let value = record.get(field.name).unwrap_or(&Json::Null);
    match (value, field.column) {
        (Json::Null, _) => String::new(),
        (Json::String(text), Column::Date) => date_br(text),
        (_, Column::Instant) => crate::read::instant(record, field.name)
            .and_then(|at| zone.wall(at))
            .map_or_else(String::new, |at| at.format(LOCAL).to_string()),
        (Json::Array(_), _) => crate::read::texts(record, field.name).join("\n"),
        (Json::Object(map), _) => {
            let line = |(key, value): (&String, &Json)| format!("{key}: {}", json_text(value));
            map.iter().map(line).collect::<Vec<_>>().join("\n")
        }
        (value, Column::Numeric(..)) => json_text(value).replace('.', ","),
        (value, _) => json_text(value),
    }
}

/// The controls, in the catalogue's order. `hidden` fields are decided elsewhere and not shown.
#[must_use]
pub fn inputs(
    table: &'static Table,
    record: &Map<String, Json>,
    (choices, hidden): (&mut Choices, &[&str]),
    (posted, problems): (Option<&Posted>, &Problems),
    zone: Zone,
) -> Vec<Input> {
    let creates = record.is_empty();
    fields(table, creates)
        .filter(|field| !hidden.contains(&field.name))
        .map(|field| {
            let value = if creates { default_of(field) } else { shown(field, record, zone) };
            let mut input = control(table, field, value, choices);
            if creates {
                input.base = None;
            }
            let input = input.typed(posted, problems);
            if field.kind == Kind::Text { input.moved(shown_text(record, field.name)) } else { input }
        })
        .collect()
}

fn default_of(field: &Field) -> String {
    match field.default {
        neonpro_contract::catalogue::Default::Text(text) => text.to_owned(),
        neonpro_contract::catalogue::Default::Bool(value) => value.to_string(),
        neonpro_contract::catalogue::Default::Int(number) => number.to_string(),
        _ => String::new(),
    }
}

fn control(table: &'static Table, field: &'static Field, value: String, choices: &mut Choices) -> Input {
    let input = Input::line(field.name, label(table, field), value);
    if field.references.is_some() {
        return input.select(choices.remove(field.name).unwrap_or_default());
    }
    match (field.format, field.kind, field.column) {
        (Format::OneOf(values), ..) => {
            let named = |value: &&str| choice_label(table.name, field.name, value).unwrap_or_default();
            let mut list: Vec<Choice> =
                values.iter().map(|value| Choice::new(*value, named(value))).collect();
            if !field.required {
                list.insert(0, Choice::new("", text::UNCHOSEN));
            }
            input.select(list)
        }
        (_, _, Column::Bool) => {
            input.select(vec![Choice::new("true", text::YES), Choice::new("false", text::NO)])
        }
        (_, _, Column::Instant) => input.kind("datetime-local"),
        (_, _, Column::Date) => input.hint(text::record::DATE_HINT),
        (_, Kind::Text, _) => input.area(),
        (_, Kind::Set, _) => input.area().hint(text::record::SET_HINT),
        (_, Kind::Json, _) => input.area().hint(text::record::JSON_HINT),
        _ => input,
    }
}

/// What the form asks for; of an existing record only what was touched.
#[must_use]
pub fn read(table: &'static Table, posted: &Posted, record: &Map<String, Json>, zone: Zone) -> Wanted {
    let creates = record.is_empty();
    let mut wanted = Wanted::default();
    for field in fields(table, creates) {
        let typed = posted.trimmed(field.name);
        if creates {
            if posted.has(field.name) && !typed.is_empty() {
                put_new(&mut wanted, field, typed, zone);
            } else if field.required && field.default == neonpro_contract::catalogue::Default::Null {
                wanted.refuse(field.name, errors::REQUIRED);
            }
        } else if field.kind == Kind::Text {
            wanted.put_text(field, posted, shown_text(record, field.name));
        } else if posted.changed(field.name) {
            put_changed(&mut wanted, field, posted, zone);
        }
    }
    wanted
}

fn put_new(wanted: &mut Wanted, field: &'static Field, typed: &str, zone: Zone) {
    match field.kind {
        Kind::Set => wanted.put(field, Json::from(lines(typed))),
        Kind::Json => match object(typed) {
            Some(map) => wanted.put(field, Json::Object(map)),
            None => wanted.refuse(field.name, errors::PAIRS),
        },
        _ => put_scalar(wanted, field, typed, zone),
    }
}

fn put_changed(wanted: &mut Wanted, field: &'static Field, posted: &Posted, zone: Zone) {
    let (typed, shown) = (posted.trimmed(field.name), posted.shown(field.name));
    match field.kind {
        Kind::Set => {
            let (now, before) = (lines(typed), lines(shown));
            let (name, reason) = (|| field.name.to_owned(), || text::record::REMOVED.to_owned());
            for member in before.iter().filter(|member| !now.contains(member)) {
                let member = member.clone();
                wanted.ops.push(FieldOp::Remove { field: name(), member, reason: reason() });
            }
            for member in now.into_iter().filter(|member| !before.contains(member)) {
                wanted.ops.push(FieldOp::Add { field: name(), member });
            }
        }
        Kind::Json => {
            let (Some(now), Some(before)) = (object(typed), object(shown)) else {
                return wanted.refuse(field.name, errors::PAIRS);
            };
            let gone =
                before.keys().filter(|key| !now.contains_key(*key)).map(|key| (key.clone(), Json::Null));
            let mut patch: Map<String, Json> = gone.collect();
            patch.extend(now.into_iter().filter(|(key, value)| before.get(key) != Some(value)));
            if !patch.is_empty() {
                wanted.ops.push(FieldOp::Merge { field: field.name.to_owned(), patch: Json::Object(patch) });
            }
        }
        _ => put_scalar(wanted, field, typed, zone),
    }
}

fn put_scalar(wanted: &mut Wanted, field: &'static Field, typed: &str, zone: Zone) {
    if typed.is_empty() {
        return wanted.put(field, Json::Null);
    }
    match field.column {
        Column::Bool => wanted.put(field, Json::from(typed == "true")),
        Column::Date => wanted.put(field, Json::from(date_iso(typed))),
        Column::Numeric(..) => match decimal(typed) {
            Some(number) => wanted.put(field, Json::from(number.to_string())),
            None => wanted.refuse(field.name, errors::NUMBER),
        },
        Column::Int | Column::BigInt => match typed.parse::<i64>() {
            Ok(number) => wanted.put(field, Json::from(number)),
            Err(_) => wanted.refuse(field.name, errors::NUMBER),
        },
        Column::Instant => match NaiveDateTime::parse_from_str(typed, LOCAL) {
            Ok(wall) => match zone.instant(wall.date(), wall.time()) {
                Some(at) => wanted.put(field, Json::from(instant_text(at))),
                None => wanted.refuse(field.name, errors::DATE),
            },
            Err(_) => wanted.refuse(field.name, errors::DATE),
        },
        _ => wanted.put(field, Json::from(typed)),
    }
}

fn lines(text: &str) -> Vec<String> {
    let mut seen = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if !seen.iter().any(|other| other == line) {
            seen.push(line.to_owned());
        }
    }
    seen
}

/// `chave: valor` per line; `None` where a line is none. Values that are JSON stay what they are.
fn object(text: &str) -> Option<Map<String, Json>> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(|line| {
            let (key, value) = line.split_once(':')?;
            let (key, value) = (key.trim(), value.trim());
            let value = match serde_json::from_str::<Json>(value) {
                Ok(value) if !value.is_null() => value,
                _ => Json::from(value),
            };
            (!key.is_empty()).then(|| (key.to_owned(), value))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use neonpro_contract::catalogue::table;
    use serde_json::json;

    fn posted(pairs: &[(&str, &str)]) -> Posted {
        Posted::new(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    fn zone() -> Zone {
        Zone::of("America/Sao_Paulo")
    }

    #[test]
    fn a_set_becomes_what_was_added_and_what_was_taken_out() {
        let form =
            posted(&[("findings", "luz fraca\nextintor vencido"), ("era_findings", "luz fraca\npiso")]);
        let record = json!({ "findings": ["luz fraca", "piso"] }).as_object().cloned().unwrap();
        let wanted = read(table("compliance_assessments").unwrap(), &form, &record, zone());
        let reason = text::record::REMOVED.to_owned();
        assert_eq!(
            wanted.ops,
            [
                FieldOp::Remove { field: "findings".into(), member: "piso".into(), reason },
                FieldOp::Add { field: "findings".into(), member: "extintor vencido".into() },
            ]
        );
    }

    #[test]
    fn pairs_become_a_patch_of_what_changed() {
        let form = posted(&[
            ("settings", "cor: azul\nlimite: 3"),
            ("era_settings", "cor: verde\nantigo: x\nlimite: 3"),
        ]);
        let record = json!({ "settings": { "cor": "verde", "antigo": "x", "limite": 3 } });
        let wanted = read(table("clinics").unwrap(), &form, record.as_object().unwrap(), zone());
        let patch = json!({ "cor": "azul", "antigo": null });
        assert_eq!(wanted.ops, [FieldOp::Merge { field: "settings".into(), patch }]);
    }

    #[test]
    fn a_new_record_lacks_nothing_that_is_required() {
        let wanted =
            read(table("inventory_products").unwrap(), &posted(&[("name", "Gaze")]), &Map::new(), zone());
        assert_eq!(
            wanted.problems.keys().copied().collect::<Vec<_>>(),
            ["category", "unit_size", "unit_type"]
        );
    }
}

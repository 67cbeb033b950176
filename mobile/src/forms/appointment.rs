//! The form of an appointment.
//!
//! Owns the day, hour and length people type and the instants they stand for. Never writes. Invariant: start, end
//! and length of one appointment always agree.

use super::input::{Choice, Input};
use super::{Posted, Problems, Wanted, field, shown_text, text_or_null};
use crate::text::{agenda as text, errors};
use crate::zone::Zone;
use chrono::{NaiveDate, NaiveTime};
use neonpro_contract::time::US_PER_SECOND;
use neonpro_contract::value::instant_text;
use serde_json::{Map, Value as Json};

const TABLE: &str = "appointments";
/// Shortest and longest appointment, minutes.
const MINUTES: std::ops::RangeInclusive<i64> = 5..=720;
/// Length where neither the person nor the procedure says one, minutes.
pub const MINUTES_DEFAULT: i64 = 30;
/// Statuses, in the order a day goes.
const STATUSES: &[&str] =
    &["scheduled", "confirmed", "in_progress", "completed", "rescheduled", "cancelled", "no_show"];

/// What can be chosen.
#[derive(Default)]
pub struct Choices {
    /// Professionals.
    pub professionals: Vec<Choice>,
    /// Procedures.
    pub services: Vec<Choice>,
}

/// What the form shows first.
#[derive(Default)]
pub struct Shown {
    /// Day, ISO.
    pub day: String,
    /// Start, `14:30`.
    pub time: String,
    /// Length.
    pub minutes: String,
}

/// Day, start and length of a record.
#[must_use]
pub fn shown(record: &Map<String, Json>, zone: Zone) -> Shown {
    let Some(start) = instant(record, "start_time") else { return Shown::default() };
    Shown {
        day: zone.day(start).map(|day| day.to_string()).unwrap_or_default(),
        time: zone.time(start),
        minutes: record.get("duration_minutes").map(Json::to_string).unwrap_or_default(),
    }
}

/// The form's controls.
#[must_use]
pub fn inputs(
    record: &Map<String, Json>,
    shown: &Shown,
    choices: Choices,
    posted: Option<&Posted>,
    problems: &Problems,
) -> Vec<Input> {
    let of = |name| shown_text(record, name);
    let status = if of("status").is_empty() { "scheduled" } else { of("status") };
    let statuses = STATUSES.iter().map(|name| Choice::new(*name, text::status(name))).collect();
    let notes = of("notes");
    [
        Input::line("dia", text::DAY, shown.day.as_str()).kind("date"),
        Input::line("start_time", text::TIME, shown.time.as_str()).kind("time"),
        Input::line("duration_minutes", text::MINUTES, shown.minutes.as_str())
            .kind("number")
            .hint(text::MINUTES_HINT),
        Input::line("status", text::STATUS, status).select(statuses),
        Input::line("professional_id", text::PROFESSIONAL, of("professional_id"))
            .select(choices.professionals),
        Input::line("service_type_id", text::SERVICE, of("service_type_id")).select(choices.services),
        Input::line("notes", text::NOTES, notes).area(),
    ]
    .into_iter()
    .map(|input| {
        let input = input.typed(posted, problems);
        if input.name == "notes" { input.moved(notes) } else { input }
    })
    .collect()
}

/// What the form asks for. `usual_minutes` is the chosen procedure's length; of an existing record only touched
/// fields count.
#[must_use]
pub fn read(posted: &Posted, record: &Map<String, Json>, zone: Zone, usual_minutes: Option<i64>) -> Wanted {
    let creates = record.is_empty();
    let touched = |name: &str| if creates { posted.has(name) } else { posted.changed(name) };
    let mut wanted = Wanted::default();
    if touched("dia") || touched("start_time") || touched("duration_minutes") {
        read_span(&mut wanted, posted, record, zone, usual_minutes);
    }
    for name in ["status", "professional_id", "service_type_id"] {
        let typed = posted.trimmed(name);
        if let Some(field) = field(TABLE, name).filter(|_| touched(name) && !(creates && typed.is_empty())) {
            wanted.put(field, text_or_null(typed));
        }
    }
    if let Some(notes) = field(TABLE, "notes") {
        wanted.put_text(notes, posted, shown_text(record, "notes"));
    }
    wanted
}

fn read_span(
    wanted: &mut Wanted,
    posted: &Posted,
    record: &Map<String, Json>,
    zone: Zone,
    usual_minutes: Option<i64>,
) {
    let day = NaiveDate::parse_from_str(posted.trimmed("dia"), "%Y-%m-%d");
    let typed_time = posted.trimmed("start_time");
    let time =
        NaiveTime::parse_from_str(typed_time, "%H:%M").or(NaiveTime::parse_from_str(typed_time, "%H:%M:%S"));
    let typed_minutes = posted.trimmed("duration_minutes");
    let minutes = if typed_minutes.is_empty() {
        Some(usual_minutes.unwrap_or(MINUTES_DEFAULT))
    } else {
        typed_minutes.parse().ok().filter(|minutes| MINUTES.contains(minutes))
    };
    if day.is_err() {
        wanted.refuse("dia", errors::DATE);
    }
    if time.is_err() {
        wanted.refuse("start_time", errors::TIME);
    }
    if minutes.is_none() {
        wanted.refuse("duration_minutes", errors::MINUTES);
    }
    let (Ok(day), Ok(time), Some(minutes)) = (day, time, minutes) else { return };
    // A start nobody touched stays where it is now, even if it moved since the form was drawn.
    let moved = posted.changed("dia") || posted.changed("start_time");
    let start = if moved { None } else { instant(record, "start_time") }.or_else(|| zone.instant(day, time));
    let Some(start) = start else { return wanted.refuse("dia", errors::DATE) };
    let end = start.saturating_add(minutes.saturating_mul(60).saturating_mul(US_PER_SECOND));
    let values = [
        ("start_time", Json::from(instant_text(start))),
        ("end_time", Json::from(instant_text(end))),
        ("duration_minutes", Json::from(minutes)),
    ];
    wanted.set(TABLE, values);
}

pub use crate::read::instant;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn zone() -> Zone {
        Zone::of("America/Sao_Paulo")
    }

    fn posted(pairs: &[(&str, &str)]) -> Posted {
        Posted::new(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    fn record() -> Map<String, Json> {
        let record = json!({"start_time": "2026-11-23T17:30:00Z", "end_time": "2026-11-23T18:00:00Z",
            "duration_minutes": 30, "status": "scheduled"});
        record.as_object().cloned().unwrap()
    }

    #[test]
    fn a_new_appointment_has_start_end_and_length_that_agree() {
        let form = posted(&[
            ("dia", "2026-11-23"),
            ("start_time", "14:30"),
            ("duration_minutes", ""),
            ("status", "scheduled"),
        ]);
        let values = read(&form, &Map::new(), zone(), Some(45)).values();
        assert_eq!(values["start_time"], "2026-11-23T17:30:00Z");
        assert_eq!(values["end_time"], "2026-11-23T18:15:00Z");
        assert_eq!(values["duration_minutes"], 45);
    }

    #[test]
    fn lengthening_keeps_a_start_that_was_moved_elsewhere() {
        let form = posted(&[
            ("dia", "2026-11-23"),
            ("era_dia", "2026-11-23"),
            ("start_time", "13:00"),
            ("era_start_time", "13:00"),
            ("duration_minutes", "60"),
            ("era_duration_minutes", "30"),
        ]);
        let values = read(&form, &record(), zone(), None).values();
        assert_eq!(values["start_time"], "2026-11-23T17:30:00Z");
        assert_eq!(values["end_time"], "2026-11-23T18:30:00Z");
    }

    #[test]
    fn a_wrong_hour_and_length_are_named_each_beside_its_control() {
        let form = posted(&[("dia", "2026-11-23"), ("start_time", "25:00"), ("duration_minutes", "0")]);
        let wanted = read(&form, &Map::new(), zone(), None);
        assert_eq!(wanted.problems.get("start_time"), Some(&errors::TIME));
        assert_eq!(wanted.problems.get("duration_minutes"), Some(&errors::MINUTES));
    }

    #[test]
    fn an_untouched_form_asks_for_nothing() {
        let form = posted(&[
            ("status", "scheduled"),
            ("era_status", "scheduled"),
            ("notes", "a"),
            ("era_notes", "a"),
        ]);
        assert!(read(&form, &record(), zone(), None).ops.is_empty());
    }
}

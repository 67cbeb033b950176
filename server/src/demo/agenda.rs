//! A month of agenda around today, as a front desk would have kept it.
//!
//! Invariant: nobody attends two patients at once, and no patient has two visits on one day.

use super::patients::Patient;
use super::people::{Team, offered};
use super::scribe::{Fields, Scribe, link, money, object, text};
use super::services::{SERVICES, Service};
use chrono::{Datelike, NaiveDate, Weekday};
use neonpro_contract::validate::Invalid;
use neonpro_contract::value::Value;
use std::collections::HashSet;
use uuid::Uuid;

/// Opening hours, minutes of the day.
const OPEN: u32 = 8 * 60;
const CLOSE: u32 = 18 * 60;
const LUNCH: (u32, u32) = (12 * 60, 13 * 60);
/// Appointments begin on the quarter hour.
const STEP: u32 = 15;
const US_PER_MINUTE: i64 = 60 * 1_000_000;

/// An appointment.
#[derive(Debug, Clone)]
pub(super) struct Visit {
    /// The record.
    pub(super) id: Uuid,
    /// Index of the patient.
    pub(super) patient: usize,
    /// Place of the practitioner in the team.
    pub(super) practitioner: usize,
    /// Index of the service.
    pub(super) service: usize,
    /// State.
    pub(super) status: &'static str,
    /// Start, µs.
    pub(super) start_us: i64,
    /// End, µs.
    pub(super) end_us: i64,
}

/// Books `days_before` days until today and `days_after` days ahead.
///
/// # Errors
/// A row that no tablet could have written.
pub(super) fn book(
    scribe: &mut Scribe,
    team: &Team,
    services: &[Uuid],
    patients: &[Patient],
    (days_before, days_after): (u16, u16),
) -> Result<Vec<Visit>, Invalid> {
    let mut visits = Vec::new();
    for offset in -i64::from(days_before)..=i64::from(days_after) {
        if !is_open(scribe.day(offset), offset) {
            continue;
        }
        let mut busy = HashSet::new();
        for (practitioner, person) in team.practitioners().enumerate() {
            let offers: Vec<usize> = (0..SERVICES.len())
                .filter(|index| {
                    SERVICES.get(*index).is_some_and(|service| offered(person.profession, service))
                })
                .collect();
            let mut minute = OPEN;
            while let Some(service) = scribe.random.pick(&offers).copied() {
                let Some(length) = SERVICES.get(service).map(|service| service.minutes) else { break };
                minute = after_lunch(minute, length);
                if minute + length > CLOSE {
                    break;
                }
                let free = !scribe.random.chance(occupancy_percent(offset));
                let patient = draw_patient(scribe, patients, &mut busy);
                let (false, Some(patient)) = (free, patient) else {
                    minute += STEP * 2;
                    continue;
                };
                let start_us = scribe.moment(offset, minute);
                let end_us = start_us + i64::from(length) * US_PER_MINUTE;
                let status = status(scribe, offset, minute, length);
                let id = Uuid::nil();
                visits.push(Visit { id, patient, practitioner, service, status, start_us, end_us });
                minute += length;
            }
        }
    }
    for visit in &mut visits {
        write(scribe, team, services, patients, visit)?;
    }
    Ok(visits)
}

/// Monday to Saturday; and whatever the day is, today and tomorrow, so that there is something to see.
fn is_open(day: NaiveDate, offset: i64) -> bool {
    day.weekday() != Weekday::Sun || matches!(offset, 0 | 1)
}

fn after_lunch(minute: u32, length: u32) -> u32 {
    if minute < LUNCH.1 && minute + length > LUNCH.0 { LUNCH.1 } else { minute }
}

fn occupancy_percent(offset: i64) -> u32 {
    match offset {
        ..=0 => 82,
        1..=3 => 74,
        4..=8 => 58,
        _ => 42,
    }
}

/// A patient without another visit that day.
fn draw_patient(scribe: &mut Scribe, patients: &[Patient], busy: &mut HashSet<usize>) -> Option<usize> {
    for _ in 0..8 {
        let drawn = scribe.random.below(u32::try_from(patients.len()).unwrap_or(0));
        let index = usize::try_from(drawn).ok().filter(|index| *index < patients.len())?;
        if busy.insert(index) {
            return Some(index);
        }
    }
    None
}

/// What became of an appointment, seen from now.
fn status(scribe: &mut Scribe, offset: i64, minute: u32, length: u32) -> &'static str {
    let now = scribe.minute_now();
    let roll = scribe.random.below(100);
    let over = offset < 0 || offset == 0 && minute + length <= now;
    if over {
        return match roll {
            0..=9 => "no_show",
            10..=17 => "cancelled",
            18..=20 => "rescheduled",
            _ => "completed",
        };
    }
    if offset == 0 && minute <= now {
        return "in_progress";
    }
    let confirmed = if offset <= 2 { 62 } else { 18 };
    match roll {
        0..=5 => "cancelled",
        _ if roll < 6 + confirmed => "confirmed",
        _ => "scheduled",
    }
}

/// Writes an appointment and how it got where it is.
fn write(
    scribe: &mut Scribe,
    team: &Team,
    services: &[Uuid],
    patients: &[Patient],
    visit: &mut Visit,
) -> Result<(), Invalid> {
    let Some((service, patient)) = SERVICES.get(visit.service).zip(patients.get(visit.patient)) else {
        return Ok(());
    };
    let lead = scribe.random.between(60, 25 * 24 * 60) * US_PER_MINUTE;
    let latest = (scribe.now.0 - US_PER_MINUTE).min(visit.start_us - 30 * US_PER_MINUTE);
    let booked = (visit.start_us - lead).max(patient.since_us + 30 * US_PER_MINUTE).min(latest);
    visit.id = scribe.random.id(booked);
    let fields = fields(team, services, service, patient, visit);
    scribe.add_as("appointments", visit.id, booked, Some(team.assistant), fields)?;
    let answered = visit.start_us - 20 * 60 * US_PER_MINUTE;
    if matches!(visit.status, "confirmed" | "completed" | "no_show")
        && answered > booked
        && answered < scribe.now.0
    {
        history(scribe, team.assistant, visit.id, answered, ("scheduled", "confirmed"), None)?;
    }
    let closed = visit.end_us.min(scribe.now.0 - US_PER_MINUTE);
    match visit.status {
        "completed" | "no_show" => {
            history(scribe, team.assistant, visit.id, closed, ("confirmed", visit.status), None)?;
        }
        "cancelled" | "rescheduled" => {
            let at = answered.max(booked).min(scribe.now.0);
            history(
                scribe,
                team.assistant,
                visit.id,
                at,
                ("scheduled", visit.status),
                Some("A pedido do paciente"),
            )?;
        }
        _ => {}
    }
    Ok(())
}

fn fields(team: &Team, services: &[Uuid], service: &Service, patient: &Patient, visit: &Visit) -> Fields {
    vec![
        ("patient_id", Value::Uuid(patient.id)),
        ("professional_id", Value::Uuid(team.practitioner(visit.practitioner))),
        ("service_type_id", link(services.get(visit.service).copied())),
        ("status", text(visit.status)),
        ("start_time", Value::Instant(visit.start_us)),
        ("end_time", Value::Instant(visit.end_us)),
        ("duration_minutes", Value::Int(i64::from(service.minutes))),
        ("price", money(service.reais * 100)),
    ]
}

fn history(
    scribe: &mut Scribe,
    by: Uuid,
    appointment: Uuid,
    at_us: i64,
    (was, is): (&str, &str),
    reason: Option<&str>,
) -> Result<Uuid, Invalid> {
    let fields = vec![
        ("appointment_id", Value::Uuid(appointment)),
        ("changed_by", Value::Uuid(by)),
        ("change_type", text("status")),
        ("old_values", object([("status", was.into())])),
        ("new_values", object([("status", is.into())])),
        ("change_reason", reason.map_or(Value::Null, text)),
        ("changed_at", Value::Instant(at_us)),
    ];
    scribe.add("appointment_history", at_us, Some(by), fields)
}

//! Writes one unit: the clinic, its staff, its patients, its appointments.

use super::read::{Person, Visit, at};
use super::slots::{Cell, SLOT_MINUTES};
use super::unit::Unit;
use super::{clinic_id, keys};
use crate::import::writer::{Tally, Writer, record};
use crate::import::{ImportError, Run, local_time};
use crate::store::load::LoadRecord;
use chrono::NaiveDate;
use neonpro_contract::ids::ClinicId;
use neonpro_contract::value::Value;
use std::fmt::Write as _;
use uuid::Uuid;

/// Words that stay small within a name.
const SMALL: [&str; 6] = ["da", "das", "de", "do", "dos", "e"];

/// Writes a unit; how many of its appointments were taken.
///
/// # Errors
/// A database failure, or the caller wants to stop.
pub(super) async fn unit(
    run: &mut Run<'_>,
    unit: &Unit<'_>,
    people: &[Person],
    network: Uuid,
    tally: &mut Tally,
) -> Result<u64, ImportError> {
    let clinic = clinic_id(unit.name);
    let mut writer = Writer::new(ClinicId(clinic));
    let nowhere = at(1, "Neighbourhood");
    writer.add(run, tally, clinic_record(unit, clinic, network)?, nowhere).await?;
    for number in 0..unit.professionals {
        writer.add(run, tally, professional(unit, number)?, nowhere).await?;
    }
    for number in 0..unit.professionals {
        writer.add(run, tally, membership(unit, number)?, nowhere).await?;
    }
    for (person, (since_us, line)) in &unit.patients {
        let Some(who) = people.get(*person) else { continue };
        writer.add(run, tally, patient(unit, *person, who, *since_us)?, at(*line, "")).await?;
    }
    let mut taken = 0u64;
    for (visit, cell) in &unit.visits {
        let Some(who) = people.get(visit.person) else { continue };
        let record = appointment(unit, visit, who, *cell)?;
        taken = taken.saturating_add(u64::from(writer.add(run, tally, record, at(visit.line, "")).await?));
    }
    writer.flush(run, tally).await?;
    Ok(taken)
}

fn clinic_record(unit: &Unit<'_>, clinic: Uuid, network: Uuid) -> Result<LoadRecord, ImportError> {
    let fields = vec![
        ("name", text(format!("Unidade {}", readable(unit.name)))),
        ("is_active", Value::Bool(true)),
        ("network_id", Value::Uuid(network)),
        ("timezone", text("America/Sao_Paulo")),
    ];
    record("clinics", clinic, unit.since_us, fields)
}

fn professional(unit: &Unit<'_>, number: usize) -> Result<LoadRecord, ImportError> {
    let shown = number.saturating_add(1);
    let fields = vec![
        ("name", text(format!("Profissional {shown:02}"))),
        ("email", text(format!("profissional.{shown:02}@example.com"))),
        ("professional_type", text("nurse")),
        ("council_type", text("COREN")),
        // The registry wants a number; this one says that there is none.
        ("council_number", text("000000")),
        ("council_state", text("ES")),
        ("bio", text("Registro sintético: a fonte dos agendamentos não informa profissionais.")),
        ("is_active", Value::Bool(true)),
    ];
    record("professionals", professional_id(unit, number), unit.since_us, fields)
}

fn membership(unit: &Unit<'_>, number: usize) -> Result<LoadRecord, ImportError> {
    let professional = professional_id(unit, number);
    let id = keys::id("no_show membership", &[unit.name, &number.to_string()]);
    let fields = vec![
        ("professional_id", Value::Uuid(professional)),
        ("role", text("professional")),
        ("is_active", Value::Bool(true)),
    ];
    record("clinic_professionals", id, unit.since_us, fields)
}

fn patient(unit: &Unit<'_>, number: usize, who: &Person, since_us: i64) -> Result<LoadRecord, ImportError> {
    // The first of January of the year that the age implies: a person of that age on the day of the visit.
    let born = who.born.and_then(|(_, year)| NaiveDate::from_ymd_opt(year, 1, 1));
    let fields = vec![
        ("name", text(format!("Paciente {:06}", number.saturating_add(1)))),
        ("date_of_birth", born.map_or(Value::Null, Value::Date)),
        ("gender", who.gender.map_or(Value::Null, text)),
        ("is_active", Value::Bool(true)),
    ];
    record("patients", patient_id(unit, who), since_us, fields)
}

fn appointment(unit: &Unit<'_>, visit: &Visit, who: &Person, cell: Cell) -> Result<LoadRecord, ImportError> {
    let start = local_time::minute_us(visit.day, cell.minute);
    let end = local_time::minute_us(visit.day, cell.minute.saturating_add(SLOT_MINUTES));
    let fields = vec![
        ("patient_id", Value::Uuid(patient_id(unit, who))),
        ("professional_id", Value::Uuid(professional_id(unit, cell.professional))),
        ("status", text(if visit.came { "completed" } else { "no_show" })),
        ("start_time", Value::Instant(start)),
        ("end_time", Value::Instant(end)),
        ("duration_minutes", Value::Int(i64::from(SLOT_MINUTES))),
        ("ai_intervention_sent", Value::Bool(visit.reminded)),
    ];
    record("appointments", keys::id("no_show appointment", &[visit.key.as_str()]), visit.booked_us, fields)
}

fn professional_id(unit: &Unit<'_>, number: usize) -> Uuid {
    keys::id("no_show professional", &[unit.name, &number.to_string()])
}

fn patient_id(unit: &Unit<'_>, who: &Person) -> Uuid {
    keys::id("no_show patient", &[unit.name, who.key.as_str()])
}

fn text(text: impl Into<String>) -> Value {
    Value::Text(text.into())
}

/// A name in capitals as people write it.
fn readable(shouted: &str) -> String {
    let mut name = String::with_capacity(shouted.len());
    for (place, word) in shouted.to_lowercase().split_whitespace().enumerate() {
        if place > 0 {
            name.push(' ');
        }
        let mut letters = word.chars();
        match letters.next() {
            Some(first) if place == 0 || !SMALL.contains(&word) => {
                let _ = write!(name, "{}{}", first.to_uppercase(), letters.as_str());
            }
            _ => name.push_str(word),
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_named_as_people_write_it() {
        assert_eq!(readable("JARDIM DA PENHA"), "Jardim da Penha");
        assert_eq!(readable("ILHAS OCEÂNICAS DE TRINDADE"), "Ilhas Oceânicas de Trindade");
        assert_eq!(readable("ÁGUA  VERDE"), "Água Verde");
    }
}

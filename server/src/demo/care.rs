//! Plans of care with their sessions and assessments: only of patients whose consent to care stands.

use super::agenda::Visit;
use super::patients::Patient;
use super::people::{Team, offered};
use super::scribe::{Fields, Scribe, link, mark, money, object, text, texts};
use super::services::{Class, SERVICES, Service};
use super::stock::Stocked;
use neonpro_contract::validate::Invalid;
use neonpro_contract::value::Value;
use std::collections::HashMap;
use uuid::Uuid;

const PLANNED_PERCENT: u32 = 30;
const US_PER_DAY: i64 = 86_400 * 1_000_000;

const GOALS: &[&str] = &[
    "suavizar linhas de expressão",
    "melhorar textura da pele",
    "reduzir manchas",
    "definir contorno facial",
    "controlar oleosidade",
    "reduzir flacidez",
];
const NOTES: &[&str] = &[
    "Procedimento sem intercorrências. Orientada sobre cuidados nas próximas 48 horas.",
    "Boa tolerância. Aplicada compressa fria ao final.",
    "Leve eritema esperado. Retorno combinado.",
    "Parâmetros reduzidos pela sensibilidade relatada.",
];
const OUTCOMES: &[&str] =
    &["Resultado dentro do esperado", "Boa resposta ao tratamento", "Resposta parcial, manter plano"];
const FEEDBACK: &[&str] =
    &["Gostou do resultado", "Sentiu pouca dor", "Percebeu melhora da textura", "Sem queixas"];

/// What a clinic's plans are made from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clinic<'a> {
    /// Its staff.
    pub(super) team: &'a Team,
    /// Ids of the services.
    pub(super) services: &'a [Uuid],
    /// Its products.
    pub(super) stocked: &'a [Stocked],
    /// Its patients.
    pub(super) patients: &'a [Patient],
    /// Its agenda.
    pub(super) visits: &'a [Visit],
}

/// Writes plans, sessions and assessments.
///
/// # Errors
/// A row that no tablet could have written.
pub(super) fn plans(scribe: &mut Scribe, clinic: Clinic<'_>) -> Result<(), Invalid> {
    let done: HashMap<usize, &Visit> = clinic
        .visits
        .iter()
        .filter(|visit| visit.status == "completed")
        .map(|visit| (visit.patient, visit))
        .collect();
    for (index, patient) in clinic.patients.iter().enumerate() {
        if patient.treatment && scribe.random.chance(PLANNED_PERCENT) {
            plan(scribe, clinic, patient, done.get(&index).copied())?;
        }
    }
    Ok(())
}

fn plan(
    scribe: &mut Scribe,
    clinic: Clinic<'_>,
    patient: &Patient,
    visit: Option<&Visit>,
) -> Result<(), Invalid> {
    let place = visit
        .map_or_else(|| usize::try_from(scribe.random.below(4)).unwrap_or(0), |visit| visit.practitioner);
    let Some(person) = clinic.team.practitioners().nth(place) else { return Ok(()) };
    let suits =
        |service: &Service| offered(person.profession, service) && service.class != Class::Consultation;
    let fitting: Vec<usize> =
        SERVICES.iter().enumerate().filter(|(_, service)| suits(service)).map(|(index, _)| index).collect();
    let Some(service) = scribe.random.pick(&fitting).copied() else { return Ok(()) };
    let sessions = scribe.random.between(2, 6);
    // Sessions lie three weeks apart; the last one that took place is the visit in the agenda, if there is one.
    let (days, quarter) = (-scribe.random.between(16, 40), scribe.random.below(36));
    let recent = scribe.moment(days, 8 * 60 + quarter * 15);
    let last = visit.map_or(recent, |visit| visit.start_us);
    let since = (last - sessions * 21 * US_PER_DAY).max(patient.since_us + US_PER_DAY).min(last);
    let status = match scribe.random.below(100) {
        0..=54 => "active",
        55..=79 => "completed",
        80..=87 => "on_hold",
        88..=93 => "cancelled",
        _ => "draft",
    };
    let author = Some(person.id.0);
    let id = scribe.random.id(since);
    let fields = plan_fields(scribe, patient, person.id.0, service, sessions, (since, last), status);
    scribe.add_as("treatment_plans", id, since, author, fields)?;
    let found = vec![
        ("treatment_plan_id", Value::Uuid(id)),
        ("assessment_type", text("avaliacao_inicial")),
        ("assessment_data", object([("pele", "mista".into()), ("queixa", scribe.random.word(GOALS).into())])),
        ("performed_by", Value::Uuid(person.id.0)),
        ("performed_at", Value::Instant(since)),
    ];
    scribe.add("treatment_assessments", since, author, found)?;
    if status == "draft" {
        return Ok(());
    }
    let had = if status == "completed" { sessions } else { scribe.random.between(1, sessions) };
    for number in 1..=had {
        let at = last - (had - number) * 21 * US_PER_DAY;
        if at < since {
            continue;
        }
        let visit = visit.filter(|_| number == had);
        session(
            scribe,
            clinic,
            (id, person.id.0),
            number,
            visit.map_or(service, |visit| visit.service),
            (at, visit),
        )?;
    }
    Ok(())
}

fn plan_fields(
    scribe: &mut Scribe,
    patient: &Patient,
    person: Uuid,
    service: usize,
    sessions: i64,
    (since, last): (i64, i64),
    status: &'static str,
) -> Fields {
    let (name, reais) = SERVICES.get(service).map_or(("", 0), |service| (service.name, service.reais));
    let day = |at| Value::Date(crate::import::local_time::civil(at).date());
    let mut fields = vec![
        ("patient_id", Value::Uuid(patient.id)),
        ("professional_id", Value::Uuid(person)),
        ("title", text(format!("{name}, {sessions} sessões"))),
        ("description", text("Plano combinado em consulta, com reavaliação ao final.")),
        ("treatment_goals", texts(&[scribe.random.word(GOALS), scribe.random.word(GOALS)])),
        ("status", text(status)),
        ("start_date", day(since)),
        ("estimated_completion_date", day(last + 30 * US_PER_DAY)),
        ("total_cost", money(reais * sessions * 100)),
    ];
    if status == "completed" {
        fields.push(("actual_completion_date", day(last)));
        fields.push(("patient_satisfaction", mark(scribe.random.between(30, 50))));
    }
    fields
}

fn session(
    scribe: &mut Scribe,
    clinic: Clinic<'_>,
    (plan, person): (Uuid, Uuid),
    number: i64,
    service: usize,
    (at, visit): (i64, Option<&Visit>),
) -> Result<(), Invalid> {
    let used = SERVICES.get(service).and_then(|service| service.uses);
    let used = used.and_then(|(product, amount)| clinic.stocked.get(product).map(|stock| (stock, amount)));
    let key = scribe.random.id(at).to_string();
    let mut fields = vec![
        ("treatment_plan_id", Value::Uuid(plan)),
        ("appointment_id", link(visit.map(|visit| visit.id))),
        ("session_number", Value::Int(number)),
        ("procedure_id", link(clinic.services.get(service).copied())),
        ("notes", text(scribe.random.word(NOTES))),
        ("outcome", text(scribe.random.word(OUTCOMES))),
        ("patient_feedback", text(scribe.random.word(FEEDBACK))),
        ("satisfaction_rating", mark(scribe.random.between(35, 50))),
        ("session_date", Value::Instant(at)),
        ("performed_by", Value::Uuid(person)),
    ];
    if let Some((stock, amount)) = used {
        let quantity = rust_decimal::Decimal::new(amount, 3).to_string();
        let product = serde_json::json!({
            "product_id": stock.id.to_string(), "lot_id": stock.lot.to_string(), "quantity": quantity
        });
        fields.push(("products_used", object([(key.as_str(), product)])));
    }
    if scribe.random.chance(14) {
        fields.push(("side_effects", texts(&["eritema leve"])));
    }
    // A record is closed two days after the session.
    if at + 2 * US_PER_DAY < scribe.now.0 {
        fields.push(("locked_at", Value::Instant(at + 2 * US_PER_DAY)));
        fields.push(("locked_by", Value::Uuid(person)));
    }
    scribe.add("treatment_sessions", at, Some(person), fields)?;
    Ok(())
}

//! How professionals work together: teams, protocols, referrals, joint sessions, conversations.

use super::patients::Patient;
use super::people::Team;
use super::scribe::{Fields, Scribe, link, object, text, texts};
use neonpro_contract::validate::Invalid;
use neonpro_contract::value::Value;
use uuid::Uuid;

const US_PER_HOUR: i64 = 3_600 * 1_000_000;
const REFERRALS: usize = 14;
const SESSIONS: usize = 8;

const ASKED: &[&str] = &[
    "Avaliar lesão pigmentada antes do laser",
    "Melasma resistente, pedir conduta conjunta",
    "Edema persistente após preenchimento",
    "Queda capilar, investigar causa",
];
const SAID: &[&str] = &[
    "Vi a paciente hoje, pele sem sinais de inflamação.",
    "Podemos manter o intervalo de três semanas.",
    "Sugiro reduzir a energia na próxima sessão.",
    "Combinado, registrei no plano.",
    "Pedi retorno em 15 dias para reavaliar.",
];

/// Writes everything of this kind. `elsewhere` is another clinic of the network.
///
/// # Errors
/// A row that no tablet could have written.
pub(super) fn work(
    scribe: &mut Scribe,
    team: &Team,
    patients: &[Patient],
    elsewhere: Uuid,
) -> Result<(), Invalid> {
    let group = teams(scribe, team)?;
    protocols(scribe, team)?;
    let treated: Vec<Patient> = patients.iter().filter(|patient| patient.treatment).copied().collect();
    let mut referral = None;
    for number in 0..REFERRALS {
        let shared = number == 0;
        let of = |patient: &&Patient| !shared || patient.sharing;
        let fitting: Vec<Patient> = treated.iter().filter(of).copied().collect();
        let Some(patient) = scribe.random.pick(&fitting).copied() else { continue };
        referral = Some((refer(scribe, team, &patient, shared.then_some(elsewhere))?, patient.id));
    }
    let mut session = None;
    for number in 0..SESSIONS {
        let Some(patient) = scribe.random.pick(&treated).copied() else { continue };
        session = Some((meet(scribe, team, group, &patient, number)?, patient.id));
    }
    let (referral, session) = (referral.unzip(), session.unzip());
    conversation(
        scribe,
        team,
        group,
        Talk { patient: referral.1, referral: referral.0, ..Talk::of("Encaminhamento") },
    )?;
    conversation(
        scribe,
        team,
        group,
        Talk { patient: session.1, session: session.0, ..Talk::of("Sessão conjunta") },
    )?;
    conversation(scribe, team, group, Talk { context: "administrative", ..Talk::of("Escala de férias") })?;
    for _ in 0..12 {
        let patient = scribe.random.pick(&treated).map(|patient| patient.id);
        conversation(scribe, team, group, Talk { patient, ..Talk::of("Evolução do plano") })?;
    }
    Ok(())
}

fn teams(scribe: &mut Scribe, team: &Team) -> Result<Uuid, Invalid> {
    let at = scribe.moment(-800, 9 * 60);
    let fields = vec![
        ("name", text("Equipe de procedimentos")),
        ("description", text("Discute casos e acompanha intercorrências")),
        ("team_type", text("multidisciplinary")),
        ("is_active", Value::Bool(true)),
    ];
    let id = scribe.add("professional_teams", at, Some(team.admin), fields)?;
    let people: Vec<Uuid> = team.practitioners().map(|person| person.id.0).collect();
    for (place, person) in people.into_iter().enumerate() {
        let fields = vec![
            ("team_id", Value::Uuid(id)),
            ("professional_id", Value::Uuid(person)),
            ("role", text(if place == 0 { "leader" } else { "member" })),
            ("joined_at", Value::Instant(at)),
            ("is_active", Value::Bool(true)),
        ];
        scribe.add("team_members", at, Some(team.admin), fields)?;
    }
    Ok(id)
}

fn protocols(scribe: &mut Scribe, team: &Team) -> Result<(), Invalid> {
    let at = scribe.moment(-700, 9 * 60);
    let kinds = [
        ("Suspeita de oclusão vascular", "emergency", "dor intensa ou palidez após injetável"),
        ("Encaminhamento entre profissionais", "referral", "achado fora do escopo de quem atende"),
    ];
    for (name, kind, trigger) in kinds {
        let fields = vec![
            ("name", text(name)),
            ("protocol_type", text(kind)),
            ("trigger_conditions", texts(&[trigger])),
            ("required_professions", texts(&["doctor", "nurse"])),
            (
                "workflow_steps",
                object([("1", "interromper o procedimento".into()), ("2", "chamar a equipe médica".into())]),
            ),
            ("timeline_requirements", object([("resposta_minutos", 10.into())])),
            ("documentation_requirements", texts(&["registro da intercorrência"])),
            ("is_active", Value::Bool(true)),
            ("version", Value::Int(1)),
        ];
        scribe.add("coordination_protocols", at, Some(team.admin), fields)?;
    }
    Ok(())
}

fn refer(
    scribe: &mut Scribe,
    team: &Team,
    patient: &Patient,
    elsewhere: Option<Uuid>,
) -> Result<Uuid, Invalid> {
    let days = -scribe.random.between(1, 18);
    let at = scribe.moment(days, 14 * 60).max(patient.since_us + US_PER_HOUR);
    let (from, to) = (scribe.random.below(3) + 1, 0);
    let from = team.practitioner(usize::try_from(from).unwrap_or(1));
    let answered =
        scribe.random.word(&["pending", "accepted", "accepted", "declined", "completed", "completed"]);
    // One that leaves the clinic waits for its answer: accepting it opens a share.
    let status = if elsewhere.is_some() { "pending" } else { answered };
    let mut fields: Fields = vec![
        ("patient_id", Value::Uuid(patient.id)),
        ("referring_professional_id", Value::Uuid(from)),
        ("referral_type", text(scribe.random.word(&["consultation", "assessment", "second_opinion"]))),
        ("reason", text(scribe.random.word(ASKED))),
        ("urgency_level", text(scribe.random.word(&["low", "medium", "medium", "high"]))),
        ("status", text(status)),
        ("receiving_clinic_id", link(elsewhere)),
    ];
    if elsewhere.is_none() {
        fields.push(("referred_professional_id", Value::Uuid(team.practitioner(to))));
    }
    if status != "pending" {
        fields.push(("response_notes", text("Avaliado, conduta registrada no prontuário.")));
    }
    scribe.add("professional_referrals", at, Some(from), fields)
}

fn meet(
    scribe: &mut Scribe,
    team: &Team,
    group: Uuid,
    patient: &Patient,
    number: usize,
) -> Result<Uuid, Invalid> {
    let past = number.is_multiple_of(2);
    let days = if past { -scribe.random.between(2, 14) } else { scribe.random.between(1, 12) };
    let start = scribe.moment(days, 18 * 60);
    let end = start + US_PER_HOUR / 2;
    let at = (start.min(scribe.now.0) - 72 * US_PER_HOUR).max(patient.since_us + US_PER_HOUR);
    let mut fields = vec![
        ("patient_id", Value::Uuid(patient.id)),
        ("team_id", Value::Uuid(group)),
        ("session_type", text(if past { "assessment" } else { "planning" })),
        ("title", text("Discussão de caso")),
        ("scheduled_start", Value::Instant(start)),
        ("scheduled_end", Value::Instant(end)),
        ("status", text(if past { "completed" } else { "scheduled" })),
        ("location", text("Sala de reuniões")),
        ("facilitator_id", Value::Uuid(team.practitioner(0))),
    ];
    if past {
        fields.extend([("actual_start", Value::Instant(start)), ("actual_end", Value::Instant(end))]);
    }
    scribe.add("collaborative_sessions", at, Some(team.practitioner(0)), fields)
}

/// What a conversation is about.
#[derive(Debug, Clone, Copy)]
struct Talk {
    subject: &'static str,
    context: &'static str,
    patient: Option<Uuid>,
    referral: Option<Uuid>,
    session: Option<Uuid>,
}

impl Talk {
    fn of(subject: &'static str) -> Self {
        Self { subject, context: "patient_care", patient: None, referral: None, session: None }
    }
}

fn conversation(scribe: &mut Scribe, team: &Team, group: Uuid, talk: Talk) -> Result<(), Invalid> {
    let days = -scribe.random.between(1, 12);
    let mut at = scribe.moment(days, 13 * 60);
    let opener = team.practitioner(0);
    let fields = vec![
        ("patient_id", link(talk.patient)),
        ("team_id", Value::Uuid(group)),
        ("session_id", link(talk.session)),
        ("referral_id", link(talk.referral)),
        ("subject", text(talk.subject)),
        ("context_type", text(talk.context)),
        ("priority", text(scribe.random.word(&["low", "normal", "normal", "high"]))),
        ("status", text(scribe.random.word(&["active", "active", "resolved"]))),
        ("created_by", Value::Uuid(opener)),
    ];
    let thread = scribe.add("coordination_threads", at, Some(opener), fields)?;
    for _ in 0..scribe.random.between(2, 5) {
        at += scribe.random.between(2, 180) * 60 * 1_000_000;
        let speaker = usize::try_from(scribe.random.below(3)).unwrap_or(0);
        let (speaker, listener) = (team.practitioner(speaker), team.practitioner(speaker + 1));
        let urgent = scribe.random.chance(20);
        let read = urgent && scribe.random.chance(70);
        let fields = vec![
            ("thread_id", Value::Uuid(thread)),
            ("professional_id", Value::Uuid(speaker)),
            ("message_type", text("text")),
            ("content", text(scribe.random.word(SAID))),
            ("requires_acknowledgment", Value::Bool(urgent)),
            ("acknowledged_by", Value::Uuids(if read { vec![listener] } else { Vec::new() })),
            ("acknowledged_at", if read { Value::Instant(at + US_PER_HOUR) } else { Value::Null }),
        ];
        scribe.add("coordination_messages", at, Some(speaker), fields)?;
    }
    Ok(())
}

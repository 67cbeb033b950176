//! Patients, what they consented to, and their files.

use super::identity;
use super::people::Team;
use super::places::Place;
use super::scribe::{Fields, Scribe, object, text, texts};
use neonpro_contract::validate::Invalid;
use neonpro_contract::value::Value;
use ring::digest::{SHA256, digest};
use std::collections::HashSet;
use std::fmt::Write as _;
use uuid::Uuid;

/// What the rest of the demo must know of a patient.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patient {
    /// The record.
    pub(super) id: Uuid,
    /// When registered, µs.
    pub(super) since_us: i64,
    /// Consents to care, and never withdrew it.
    pub(super) treatment: bool,
    /// Consents to photographs.
    pub(super) photography: bool,
    /// Consents to sharing within the network.
    pub(super) sharing: bool,
}

/// Consent types and how many of 100 patients grant each; and how many of 100 grants are withdrawn later.
const CONSENTS: [(&str, u32); 5] =
    [("treatment", 92), ("photography", 60), ("marketing", 40), ("data_sharing", 25), ("research", 8)];
const WITHDRAWN_PERCENT: u32 = 4;
const ALLERGIC_PERCENT: u32 = 15;

const ALLERGIES: &[&str] = &[
    "dipirona",
    "penicilina",
    "lidocaína",
    "látex",
    "ácido acetilsalicílico",
    "iodo",
    "frutos do mar",
    "níquel",
    "sulfa",
];
const MEDICINES: &[&str] = &[
    "anticoncepcional oral",
    "levotiroxina",
    "losartana",
    "metformina",
    "isotretinoína",
    "sertralina",
    "vitamina D",
];
const CONDITIONS: &[&str] =
    &["hipertensão", "diabetes tipo 2", "hipotireoidismo", "asma", "enxaqueca", "melasma", "rosácea"];
const PHOTOTYPES: &[&str] = &["I", "II", "II", "III", "III", "III", "IV", "IV", "V", "VI"];
const KINSWOMEN: &[&str] = &["mãe", "irmã", "filha", "cônjuge", "amiga"];
const KINSMEN: &[&str] = &["pai", "irmão", "filho", "cônjuge", "amigo"];
const REASONS: &[&str] = &["Não quer mais contato", "Mudou de cidade", "Prefere não autorizar"];

/// Registers patients.
///
/// # Errors
/// A row that no tablet could have written.
pub(super) fn register(
    scribe: &mut Scribe,
    place: &Place,
    team: &Team,
    count: u32,
) -> Result<Vec<Patient>, Invalid> {
    let mut taken = HashSet::new();
    let mut patients = Vec::with_capacity(usize::try_from(count).unwrap_or(0));
    for number in 0..count {
        let days = -scribe.random.between(20, 1_100);
        let minute = 8 * 60 + scribe.random.below(600);
        let at = scribe.moment(days, minute);
        let consents: Vec<&'static str> = CONSENTS
            .iter()
            .filter(|(_, percent)| scribe.random.chance(*percent))
            .map(|(kind, _)| *kind)
            .collect();
        let fields = fields(scribe, place, number, &mut taken, consents.contains(&"treatment"));
        let id = scribe.add("patients", at, Some(team.assistant), fields)?;
        let withdrawn = consent(scribe, team, id, at, &consents)?;
        let holds = |kind: &str| consents.contains(&kind) && !withdrawn.contains(&kind);
        let patient = Patient {
            id,
            since_us: at,
            treatment: holds("treatment"),
            photography: holds("photography"),
            sharing: holds("data_sharing"),
        };
        files(scribe, team, &patient)?;
        patients.push(patient);
    }
    Ok(patients)
}

fn fields(
    scribe: &mut Scribe,
    place: &Place,
    number: u32,
    taken: &mut HashSet<String>,
    treated: bool,
) -> Fields {
    let born = scribe.random.between(-75 * 365, -18 * 365);
    let birth = scribe.day(born);
    let random = &mut scribe.random;
    let person = identity::person(random, 82);
    let (ddd, phototype) = (place.ddd, random.word(PHOTOTYPES));
    let contact = identity::person(random, 60);
    let kin = random.word(if contact.gender == "female" { KINSWOMEN } else { KINSMEN });
    let mut fields = vec![
        ("email", text(identity::email(&person.name, number + 100))),
        ("phone", text(identity::phone(random, ddd))),
        ("date_of_birth", Value::Date(birth)),
        ("gender", text(person.gender)),
        ("name", text(person.name)),
        ("address", text(identity::address(random, place))),
        ("is_active", Value::Bool(true)),
    ];
    fields.push((
        "emergency_contact",
        object([
            ("name", contact.name.into()),
            ("relation", kin.into()),
            ("phone", identity::phone(random, ddd).into()),
        ]),
    ));
    // A few are foreigners or did not bring it.
    if random.chance(97) {
        fields.extend(identity::cpf(random, place, taken).map(|cpf| ("cpf", text(cpf))));
    }
    if random.chance(12) {
        fields.extend(identity::cns(random).map(|cns| ("cns", text(cns))));
    }
    if random.chance(ALLERGIC_PERCENT) {
        fields.push(("allergies", texts(&[random.word(ALLERGIES), random.word(ALLERGIES)])));
    }
    if treated {
        fields.extend([("skin_type", text(phototype)), ("fitzpatrick_scale", text(phototype))]);
        if random.chance(30) {
            fields.push(("medications", texts(&[random.word(MEDICINES)])));
        }
        if random.chance(25) {
            let history =
                [("conditions", random.word(CONDITIONS).into()), ("smoker", random.chance(20).into())];
            fields.push(("medical_history", object(history)));
        }
        if random.chance(10) {
            fields.push(("notes", text("Pele sensível. Orientada a usar filtro solar diariamente.")));
        }
    }
    fields
}

/// Writes grants, and some withdrawals; which purposes were withdrawn.
fn consent(
    scribe: &mut Scribe,
    team: &Team,
    patient: Uuid,
    since_us: i64,
    kinds: &[&'static str],
) -> Result<Vec<&'static str>, Invalid> {
    let mut withdrawn = Vec::new();
    for kind in kinds.iter().copied() {
        let at = since_us + 10 * 60 * 1_000_000;
        let granted = vec![
            ("patient_id", Value::Uuid(patient)),
            ("consent_type", text(kind)),
            ("consent_given", Value::Bool(true)),
            ("consent_date", Value::Instant(at)),
            ("version", Value::Int(1)),
            ("consent_document_url", text(address_of(&format!("termo {kind} {patient}")))),
        ];
        scribe.add("data_consent_records", at, Some(team.assistant), granted)?;
        if !scribe.random.chance(WITHDRAWN_PERCENT) {
            continue;
        }
        let days = -scribe.random.between(1, 15);
        let at = scribe.moment(days, 11 * 60);
        let taken_back = vec![
            ("patient_id", Value::Uuid(patient)),
            ("consent_type", text(kind)),
            ("consent_given", Value::Bool(false)),
            ("withdrawn_at", Value::Instant(at)),
            ("withdrawn_reason", text(scribe.random.word(REASONS))),
            ("version", Value::Int(1)),
        ];
        scribe.add("data_consent_records", at, Some(team.assistant), taken_back)?;
        withdrawn.push(kind);
    }
    Ok(withdrawn)
}

/// Files: consent forms, identity documents, and what only consent allows.
fn files(scribe: &mut Scribe, team: &Team, patient: &Patient) -> Result<(), Invalid> {
    let kinds: [(&str, &str, u32, bool); 4] = [
        ("consent_form", "Termo de consentimento assinado", 12, true),
        ("identity_document", "Documento de identidade", 6, true),
        ("exam", "Exames laboratoriais", 5, patient.treatment),
        ("photo", "Fotografia frontal, antes", 6, patient.photography),
    ];
    for (kind, title, percent, allowed) in kinds {
        if !scribe.random.chance(percent) || !allowed {
            continue;
        }
        let at = patient.since_us + 20 * 60 * 1_000_000;
        let id = scribe.random.id(at);
        let fields = vec![
            ("patient_id", Value::Uuid(patient.id)),
            ("document_type", text(kind)),
            ("title", text(title)),
            ("file_url", text(address_of(&format!("{kind} {id}")))),
            ("version", Value::Int(1)),
            ("is_current", Value::Bool(true)),
            ("uploaded_by", Value::Uuid(team.practitioner(0))),
            ("uploaded_at", Value::Instant(at)),
        ];
        scribe.add_as("patient_documents", id, at, Some(team.practitioner(0)), fields)?;
    }
    Ok(())
}

/// A content address. The demo brings no files: nothing is found behind it.
fn address_of(content: &str) -> String {
    let hash = digest(&SHA256, content.as_bytes());
    hash.as_ref().iter().fold(String::from("sha256:"), |mut address, byte| {
        let _ = write!(address, "{byte:02x}");
        address
    })
}

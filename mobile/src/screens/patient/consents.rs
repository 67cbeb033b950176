//! Consents of a patient: where each purpose stands, granting and withdrawing. A ledger: nothing is ever edited.

use super::{Typed, redraw};
use crate::app::App;
use crate::failure::Failure;
use crate::forms::{Posted, Wanted};
use crate::text;
use crate::visit::{Visit, done};
use crate::write::{Outcome, create};
use crate::zone::Zone;
use axum::extract::{Path, State};
use axum::response::Response;
use neonpro_client_core::{Replica, ReplicaError};
use neonpro_contract::catalogue::Purpose;
use neonpro_contract::consent::Standing;
use neonpro_contract::edit::FieldOp;
use neonpro_contract::ids::{PatientId, RecordId};
use neonpro_contract::value::instant_text;
use serde_json::{Value as Json, json};

const TABLE: &str = "data_consent_records";
/// Purposes a patient decides on, in the order they are asked for.
const PURPOSES: [Purpose; 5] =
    [Purpose::Treatment, Purpose::Photography, Purpose::DataSharing, Purpose::Marketing, Purpose::Research];

/// One purpose on the card.
pub(super) struct ConsentView {
    /// Stable name.
    pub purpose: &'static str,
    /// In words.
    pub label: &'static str,
    /// Where it stands, in words.
    pub standing: String,
    /// Tone.
    pub tone: &'static str,
    /// Whether it is in force.
    pub granted: bool,
    /// A reason that was typed and not saved.
    pub typed_reason: String,
    /// The text that was signed, by its address.
    pub document: Option<String>,
}

/// Every purpose of a patient.
pub(super) fn list(
    replica: &Replica,
    zone: Zone,
    patient: &str,
    typed: Option<&Posted>,
) -> Result<Vec<ConsentView>, Failure> {
    PURPOSES
        .into_iter()
        .map(|purpose| {
            let standing = standing(replica, patient, purpose)?;
            let (words, tone, granted) = words(standing, zone);
            let typed = typed.filter(|posted| posted.get("finalidade") == purpose.name());
            Ok(ConsentView {
                purpose: purpose.name(),
                label: text::patient::purpose(purpose.name()),
                standing: words,
                tone,
                granted,
                document: crate::screens::term::find_document(replica, patient, purpose.name())?,
                typed_reason: typed.map(|posted| posted.get("motivo").to_owned()).unwrap_or_default(),
            })
        })
        .collect()
}

fn standing(replica: &Replica, patient: &str, purpose: Purpose) -> Result<Standing, ReplicaError> {
    let Ok(patient) = patient.parse::<PatientId>() else { return Ok(Standing::Never) };
    let standings = replica.consent(patient)?;
    let found = standings.into_iter().find(|standing| standing.purpose == purpose);
    Ok(found.map_or(Standing::Never, |found| found.standing))
}

fn words(standing: Standing, zone: Zone) -> (String, &'static str, bool) {
    let on = |words: &str, at_us| format!("{words} {}", zone.date(at_us));
    match standing {
        Standing::Never => (text::patient::CONSENT_NEVER.to_owned(), "grey", false),
        Standing::Expired { at_us } => (on(text::patient::CONSENT_EXPIRED, at_us), "amber", false),
        Standing::Granted { since_us, .. } => (on(text::patient::CONSENT_SINCE, since_us), "ok", true),
        Standing::Withdrawn { at_us, .. } => (on(text::patient::CONSENT_WITHDRAWN, at_us), "amber", false),
    }
}

/// What a person should know before writing clinical records of this patient.
///
/// # Errors
/// What the replica reports.
pub fn care_warning(replica: &Replica, patient: &str) -> Result<Option<&'static str>, ReplicaError> {
    Ok(match standing(replica, patient, Purpose::Treatment)? {
        Standing::Never | Standing::Expired { .. } => Some(text::patient::NO_TREATMENT_CONSENT),
        Standing::Granted { .. } => None,
        Standing::Withdrawn { .. } => Some(text::patient::TREATMENT_WITHDRAWN),
    })
}

/// What a person should know before a photograph is taken.
///
/// # Errors
/// What the replica reports.
pub fn photo_warning(replica: &Replica, patient: &str) -> Result<Option<&'static str>, ReplicaError> {
    let granted = matches!(standing(replica, patient, Purpose::Photography)?, Standing::Granted { .. });
    Ok((!granted).then_some(text::photos::NO_CONSENT))
}

/// Records a grant or a withdrawal.
pub async fn record(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<RecordId>,
    posted: Posted,
) -> Result<Response, Failure> {
    let now_us = app.now_us();
    app.work(move |replica| {
        let purpose = PURPOSES.into_iter().find(|purpose| purpose.name() == posted.get("finalidade"));
        let purpose = purpose.ok_or(Failure::NotFound)?;
        let (wanted, notice) = match posted.get("acao") {
            "conceder" => (grant(id, purpose, now_us), "consentimento"),
            "retirar" => (withdrawal(id, purpose, posted.trimmed("motivo"), now_us), "retirada"),
            _ => return Err(Failure::NotFound),
        };
        match create(replica, &visit, TABLE, wanted, None)? {
            Outcome::Saved(_) | Outcome::Unchanged => Ok(done(&format!("/pacientes/{id}"), notice)),
            Outcome::Refused(refusal) => {
                let typed = Typed { consent: Some(posted), problem: refusal.problem, ..Typed::default() };
                redraw(replica, &visit, now_us, id, &typed)
            }
        }
    })
    .await
}

/// The replica adds the withdrawals this tablet has seen: a grant answers those, and only those.
fn grant(patient: RecordId, purpose: Purpose, now_us: i64) -> Wanted {
    let mut wanted = event(patient, purpose, true);
    wanted.ops.push(put("consent_date", json!(instant_text(now_us))));
    wanted
}

fn withdrawal(patient: RecordId, purpose: Purpose, reason: &str, now_us: i64) -> Wanted {
    let mut wanted = event(patient, purpose, false);
    wanted.ops.push(put("withdrawn_at", json!(instant_text(now_us))));
    if !reason.is_empty() {
        wanted.ops.push(put("withdrawn_reason", json!(reason)));
    }
    wanted
}

fn event(patient: RecordId, purpose: Purpose, given: bool) -> Wanted {
    let ops = vec![
        put("patient_id", json!(patient.to_string())),
        put("consent_type", json!(purpose.name())),
        put("consent_given", json!(given)),
    ];
    Wanted { ops, ..Wanted::default() }
}

fn put(field: &str, value: Json) -> FieldOp {
    FieldOp::Put { field: field.to_owned(), value }
}

//! Payments for what the agenda closed, and deposits for what it plans.

use super::agenda::Visit;
use super::patients::Patient;
use super::people::Team;
use super::scribe::{Scribe, money, text};
use super::services::SERVICES;
use neonpro_contract::validate::Invalid;
use neonpro_contract::value::Value;

/// Methods, as often as they occur.
const METHODS: &[&str] = &[
    "pix",
    "pix",
    "pix",
    "pix",
    "credit_card",
    "credit_card",
    "credit_card",
    "installment",
    "installment",
    "debit_card",
    "debit_card",
    "cash",
    "package_credit",
    "bank_transfer",
    "voucher",
];

/// Writes payments.
///
/// # Errors
/// A row that no tablet could have written.
pub(super) fn payments(
    scribe: &mut Scribe,
    team: &Team,
    patients: &[Patient],
    visits: &[Visit],
) -> Result<(), Invalid> {
    for visit in visits {
        let Some(price) = SERVICES.get(visit.service).map(|service| service.reais * 100) else { continue };
        let deposit = visit.status == "confirmed" && scribe.random.chance(12);
        if price == 0 || !(visit.status == "completed" || deposit) {
            continue;
        }
        let Some(patient) = patients.get(visit.patient) else { continue };
        let method = if deposit { "pix" } else { scribe.random.word(METHODS) };
        let status = match (deposit, scribe.random.below(100)) {
            (true, 0..=59) | (false, 0..=6) => "pending",
            (false, 7) => "refunded",
            (false, 8) => "failed",
            _ => "completed",
        };
        let at = if deposit { visit.start_us.min(scribe.now.0) - 3_600 * 1_000_000 } else { visit.end_us };
        let mut fields = vec![
            ("appointment_id", Value::Uuid(visit.id)),
            ("patient_id", Value::Uuid(patient.id)),
            ("amount", money(if deposit { price / 5 } else { price })),
            ("payment_method", text(method)),
            ("status", text(status)),
        ];
        if method == "pix" {
            fields.push(("transaction_id", text(format!("AUR{:022}", scribe.random.next()))));
        }
        if matches!(status, "completed" | "refunded") {
            fields.push(("payment_date", Value::Instant(at)));
        }
        scribe.add("payments", at, Some(team.assistant), fields)?;
    }
    Ok(())
}

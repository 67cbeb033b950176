//! Payments as screens show them. A tablet's payment is pending until the server says that the money came.

use super::badge::Badge;
use super::{LIST_ROWS_MAX, Record, find_record, list, number, text};
use crate::zone::Zone;
use neonpro_client_core::{Replica, ReplicaError};
use neonpro_contract::ids::RecordId;
use neonpro_contract::validate::br::pix::{PixKey, StaticPix};
use neonpro_contract::words::choice_label;
use rust_decimal::Decimal;
use serde_json::Value as Json;

/// Characters of a static code's identifier (txid).
const TXID_CHARS: usize = 25;

/// A payment in a list.
pub struct PaymentView {
    /// Record id.
    pub id: String,
    /// Who pays.
    pub patient: String,
    /// When.
    pub when: String,
    /// How, in words.
    pub method: &'static str,
    /// `R$ 250,00`.
    pub amount: String,
    /// Status in words.
    pub status: &'static str,
    /// Tone of that.
    pub tone: &'static str,
    /// Where the record stands.
    pub state: Badge,
}

/// A day's money: method and sum, both in words.
pub type Sums = Vec<(&'static str, String)>;

/// `R$ 1.250,00`.
#[must_use]
pub fn reais(value: Decimal) -> String {
    let text = format!("{:.2}", value.abs());
    let (whole, cents) = text.split_once('.').unwrap_or((&text, "00"));
    let digits: Vec<char> = whole.chars().rev().collect();
    let groups: Vec<String> = digits.chunks(3).map(|group| group.iter().collect()).collect();
    let whole: String = groups.join(".").chars().rev().collect();
    let sign = if value.is_sign_negative() && !value.is_zero() { "-" } else { "" };
    format!("{sign}R$ {whole},{cents}")
}

fn amount(row: &Record) -> Decimal {
    text(row, "amount").parse().unwrap_or_default()
}

/// Payments written down in a span of time, latest first, and what they come to by method.
///
/// # Errors
/// What the replica reports.
pub fn list_payments(
    replica: &Replica,
    (zone, now_us): (Zone, i64),
    span: (i64, i64),
) -> Result<(Vec<PaymentView>, Sums), ReplicaError> {
    let sql =
        "SELECT uuid_text(t.id) AS id, t.amount, t.payment_method, t.status, t.created_at, p.name AS patient
        FROM payments t LEFT JOIN patients p ON p.id = t.patient_id
        WHERE t.created_at >= ?1 AND t.created_at < ?2 ORDER BY t.created_at DESC, t.id DESC";
    let rows = list(replica, sql, &[span.0.into(), span.1.into()], LIST_ROWS_MAX)?;
    let mut sums: Vec<(&'static str, Decimal)> = Vec::new();
    let mut views = Vec::new();
    for row in &rows {
        let view = view(replica, row, (zone, now_us))?;
        match sums.iter_mut().find(|(method, _)| *method == view.method) {
            Some((_, sum)) => *sum = sum.saturating_add(amount(row)),
            None => sums.push((view.method, amount(row))),
        }
        views.push(view);
    }
    Ok((views, sums.into_iter().map(|(method, sum)| (method, reais(sum))).collect()))
}

fn view(replica: &Replica, row: &Record, (zone, now_us): (Zone, i64)) -> Result<PaymentView, ReplicaError> {
    let named = |field| choice_label("payments", field, text(row, field)).unwrap_or_default();
    Ok(PaymentView {
        id: text(row, "id").to_owned(),
        patient: text(row, "patient").to_owned(),
        when: number(row, "created_at").map(|at| zone.moment(at, now_us)).unwrap_or_default(),
        method: named("payment_method"),
        amount: reais(amount(row)),
        status: named("status"),
        tone: match text(row, "status") {
            "completed" => "ok",
            "failed" => "red",
            _ => "amber",
        },
        state: Badge::of(replica, "payments", text(row, "id"))?,
    })
}

/// A patient's payments, latest first.
///
/// # Errors
/// What the replica reports.
pub fn list_of_patient(
    replica: &Replica,
    patient: &str,
    (zone, now_us): (Zone, i64),
) -> Result<Vec<PaymentView>, ReplicaError> {
    let sql =
        "SELECT uuid_text(t.id) AS id, t.amount, t.payment_method, t.status, t.created_at, NULL AS patient
        FROM payments t WHERE t.patient_id = uuid(?1) ORDER BY t.created_at DESC, t.id DESC";
    list(replica, sql, &[patient.into()], 10)?.iter().map(|row| view(replica, row, (zone, now_us))).collect()
}

/// The identifier of a payment's code, from the record's own id: the bank repeats it with the credit, so that the server finds
/// the payment again.
#[must_use]
pub fn txid(record: RecordId) -> String {
    let hex = record.0.simple().to_string();
    // The end of the id is its random part.
    let part = hex.get(hex.len().saturating_sub(TXID_CHARS.saturating_sub(2))..).unwrap_or(&hex);
    format!("NP{}", part.to_uppercase())
}

/// The text of the Pix code of a payment; `None` where the clinic has no key, or the payment is no Pix.
///
/// # Errors
/// What the replica reports.
pub fn find_code(replica: &Replica, payment: &Record) -> Result<Option<String>, ReplicaError> {
    if text(payment, "payment_method") != "pix" {
        return Ok(None);
    }
    let clinic = find_record(replica, "clinics", RecordId(replica.identity().clinic.0))?.unwrap_or_default();
    let setting = |name: &str| {
        let settings = clinic.get("settings").and_then(Json::as_object);
        settings.and_then(|settings| settings.get(name)).and_then(Json::as_str).unwrap_or_default().to_owned()
    };
    let name: String = text(&clinic, "name").chars().take(TXID_CHARS).collect();
    let code = PixKey::parse(&setting("pix_key"))
        .and_then(|key| StaticPix::new(key, &name, &setting("pix_city")))
        .and_then(|code| code.with_amount(amount(payment)))
        .and_then(|code| code.with_txid(text(payment, "transaction_id")));
    Ok(code.ok().map(|code| code.payload()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn money_is_written_as_brazilians_write_it() {
        let written = |text: &str| reais(text.parse().unwrap());
        assert_eq!(written("0.5"), "R$ 0,50");
        assert_eq!(written("1234567.8"), "R$ 1.234.567,80");
        assert_eq!(written("-12"), "-R$ 12,00");
    }

    #[test]
    fn an_identifier_is_of_letters_and_digits_and_of_the_record() {
        let one = txid(RecordId(Uuid::from_u128(0x0190_0000_0000_7000_8abc_def0_1234_5678)));
        assert_eq!(one.len(), TXID_CHARS);
        assert!(one.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert!(one.ends_with("8ABCDEF012345678"));
    }
}

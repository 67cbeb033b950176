//! Pagamentos: what was written down in a day, a new payment, one with its Pix code. All of it without a network.

use super::frame::{Frame, Page, Tab, page};
use crate::app::App;
use crate::failure::Failure;
use crate::forms::number::decimal;
use crate::forms::{Posted, Wanted, field};
use crate::qr;
use crate::read::agenda::{AppointmentView, list_of_patient};
use crate::read::money::{PaymentView, find_code, list_payments, reais, txid};
use crate::read::records::reference_name;
use crate::read::{find_record, text as text_of, zone};
use crate::text;
use crate::visit::{Visit, done, refused};
use crate::write::{Outcome, create_as};
use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use chrono::{Days, NaiveDate};
use neonpro_client_core::Replica;
use neonpro_contract::catalogue::Format;
use neonpro_contract::ids::RecordId;
use neonpro_contract::value::instant_text;
use neonpro_contract::words::choice_label;
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::{Value as Json, json};

const TABLE: &str = "payments";

/// Which day.
#[derive(Deserialize)]
pub struct DayQuery {
    #[serde(default)]
    dia: String,
}

/// What a new payment starts from.
#[derive(Deserialize)]
pub struct ChargeQuery {
    #[serde(default)]
    agendamento: String,
}

#[derive(Template)]
#[template(path = "payments.html")]
struct PaymentsPage {
    frame: Frame,
    day_text: String,
    before: String,
    after: String,
    payments: Vec<PaymentView>,
    sums: Vec<(&'static str, String)>,
}

#[derive(Template)]
#[template(path = "charge.html")]
struct ChargePage {
    frame: Frame,
    id: String,
    name: String,
    appointments: Vec<AppointmentView>,
    appointment: String,
    methods: Vec<(&'static str, &'static str)>,
    method: String,
    amount: String,
}

#[derive(Template)]
#[template(path = "payment.html")]
struct PaymentPage {
    frame: Frame,
    patient: String,
    name: String,
    amount: String,
    method: &'static str,
    status: &'static str,
    pending: bool,
    is_pix: bool,
    code: Option<(String, String)>,
}

/// A day's payments.
pub async fn list(
    State(app): State<App>,
    visit: Visit,
    Query(query): Query<DayQuery>,
) -> Result<Page, Failure> {
    let now_us = app.now_us();
    app.work(move |replica| {
        let zone = zone(replica)?;
        let today = zone.day(now_us).unwrap_or_default();
        let day = NaiveDate::parse_from_str(&query.dia, "%Y-%m-%d").unwrap_or(today);
        let span = zone.span(day).ok_or(Failure::NotFound)?;
        let (payments, sums) = list_payments(replica, (zone, now_us), span)?;
        let beside = |found: Option<NaiveDate>| found.unwrap_or(day).to_string();
        page(&PaymentsPage {
            frame: Frame::load(replica, &visit, now_us, text::money::PAYMENTS, Tab::More)?
                .live("#pagamentos"),
            day_text: text::agenda::long_day(day),
            before: beside(day.checked_sub_days(Days::new(1))),
            after: beside(day.checked_add_days(Days::new(1))),
            payments,
            sums,
        })
    })
    .await
}

/// The form of a new payment.
pub async fn new(
    State(app): State<App>,
    visit: Visit,
    Path(patient): Path<RecordId>,
    Query(query): Query<ChargeQuery>,
) -> Result<Page, Failure> {
    let now_us = app.now_us();
    app.work(move |replica| draw_new(replica, &visit, now_us, patient, (&query.agendamento, "", "pix"), None))
        .await
}

/// Writes a payment down. It is pending until the server knows better.
pub async fn create(
    State(app): State<App>,
    visit: Visit,
    Path(patient): Path<RecordId>,
    posted: Posted,
) -> Result<Response, Failure> {
    let now_us = app.now_us();
    app.work(move |replica| {
        let typed = (posted.trimmed("agendamento"), posted.trimmed("valor"), posted.trimmed("forma"));
        let again = |why| {
            let here = visit.at(format!("/pacientes/{patient}/cobrar"));
            let page = draw_new(replica, &here, now_us, patient, typed, Some(why))?;
            refused(page)
        };
        let amount = decimal(typed.1).map(|amount| amount.round_dp(2));
        let Some(amount) = amount.filter(|amount| *amount > Decimal::ZERO) else {
            return again(text::money::AMOUNT_WRONG);
        };
        let id = replica.new_record_id();
        let mut wanted = Wanted::default();
        let paid_now = matches!(typed.2, "cash" | "credit_card" | "debit_card");
        let values = [
            ("patient_id", json!(patient)),
            ("amount", json!(amount.to_string())),
            ("payment_method", json!(typed.2)),
            ("appointment_id", if typed.0.is_empty() { Json::Null } else { json!(typed.0) }),
            ("transaction_id", if typed.2 == "pix" { json!(txid(id)) } else { Json::Null }),
            ("payment_date", if paid_now { json!(instant_text(now_us)) } else { Json::Null }),
        ];
        wanted.set(TABLE, values.into_iter().filter(|(_, value)| !value.is_null()));
        match create_as(replica, &visit, (TABLE, id), wanted, None)? {
            Outcome::Saved(_) | Outcome::Unchanged => Ok(done(&format!("/pagamentos/{id}"), "pagamento")),
            Outcome::Refused(refusal) => again(refusal.problem.unwrap_or(text::errors::TEXT)),
        }
    })
    .await
}

/// One payment; a Pix with its code.
pub async fn show(State(app): State<App>, visit: Visit, Path(id): Path<RecordId>) -> Result<Page, Failure> {
    let now_us = app.now_us();
    app.work(move |replica| {
        let record = find_record(replica, TABLE, id)?.ok_or(Failure::NotFound)?;
        let named = |field| choice_label(TABLE, field, text_of(&record, field)).unwrap_or_default();
        let patient = text_of(&record, "patient_id").to_owned();
        let pending = !matches!(text_of(&record, "status"), "completed" | "failed" | "refunded");
        let code = if pending { find_code(replica, &record)? } else { None };
        page(&PaymentPage {
            frame: Frame::load(replica, &visit, now_us, text::money::PAYMENT, Tab::More)?.live("#pagamento"),
            name: reference_name(replica, "patients", &patient)?,
            amount: reais(text_of(&record, "amount").parse().unwrap_or_default()),
            method: named("payment_method"),
            status: if pending {
                choice_label(TABLE, "status", "pending").unwrap_or_default()
            } else {
                named("status")
            },
            pending,
            is_pix: text_of(&record, "payment_method") == "pix",
            code: code.map(|code| (qr::svg(&code).unwrap_or_default(), code)),
            patient,
        })
    })
    .await
}

fn draw_new(
    replica: &Replica,
    visit: &Visit,
    now_us: i64,
    patient: RecordId,
    (appointment, amount, method): (&str, &str, &str),
    problem: Option<&'static str>,
) -> Result<Page, Failure> {
    let record = find_record(replica, "patients", patient)?.ok_or(Failure::NotFound)?;
    let zone = zone(replica)?;
    let id = patient.to_string();
    let price = match appointment.parse() {
        Ok(id) => {
            find_record(replica, "appointments", id)?.map(|row| text_of(&row, "price").replace('.', ","))
        }
        Err(_) => None,
    };
    let methods = match field(TABLE, "payment_method").map(|field| field.format) {
        Some(Format::OneOf(values)) => values,
        _ => &[],
    };
    let named =
        |value: &&'static str| (*value, choice_label(TABLE, "payment_method", value).unwrap_or_default());
    page(&ChargePage {
        frame: Frame::load(replica, visit, now_us, text::money::CHARGE, Tab::Patients)?.problem(problem),
        name: text_of(&record, "name").to_owned(),
        appointments: list_of_patient(replica, zone, &id)?,
        appointment: appointment.to_owned(),
        methods: methods.iter().map(named).collect(),
        method: method.to_owned(),
        amount: if amount.is_empty() { price.unwrap_or_default() } else { amount.to_owned() },
        id,
    })
}

//! Payments.

use super::{Default, Facet, Field, Lifecycle, PatientLink, Purpose, Roles, Scope, Table, TableId};
use crate::value::Column;

const METHODS: &[&str] = &[
    "cash",
    "credit_card",
    "debit_card",
    "bank_transfer",
    "installment",
    "pix",
    "package_credit",
    "voucher",
    "courtesy",
];

/// Payments. A tablet records that money was asked for; only the server says that it arrived.
pub static PAYMENTS: Table = Table {
    id: TableId(33),
    name: "payments",
    group: "Financial Management",
    scope: Scope::Clinic,
    lifecycle: Lifecycle::Ledger,
    patient: PatientLink::Field("patient_id"),
    facets: &[Facet::new("payment", Purpose::Operation, Roles::AMPS)],
    fields: &[
        Field::reference("appointment_id", "appointments").fixed().about("Appointment it pays for."),
        Field::reference("patient_id", "patients").required().fixed().about("Who pays."),
        Field::register("amount", Column::Numeric(10, 2)).required().fixed().about("Amount, BRL."),
        Field::choice("payment_method", METHODS).required().fixed().about("How it is paid."),
        Field::choice("status", &["pending", "completed", "failed", "refunded"])
            .server()
            .required()
            .default(Default::Text("pending"))
            .about("State; a tablet's payment is pending."),
        Field::text("transaction_id")
            .fixed()
            .sealed()
            .about("Identifier of the payment network, such as a pix txid."),
        Field::register("payment_date", Column::Instant).fixed().about("When it was paid."),
        Field::register("created_at", Column::Instant)
            .fixed()
            .default(Default::CapturedAt)
            .about("When recorded."),
    ],
    about: "The ledger of payments.",
};

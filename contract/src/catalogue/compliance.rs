//! Duties, how the clinic meets them, and the consents of its patients.

use super::{Default, Facet, Field, Lifecycle, PatientLink, Purpose, Roles, Scope, Table, TableId};
use crate::value::Column;

const GROUP: &str = "Compliance Management System";
const BODIES: &[&str] = &["LGPD", "ANVISA", "CFM", "COREN", "CFF", "CNEP"];

/// A problem found is never hidden by somebody else's concurrent pass.
const ASSESSMENT_STATUSES: &[&str] = &["pending", "in_progress", "completed", "requires_action", "failed"];

/// Groups of duties, by the body that sets them.
pub static COMPLIANCE_CATEGORIES: Table = Table {
    id: TableId(3),
    name: "compliance_categories",
    group: GROUP,
    scope: Scope::Reference,
    lifecycle: Lifecycle::Server,
    patient: PatientLink::None,
    facets: &[],
    fields: &[
        Field::derived("name", Column::Text).required().about("Name."),
        Field::derived("description", Column::Text).about("Description."),
        Field::choice("regulatory_body", BODIES).server().required().about("Who sets the duties."),
        Field::derived("is_active", Column::Bool).default(Default::Bool(true)).about("In force."),
        Field::derived("created_at", Column::Instant).about("When created."),
        Field::derived("updated_at", Column::Instant).about("When last changed."),
    ],
    about: "Groups of duties.",
};

/// Duties.
pub static COMPLIANCE_REQUIREMENTS: Table = Table {
    id: TableId(4),
    name: "compliance_requirements",
    group: GROUP,
    scope: Scope::Reference,
    lifecycle: Lifecycle::Server,
    patient: PatientLink::None,
    facets: &[],
    fields: &[
        Field::reference("category_id", "compliance_categories").server().required().about("Its group."),
        Field::derived("name", Column::Text).required().about("Name."),
        Field::derived("description", Column::Text).about("Description."),
        Field::choice("requirement_type", &["policy", "procedure", "documentation", "training", "technical"])
            .server()
            .required()
            .about("Kind of duty."),
        Field::choice("frequency", &["daily", "weekly", "monthly", "quarterly", "annually", "as_needed"])
            .server()
            .about("How often it is assessed."),
        Field::derived("is_mandatory", Column::Bool).default(Default::Bool(true)).about("Not optional."),
        Field::derived("created_at", Column::Instant).about("When created."),
        Field::derived("updated_at", Column::Instant).about("When last changed."),
    ],
    about: "Duties of a clinic.",
};

/// How the clinic meets a duty.
pub static COMPLIANCE_ASSESSMENTS: Table = Table {
    id: TableId(30),
    name: "compliance_assessments",
    group: GROUP,
    scope: Scope::Clinic,
    lifecycle: Lifecycle::Editable,
    patient: PatientLink::None,
    facets: &[Facet::new("assessment", Purpose::Operation, Roles::AM)],
    fields: &[
        Field::reference("requirement_id", "compliance_requirements").required().fixed().about("Duty."),
        Field::choice("assessment_type", &["self_assessment", "audit", "inspection", "review"])
            .required()
            .about("Kind of assessment."),
        Field::status("status", ASSESSMENT_STATUSES)
            .required()
            .default(Default::Text("pending"))
            .about("State."),
        Field::register("score", Column::Numeric(5, 2)).about("Score."),
        Field::set("findings").about("What was found."),
        Field::set("recommendations").about("What should be done."),
        Field::register("due_date", Column::Date).about("Due."),
        Field::reference("assessed_by", "professionals").about("Who assessed."),
        Field::register("assessed_at", Column::Instant).about("When assessed."),
        Field::register("created_at", Column::Instant)
            .fixed()
            .default(Default::CapturedAt)
            .about("When created."),
        Field::derived("updated_at", Column::Instant).about("When last changed."),
    ],
    about: "How the clinic meets its duties.",
};

/// Consents, as a ledger of events: a grant or a withdrawal is a row, the state is their fold. A grant counts only
/// against the withdrawals its author had seen.
pub static DATA_CONSENT_RECORDS: Table = Table {
    id: TableId(31),
    name: "data_consent_records",
    group: GROUP,
    scope: Scope::Clinic,
    lifecycle: Lifecycle::Ledger,
    patient: PatientLink::Field("patient_id"),
    facets: &[Facet::new("consent", Purpose::Operation, Roles::AMPS)],
    fields: &[
        Field::reference("patient_id", "patients").required().fixed().about("Who consents."),
        Field::choice("consent_type", &["treatment", "data_sharing", "marketing", "research", "photography"])
            .required()
            .fixed()
            .about("Purpose."),
        Field::register("consent_given", Column::Bool)
            .fixed()
            .default(Default::Bool(false))
            .about("Granted, or withdrawn."),
        Field::register("consent_date", Column::Instant).fixed().about("When granted."),
        Field::register("expiry_date", Column::Instant).fixed().about("Until when it counts."),
        Field::register("version", Column::Int)
            .fixed()
            .default(Default::Int(1))
            .about("Version of the text."),
        Field::text("consent_document_url")
            .blob()
            .fixed()
            .sealed()
            .about("Content address of the signed text."),
        Field::register("withdrawn_at", Column::Instant).fixed().about("When withdrawn."),
        Field::text("withdrawn_reason").fixed().sealed().about("Why withdrawn."),
        Field::register("created_at", Column::Instant)
            .fixed()
            .default(Default::CapturedAt)
            .about("When recorded."),
        Field::derived("updated_at", Column::Instant).about("When last changed."),
        Field::set("seen_withdrawals")
            .of(Column::UuidArray)
            .fixed()
            .about("Withdrawals of this patient and purpose that the author had seen."),
    ],
    about: "The ledger of consents.",
};

/// Reports the server makes.
pub static COMPLIANCE_REPORTS: Table = Table {
    id: TableId(32),
    name: "compliance_reports",
    group: GROUP,
    scope: Scope::Clinic,
    lifecycle: Lifecycle::Server,
    patient: PatientLink::None,
    facets: &[],
    fields: &[
        Field::choice(
            "report_type",
            &["lgpd", "anvisa", "professional_council", "internal_audit", "risk_assessment"],
        )
        .server()
        .required()
        .about("Kind of report."),
        Field::derived("report_period_start", Column::Date).required().about("First day."),
        Field::derived("report_period_end", Column::Date).required().about("Last day."),
        Field::choice("status", &["generating", "completed", "failed", "approved"])
            .server()
            .required()
            .default(Default::Text("generating"))
            .about("State."),
        Field::derived("report_data", Column::Json).about("Figures."),
        Field::derived("generated_at", Column::Instant).about("When made."),
        Field::reference("generated_by", "professionals").server().about("Who asked for it."),
        Field::derived("approved_at", Column::Instant).about("When approved."),
        Field::reference("approved_by", "professionals").server().about("Who approved it."),
        Field::derived("file_url", Column::Text).about("Content address of the file."),
        Field::derived("created_at", Column::Instant).about("When created."),
    ],
    about: "Compliance reports.",
};

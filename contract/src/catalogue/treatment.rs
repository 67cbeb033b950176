//! Plans of care, their sessions and assessments, and the templates of their documents.

use super::{Default, Facet, Field, Lifecycle, PatientLink, Purpose, Roles, Scope, Table, TableId};
use crate::value::Column;

const GROUP: &str = "Treatment Planning System";

/// Holding beats going on, because nobody is hurt by waiting; what is finished stays finished.
const STATUSES: &[&str] = &["draft", "active", "on_hold", "cancelled", "completed"];

/// Plans of care.
pub static TREATMENT_PLANS: Table = Table {
    id: TableId(17),
    name: "treatment_plans",
    group: GROUP,
    scope: Scope::Clinic,
    lifecycle: Lifecycle::Editable,
    patient: PatientLink::Field("patient_id"),
    facets: &[Facet::new("plan", Purpose::Treatment, Roles::P)],
    fields: &[
        Field::reference("patient_id", "patients").required().fixed().about("Whose plan it is."),
        Field::reference("professional_id", "professionals").about("Who is responsible."),
        Field::text("title").required().sealed().about("Title."),
        Field::long_text("description").sealed().about("Description."),
        Field::set("treatment_goals").sealed().about("Goals."),
        Field::status("status", STATUSES).required().default(Default::Text("draft")).about("State."),
        Field::register("start_date", Column::Date).about("Start."),
        Field::register("estimated_completion_date", Column::Date).about("Expected end."),
        Field::register("actual_completion_date", Column::Date).about("End."),
        Field::register("total_cost", Column::Numeric(10, 2)).about("Total, BRL."),
        Field::register("patient_satisfaction", Column::Numeric(2, 1)).about("Satisfaction of the patient."),
        Field::derived("ai_recommended_procedures", Column::Json)
            .default(Default::Empty)
            .about("Suggestions."),
        Field::derived("ai_risk_assessment", Column::Json).default(Default::Empty).about("Suggested risks."),
        Field::register("created_at", Column::Instant)
            .fixed()
            .default(Default::CapturedAt)
            .about("When created."),
        Field::derived("updated_at", Column::Instant).about("When last changed."),
    ],
    about: "Plans of care.",
};

/// Sessions of a plan. A locked session is immutable: what follows is an addendum.
pub static TREATMENT_SESSIONS: Table = Table {
    id: TableId(18),
    name: "treatment_sessions",
    group: GROUP,
    scope: Scope::Clinic,
    lifecycle: Lifecycle::Editable,
    patient: PatientLink::Parent("treatment_plan_id"),
    facets: &[
        Facet::new("clinical", Purpose::Treatment, Roles::P),
        Facet::new("photos", Purpose::Photography, Roles::P),
    ],
    fields: &[
        Field::reference("treatment_plan_id", "treatment_plans").required().fixed().about("Its plan."),
        Field::reference("appointment_id", "appointments").about("Its appointment."),
        Field::register("session_number", Column::Int).required().about("Place in the plan, from 1."),
        Field::reference("procedure_id", "service_types").about("Procedure."),
        Field::json("products_used").sealed().about("Products, lots and quantities, one key per use."),
        Field::long_text("notes").sealed().about("Notes."),
        Field::long_text("outcome").sealed().about("Outcome."),
        Field::long_text("patient_feedback").sealed().about("What the patient said."),
        Field::long_text("professional_notes").sealed().about("Notes for professionals."),
        Field::set("photos_before").blob().facet(1).sealed().about("Content addresses of photos before."),
        Field::set("photos_after").blob().facet(1).sealed().about("Content addresses of photos after."),
        Field::set("side_effects").sealed().about("Side effects observed."),
        Field::register("satisfaction_rating", Column::Numeric(2, 1)).about("Satisfaction of the patient."),
        Field::derived("ai_treatment_assessment", Column::Json).default(Default::Empty).about("Suggestions."),
        Field::register("session_date", Column::Instant)
            .default(Default::CapturedAt)
            .about("When it took place."),
        Field::register("created_at", Column::Instant)
            .fixed()
            .default(Default::CapturedAt)
            .about("When recorded."),
        Field::register("locked_at", Column::Instant).about("When the record was closed."),
        Field::reference("locked_by", "professionals").about("Who closed it."),
        Field::json("addenda").sealed().about("What was added after closing, one key per addendum."),
        Field::reference("performed_by", "professionals")
            .about("Who performed it; where empty, whoever wrote it down."),
    ],
    about: "Sessions of a plan of care.",
};

/// Assessments: made once, corrected by another one.
pub static TREATMENT_ASSESSMENTS: Table = Table {
    id: TableId(19),
    name: "treatment_assessments",
    group: GROUP,
    scope: Scope::Clinic,
    lifecycle: Lifecycle::Ledger,
    patient: PatientLink::Parent("treatment_plan_id"),
    facets: &[Facet::new("assessment", Purpose::Treatment, Roles::P)],
    fields: &[
        Field::reference("treatment_plan_id", "treatment_plans").required().fixed().about("Its plan."),
        Field::text("assessment_type").required().fixed().sealed().about("Kind of assessment."),
        Field::json("assessment_data").required().fixed().sealed().about("What was found."),
        Field::derived("ai_recommendations", Column::Json).default(Default::Empty).about("Suggestions."),
        Field::derived("confidence_score", Column::Numeric(3, 2))
            .about("Confidence of the suggestions, 0 to 1."),
        Field::reference("performed_by", "professionals").fixed().about("Who made it."),
        Field::register("performed_at", Column::Instant)
            .fixed()
            .default(Default::CapturedAt)
            .about("When made."),
    ],
    about: "Assessments within a plan of care.",
};

/// Templates of documents.
pub static DOCUMENTATION_TEMPLATES: Table = Table {
    id: TableId(20),
    name: "documentation_templates",
    group: GROUP,
    scope: Scope::Clinic,
    lifecycle: Lifecycle::Editable,
    patient: PatientLink::None,
    facets: &[Facet::new("template", Purpose::Operation, Roles::AM)],
    fields: &[
        Field::text("name").required().about("Name."),
        Field::choice(
            "template_type",
            &["consent_form", "treatment_record", "follow_up", "discharge_summary"],
        )
        .required()
        .about("Kind of document."),
        Field::json("template_content").required().about("Content, merged by key."),
        Field::set("required_fields").about("Fields that must be filled in."),
        Field::register("is_active", Column::Bool).default(Default::Bool(true)).about("In use."),
        Field::register("version", Column::Int).default(Default::Int(1)).about("Version."),
        Field::register("created_at", Column::Instant)
            .fixed()
            .default(Default::CapturedAt)
            .about("When created."),
        Field::derived("updated_at", Column::Instant).about("When last changed."),
    ],
    about: "Templates of the clinic's documents.",
};

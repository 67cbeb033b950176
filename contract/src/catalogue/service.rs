//! What the clinics offer: reference data kept from the console.

use super::{BODY_AREAS, Default, Field, Lifecycle, PROCEDURE_CLASSES, PatientLink, Scope, Table, TableId};
use crate::value::Column;

const GROUP: &str = "Service Management";

/// Groups of procedures.
pub static SERVICE_CATEGORIES: Table = Table {
    id: TableId(1),
    name: "service_categories",
    group: GROUP,
    scope: Scope::Reference,
    lifecycle: Lifecycle::Server,
    patient: PatientLink::None,
    facets: &[],
    fields: &[
        Field::derived("name", Column::Text).required().about("Name."),
        Field::derived("description", Column::Text).about("Description."),
        Field::derived("display_order", Column::Int).default(Default::Int(0)).about("Place in lists."),
        Field::derived("is_active", Column::Bool).default(Default::Bool(true)).about("Offered."),
        Field::derived("created_at", Column::Instant).about("When created."),
        Field::derived("updated_at", Column::Instant).about("When last changed."),
    ],
    about: "Groups of procedures.",
};

/// Procedures. Most aesthetic ones have no TUSS code; its check digit only warns.
pub static SERVICE_TYPES: Table = Table {
    id: TableId(2),
    name: "service_types",
    group: GROUP,
    scope: Scope::Reference,
    lifecycle: Lifecycle::Server,
    patient: PatientLink::None,
    facets: &[],
    fields: &[
        Field::reference("category_id", "service_categories").server().about("Its category."),
        Field::derived("name", Column::Text).required().about("Name."),
        Field::derived("description", Column::Text).about("Description."),
        Field::derived("tuss_code", Column::Text).about("TUSS procedure code."),
        Field::derived("duration_minutes", Column::Int).required().about("Usual length, minutes."),
        Field::derived("base_price", Column::Numeric(10, 2)).about("List price, BRL."),
        Field::derived("requires_doctor", Column::Bool)
            .default(Default::Bool(false))
            .about("Needs a physician."),
        Field::derived("requires_nurse", Column::Bool).default(Default::Bool(false)).about("Needs a nurse."),
        Field::derived("requires_preparation", Column::Bool)
            .default(Default::Bool(false))
            .about("Needs preparation."),
        Field::derived("recovery_time_days", Column::Int).default(Default::Int(0)).about("Recovery, days."),
        Field::derived("contraindications", Column::TextArray)
            .default(Default::Empty)
            .about("Contraindications."),
        Field::derived("side_effects", Column::TextArray)
            .default(Default::Empty)
            .about("Known side effects."),
        Field::derived("is_active", Column::Bool).default(Default::Bool(true)).about("Offered."),
        Field::derived("created_at", Column::Instant).about("When created."),
        Field::derived("updated_at", Column::Instant).about("When last changed."),
        Field::choice("procedure_class", PROCEDURE_CLASSES)
            .server()
            .about("What it is to the rules on scope of practice."),
        Field::choice("body_area", BODY_AREAS).server().about("Where on the body, for those rules."),
    ],
    about: "Procedures the clinics offer.",
};

//! Patients and their files.

use super::{Default, Facet, Field, Format, Lifecycle, PatientLink, Purpose, Roles, Scope, Table, TableId};
use crate::value::Column;

const SKIN_TYPES: &[&str] = &["I", "II", "III", "IV", "V", "VI"];

/// People the clinic cares for. Identity serves operation; health serves treatment and is safety data.
pub static PATIENTS: Table = Table {
    id: TableId(9),
    name: "patients",
    group: "Patient Management",
    scope: Scope::Clinic,
    lifecycle: Lifecycle::Editable,
    patient: PatientLink::Own,
    facets: &[
        Facet::new("identity", Purpose::Operation, Roles::AMPS),
        Facet::new("health", Purpose::Treatment, Roles::P).safety(),
    ],
    fields: &[
        Field::text("name").required().guarded().sealed().about("Full name."),
        Field::text("email").indexed().about("E-mail address."),
        Field::text("phone").indexed().about("Telephone."),
        Field::register("date_of_birth", Column::Date).guarded().sealed().about("Date of birth."),
        Field::choice("gender", &["male", "female", "other"]).about("Gender."),
        Field::text("cns").format(Format::Cns).guarded().indexed().about("Cartão Nacional de Saúde."),
        Field::text("cpf").format(Format::Cpf).guarded().indexed().about("CPF; optional (foreigners)."),
        Field::text("address").sealed().about("Address."),
        Field::json("emergency_contact").sealed().about("Whom to call."),
        Field::json("medical_history").facet(1).sealed().about("Conditions, surgeries, habits."),
        Field::set("allergies").facet(1).sealed().about("Allergies; removal carries a reason."),
        Field::set("medications").facet(1).sealed().about("Medicines in use; removal carries a reason."),
        Field::choice("skin_type", SKIN_TYPES).facet(1).about("Skin type."),
        Field::choice("fitzpatrick_scale", SKIN_TYPES).facet(1).about("Fitzpatrick phototype."),
        Field::long_text("notes").facet(1).sealed().about("Free notes about the patient's health."),
        Field::derived("photo_consent", Column::Bool).about("Folded from data_consent_records."),
        Field::derived("data_processing_consent", Column::Bool).about("Folded from data_consent_records."),
        Field::derived("marketing_consent", Column::Bool).about("Folded from data_consent_records."),
        Field::register("is_active", Column::Bool).default(Default::Bool(true)).about("Still attended here."),
        Field::register("created_at", Column::Instant)
            .fixed()
            .default(Default::CapturedAt)
            .about("When registered."),
        Field::derived("updated_at", Column::Instant).about("When last changed."),
        Field::derived("duplicate_of", Column::Uuid)
            .about("Live patient that already carries this cpf or cns."),
    ],
    about: "People the clinic cares for.",
};

/// Files of a patient; the file itself is a blob, its purpose is fixed by its kind.
pub static PATIENT_DOCUMENTS: Table = Table {
    id: TableId(10),
    name: "patient_documents",
    group: "Patient Management",
    scope: Scope::Clinic,
    lifecycle: Lifecycle::Editable,
    patient: PatientLink::Field("patient_id"),
    facets: &[Facet::by_value(
        "document",
        "document_type",
        &[
            ("photo", Purpose::Photography),
            ("identity_document", Purpose::Operation),
            ("invoice", Purpose::Operation),
            ("consent_form", Purpose::Operation),
            ("marketing_material", Purpose::Marketing),
        ],
        Purpose::Treatment,
        Roles::AMP,
    )],
    fields: &[
        Field::reference("patient_id", "patients").required().fixed().about("Whose file it is."),
        Field::text("document_type").required().fixed().about("Kind; decides the purpose."),
        Field::text("title").required().sealed().about("Title."),
        Field::text("file_url").blob().required().fixed().sealed().about("Content address of the blob."),
        Field::text("description").sealed().about("Description."),
        Field::register("version", Column::Int).default(Default::Int(1)).about("Version of the file."),
        Field::register("is_current", Column::Bool)
            .default(Default::Bool(true))
            .about("The version in force."),
        Field::reference("uploaded_by", "professionals").fixed().about("Who added it."),
        Field::register("uploaded_at", Column::Instant)
            .fixed()
            .default(Default::CapturedAt)
            .about("When added."),
    ],
    about: "Files of a patient, by version.",
};

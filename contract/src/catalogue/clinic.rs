//! Clinics, the people who work in them, and their roles.

use super::{Default, Facet, Field, Format, Lifecycle, PatientLink, Purpose, Roles, Scope, Table, TableId};
use crate::value::Column;

const GROUP: &str = "Clinic and Professional Management";

/// Clinics: the tenant. A clinic's own row carries its id as its clinic.
pub static CLINICS: Table = Table {
    id: TableId(6),
    name: "clinics",
    group: GROUP,
    scope: Scope::Clinic,
    lifecycle: Lifecycle::Editable,
    patient: PatientLink::None,
    facets: &[Facet::new("profile", Purpose::Operation, Roles::A)],
    fields: &[
        Field::text("name").required().about("Trade name."),
        Field::text("tax_id").format(Format::Cnpj).about("CNPJ."),
        Field::text("address").about("Address."),
        Field::text("phone").about("Telephone."),
        Field::text("email").about("E-mail address."),
        Field::text("logo_url").about("Content address of the logo."),
        Field::json("settings").about("Settings of the clinic, merged by key."),
        Field::register("is_active", Column::Bool).default(Default::Bool(true)).about("Still operating."),
        Field::register("created_at", Column::Instant)
            .fixed()
            .default(Default::CapturedAt)
            .about("When created."),
        Field::derived("updated_at", Column::Instant).about("When last changed."),
        Field::derived("network_id", Column::Uuid).about("Network of clinics it belongs to."),
        Field::text("timezone").default(Default::Text("America/Sao_Paulo")).about("IANA zone of its agenda."),
    ],
    about: "Clinics; each is one tenant.",
};

/// People who work in the clinic. Profession and council are open registries; a council registration is never
/// refused by its pattern.
pub static PROFESSIONALS: Table = Table {
    id: TableId(7),
    name: "professionals",
    group: GROUP,
    scope: Scope::Clinic,
    lifecycle: Lifecycle::Editable,
    patient: PatientLink::None,
    facets: &[Facet::new("profile", Purpose::Operation, Roles::A)],
    fields: &[
        Field::text("name").required().about("Full name."),
        Field::text("email").required().about("E-mail address, unique in the clinic."),
        Field::text("phone").about("Telephone."),
        Field::text("professional_type")
            .required()
            .of_registry("professional_types")
            .about("Profession, from the registry of professions."),
        Field::text("council_type")
            .required()
            .of_registry("council_types")
            .about("Council, from the registry of councils."),
        Field::text("council_number").required().about("Registration number."),
        Field::text("council_state").required().about("UF or region of the registration."),
        Field::set("specialization").about("Specialisations."),
        Field::text("bio").about("Short presentation."),
        Field::text("profile_image_url").about("Content address of the portrait."),
        Field::register("is_active", Column::Bool).default(Default::Bool(true)).about("Still works here."),
        Field::register("created_at", Column::Instant)
            .fixed()
            .default(Default::CapturedAt)
            .about("When registered."),
        Field::derived("updated_at", Column::Instant).about("When last changed."),
        Field::derived("duplicate_of", Column::Uuid)
            .about("Live professional that already carries this e-mail."),
    ],
    about: "People who work in the clinic.",
};

/// Membership and role. Authority is the server's to give: what a device writes here is a proposal, and a
/// membership that nobody has confirmed has the least role.
pub static CLINIC_PROFESSIONALS: Table = Table {
    id: TableId(8),
    name: "clinic_professionals",
    group: GROUP,
    scope: Scope::Clinic,
    lifecycle: Lifecycle::Editable,
    patient: PatientLink::None,
    facets: &[Facet::new("membership", Purpose::Operation, Roles::A)],
    fields: &[
        Field::reference("professional_id", "professionals").required().fixed().about("Who is a member."),
        Field::choice("role", &["admin", "manager", "professional", "assistant"])
            .server()
            .required()
            .default(Default::Text("assistant"))
            .about("Role in the clinic."),
        Field::derived("permissions", Column::Json).default(Default::Empty).about("Extra permissions."),
        Field::derived("is_active", Column::Bool).default(Default::Bool(true)).about("Membership in force."),
        Field::register("created_at", Column::Instant)
            .fixed()
            .default(Default::CapturedAt)
            .about("When created."),
        Field::derived("updated_at", Column::Instant).about("When last changed."),
    ],
    about: "Who works in the clinic, in which role.",
};

//! Scope of practice: the rules of law in signed bundles, and what the clinic decided where the law is contested.

use super::{Default, Facet, Field, Lifecycle, PatientLink, Purpose, Roles, Scope, Table, TableId};
use crate::value::Column;

const GROUP: &str = "Scope of Practice";

/// What a procedure is to the rules of law. A procedure without a class is known to the clinic's own rules alone.
pub const PROCEDURE_CLASSES: &[&str] = &[
    "assessment",
    "medical_consultation",
    "superficial_care",
    "superficial_peel",
    "medium_peel",
    "microneedling",
    "energy_device",
    "injectable",
    "thread_lift",
    "surgery",
];

/// Where on the body, as far as rules of law tell places apart.
pub const BODY_AREAS: &[&str] = &["face", "scalp", "body", "intimate"];

/// What a product is to the rules of law.
pub const PRODUCT_CLASSES: &[&str] = &[
    "supply",
    "cosmetic",
    "peel_acid",
    "topical_anaesthetic",
    "botulinum_toxin",
    "filler",
    "biostimulator",
    "thread",
    "injectable_solution",
    "medicine",
];

/// What a clinic may choose on a contested rule.
pub const CHOICES: &[&str] = &["permit", "supervise", "forbid"];

/// Published rules of law. A version is written once; nothing in it counts unless its signature is a publisher's.
pub static SCOPE_BUNDLES: Table = Table {
    id: TableId(34),
    name: "scope_bundles",
    group: GROUP,
    scope: Scope::Reference,
    lifecycle: Lifecycle::Server,
    patient: PatientLink::None,
    facets: &[],
    fields: &[
        Field::derived("version", Column::Text).required().about("Version, unique."),
        Field::derived("in_force_from", Column::Instant)
            .required()
            .about("Acts from here on are judged by it and no longer by its predecessor."),
        Field::derived("content", Column::Json).required().about("The bundle: its rules as data."),
        Field::derived("signature", Column::Text)
            .required()
            .about("Ed25519 over the canonical bytes, hexadecimal."),
        Field::derived("created_at", Column::Instant).about("When installed."),
        Field::derived("updated_at", Column::Instant).about("When last changed."),
    ],
    about: "Published rules of law on the scope of practice.",
};

/// What the clinic decided where a rule of law is contested. A later decision is another row.
pub static SCOPE_DECISIONS: Table = Table {
    id: TableId(35),
    name: "scope_decisions",
    group: GROUP,
    scope: Scope::Clinic,
    lifecycle: Lifecycle::Ledger,
    patient: PatientLink::None,
    facets: &[Facet::new("decision", Purpose::Operation, Roles::A)],
    fields: &[
        Field::text("rule_id").required().fixed().about("Contested rule of the bundle it decides."),
        Field::choice("choice", CHOICES).required().fixed().about("What the clinic does about it."),
        Field::text("reason").required().fixed().about("Why."),
        Field::reference("decided_by", "professionals").required().fixed().about("Who decided."),
        Field::register("valid_from", Column::Instant)
            .required()
            .fixed()
            .default(Default::CapturedAt)
            .about("For acts from."),
        Field::register("valid_until", Column::Instant).fixed().about("For acts until."),
        Field::register("created_at", Column::Instant)
            .fixed()
            .default(Default::CapturedAt)
            .about("When recorded."),
        Field::derived("updated_at", Column::Instant).about("When last changed."),
    ],
    about: "What the clinic decided where the law is contested.",
};

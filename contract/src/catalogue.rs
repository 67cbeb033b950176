//! The record catalogue: every table, field, facet, purpose, writer and conflict rule, once.
//!
//! Replica DDL, document mapping, validation, permissions, feed audience, REST types and the data
//! dictionary derive from it; a test proves it equals the migrated Postgres schema. It never changes at
//! run time. Invariant: a table's id, a facet's index and a field's name are never reused.

mod appointment;
mod clinic;
mod compliance;
mod coordination;
mod field;
mod finance;
mod inventory;
mod patient;
mod practice;
mod service;
mod system;
mod treatment;

pub use field::{Default, Field, Format, Kind, Rule};
pub use practice::{BODY_AREAS, CHOICES, PROCEDURE_CLASSES, PRODUCT_CLASSES};

use crate::value::Column;
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

/// Version of the catalogue. Part of every document's first change, so raising it needs a migration.
pub const CATALOGUE_VERSION: u32 = 1;

/// A table's number: stable, on the wire and in document keys.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize,
)]
#[cbor(transparent)]
#[serde(transparent)]
pub struct TableId(#[n(0)] pub u16);

/// Index of a facet within its table.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize,
)]
#[cbor(transparent)]
#[serde(transparent)]
pub struct FacetId(#[n(0)] pub u8);

/// Why data is processed (LGPD art. 7 and 11): the unit a patient grants and withdraws.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize,
)]
#[cbor(index_only)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Running the clinic; no consent needed (contract, legal duty).
    #[n(0)]
    Operation,
    /// Care: plans, sessions, assessments, health data.
    #[n(1)]
    Treatment,
    /// Photographs of the patient.
    #[n(2)]
    Photography,
    /// Anything that reaches another clinic.
    #[n(3)]
    DataSharing,
    /// Marketing.
    #[n(4)]
    Marketing,
    /// Research.
    #[n(5)]
    Research,
}

impl Purpose {
    /// All purposes, in their stable order.
    pub const ALL: [Self; 6] = [
        Self::Operation,
        Self::Treatment,
        Self::Photography,
        Self::DataSharing,
        Self::Marketing,
        Self::Research,
    ];

    /// The stable name, equal to the consent type in `data_consent_records`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Operation => "operation",
            Self::Treatment => "treatment",
            Self::Photography => "photography",
            Self::DataSharing => "data_sharing",
            Self::Marketing => "marketing",
            Self::Research => "research",
        }
    }

    /// The purpose of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.name() == name)
    }
}

/// A person's role in a clinic (`clinic_professionals.role`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode, Serialize, Deserialize)]
#[cbor(index_only)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Clinic administrator.
    #[n(0)]
    Admin,
    /// Manager.
    #[n(1)]
    Manager,
    /// Health professional.
    #[n(2)]
    Professional,
    /// Assistant: never receives `treatment` or `photography` facets.
    #[n(3)]
    Assistant,
}

impl Role {
    /// The stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Manager => "manager",
            Self::Professional => "professional",
            Self::Assistant => "assistant",
        }
    }

    /// The role of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Admin, Self::Manager, Self::Professional, Self::Assistant]
            .into_iter()
            .find(|role| role.name() == name)
    }
}

/// A set of roles, written as in the catalogue's table: `a m p s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Roles(u8);

impl Roles {
    /// Nobody: only the server writes.
    pub const NONE: Self = Self(0);
    /// Administrators.
    pub const A: Self = Self(1);
    /// Administrators and managers.
    pub const AM: Self = Self(1 | 2);
    /// Administrators, managers and professionals.
    pub const AMP: Self = Self(1 | 2 | 4);
    /// Everyone.
    pub const AMPS: Self = Self(1 | 2 | 4 | 8);
    /// Professionals.
    pub const P: Self = Self(4);

    /// Whether the role is in the set.
    #[must_use]
    pub const fn contains(self, role: Role) -> bool {
        let bit = match role {
            Role::Admin => 1,
            Role::Manager => 2,
            Role::Professional => 4,
            Role::Assistant => 8,
        };
        self.0 & bit != 0
    }
}

/// Whose rows a table holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Global reference data, read-only on devices.
    Reference,
    /// Rows of one clinic.
    Clinic,
}

/// How rows of a table come to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifecycle {
    /// Created, edited, retired (a tombstone; never deleted).
    Editable,
    /// Inserted once, never edited: a correction is another row.
    Ledger,
    /// Written by the server alone; travels as plain rows, without a CRDT.
    Server,
}

/// How the document finds the patient whose consent covers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PatientLink {
    /// No patient.
    None,
    /// The record is the patient.
    Own,
    /// This field holds the patient's id.
    Field(&'static str),
    /// This field holds the id of a parent record; its patient is this record's patient.
    Parent(&'static str),
}

/// How the purpose of a facet is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PurposeRule {
    /// Always this one.
    Fixed(Purpose),
    /// By the value of a fixed field at creation; anything else has the default.
    ByValue {
        /// The field that decides.
        field: &'static str,
        /// Value → purpose.
        values: &'static [(&'static str, Purpose)],
        /// Purpose of every other value.
        default: Purpose,
    },
}

/// A part of a record with exactly one purpose: one document.
#[derive(Debug, Clone, Copy)]
pub struct Facet {
    /// Stable name.
    pub name: &'static str,
    /// Its purpose.
    pub purpose: PurposeRule,
    /// Who may write it from a device.
    pub writers: Roles,
    /// Safety data (allergies, medications): accepted without consent, with an item (4.1; LGPD art. 11 II e/f).
    pub safety: bool,
}

impl Facet {
    /// A facet of a fixed purpose.
    #[must_use]
    pub const fn new(name: &'static str, purpose: Purpose, writers: Roles) -> Self {
        Self { name, purpose: PurposeRule::Fixed(purpose), writers, safety: false }
    }

    /// A facet whose purpose is decided by a field at creation.
    #[must_use]
    pub const fn by_value(
        name: &'static str,
        field: &'static str,
        values: &'static [(&'static str, Purpose)],
        default: Purpose,
        writers: Roles,
    ) -> Self {
        Self { name, purpose: PurposeRule::ByValue { field, values, default }, writers, safety: false }
    }

    /// Marks safety data.
    #[must_use]
    pub const fn safety(mut self) -> Self {
        self.safety = true;
        self
    }
}

/// One table.
#[derive(Debug)]
pub struct Table {
    /// Stable number.
    pub id: TableId,
    /// Name in both databases.
    pub name: &'static str,
    /// Group of the seed's documentation.
    pub group: &'static str,
    /// Whose rows it holds.
    pub scope: Scope,
    /// How its rows come to be.
    pub lifecycle: Lifecycle,
    /// Whose consent covers it.
    pub patient: PatientLink,
    /// Its facets; index is the [`FacetId`]. Empty for server tables.
    pub facets: &'static [Facet],
    /// Its own columns, without id, the standard ones and those of [`SERVER_COLUMNS`].
    pub fields: &'static [Field],
    /// What a row is, for the data dictionary.
    pub about: &'static str,
}

/// Tombstone fields that every editable table has in its first facet: who, when, why (no hard delete: 20-year
/// retention, Lei 13.787/2018).
pub static TOMBSTONE: [Field; 3] = [
    Field::register("retired_at", Column::Instant).about("When the record was retired."),
    Field::register("retired_by", Column::Uuid).about("Who retired it."),
    Field::text("retired_reason").about("Why it was retired."),
];

/// Columns the merge writes into every canonical row of a clinic: who captured the last change and when, when the
/// server merged it, and under which feed number.
pub const SERVER_COLUMNS: [(&str, Column); 4] = [
    ("author_id", Column::Uuid),
    ("captured_at", Column::Instant),
    ("merged_at", Column::Instant),
    ("feed_seq", Column::BigInt),
];

/// A table is its number.
impl PartialEq for Table {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Table {
    /// Every field a row carries, in the order of a [`crate::row::Row`]: own fields, then the tombstone.
    pub fn columns(&self) -> impl Iterator<Item = &'static Field> + Clone + use<> {
        let tombstone: &'static [Field] =
            if matches!(self.lifecycle, Lifecycle::Editable) { &TOMBSTONE } else { &[] };
        let fields: &'static [Field] = self.fields;
        fields.iter().chain(tombstone)
    }

    /// How many fields a row carries.
    #[must_use]
    pub fn width(&self) -> usize {
        let tombstone = if matches!(self.lifecycle, Lifecycle::Editable) { TOMBSTONE.len() } else { 0 };
        self.fields.len().saturating_add(tombstone)
    }

    /// Whether the server keeps this field encrypted: what is marked, and every reason a person gave for retiring a
    /// record of a patient.
    #[must_use]
    pub fn seals(&self, field: &Field) -> bool {
        field.sealed || (self.patient != PatientLink::None && field.name == "retired_reason")
    }

    /// The type a field has in PostgreSQL: sealed values of types that hold no text are kept as one.
    #[must_use]
    pub fn stored_column(&self, field: &Field) -> Column {
        match field.column {
            kept @ (Column::Text | Column::TextArray | Column::Json) => kept,
            _ if self.seals(field) => Column::Text,
            plain => plain,
        }
    }

    /// Index and field of this name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<(usize, &'static Field)> {
        self.columns().enumerate().find(|(_, field)| field.name == name)
    }

    /// Fields kept by the documents of one facet, with their index in the row.
    pub fn facet_fields(
        &self,
        facet: FacetId,
    ) -> impl Iterator<Item = (usize, &'static Field)> + Clone + use<> {
        self.columns()
            .enumerate()
            .filter(move |(_, field)| field.kind != Kind::Derived && field.facet == facet)
    }

    /// The facet of this index.
    #[must_use]
    pub fn facet(&self, facet: FacetId) -> Option<&'static Facet> {
        let facets: &'static [Facet] = self.facets;
        facets.get(usize::from(facet.0))
    }

    /// Facet ids, first the one whose document is the record's existence.
    pub fn facet_ids(&self) -> impl Iterator<Item = FacetId> + use<> {
        (0..u8::try_from(self.facets.len()).unwrap_or(0)).map(FacetId)
    }
}

/// Every table, in dependency order: a table comes after those it references.
pub static TABLES: &[&Table] = &[
    &service::SERVICE_CATEGORIES,
    &service::SERVICE_TYPES,
    &compliance::COMPLIANCE_CATEGORIES,
    &compliance::COMPLIANCE_REQUIREMENTS,
    &system::SYSTEM_SETTINGS,
    &clinic::CLINICS,
    &clinic::PROFESSIONALS,
    &clinic::CLINIC_PROFESSIONALS,
    &patient::PATIENTS,
    &patient::PATIENT_DOCUMENTS,
    &appointment::APPOINTMENTS,
    &appointment::APPOINTMENT_HISTORY,
    &inventory::INVENTORY_PRODUCTS,
    &inventory::INVENTORY_LOTS,
    &inventory::INVENTORY_TRANSACTIONS,
    &inventory::INVENTORY_ALERTS,
    &treatment::TREATMENT_PLANS,
    &treatment::TREATMENT_SESSIONS,
    &treatment::TREATMENT_ASSESSMENTS,
    &treatment::DOCUMENTATION_TEMPLATES,
    &coordination::PROFESSIONAL_TEAMS,
    &coordination::TEAM_MEMBERS,
    &coordination::PROFESSIONAL_REFERRALS,
    &coordination::COLLABORATIVE_SESSIONS,
    &coordination::COORDINATION_THREADS,
    &coordination::COORDINATION_MESSAGES,
    &coordination::PROFESSIONAL_SUPERVISION,
    &coordination::PROFESSIONAL_SCOPE_VALIDATION,
    &coordination::COORDINATION_PROTOCOLS,
    &compliance::COMPLIANCE_ASSESSMENTS,
    &compliance::DATA_CONSENT_RECORDS,
    &compliance::COMPLIANCE_REPORTS,
    &finance::PAYMENTS,
    &practice::SCOPE_BUNDLES,
    &practice::SCOPE_DECISIONS,
];

/// The table of this name.
#[must_use]
pub fn table(name: &str) -> Option<&'static Table> {
    TABLES.iter().copied().find(|table| table.name == name)
}

/// The table of this number.
#[must_use]
pub fn table_by_id(id: TableId) -> Option<&'static Table> {
    TABLES.iter().copied().find(|table| table.id == id)
}

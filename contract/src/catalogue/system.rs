//! System-wide settings, kept from the console.

use super::{Default, Field, Lifecycle, PatientLink, Scope, Table, TableId};
use crate::value::Column;

/// Settings of the whole installation.
pub static SYSTEM_SETTINGS: Table = Table {
    id: TableId(5),
    name: "system_settings",
    group: "System Configuration",
    scope: Scope::Reference,
    lifecycle: Lifecycle::Server,
    patient: PatientLink::None,
    facets: &[],
    fields: &[
        Field::derived("setting_key", Column::Text).required().about("Name of the setting, unique."),
        Field::derived("setting_value", Column::Json).required().about("Its value."),
        Field::derived("description", Column::Text).about("What it does."),
        Field::derived("is_active", Column::Bool).default(Default::Bool(true)).about("In force."),
        Field::derived("created_at", Column::Instant).about("When created."),
        Field::derived("updated_at", Column::Instant).about("When last changed."),
    ],
    about: "Settings of the whole installation.",
};

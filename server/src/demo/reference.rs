//! What every clinic of the network shares: services, duties, settings.
//!
//! Invariant: ids depend on the seed alone, so a demo made on another day adds nothing here.

use super::random::Random;
use super::scribe::{money, object, row, text, texts};
use super::services::{CATEGORIES, Class, SERVICES};
use super::{FOUNDED_US, duties};
use crate::store::load::ReferenceRows;
use neonpro_contract::catalogue::{Table, table};
use neonpro_contract::ids::RecordId;
use neonpro_contract::scope_of_practice::publisher_keys;
use neonpro_contract::validate::Invalid;
use neonpro_contract::value::Value;
use uuid::Uuid;

/// Rows of the reference tables, in the order in which they may be written.
///
/// # Errors
/// A table or column the catalogue does not have.
pub(super) fn rows(random: &mut Random) -> Result<Vec<(&'static Table, ReferenceRows)>, Invalid> {
    let of = |name: &'static str| table(name).ok_or(Invalid::new(name, "a table of the catalogue"));
    let mut categories = Vec::new();
    for (order, (name, description)) in (1i64..).zip(CATEGORIES) {
        let fields = vec![
            ("name", text(name)),
            ("description", text(description)),
            ("display_order", Value::Int(order)),
        ];
        categories.push((RecordId(random.id(FOUNDED_US)), row(of("service_categories")?, fields)?));
    }
    let mut services = Vec::new();
    for service in &SERVICES {
        let category = categories.get(service.category).map_or(Uuid::nil(), |(id, _)| id.0);
        let injectable = service.class == Class::Injectable;
        let fields = vec![
            ("category_id", Value::Uuid(category)),
            ("name", text(service.name)),
            ("tuss_code", service.tuss.map_or(Value::Null, text)),
            ("duration_minutes", Value::Int(i64::from(service.minutes))),
            ("base_price", money(service.reais * 100)),
            ("requires_doctor", Value::Bool(service.class == Class::Consultation && service.tuss.is_some())),
            ("requires_preparation", Value::Bool(injectable)),
            ("recovery_time_days", Value::Int(service.recovery_days)),
            ("contraindications", texts(service.contraindications())),
            ("side_effects", texts(service.side_effects())),
            ("procedure_class", text(service.procedure_class())),
            ("body_area", service.body_area().map_or(Value::Null, text)),
        ];
        services.push((RecordId(random.id(FOUNDED_US)), row(of("service_types")?, fields)?));
    }
    let settings = settings(random, of("system_settings")?)?;
    let (groups, duties) = duties::reference(random, FOUNDED_US)?;
    let bundles = crate::scope::shipped_rows(&publisher_keys())
        .map_err(|_| Invalid::new("scope_bundles", "a bundle its publisher signed"))?;
    Ok(vec![
        (of("service_categories")?, categories),
        (of("service_types")?, services),
        (of("compliance_categories")?, groups),
        (of("compliance_requirements")?, duties),
        (of("system_settings")?, settings),
        (of("scope_bundles")?, bundles),
    ])
}

fn settings(random: &mut Random, table: &'static Table) -> Result<ReferenceRows, Invalid> {
    let known = [
        (
            "offline_lease_days",
            "days",
            30,
            "Dias que um tablet pode ficar sem sincronizar antes de bloquear a leitura",
        ),
        (
            "withdrawal_alarm_hours",
            "hours",
            72,
            "Horas até alertar sobre um tablet que não confirmou uma exclusão",
        ),
        ("chart_retention_years", "years", 20, "Guarda do prontuário (Lei 13.787/2018)"),
    ];
    let mut rows = Vec::new();
    for (key, unit, value, about) in known {
        let setting = object([(unit, value.into())]);
        let fields =
            vec![("setting_key", text(key)), ("setting_value", setting), ("description", text(about))];
        rows.push((RecordId(random.id(FOUNDED_US)), row(table, fields)?));
    }
    Ok(rows)
}

//! TUSS table 22 → `service_categories` and `service_types`.
//!
//! Neither the table's age nor its gaps are hidden: a term no longer in force is imported as not active, and the codes
//! whose check digit does not fit are taken, because nine real ones do not.

use super::remark::Remark;
use super::sheet::{Line, Sheet};
use super::writer::{TRANSACTION_RECORDS, row, table_of};
use super::{ImportError, Run, Source, keys};
use crate::store::load::{Loaded, ReferenceRows};
use neonpro_contract::ids::RecordId;
use neonpro_contract::validate::br::tuss::TussCheck;
use neonpro_contract::value::Value;
use std::collections::{BTreeMap, HashSet};
use uuid::Uuid;

const FILE: &str = "tuss/tuss22_clean.csv";
const COLUMNS: [&str; 6] =
    ["codigo", "termo", "inicio_vigencia", "fim_vigencia", "vigente", "capitulo_rol2021"];

/// The table gives no durations. Half an hour is a placeholder that an administrator corrects.
const DURATION_MINUTES: i64 = 30;

/// Category of terms to which the list of 2021 gives no chapter.
const NO_CHAPTER: &str = "SEM CAPÍTULO NO ROL 2021";

/// Imports the table.
///
/// # Errors
/// See [`ImportError`].
pub(super) async fn import(run: &mut Run<'_>) -> Result<(), ImportError> {
    let mut sheet = Sheet::open(&run.options.from, FILE, COLUMNS)?;
    let mut chapters: BTreeMap<String, Uuid> = BTreeMap::new();
    let mut seen = HashSet::new();
    let mut services: ReferenceRows = Vec::new();
    while let Some(line) = sheet.next(&mut run.remarks)? {
        if let Some((code, missing)) = missing(&line) {
            run.remarks.refused(sheet.place(line.number, code), missing)?;
        } else if seen.insert(line.fields.first().cloned().unwrap_or_default()) {
            remark(run, &sheet, &line)?;
            services.push(service(line, &mut chapters)?);
        } else {
            run.remarks.refused(sheet.place(line.number, "codigo"), Remark::Duplicate)?;
        }
    }
    let taken = u64::try_from(services.len()).unwrap_or(u64::MAX);
    let categories = categories(&chapters)?;
    let made = u64::try_from(categories.len()).unwrap_or(u64::MAX);
    let total = taken.saturating_add(made);
    let mut loaded = run.store.load_reference(table_of("service_categories")?, &categories, run.now).await?;
    for chunk in services.chunks(TRANSACTION_RECORDS) {
        loaded += run.store.load_reference(table_of("service_types")?, chunk, run.now).await?;
        run.told(Source::Tuss, done(loaded), total)?;
    }
    run.settle(FILE, sheet.read(), taken, total, loaded)
}

fn done(loaded: Loaded) -> u64 {
    loaded.records.saturating_add(loaded.present)
}

/// The first field without which there is no service.
fn missing(line: &Line<6>) -> Option<(&'static str, Remark)> {
    let [code, term, ..] = &line.fields;
    if code.is_empty() {
        Some(("codigo", Remark::Empty))
    } else if term.is_empty() {
        Some(("termo", Remark::Empty))
    } else {
        None
    }
}

fn remark(run: &mut Run<'_>, sheet: &Sheet<6>, line: &Line<6>) -> Result<(), ImportError> {
    let [code, _, _, _, in_force, _] = &line.fields;
    let at = sheet.place(line.number, "codigo");
    match TussCheck::of(code) {
        TussCheck::Fits => {}
        TussCheck::DigitDiffers => run.remarks.taken(at, Remark::TussCheckDigit)?,
        TussCheck::NotTuss => run.remarks.taken(at, Remark::TussForm)?,
    }
    if in_force != "1" {
        run.remarks.taken(sheet.place(line.number, "vigente"), Remark::TussNotInForce)?;
    }
    Ok(())
}

fn service(
    line: Line<6>,
    chapters: &mut BTreeMap<String, Uuid>,
) -> Result<(RecordId, neonpro_contract::row::Row), ImportError> {
    let [code, term, since, until, in_force, chapter] = line.fields;
    let chapter = if chapter.is_empty() { NO_CHAPTER.to_owned() } else { chapter };
    let category = keys::id("tuss chapter", &[chapter.as_str()]);
    chapters.entry(chapter).or_insert(category);
    let validity = if until.is_empty() {
        format!("TUSS tabela 22, vigente desde {since}")
    } else {
        format!("TUSS tabela 22, vigência de {since} a {until}")
    };
    let fields = vec![
        ("category_id", Value::Uuid(category)),
        ("name", Value::Text(term)),
        ("description", Value::Text(validity)),
        ("duration_minutes", Value::Int(DURATION_MINUTES)),
        ("is_active", Value::Bool(in_force == "1")),
    ];
    let id = keys::id("tuss term", &[code.as_str()]);
    let mut row = row(table_of("service_types")?, fields)?;
    row.set("tuss_code", Value::Text(code));
    Ok((RecordId(id), row))
}

fn categories(chapters: &BTreeMap<String, Uuid>) -> Result<ReferenceRows, ImportError> {
    let table = table_of("service_categories")?;
    (1i64..)
        .zip(chapters)
        .map(|(order, (name, id))| {
            let fields = vec![
                ("name", Value::Text(name.clone())),
                ("description", Value::Text("Capítulo do rol da ANS de 2021".to_owned())),
                // After the clinics' own categories.
                ("display_order", Value::Int(order.saturating_add(100))),
            ];
            Ok((RecordId(*id), row(table, fields)?))
        })
        .collect()
}

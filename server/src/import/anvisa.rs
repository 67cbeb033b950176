//! Registered medical devices → `inventory_products` of clinics of the imported network.
//!
//! The registration is not a key (several makers stand under one) and not of fixed length. The validity is that of the
//! registration, not of a product, so it never becomes an expiry date. The data is of 2020: it says so in every row.

use super::remark::{Remark, Remarks};
use super::sheet::{Line, Sheet};
use super::writer::{Tally, Writer, record, table_of};
use super::{ImportError, Run, Source, keys, visits};
use crate::actor::Actor;
use crate::store::load::LoadRecord;
use neonpro_contract::ids::ClinicId;
use neonpro_contract::limits::SHORT_TEXT_BYTES_MAX;
use neonpro_contract::validate::br::anvisa::AnvisaKind;
use neonpro_contract::validate::br::cnpj::Cnpj;
use neonpro_contract::value::Value;
use std::collections::HashSet;

const WHOLE: &str = "anvisa/produtos_saude_2020.csv";
const AESTHETIC: &str = "anvisa/produtos_saude_2020_estetica_subset.csv";

const COLUMNS: [&str; 10] = [
    "registro",
    "processo",
    "nome_tecnico",
    "classe_risco",
    "nome_comercial",
    "cnpj_detentor",
    "detentor",
    "fabricante",
    "pais_fabricante",
    "dt_publicacao",
];

/// Imports the aesthetic products into the largest clinics, and every product into the first of them.
///
/// # Errors
/// See [`ImportError`].
pub(super) async fn import(run: &mut Run<'_>) -> Result<(), ImportError> {
    let mut unseen = Remarks::default();
    let units = visits::read(&run.options.from, &mut unseen)?;
    let clinics = visits::largest(&units, run.options.anvisa_clinics);
    drop(units);
    if clinics.is_empty() || !exist(run, &clinics).await? {
        return Err(ImportError::NoClinics);
    }
    let first: Vec<ClinicId> = clinics.iter().copied().take(1).collect();
    // The smaller file first: its products carry a category of their own, and an id that is there is left alone.
    file(run, AESTHETIC, &clinics, true).await?;
    file(run, WHOLE, &first, false).await
}

/// Whether all these clinics were imported.
async fn exist(run: &Run<'_>, clinics: &[ClinicId]) -> Result<bool, ImportError> {
    let table = table_of("clinics")?;
    for clinic in clinics {
        let mut scoped = run.store.begin(&Actor::system(*clinic)).await?;
        let known = scoped.list_existing(table, &[clinic.0]).await?;
        scoped.rollback().await?;
        if known.is_empty() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// A row of either file and the category it is given.
struct Product {
    line: Line<10>,
    category: String,
}

async fn file(
    run: &mut Run<'_>,
    file: &'static str,
    clinics: &[ClinicId],
    categorised: bool,
) -> Result<(), ImportError> {
    let (products, read) = read(run, file, categorised)?;
    let rows = u64::try_from(products.len()).unwrap_or(u64::MAX);
    let targets = u64::try_from(clinics.len()).unwrap_or(u64::MAX);
    let mut tally = Tally::new(Source::Anvisa, rows.saturating_mul(targets));
    let (mut taken, mut records) = (0u64, 0u64);
    for (place, clinic) in clinics.iter().enumerate() {
        let mut writer = Writer::new(*clinic);
        for product in &products {
            let at = super::remark::Place { file, line: product.line.number, column: "" };
            let record = product_record(product, *clinic, run.now.0)?;
            let added = u64::from(writer.add(run, &mut tally, record, at).await?);
            records = records.saturating_add(added);
            // A row is taken once, into however many clinics.
            taken = taken.saturating_add(if place == 0 { added } else { 0 });
        }
        writer.flush(run, &mut tally).await?;
    }
    run.settle(file, read, taken, records, tally.loaded)
}

/// Reads and checks a file: products that can be taken, and how many rows were read.
fn read(
    run: &mut Run<'_>,
    file: &'static str,
    categorised: bool,
) -> Result<(Vec<Product>, u64), ImportError> {
    let mut categories =
        if categorised { Some(Sheet::open(&run.options.from, file, ["categoria_derivada"])?) } else { None };
    let mut sheet = Sheet::open(&run.options.from, file, COLUMNS)?;
    let (mut seen, mut registrations) = (HashSet::new(), HashSet::new());
    let mut products = Vec::new();
    let mut unseen = Remarks::default();
    while let Some(line) = sheet.next(&mut run.remarks)? {
        let own = match &mut categories {
            Some(sheet) => category_at(sheet, line.number, &mut unseen)?,
            None => None,
        };
        let [registration, _, _, class, name, ..] = &line.fields;
        let empty =
            [("registro", registration), ("nome_comercial", name)].into_iter().find(|(_, v)| v.is_empty());
        if let Some((column, _)) = empty {
            run.remarks.refused(sheet.place(line.number, column), Remark::Empty)?;
            continue;
        }
        if !seen.insert(product_key(&line)) {
            run.remarks.refused(sheet.place(line.number, ""), Remark::Duplicate)?;
            continue;
        }
        let category = own.unwrap_or_else(|| format!("produto para saúde, classe {class}"));
        check(run, &sheet, &line, registrations.insert(registration.clone()))?;
        products.push(Product { line, category });
    }
    Ok((products, sheet.read()))
}

/// The category of the row that begins on this line. Both readers go through the same file.
fn category_at(
    sheet: &mut Sheet<1>,
    number: u64,
    unseen: &mut Remarks,
) -> Result<Option<String>, ImportError> {
    while let Some(line) = sheet.next(unseen)? {
        if line.number == number {
            let [category] = line.fields;
            return Ok(Some(category).filter(|category| !category.is_empty()));
        }
    }
    Ok(None)
}

/// What only warns.
fn check(run: &mut Run<'_>, sheet: &Sheet<10>, line: &Line<10>, first: bool) -> Result<(), ImportError> {
    let [registration, _, _, _, _, holder, _, _, _, published] = &line.fields;
    let at = |column| sheet.place(line.number, column);
    if !first {
        run.remarks.taken(at("registro"), Remark::RegistrationRepeated)?;
    }
    if AnvisaKind::of(registration).warning_code().is_some() {
        run.remarks.taken(at("registro"), Remark::RegistrationForm)?;
    }
    if Cnpj::parse(holder).is_err() {
        run.remarks.taken(at("cnpj_detentor"), Remark::CnpjCheckDigits)?;
    }
    if published.is_empty() {
        run.remarks.taken(at("dt_publicacao"), Remark::DateMissing)?;
    }
    Ok(())
}

/// What makes a row the same one: everything it says of the product, since no column alone does.
fn product_key(line: &Line<10>) -> uuid::Uuid {
    let fields: Vec<&str> = line.fields.iter().map(String::as_str).collect();
    keys::id("anvisa product", &fields)
}

fn product_record(product: &Product, clinic: ClinicId, now_us: i64) -> Result<LoadRecord, ImportError> {
    let [registration, process, technical, class, name, holder_number, holder, maker, country, published] =
        &product.line.fields;
    let published = if published.is_empty() { "sem data" } else { published };
    let about = format!(
        "{technical}; classe de risco {class}; detentor {holder} ({holder_number}); fabricado em {country}; processo \
         {process}; publicado: {published}. Dados abertos da ANVISA de 2020, não é situação regulatória atual."
    );
    let text = |text: &str| Value::Text(text.to_owned());
    let fields = vec![
        ("name", text(name)),
        ("description", text(cut(&about))),
        ("category", text(&product.category)),
        ("manufacturer", text(maker)),
        ("anvisa_registration", text(registration)),
        ("unit_type", text("piece")),
        ("unit_size", Value::Decimal(rust_decimal::Decimal::new(1_000, 3))),
        ("min_quantity", Value::Decimal(rust_decimal::Decimal::new(0, 3))),
        ("requires_refrigeration", Value::Bool(false)),
        ("is_controlled_substance", Value::Bool(false)),
        ("is_active", Value::Bool(true)),
    ];
    let id =
        keys::id("anvisa product of clinic", &[&clinic.to_string(), &product_key(&product.line).to_string()]);
    record("inventory_products", id, now_us, fields)
}

/// A text within the limit of a line, cut at a character.
fn cut(text: &str) -> &str {
    let end = text.char_indices().map(|(at, letter)| at.saturating_add(letter.len_utf8()));
    let fits = end.take_while(|end| *end <= SHORT_TEXT_BYTES_MAX).last().unwrap_or(0);
    text.get(..fits).unwrap_or_default()
}

//! Products, lots and the ledger. Names say what a thing is, never whose brand; no registration number is invented.

use super::agenda::Visit;
use super::people::Team;
use super::scribe::{Fields, Scribe, link, money, quantity, text};
use super::services::SERVICES;
use neonpro_contract::validate::Invalid;
use neonpro_contract::value::Value;
use uuid::Uuid;

/// A product. Quantities in thousandths of its unit.
#[derive(Debug)]
pub(super) struct Product {
    name: &'static str,
    category: &'static str,
    unit: &'static str,
    /// Size of one unit.
    size: i64,
    /// Below it, stock is low.
    min: i64,
    /// What is left after everything the agenda used.
    reserve: i64,
    cost_reais: i64,
    cold: bool,
    /// Whether it may only be given within a scope of practice.
    pub(super) medicine: bool,
}

const fn product(
    name: &'static str,
    category: &'static str,
    unit: &'static str,
    size: i64,
    min: i64,
    reserve: i64,
    cost_reais: i64,
) -> Product {
    Product { name, category, unit, size, min, reserve, cost_reais, cold: false, medicine: false }
}

impl Product {
    const fn medicine(mut self) -> Self {
        self.medicine = true;
        self
    }
    /// What it is to the rules on scope of practice.
    fn class(&self) -> &'static str {
        match self.category {
            "toxinas" => "botulinum_toxin",
            "preenchedores" => "filler",
            "bioestimuladores" => "biostimulator",
            "fios" => "thread",
            "injetáveis" => "injectable_solution",
            "peelings" if self.medicine => "medicine",
            "peelings" => "peel_acid",
            "cosméticos" => "cosmetic",
            _ if self.medicine => "topical_anaesthetic",
            _ => "supply",
        }
    }
    const fn cold(mut self) -> Self {
        self.cold = true;
        self
    }
}

/// The products; services name them by index.
pub(super) const PRODUCTS: [Product; 18] = [
    product("Toxina botulínica A 100 U", "toxinas", "units", 100_000, 600_000, 900_000, 7).medicine().cold(),
    product("Ácido hialurônico 1 ml, lábios", "preenchedores", "syringe", 1_000, 5_000, 4_000, 380)
        .medicine(),
    product("Ácido hialurônico 1 ml, densidade média", "preenchedores", "syringe", 1_000, 5_000, 11_000, 410)
        .medicine(),
    product("Ácido hialurônico 1 ml, volumizador", "preenchedores", "syringe", 1_000, 6_000, 12_000, 520)
        .medicine(),
    product(
        "Bioestimulador de hidroxiapatita 1,5 ml",
        "bioestimuladores",
        "syringe",
        1_000,
        3_000,
        5_000,
        640,
    )
    .medicine(),
    product("Ácido hialurônico não reticulado 2,5 ml", "preenchedores", "syringe", 1_000, 3_000, 6_000, 300)
        .medicine(),
    product("Fio de sustentação PDO", "fios", "piece", 1_000, 20_000, 44_000, 45).medicine(),
    product("Solução para intradermoterapia 5 ml", "injetáveis", "ampoule", 1_000, 10_000, 26_000, 28)
        .medicine(),
    product("Cartucho de microagulhas 36", "descartáveis", "piece", 1_000, 15_000, 9_000, 32),
    product("Ácido mandélico 30 %", "peelings", "ml", 1_000, 50_000, 140_000, 2),
    product("Ácido tricloroacético 20 %", "peelings", "ml", 1_000, 30_000, 90_000, 3).medicine(),
    product("Agulha 30G", "descartáveis", "units", 1_000, 200_000, 640_000, 1),
    product("Kit de limpeza de pele", "descartáveis", "units", 1_000, 40_000, 75_000, 18),
    product("Máscara hidratante", "cosméticos", "units", 1_000, 30_000, 22_000, 15),
    product("Manta de criolipólise", "descartáveis", "units", 1_000, 8_000, 14_000, 60),
    product("Gel condutor", "insumos", "ml", 1_000, 1_500_000, 4_000_000, 0),
    product("Creme para massagem", "cosméticos", "g", 1_000, 800_000, 1_900_000, 0),
    product("Anestésico tópico", "insumos", "g", 1_000, 150_000, 320_000, 1).medicine(),
];

/// Makers that do not exist.
const MAKERS: &[&str] =
    &["Laboratório Horizonte", "Indústria Serra Azul", "Distribuidora Cristalina", "Farma Capim Dourado"];

/// A product of a clinic.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stocked {
    /// Its id.
    pub(super) id: Uuid,
    /// The lot in use.
    pub(super) lot: Uuid,
}

/// Products and their lots, in the order of [`PRODUCTS`].
///
/// # Errors
/// A row that no tablet could have written.
pub(super) fn products(scribe: &mut Scribe, team: &Team) -> Result<Vec<Stocked>, Invalid> {
    let mut stocked = Vec::with_capacity(PRODUCTS.len());
    for (number, product) in (1u32..).zip(&PRODUCTS) {
        let at = scribe.moment(-400, 9 * 60);
        let maker = scribe.random.word(MAKERS);
        let id = scribe.add("inventory_products", at, Some(team.admin), fields_of(maker, product, number))?;
        let (sooner, later) = (scribe.random.between(20, 120), scribe.random.between(200, 700));
        let in_use = lot(scribe, team, id, scribe.day(sooner))?;
        lot(scribe, team, id, scribe.day(later))?;
        stocked.push(Stocked { id, lot: in_use });
    }
    Ok(stocked)
}

fn fields_of(maker: &'static str, product: &Product, number: u32) -> Fields {
    let storage = if product.cold { "Refrigerar entre 2 °C e 8 °C" } else { "Local seco, até 30 °C" };
    vec![
        ("name", text(product.name)),
        ("category", text(product.category)),
        ("product_class", text(product.class())),
        ("sku", text(format!("AUR-{number:03}"))),
        ("barcode", text(gtin(number))),
        ("manufacturer", text(maker)),
        ("unit_type", text(product.unit)),
        ("unit_size", quantity(product.size)),
        ("min_quantity", quantity(product.min)),
        ("reorder_point", quantity(product.min * 3 / 2)),
        ("max_quantity", quantity(product.min * 12)),
        ("cost_per_unit", money(product.cost_reais * 100 + 50)),
        ("selling_price_per_unit", money(product.cost_reais * 180 + 90)),
        ("storage_requirements", text(storage)),
        ("requires_refrigeration", Value::Bool(product.cold)),
        ("is_controlled_substance", Value::Bool(false)),
        ("is_active", Value::Bool(true)),
    ]
}

/// A product number of 13 digits (GS1 General Specifications 7.9) in the range for use inside a company.
fn gtin(number: u32) -> String {
    let digits = format!("2000000{number:05}");
    let weighted = digits.bytes().zip([1u32, 3].into_iter().cycle());
    let sum: u32 = weighted.map(|(digit, weight)| u32::from(digit - b'0') * weight).sum();
    format!("{digits}{}", (10 - sum % 10) % 10)
}

fn lot(scribe: &mut Scribe, team: &Team, product: Uuid, expiry: chrono::NaiveDate) -> Result<Uuid, Invalid> {
    let at = scribe.moment(-75, 9 * 60);
    let number = format!("L{:02}{:05}", scribe.random.below(90), scribe.random.below(100_000));
    let fields = vec![
        ("product_id", Value::Uuid(product)),
        ("lot_number", text(number)),
        ("expiry_date", Value::Date(expiry)),
        ("site", text("Almoxarifado")),
    ];
    scribe.add("inventory_lots", at, Some(team.admin), fields)
}

/// The ledger in the order of time: opening purchases that cover what the agenda used, then that, then losses. And
/// alerts that people closed.
///
/// # Errors
/// A row that no tablet could have written.
pub(super) fn ledger(
    scribe: &mut Scribe,
    team: &Team,
    stocked: &[Stocked],
    visits: &[Visit],
) -> Result<(), Invalid> {
    let mut used: Vec<(&Visit, Stocked, usize, i64)> =
        visits.iter().filter_map(|visit| use_of(visit, stocked)).collect();
    used.sort_by_key(|(visit, ..)| (visit.end_us, visit.id));
    for (place, (product, stock)) in PRODUCTS.iter().zip(stocked).enumerate() {
        let spent: i64 =
            used.iter().filter(|(_, _, of, _)| *of == place).map(|(_, _, _, amount)| amount).sum();
        let at = scribe.moment(-60, 9 * 60 + 30);
        // One unit more, for what may get lost.
        let amount = spent + product.reserve + product.size;
        movement(scribe, "purchase", amount, *stock, at, team.admin, None, "Estoque inicial")?;
    }
    for (visit, stock, _, amount) in used {
        let by = team.practitioner(visit.practitioner);
        movement(scribe, "usage", amount, stock, visit.end_us, by, Some(visit.id), "Uso em atendimento")?;
    }
    for (product, stock) in PRODUCTS.iter().zip(stocked) {
        if scribe.random.chance(25) {
            let at = scribe.now.0 - 30 * 60 * 1_000_000;
            movement(
                scribe,
                "waste",
                product.size,
                *stock,
                at,
                team.assistant,
                None,
                "Embalagem danificada",
            )?;
        }
    }
    closed_alerts(scribe, team, stocked)
}

/// What a visit that took place used up: the stock, which product it is, and how much.
fn use_of<'a>(visit: &'a Visit, stocked: &[Stocked]) -> Option<(&'a Visit, Stocked, usize, i64)> {
    let (product, amount) = SERVICES.get(visit.service).filter(|_| visit.status == "completed")?.uses?;
    stocked.get(product).map(|stock| (visit, *stock, product, amount))
}

#[expect(clippy::too_many_arguments, reason = "a movement is these facts; a struct would repeat the row")]
fn movement(
    scribe: &mut Scribe,
    kind: &'static str,
    amount: i64,
    stock: Stocked,
    at_us: i64,
    by: Uuid,
    visit: Option<Uuid>,
    notes: &'static str,
) -> Result<Uuid, Invalid> {
    let fields = vec![
        ("product_id", Value::Uuid(stock.id)),
        ("transaction_type", text(kind)),
        ("quantity", quantity(amount)),
        ("transaction_date", Value::Instant(at_us)),
        ("performed_by", Value::Uuid(by)),
        ("notes", text(notes)),
        ("appointment_id", link(visit)),
        ("lot_id", Value::Uuid(stock.lot)),
    ];
    scribe.add("inventory_transactions", at_us, Some(by), fields)
}

fn closed_alerts(scribe: &mut Scribe, team: &Team, stocked: &[Stocked]) -> Result<(), Invalid> {
    for stock in stocked.iter().take(3) {
        let (raised, closed) = (scribe.moment(-50, 8 * 60), scribe.moment(-48, 10 * 60));
        let fields = vec![
            ("product_id", Value::Uuid(stock.id)),
            ("alert_type", text("reorder_needed")),
            ("severity", text("medium")),
            ("message", text("Repor: saldo no ponto de pedido")),
            ("is_resolved", Value::Bool(true)),
            ("resolved_at", Value::Instant(closed)),
            ("resolved_by", Value::Uuid(team.admin)),
        ];
        scribe.add("inventory_alerts", raised, Some(team.admin), fields)?;
    }
    Ok(())
}

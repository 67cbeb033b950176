//! One product: its lots, opening a vial, movements, a count.

use crate::app::App;
use crate::failure::Failure;
use crate::forms::number::decimal;
use crate::forms::{Posted, Wanted, field};
use crate::read::stock::{
    LotView, MovementView, find_on_hand, find_unusable, list_lots, list_movements, quantity, unit,
};
use crate::read::{find_record, text as text_of, zone};
use crate::screens::frame::{Frame, Page, Tab, page};
use crate::text;
use crate::visit::{Visit, done, refused};
use crate::write::{Outcome, create, update};
use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use neonpro_client_core::Replica;
use neonpro_contract::ids::RecordId;
use neonpro_contract::value::instant_text;
use neonpro_contract::words::choice_label;
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::{Value as Json, json};

const TABLE: &str = "inventory_transactions";
/// Movements a person writes down; a count makes its adjustment itself.
const KINDS: [&str; 4] = ["usage", "purchase", "waste", "return"];

/// What the page starts from.
#[derive(Deserialize)]
pub struct ProductQuery {
    /// The lot that was scanned.
    #[serde(default)]
    lote: String,
}

#[derive(Template)]
#[template(path = "product.html")]
struct ProductPage {
    frame: Frame,
    id: String,
    name: String,
    on_hand: String,
    facts: Vec<(&'static str, String)>,
    lots: Vec<LotView>,
    lot: String,
    kinds: Vec<(&'static str, &'static str)>,
    movements: Vec<MovementView>,
    typed: Posted,
}

/// The page.
pub async fn show(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<RecordId>,
    Query(query): Query<ProductQuery>,
) -> Result<Page, Failure> {
    let now_us = app.now_us();
    app.work(move |replica| draw(replica, &visit, now_us, id, (query.lote, Posted::default()), None)).await
}

/// Writes a movement down.
pub async fn move_stock(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<RecordId>,
    posted: Posted,
) -> Result<Response, Failure> {
    let now_us = app.now_us();
    app.work(move |replica| {
        let kind = KINDS.into_iter().find(|kind| *kind == posted.get("tipo")).ok_or(Failure::NotFound)?;
        let amount = decimal(posted.trimmed("quantidade"));
        let Some(amount) = amount.filter(|amount| *amount > Decimal::ZERO) else {
            return refuse(replica, &visit, now_us, id, posted, text::stock::QUANTITY_WRONG);
        };
        let lot = posted.trimmed("lote");
        let today = zone(replica)?.day(now_us).unwrap_or_default();
        // An expired or recalled lot stops use, not writing down that it is thrown away.
        if let Some(why) = find_unusable(replica, lot, today)?.filter(|_| kind == "usage") {
            return refuse(replica, &visit, now_us, id, posted, why);
        }
        let note = posted.trimmed("notas").to_owned();
        write(replica, &visit, now_us, id, (kind, amount, note), posted)
    })
    .await
}

/// A count: what differs from the figure that is shown becomes an adjustment.
pub async fn count(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<RecordId>,
    posted: Posted,
) -> Result<Response, Failure> {
    let now_us = app.now_us();
    app.work(move |replica| {
        let counted = decimal(posted.trimmed("contada"));
        let Some(counted) = counted.filter(|counted| *counted >= Decimal::ZERO) else {
            return refuse(replica, &visit, now_us, id, posted, text::stock::QUANTITY_WRONG);
        };
        let here = find_on_hand(replica, &id.to_string())?.ok_or(Failure::NotFound)?;
        let difference = counted.saturating_sub(here);
        if difference.is_zero() {
            return Ok(done(&format!("/estoque/{id}"), "sem_mudanca"));
        }
        let what = ("adjustment", difference, text::stock::COUNT_NOTE.to_owned());
        write(replica, &visit, now_us, id, what, posted)
    })
    .await
}

/// A vial is opened now: its clock runs.
pub async fn open(
    State(app): State<App>,
    visit: Visit,
    Path(lot): Path<RecordId>,
) -> Result<Response, Failure> {
    let now_us = app.now_us();
    app.work(move |replica| {
        let record = find_record(replica, "inventory_lots", lot)?.ok_or(Failure::NotFound)?;
        let product: RecordId = text_of(&record, "product_id").parse().map_err(|_| Failure::NotFound)?;
        let today = zone(replica)?.day(now_us).unwrap_or_default();
        if let Some(why) = find_unusable(replica, &lot.to_string(), today)? {
            return refuse(replica, &visit, now_us, product, Posted::default(), why);
        }
        let mut wanted = Wanted::default();
        if let Some(field) =
            field("inventory_lots", "opened_at").filter(|_| !record.contains_key("opened_at"))
        {
            wanted.put(field, json!(instant_text(now_us)));
        }
        match update(replica, &visit, "inventory_lots", lot, wanted, None)? {
            Outcome::Saved(_) => Ok(done(&format!("/estoque/{product}"), "frasco")),
            Outcome::Unchanged => Ok(done(&format!("/estoque/{product}"), "sem_mudanca")),
            Outcome::Refused(refusal) => {
                let why = refusal.problem.unwrap_or(text::errors::TEXT);
                refuse(replica, &visit, now_us, product, Posted::default(), why)
            }
        }
    })
    .await
}

fn write(
    replica: &Replica,
    visit: &Visit,
    now_us: i64,
    id: RecordId,
    (kind, amount, note): (&str, Decimal, String),
    posted: Posted,
) -> Result<Response, Failure> {
    let mut wanted = Wanted::default();
    let lot = posted.trimmed("lote");
    let values = [
        ("product_id", json!(id)),
        ("transaction_type", json!(kind)),
        ("quantity", json!(amount.to_string())),
        ("transaction_date", json!(instant_text(now_us))),
        ("performed_by", json!(visit.author)),
        ("lot_id", if lot.is_empty() { Json::Null } else { json!(lot) }),
        ("notes", if note.is_empty() { Json::Null } else { json!(note) }),
    ];
    wanted.set(TABLE, values.into_iter().filter(|(_, value)| !value.is_null()));
    match create(replica, visit, TABLE, wanted, None)? {
        Outcome::Saved(_) | Outcome::Unchanged => Ok(done(&format!("/estoque/{id}"), "movimento")),
        Outcome::Refused(refusal) => {
            let why = refusal.problem.unwrap_or(text::errors::TEXT);
            refuse(replica, visit, now_us, id, posted, why)
        }
    }
}

fn refuse(
    replica: &Replica,
    visit: &Visit,
    now_us: i64,
    id: RecordId,
    posted: Posted,
    why: &'static str,
) -> Result<Response, Failure> {
    let here = visit.at(format!("/estoque/{id}"));
    let lot = posted.trimmed("lote").to_owned();
    let page = draw(replica, &here, now_us, id, (lot, posted), Some(why))?;
    refused(page)
}

fn draw(
    replica: &Replica,
    visit: &Visit,
    now_us: i64,
    id: RecordId,
    (lot, typed): (String, Posted),
    problem: Option<&'static str>,
) -> Result<Page, Failure> {
    let record = find_record(replica, "inventory_products", id)?.ok_or(Failure::NotFound)?;
    let (zone, product) = (zone(replica)?, id.to_string());
    let of = |name| text_of(&record, name).to_owned();
    let here = find_on_hand(replica, &product)?.unwrap_or_default();
    let facts = [
        (text::stock::ON_HAND, format!("{} {}", quantity(here), unit(text_of(&record, "unit_type")))),
        (label("min_quantity"), of("min_quantity").parse().map(quantity).unwrap_or_default()),
        (label("sku"), of("sku")),
        (label("anvisa_registration"), of("anvisa_registration")),
        (label("manufacturer"), of("manufacturer")),
        (label("storage_requirements"), of("storage_requirements")),
    ];
    page(&ProductPage {
        frame: Frame::load(replica, visit, now_us, &of("name"), Tab::Stock)?
            .live("#fatos,#lotes,#movimentos")
            .problem(problem),
        name: of("name"),
        on_hand: quantity(here),
        facts: facts.into_iter().filter(|(_, value)| !value.is_empty()).collect(),
        lots: list_lots(replica, &product, (zone, now_us))?,
        lot,
        kinds: KINDS
            .map(|kind| (kind, choice_label(TABLE, "transaction_type", kind).unwrap_or_default()))
            .to_vec(),
        movements: list_movements(replica, &product, (zone, now_us))?,
        typed,
        id: product,
    })
}

fn label(field: &str) -> &'static str {
    neonpro_contract::words::field_label("inventory_products", field).unwrap_or_default()
}

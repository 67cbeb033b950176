//! Estoque: alerts, products and what is there of each; a barcode leads to its product and lot, offline.

pub mod product;

use super::frame::{Frame, Page, Tab, page};
use crate::app::App;
use crate::failure::Failure;
use crate::forms::Wanted;
use crate::read::stock::{AlertView, ProductView, find_by_code, list_alerts, list_products};
use crate::read::zone;
use crate::text;
use crate::visit::{Visit, done, refused};
use crate::write::{Outcome, update};
use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use neonpro_client_core::Replica;
use neonpro_contract::gs1::{self, NotGs1};
use neonpro_contract::ids::RecordId;
use neonpro_contract::value::instant_text;
use serde::Deserialize;
use serde_json::json;

/// What is looked for.
#[derive(Deserialize)]
pub struct StockQuery {
    /// Words, or what a scanner read.
    #[serde(default)]
    busca: String,
}

#[derive(Template)]
#[template(path = "stock.html")]
struct StockPage {
    frame: Frame,
    search: String,
    alerts: Vec<AlertView>,
    products: Vec<ProductView>,
}

/// The page; a barcode goes on to its product.
pub async fn show(
    State(app): State<App>,
    visit: Visit,
    Query(query): Query<StockQuery>,
) -> Result<Response, Failure> {
    let now_us = app.now_us();
    app.work(move |replica| {
        let today = zone(replica)?.day(now_us).unwrap_or_default();
        let search: String = query.busca.chars().take(256).collect();
        let problem = match gs1::read(&search, today) {
            Ok(package) => match &package.gtin {
                Some(gtin) => match find_by_code(replica, gtin, package.lot.as_deref())? {
                    Some((product, lot)) => {
                        return Ok(Redirect::to(&lead(&product, lot, &package)).into_response());
                    }
                    None => Some(text::stock::CODE_UNKNOWN),
                },
                None => None,
            },
            Err(NotGs1::CheckDigit) => Some(text::stock::CODE_WRONG),
            Err(NotGs1::Expiry) => Some(text::stock::CODE_EXPIRY),
            Err(NotGs1::Unknown) => None,
        };
        Ok(draw(replica, &visit, now_us, search, problem)?.into_response())
    })
    .await
}

/// The product with its lot chosen; a lot nobody registered is registered first.
fn lead(product: &str, lot: Option<String>, package: &gs1::Package) -> String {
    match (lot, &package.lot) {
        (Some(lot), _) => format!("/estoque/{product}?lote={lot}"),
        (None, Some(number)) => {
            let expiry = package.expiry.map(|day| format!("&expiry_date={}", day.format("%d/%m/%Y")));
            let number: String = number
                .bytes()
                .map(|byte| {
                    if byte.is_ascii_alphanumeric() {
                        char::from(byte).to_string()
                    } else {
                        format!("%{byte:02X}")
                    }
                })
                .collect();
            format!(
                "/registros/inventory_lots/novo?product_id={product}&lot_number={number}{}",
                expiry.unwrap_or_default()
            )
        }
        (None, None) => format!("/estoque/{product}"),
    }
}

/// An alert was dealt with.
pub async fn resolve(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<RecordId>,
) -> Result<Response, Failure> {
    let now_us = app.now_us();
    app.work(move |replica| {
        let mut wanted = Wanted::default();
        let values = [
            ("is_resolved", json!(true)),
            ("resolved_at", json!(instant_text(now_us))),
            ("resolved_by", json!(visit.author)),
        ];
        wanted.set("inventory_alerts", values);
        match update(replica, &visit, "inventory_alerts", id, wanted, None)? {
            Outcome::Saved(_) | Outcome::Unchanged => Ok(done("/estoque", "salvo")),
            Outcome::Refused(refusal) => {
                let page = draw(replica, &visit.at("/estoque"), now_us, String::new(), refusal.problem)?;
                refused(page)
            }
        }
    })
    .await
}

fn draw(
    replica: &Replica,
    visit: &Visit,
    now_us: i64,
    search: String,
    problem: Option<&'static str>,
) -> Result<Page, Failure> {
    let today = zone(replica)?.day(now_us).unwrap_or_default();
    // A code that led nowhere is no word to search for.
    let words = if problem.is_some() { "" } else { search.as_str() };
    page(&StockPage {
        frame: Frame::load(replica, visit, now_us, text::STOCK, Tab::Stock)?
            .live("#alertas,#produtos")
            .problem(problem),
        alerts: list_alerts(replica)?,
        products: list_products(replica, words, today)?,
        search,
    })
}

//! What a session used: every tap on the map is an edit of its own, saved before the page shows it.

use super::{TABLE, existing, redraw};
use crate::app::App;
use crate::failure::Failure;
use crate::forms::Posted;
use crate::forms::Wanted;
use crate::forms::number::decimal;
use crate::read::session::{DEPTHS, LotChoice, Used, find_last_points, find_used, list_lot_choices};
use crate::read::stock::{find_by_code, find_unusable, quantity};
use crate::read::{Record, zone};
use crate::text;
use crate::visit::{Visit, done};
use crate::write::{Outcome, update};
use axum::extract::{Path, State};
use axum::response::Response;
use neonpro_client_core::Replica;
use neonpro_contract::edit::FieldOp;
use neonpro_contract::gs1;
use neonpro_contract::ids::RecordId;
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

/// What stays chosen from tap to tap.
#[derive(Deserialize, Default, Clone)]
pub struct Chosen {
    /// `product/lot`.
    #[serde(default)]
    pub lote: String,
    /// Quantity of a point.
    #[serde(default)]
    pub quantidade: String,
    /// Depth of a point.
    #[serde(default)]
    pub profundidade: String,
}

impl Chosen {
    fn of(posted: &Posted) -> Self {
        let part = |name| posted.trimmed(name).to_owned();
        Self { lote: part("lote"), quantidade: part("quantidade"), profundidade: part("profundidade") }
    }

    /// As a query, so that the next page has it chosen. Everything in it was parsed.
    fn query(&self) -> String {
        let quantity = decimal(&self.quantidade).map(quantity).unwrap_or_default();
        format!("lote={}&quantidade={quantity}&profundidade={}", self.lote, self.profundidade)
    }
}

/// The map and the lists beside it.
pub(super) struct UsesView {
    pub used: Used,
    pub lots: Vec<LotChoice>,
    pub chosen: Chosen,
}

/// Reads them.
pub(super) fn view(
    replica: &Replica,
    record: &Record,
    now_us: i64,
    chosen: &Chosen,
) -> Result<UsesView, Failure> {
    let today = zone(replica)?.day(now_us).unwrap_or_default();
    let mut chosen = chosen.clone();
    if chosen.quantidade.is_empty() {
        "1".clone_into(&mut chosen.quantidade);
    }
    Ok(UsesView { used: find_used(replica, record)?, lots: list_lot_choices(replica, today)?, chosen })
}

/// A tap: a point, a use without one, a point taken away, or the points of the last session.
pub async fn act(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<RecordId>,
    posted: Posted,
) -> Result<Response, Failure> {
    let now_us = app.now_us();
    app.work(move |replica| {
        let subject = existing(replica, id)?;
        let mut chosen = Chosen::of(&posted);
        let again = |why, chosen: &Chosen| redraw(replica, &visit, now_us, id, (why, chosen));
        if let Some(found) = scanned(replica, posted.trimmed("codigo"), now_us)? {
            match found {
                Ok(lot) => chosen.lote = lot,
                Err(why) => return again(why, &chosen),
            }
        }
        // A script says what it does in a field of its own: which button it pressed is not always sent along.
        let act = if posted.get("fazer").is_empty() { posted.get("acao") } else { posted.get("fazer") };
        let patch = match act {
            "retirar" => Ok(Map::from_iter([(posted.trimmed("chave").to_owned(), Json::Null)])),
            "copiar" => copied(replica, &subject.patient, &id.to_string())?,
            _ => one(replica, &posted, &chosen, now_us)?,
        };
        let patch = match patch {
            Ok(patch) => Json::Object(patch),
            Err(why) => return again(why, &chosen),
        };
        let op = FieldOp::Merge { field: "products_used".to_owned(), patch };
        let wanted = Wanted { ops: vec![op], ..Wanted::default() };
        match update(replica, &visit, TABLE, id, wanted, None)? {
            Outcome::Saved(_) | Outcome::Unchanged => {
                Ok(done(&format!("/sessoes/{id}?{}", chosen.query()), "uso"))
            }
            Outcome::Refused(refusal) => again(refusal.problem.unwrap_or(text::errors::TEXT), &chosen),
        }
    })
    .await
}

/// The lot a scanned package names; `None` where nothing was scanned.
fn scanned(
    replica: &Replica,
    code: &str,
    now_us: i64,
) -> Result<Option<Result<String, &'static str>>, Failure> {
    if code.is_empty() {
        return Ok(None);
    }
    let today = zone(replica)?.day(now_us).unwrap_or_default();
    let Ok(package) = gs1::read(code, today) else { return Ok(Some(Err(text::stock::CODE_WRONG))) };
    let gtin = package.gtin.unwrap_or_default();
    Ok(Some(match find_by_code(replica, &gtin, package.lot.as_deref())? {
        Some((product, Some(lot))) => Ok(format!("{product}/{lot}")),
        Some((_, None)) => Err(text::session::LOT_UNKNOWN),
        None => Err(text::stock::CODE_UNKNOWN),
    }))
}

/// One use, under a key that carries the time.
fn one(
    replica: &Replica,
    posted: &Posted,
    chosen: &Chosen,
    now_us: i64,
) -> Result<Result<Map<String, Json>, &'static str>, Failure> {
    let parts = chosen.lote.split_once('/');
    let ids = parts
        .and_then(|(product, lot)| Some((product.parse::<RecordId>().ok()?, lot.parse::<RecordId>().ok()?)));
    let Some((product, lot)) = ids else { return Ok(Err(text::session::LOT_EMPTY)) };
    let today = zone(replica)?.day(now_us).unwrap_or_default();
    if let Some(why) = find_unusable(replica, &lot.to_string(), today)? {
        return Ok(Err(why));
    }
    let quantity = decimal(&chosen.quantidade);
    let Some(quantity) = quantity.filter(|quantity| *quantity > Decimal::ZERO) else {
        return Ok(Err(text::stock::QUANTITY_WRONG));
    };
    let mut value = json!({
        "product_id": product, "lot_id": lot, "quantity": quantity.normalize().to_string()
    });
    if let Some(map) = value.as_object_mut() {
        if let Some((depth, _)) = DEPTHS.into_iter().find(|(name, _)| *name == chosen.profundidade) {
            map.insert("depth".to_owned(), json!(depth));
        }
        let place = |name| posted.trimmed(name).parse::<u32>().ok().filter(|value| *value <= 1_000);
        if let Some((x, y)) = place("x").zip(place("y")) {
            map.extend([("x".to_owned(), json!(x)), ("y".to_owned(), json!(y))]);
        }
    }
    Ok(Ok(Map::from_iter([(replica.new_record_id().to_string(), value)])))
}

/// The points of the last session, each a new use here.
fn copied(
    replica: &Replica,
    patient: &str,
    session: &str,
) -> Result<Result<Map<String, Json>, &'static str>, Failure> {
    let Some(points) = find_last_points(replica, patient, session)?.filter(|points| !points.is_empty())
    else {
        return Ok(Err(text::session::COPY_NONE));
    };
    Ok(Ok(points.into_iter().map(|(_, value)| (replica.new_record_id().to_string(), value)).collect()))
}

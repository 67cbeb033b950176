//! Sincronização: the three facts in full, what needs a person, what is disputed, what waits.

use super::frame::{Frame, Page, Tab};
use crate::app::App;
use crate::failure::Failure;
use crate::forms::Posted;
use crate::read::attention::{AttentionView, list_attention};
use crate::read::sync::{ConflictView, WaitingView, list_conflicts, list_waiting};
use crate::read::zone;
use crate::text;
use crate::visit::{Visit, done, refused};
use crate::write::author;
use crate::zone::Zone;
use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use neonpro_client_core::{EditRejected, Note, Replica, Status};
use neonpro_contract::ids::EditId;

/// One fact about the tablet.
struct Fact {
    label: &'static str,
    value: String,
}

#[derive(Template)]
#[template(path = "sync.html")]
struct SyncPage {
    frame: Frame,
    facts: Vec<Fact>,
    notes: Vec<String>,
    attention: Vec<AttentionView>,
    conflicts: Vec<ConflictView>,
    waiting: Vec<WaitingView>,
    waiting_text: String,
}

/// The page.
pub async fn show(State(app): State<App>, visit: Visit) -> Result<Page, Failure> {
    let (now_us, storage) = (app.now_us(), app.storage_bytes());
    app.work(move |replica| draw(replica, &visit, now_us, storage, None)).await
}

/// What a person decided about a set-aside edit.
pub async fn act(
    State(app): State<App>,
    visit: Visit,
    Path(edit): Path<EditId>,
    posted: Posted,
) -> Result<Response, Failure> {
    let (now_us, storage) = (app.now_us(), app.storage_bytes());
    app.work(move |replica| {
        let redraw = |problem| draw(replica, &visit.at("/sincronizacao"), now_us, storage, Some(problem));
        let Some(by) = author(replica, &visit)? else {
            return refused(redraw(text::errors::AUTHOR)?);
        };
        let (result, notice) = match posted.get("acao") {
            "reenviar" => (replica.resend(edit).map(|_| ()), "reenviado"),
            "entregar" => (replica.hand_over(edit, by), "entregue"),
            "encerrar" => (replica.dismiss(edit, by), "encerrado"),
            _ => return Err(Failure::NotFound),
        };
        match result {
            Ok(()) => Ok(done("/sincronizacao", notice)),
            Err(EditRejected::Replica(error)) => Err(Failure::Replica(error)),
            Err(rejected) => refused(redraw(text::errors::rejected(&rejected))?),
        }
    })
    .await
}

fn draw(
    replica: &Replica,
    visit: &Visit,
    now_us: i64,
    storage: Option<u64>,
    problem: Option<&'static str>,
) -> Result<Page, Failure> {
    let zone = zone(replica)?;
    let status = replica.status()?;
    let frame = Frame::load(replica, visit, now_us, text::status::TITLE, Tab::Sync)?
        .live("#fatos,#atencao,#disputas,#espera")
        .problem(problem);
    let page = SyncPage {
        frame,
        facts: facts(replica, &status, zone, now_us, storage),
        notes: status.notes.iter().map(note).collect(),
        attention: list_attention(replica, zone, now_us)?,
        conflicts: list_conflicts(replica, zone)?,
        waiting: list_waiting(replica)?,
        waiting_text: text::status::waiting(&status.waiting),
    };
    super::frame::page(&page)
}

fn facts(replica: &Replica, status: &Status, zone: Zone, now_us: i64, storage: Option<u64>) -> Vec<Fact> {
    let confirmed = status.last_confirmed_at.map(|at| zone.moment(at.0, now_us));
    let storage = storage.map_or_else(|| text::NOTHING.to_owned(), text::bytes);
    let fact = |label, value| Fact { label, value };
    vec![
        fact(text::status::CONFIRMED, confirmed.unwrap_or_else(|| text::status::CONFIRMED_NEVER.to_owned())),
        fact(text::status::WAITING, text::status::waiting(&status.waiting)),
        fact(text::status::ATTENTION, status.needs_attention.to_string()),
        fact(text::status::DEVICE, replica.identity().name),
        fact(text::status::STORAGE, storage),
    ]
}

fn note(note: &Note) -> String {
    match note {
        Note::CopiedReplica { .. } => text::status::COPIED.to_owned(),
        Note::ClockOff { by_ms } => text::status::clock_off(*by_ms),
        Note::LeaseExpired { .. } => text::status::LEASE.to_owned(),
        Note::AuditDoubted { .. } => text::status::AUDIT.to_owned(),
        Note::ScopeBundleIgnored { .. } => text::scope::IGNORED.to_owned(),
    }
}

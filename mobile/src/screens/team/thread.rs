//! A conversation: reading it, writing in it, confirming what asks for it.

use super::me;
use crate::app::App;
use crate::failure::Failure;
use crate::forms::{Posted, Wanted, field, text_or_null};
use crate::read::records::{reference_name, title};
use crate::read::team::{MessageView, list_messages};
use crate::read::{find_record, text as text_of, zone};
use crate::screens::frame::{Frame, Page, Tab, page};
use crate::text;
use crate::visit::{Visit, done, refused};
use crate::write::{self, Outcome, create as create_record, update};
use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use neonpro_client_core::{Draft, EditRejected, Replica};
use neonpro_contract::catalogue::{Format, table};
use neonpro_contract::edit::FieldOp;
use neonpro_contract::ids::RecordId;
use neonpro_contract::value::instant_text;
use neonpro_contract::words::choice_label;
use serde::Deserialize;
use serde_json::json;

const THREADS: &str = "coordination_threads";
const MESSAGES: &str = "coordination_messages";

/// About whom a new conversation is.
#[derive(Deserialize)]
pub struct ThreadQuery {
    patient_id: Option<RecordId>,
}

#[derive(Template)]
#[template(path = "thread.html")]
struct ThreadPage {
    frame: Frame,
    id: String,
    subject: String,
    patient: Option<(String, String)>,
    open: bool,
    messages: Vec<MessageView>,
    typed: String,
}

#[derive(Template)]
#[template(path = "thread_new.html")]
struct NewPage {
    frame: Frame,
    patient: Option<(String, String)>,
    contexts: Vec<(&'static str, &'static str)>,
    typed: Posted,
}

/// The form of a new conversation.
pub async fn new(
    State(app): State<App>,
    visit: Visit,
    Query(query): Query<ThreadQuery>,
) -> Result<Page, Failure> {
    let now_us = app.now_us();
    app.work(move |replica| draw_new(replica, &visit, now_us, query.patient_id, Posted::default(), None))
        .await
}

/// Opens a conversation with its first message: both or neither.
pub async fn create(State(app): State<App>, visit: Visit, posted: Posted) -> Result<Response, Failure> {
    let now_us = app.now_us();
    app.work(move |replica| {
        let patient: Option<RecordId> = posted.trimmed("patient_id").parse().ok();
        let again = |posted: Posted, why| {
            let page = draw_new(replica, &visit.at("/conversas/nova"), now_us, patient, posted, Some(why))?;
            refused(page)
        };
        let Some(author) = write::author(replica, &visit)? else {
            return again(posted, text::errors::AUTHOR);
        };
        if posted.trimmed("assunto").is_empty() {
            return again(posted, text::team::SUBJECT_EMPTY);
        }
        if posted.trimmed("mensagem").is_empty() {
            return again(posted, text::team::MESSAGE_EMPTY);
        }
        let thread = replica.new_record_id();
        let mut values = vec![
            ("subject", json!(posted.trimmed("assunto"))),
            ("context_type", json!(posted.trimmed("tipo"))),
            ("created_by", json!(author)),
        ];
        values.extend(patient.map(|patient| ("patient_id", json!(patient))));
        let first = [
            ("thread_id", json!(thread)),
            ("professional_id", json!(author)),
            ("message_type", json!("text")),
            ("content", json!(posted.trimmed("mensagem"))),
            ("requires_acknowledgment", json!(posted.has("confirmar"))),
        ];
        let draft = Draft::new(author).create_as(THREADS, thread, values).create(MESSAGES, first);
        match replica.edit(draft) {
            Ok(_) => Ok(done(&format!("/conversas/{thread}"), "salvo")),
            Err(EditRejected::Replica(error)) => Err(Failure::Replica(error)),
            Err(rejected) => again(posted, text::errors::rejected(&rejected)),
        }
    })
    .await
}

/// The conversation.
pub async fn show(State(app): State<App>, visit: Visit, Path(id): Path<RecordId>) -> Result<Page, Failure> {
    let now_us = app.now_us();
    app.work(move |replica| draw(replica, &visit, now_us, id, (String::new(), None))).await
}

/// Writes a message, confirms one, or says that the conversation is over.
pub async fn act(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<RecordId>,
    posted: Posted,
) -> Result<Response, Failure> {
    let now_us = app.now_us();
    app.work(move |replica| {
        find_record(replica, THREADS, id)?.ok_or(Failure::NotFound)?;
        let typed = posted.get("mensagem").to_owned();
        let outcome = match posted.get("acao") {
            "confirmar" => confirm(replica, &visit, now_us, posted.trimmed("mensagem_id"))?,
            "resolver" => {
                let mut wanted = Wanted::default();
                wanted.set(THREADS, [("status", json!("resolved"))]);
                update(replica, &visit, THREADS, id, wanted, None)?
            }
            _ if posted.trimmed("mensagem").is_empty() => {
                Outcome::Refused(write::Refusal::of(text::team::MESSAGE_EMPTY))
            }
            _ => send(replica, &visit, id, &posted)?,
        };
        match outcome {
            Outcome::Saved(_) => Ok(done(&format!("/conversas/{id}"), "salvo")),
            Outcome::Unchanged => Ok(done(&format!("/conversas/{id}"), "sem_mudanca")),
            Outcome::Refused(refusal) => {
                let why = refusal.problem.unwrap_or(text::errors::TEXT);
                let here = visit.at(format!("/conversas/{id}"));
                let page = draw(replica, &here, now_us, id, (typed, Some(why)))?;
                refused(page)
            }
        }
    })
    .await
}

fn send(replica: &Replica, visit: &Visit, thread: RecordId, posted: &Posted) -> Result<Outcome, Failure> {
    let mut wanted = Wanted::default();
    let author = visit.author.map(|author| author.to_string()).unwrap_or_default();
    let values = [
        ("thread_id", json!(thread)),
        ("professional_id", text_or_null(&author)),
        ("message_type", json!("text")),
        ("content", json!(posted.trimmed("mensagem"))),
        ("requires_acknowledgment", json!(posted.has("confirmar"))),
    ];
    wanted.set(MESSAGES, values.into_iter().filter(|(_, value)| !value.is_null()));
    create_record(replica, visit, MESSAGES, wanted, None)
}

fn confirm(replica: &Replica, visit: &Visit, now_us: i64, message: &str) -> Result<Outcome, Failure> {
    let id: RecordId = message.parse().map_err(|_| Failure::NotFound)?;
    let mut wanted = Wanted::default();
    if let Some(author) = visit.author {
        let (field, member) = ("acknowledged_by".to_owned(), author.to_string());
        wanted.ops.push(FieldOp::Add { field, member });
    }
    wanted.set(MESSAGES, [("acknowledged_at", json!(instant_text(now_us)))]);
    update(replica, visit, MESSAGES, id, wanted, None)
}

fn patient_of(replica: &Replica, id: &str) -> Result<Option<(String, String)>, Failure> {
    let name = reference_name(replica, "patients", id)?;
    Ok((!name.is_empty()).then(|| (id.to_owned(), name)))
}

fn draw(
    replica: &Replica,
    visit: &Visit,
    now_us: i64,
    id: RecordId,
    (typed, problem): (String, Option<&'static str>),
) -> Result<Page, Failure> {
    let record = find_record(replica, THREADS, id)?.ok_or(Failure::NotFound)?;
    let subject = match table(THREADS) {
        Some(table) => title(replica, table, &record)?,
        None => String::new(),
    };
    let zone = zone(replica)?;
    page(&ThreadPage {
        frame: Frame::load(replica, visit, now_us, &subject, Tab::Team)?.live("#mensagens").problem(problem),
        subject,
        patient: patient_of(replica, text_of(&record, "patient_id"))?,
        open: text_of(&record, "status") == "active",
        messages: list_messages(replica, &id.to_string(), (zone, now_us), &me(visit))?,
        typed,
        id: id.to_string(),
    })
}

fn draw_new(
    replica: &Replica,
    visit: &Visit,
    now_us: i64,
    patient: Option<RecordId>,
    typed: Posted,
    problem: Option<&'static str>,
) -> Result<Page, Failure> {
    let patient = patient.map_or(String::new(), |id| id.to_string());
    let contexts = match field(THREADS, "context_type").map(|field| field.format) {
        Some(Format::OneOf(values)) => values,
        _ => &[],
    };
    let named =
        |value: &&'static str| (*value, choice_label(THREADS, "context_type", value).unwrap_or_default());
    page(&NewPage {
        frame: Frame::load(replica, visit, now_us, text::team::THREAD_NEW, Tab::Team)?.problem(problem),
        patient: patient_of(replica, &patient)?,
        contexts: contexts.iter().map(named).collect(),
        typed,
    })
}

//! What each request does and what its answer carries.

use super::Answer;
use super::edits;
use super::files;
use super::refusal::Refusal;
use super::request::Command;
use super::tablet::Tablet;
use super::wait;
use crate::report;
use neonpro_client_core::{Connection, Replica, SyncState};
use neonpro_contract::catalogue;
use neonpro_contract::ids::{PatientId, RecordId};
use serde_json::{Map, Value as Json, json};

/// Does one request.
pub(super) async fn perform(tablet: &mut Tablet, command: Command) -> Answer {
    match command {
        Command::Enrol { ticket, name } => enrol(tablet, &ticket, &name).await,
        Command::Sync { timeout_ms } => tablet.sync(timeout_ms).await.map(|state| synced(&state)),
        Command::Offline {} => tablet.go_offline().await.map(|()| Map::new()),
        Command::Online {} => tablet.go_online().await.map(|()| Map::new()),
        Command::Query { sql, params, limit } => {
            tablet.work(move |replica| query(replica, &sql, &params, limit)).await
        }
        Command::Edit { author, documents } => {
            tablet.work(move |replica| edits::edit(replica, author, documents)).await
        }
        Command::Create { table, author, values } => {
            tablet.work(move |replica| edits::create(replica, author, &table, &values)).await
        }
        Command::Update { table, record, author, values, ops } => {
            tablet.work(move |replica| edits::update(replica, author, &table, record, &values, ops)).await
        }
        Command::Status {} => {
            let online = tablet.is_online();
            tablet.work(move |replica| Ok(one("status", status(replica, online)?))).await
        }
        Command::Attention {} => {
            tablet.work(|replica| list("attention", &replica.attention()?, report::attention)).await
        }
        Command::Conflicts {} => {
            tablet.work(|replica| list("conflicts", &replica.conflicts()?, report::conflict)).await
        }
        Command::Resend { edit } => {
            tablet.work(move |replica| Ok(edits::answer(&[replica.resend(edit)?]))).await
        }
        Command::Search { text, limit } => tablet.work(move |replica| search(replica, &text, limit)).await,
        Command::Row { table, record } => tablet.work(move |replica| row(replica, &table, record)).await,
        Command::Users {} => tablet.work(|replica| list("users", &replica.users()?, report::user)).await,
        Command::Consent { patient } => tablet.work(move |replica| consent(replica, patient)).await,
        Command::Digest {} => {
            tablet.work(|replica| Ok(one("digest", json!(format!("{:032x}", replica.digest()?.0))))).await
        }
        Command::KeepFile { path } => tablet.work(move |replica| files::keep(replica, &path)).await,
        Command::FetchFile { address, to } => {
            tablet.work(move |replica| files::fetch(replica, &address, &to)).await
        }
        Command::Wait { until, timeout_ms } => wait::until(tablet, until, timeout_ms).await,
        Command::Watch { tables } => watch(tablet, &tables).await,
        Command::Quit {} => Ok(Map::new()),
    }
}

async fn enrol(tablet: &mut Tablet, ticket: &str, name: &str) -> Answer {
    tablet.enrol(ticket, name).await?;
    tablet.work(|replica| Ok(one("status", status(replica, false)?))).await
}

async fn watch(tablet: &mut Tablet, tables: &[String]) -> Answer {
    let special =
        [neonpro_client_core::STATUS, neonpro_client_core::ATTENTION, neonpro_client_core::CONFLICTS];
    let known = |name: &String| special.contains(&name.as_str()) || catalogue::table(name).is_some();
    if !tables.iter().all(known) {
        let message = "One of the tables does not exist, so nothing is watched. Check the names.";
        return Err(Refusal::new("unknown_table", message));
    }
    tablet.watch(tables).await.map(|()| Map::new())
}

/// The status as scripts read it. Without an engine the tablet is offline, whatever the last one was doing.
pub(super) fn status(replica: &Replica, online: bool) -> Result<Json, Refusal> {
    let mut status = replica.status()?;
    if !online && !matches!(status.connection, Connection::Stopped { .. }) {
        status.connection = Connection::Offline;
    }
    Ok(report::status(&status, &replica.identity()))
}

fn synced(state: &SyncState) -> Map<String, Json> {
    members(json!({
        "accepted": state.accepted,
        "set_aside": state.set_aside,
        "entries": state.entries,
        "records": state.records,
        "repairs": state.repairs,
        "cursor": state.cursor,
    }))
}

fn search(replica: &Replica, text: &str, limit: usize) -> Answer {
    let found = replica.search_patients(text, limit)?;
    list("patients", &found, |stored| {
        let mut patient = stored.row.to_json();
        patient.insert("id".to_owned(), json!(stored.id.to_string()));
        Json::Object(patient)
    })
}

fn row(replica: &Replica, table: &str, record: RecordId) -> Answer {
    let stored = replica.stored_row(table, record)?;
    let state = replica.record_state(table, record)?;
    Ok(members(json!({
        "row": stored.as_ref().map(|stored| stored.row.to_json()),
        "state": state.map(neonpro_client_core::RecordState::name),
        "author": stored.as_ref().and_then(|stored| stored.stamp.author).map(|id| id.to_string()),
        "feed_seq": stored.as_ref().and_then(|stored| stored.stamp.feed_seq),
    })))
}

fn query(replica: &Replica, sql: &str, params: &[Json], limit: usize) -> Answer {
    let found = replica.query(sql, params, limit)?;
    replica.note_query(sql);
    Ok(members(report::query(found)))
}

fn consent(replica: &Replica, patient: RecordId) -> Answer {
    let standings = replica.consent(PatientId(patient.0))?;
    let purposes = standings.iter().map(|of| {
        let mut standing = members(report::standing(of.standing));
        standing.insert("covered_now".to_owned(), json!(of.covered_now));
        (of.purpose.name().to_owned(), Json::Object(standing))
    });
    Ok(one("consent", Json::Object(purposes.collect())))
}

/// An answer of one member.
pub(super) fn one(name: &str, value: Json) -> Map<String, Json> {
    Map::from_iter([(name.to_owned(), value)])
}

/// The members of an object.
pub(super) fn members(object: Json) -> Map<String, Json> {
    if let Json::Object(members) = object { members } else { Map::new() }
}

fn list<T>(name: &str, entries: &[T], shown: impl Fn(&T) -> Json) -> Answer {
    Ok(one(name, entries.iter().map(shown).collect()))
}

//! A patient's documents: what was given to the clinic or made by it, as files beside photographs.

use super::upload::{Upload, unfit};
use crate::app::App;
use crate::failure::Failure;
use crate::picture::{Cleaned, PictureError, Taken};
use crate::read::documents::{DocumentView, list_documents};
use crate::read::{find_record, zone};
use crate::screens::frame::{Frame, Page, Tab, page};
use crate::text;
use crate::visit::{Visit, done, refused};
use crate::write;
use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use neonpro_client_core::{EditRejected, Replica};
use neonpro_contract::ids::{AuthorId, RecordId};
use serde_json::json;

#[derive(Template)]
#[template(path = "documents.html")]
struct DocumentsPage {
    frame: Frame,
    id: String,
    name: String,
    documents: Vec<DocumentView>,
    kinds: &'static [(&'static str, &'static str)],
}

/// The page.
pub async fn show(State(app): State<App>, visit: Visit, Path(id): Path<RecordId>) -> Result<Page, Failure> {
    let now_us = app.now_us();
    app.work(move |replica| draw(replica, &visit, now_us, id, None)).await
}

/// Keeps a file and writes the record that names it.
pub async fn create(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<RecordId>,
    upload: Upload,
) -> Result<Response, Failure> {
    let now_us = app.now_us();
    app.work(move |replica| {
        let here = format!("/pacientes/{id}/documentos");
        let again = |problem| {
            let page = draw(replica, &visit.at(here.clone()), now_us, id, Some(problem))?;
            refused(page)
        };
        let Some(author) = write::author(replica, &visit)? else { return again(text::errors::AUTHOR) };
        let cleaned = match upload.clean(Taken::PicturesAndDocuments) {
            Ok(cleaned) => cleaned,
            Err(PictureError::Kind) => return again(text::documents::KIND_WRONG),
            Err(error) => return again(text::photos::refused(error)),
        };
        let known = text::documents::KINDS.into_iter().find(|(kind, _)| *kind == upload.get("tipo"));
        let (kind, _) = known.ok_or(Failure::NotFound)?;
        let title = upload.get("titulo").trim();
        if title.is_empty() {
            return again(text::documents::TITLE_EMPTY);
        }
        match unfit(keep(replica, author, id, (kind, title), &cleaned))? {
            None => Ok(done(&here, "documento")),
            Some(why) => again(why),
        }
    })
    .await
}

/// The file first, durably; then the record that names it.
fn keep(
    replica: &Replica,
    author: AuthorId,
    patient: RecordId,
    (kind, title): (&str, &str),
    cleaned: &Cleaned,
) -> Result<(), EditRejected> {
    let address = replica.put_blob(&cleaned.bytes, cleaned.thumb.as_deref())?;
    let values = [
        ("patient_id", json!(patient)),
        ("document_type", json!(kind)),
        ("title", json!(title)),
        ("file_url", json!(address.to_string())),
        ("uploaded_by", json!(author)),
    ];
    replica.create_record(author, "patient_documents", values).map(|_| ())
}

fn draw(
    replica: &Replica,
    visit: &Visit,
    now_us: i64,
    id: RecordId,
    problem: Option<&'static str>,
) -> Result<Page, Failure> {
    let record = find_record(replica, "patients", id)?.ok_or(Failure::NotFound)?;
    let (zone, id) = (zone(replica)?, id.to_string());
    page(&DocumentsPage {
        frame: Frame::load(replica, visit, now_us, text::documents::DOCUMENTS, Tab::Patients)?
            .live("#documentos")
            .problem(problem),
        name: crate::read::text(&record, "name").to_owned(),
        documents: list_documents(replica, zone, &id)?,
        kinds: &text::documents::KINDS,
        id,
    })
}

//! A patient's documents: what was given to the clinic or made by it, as files beside photographs.

use crate::app::App;
use crate::failure::Failure;
use crate::picture::{Cleaned, Taken, clean};
use crate::read::documents::{DocumentView, list_documents};
use crate::read::{find_record, zone};
use crate::screens::frame::{Frame, Page, Tab, page};
use crate::text;
use crate::visit::{Visit, done};
use crate::write;
use askama::Template;
use axum::extract::{Multipart, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
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

/// What was posted.
#[derive(Default)]
struct Posted {
    file: Vec<u8>,
    kind: String,
    title: String,
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
    form: Multipart,
) -> Result<Response, Failure> {
    let now_us = app.now_us();
    let posted = read(form).await;
    app.work(move |replica| {
        let here = format!("/pacientes/{id}/documentos");
        let refused = |problem| {
            let page = draw(replica, &visit.at(here.clone()), now_us, id, Some(problem))?;
            Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
        };
        let Some(author) = write::author(replica, &visit)? else { return refused(text::errors::AUTHOR) };
        let Some(posted) = posted else {
            return refused(text::photos::refused(crate::picture::PictureError::TooLarge));
        };
        let known = text::documents::KINDS.into_iter().find(|(kind, _)| *kind == posted.kind);
        let (kind, _) = known.ok_or(Failure::NotFound)?;
        if posted.title.trim().is_empty() {
            return refused(text::documents::TITLE_EMPTY);
        }
        let cleaned = match clean(&posted.file, Taken::PicturesAndDocuments) {
            Ok(cleaned) => cleaned,
            Err(crate::picture::PictureError::Kind) => return refused(text::documents::KIND_WRONG),
            Err(error) => return refused(text::photos::refused(error)),
        };
        match keep(replica, author, id, (kind, posted.title.trim()), &cleaned) {
            Ok(()) | Err(EditRejected::NothingToDo) => Ok(done(&here, "documento")),
            Err(EditRejected::Replica(error)) => Err(Failure::Replica(error)),
            Err(rejected) => refused(text::errors::rejected(&rejected)),
        }
    })
    .await
}

/// `None` for a form that breaks off or is longer than one may be.
async fn read(mut form: Multipart) -> Option<Posted> {
    let mut posted = Posted::default();
    while let Some(part) = form.next_field().await.ok()? {
        match part.name().unwrap_or_default() {
            "foto" => posted.file = part.bytes().await.ok()?.to_vec(),
            "tipo" => posted.kind = part.text().await.ok()?,
            "titulo" => posted.title = part.text().await.ok()?,
            _ => {}
        }
    }
    Some(posted)
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

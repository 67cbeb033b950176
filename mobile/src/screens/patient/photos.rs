//! A patient's photographs: all of them, two beside each other, and a new one.
//!
//! A photograph is an edit of its own: without consent it is set aside alone, and never drags a clinical note with it.

use super::upload::{Upload, unfit};
use crate::app::App;
use crate::failure::Failure;
use crate::forms::input::Choice;
use crate::picture::{Cleaned, Taken};
use crate::read::photos::{PhotoView, list_photos, list_places};
use crate::read::{find_record, zone};
use crate::screens::frame::{Frame, Page, Tab, page};
use crate::text;
use crate::visit::{Visit, done, refused};
use crate::write;
use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use neonpro_client_core::{Draft, EditRejected, Replica};
use neonpro_contract::ids::{AuthorId, RecordId};
use neonpro_contract::permissions::Audience;
use serde::Deserialize;
use serde_json::json;

/// Which two are compared: addresses, 64 digits.
#[derive(Deserialize, Default)]
pub struct PhotosQuery {
    #[serde(default)]
    esquerda: String,
    #[serde(default)]
    direita: String,
}

#[derive(Template)]
#[template(path = "photos.html")]
struct PhotosPage {
    frame: Frame,
    id: String,
    name: String,
    photos: Vec<PhotoView>,
    places: Vec<Choice>,
    warning: Option<&'static str>,
    left: String,
    right: String,
}

/// The page.
pub async fn show(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<RecordId>,
    Query(query): Query<PhotosQuery>,
) -> Result<Page, Failure> {
    let now_us = app.now_us();
    app.work(move |replica| draw(replica, &visit, now_us, id, &query, None)).await
}

/// Keeps a photograph and writes the edit that names it.
pub async fn create(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<RecordId>,
    upload: Upload,
) -> Result<Response, Failure> {
    let now_us = app.now_us();
    app.work(move |replica| {
        let here = format!("/pacientes/{id}/fotos");
        let again = |problem| {
            let page =
                draw(replica, &visit.at(here.clone()), now_us, id, &PhotosQuery::default(), Some(problem))?;
            refused(page)
        };
        let Some(author) = write::author(replica, &visit)? else { return again(text::errors::AUTHOR) };
        let cleaned = match upload.clean(Taken::Pictures) {
            Ok(cleaned) => cleaned,
            Err(error) => return again(text::photos::refused(error)),
        };
        match unfit(keep(replica, author, id, &upload, &cleaned))? {
            None => Ok(done(&here, "foto")),
            Some(why) => again(why),
        }
    })
    .await
}

/// The file first, durably; then the edit that names it.
fn keep(
    replica: &Replica,
    author: AuthorId,
    patient: RecordId,
    upload: &Upload,
    cleaned: &Cleaned,
) -> Result<(), EditRejected> {
    let address = replica.put_blob(&cleaned.bytes, cleaned.thumb.as_deref())?.to_string();
    let session = upload.get("onde").split_once(':').and_then(|(when, id)| {
        let field = match when {
            "antes" => "photos_before",
            "depois" => "photos_after",
            _ => return None,
        };
        Some((field, id.parse::<RecordId>().ok()?))
    });
    match session {
        Some((field, session)) => {
            replica.edit(Draft::new(author).add("treatment_sessions", session, field, &address))?;
        }
        None => {
            let known = text::photos::VIEWS.into_iter().find(|view| *view == upload.get("vista"));
            let values = [
                ("patient_id", json!(patient)),
                ("document_type", json!("photo")),
                ("title", json!(known.unwrap_or(text::photos::PHOTOS))),
                ("file_url", json!(address)),
                ("uploaded_by", json!(author)),
            ];
            replica.create_record(author, "patient_documents", values)?;
        }
    }
    Ok(())
}

fn draw(
    replica: &Replica,
    visit: &Visit,
    now_us: i64,
    id: RecordId,
    query: &PhotosQuery,
    problem: Option<&'static str>,
) -> Result<Page, Failure> {
    if replica.identity().audience != Audience::Clinical {
        return Err(Failure::NotFound);
    }
    let record = find_record(replica, "patients", id)?.ok_or(Failure::NotFound)?;
    let (zone, id) = (zone(replica)?, id.to_string());
    let photos = list_photos(replica, zone, &id)?;
    let shown = |hex: &str| photos.iter().any(|photo| photo.here && photo.hex == hex);
    let both = shown(&query.esquerda) && shown(&query.direita);
    let title = format!("{} · {}", text::photos::PHOTOS, crate::read::text(&record, "name"));
    page(&PhotosPage {
        frame: Frame::load(replica, visit, now_us, &title, Tab::Patients)?.live("#fotos").problem(problem),
        name: crate::read::text(&record, "name").to_owned(),
        places: list_places(replica, zone, &id)?,
        warning: super::consents::photo_warning(replica, &id)?,
        left: if both { query.esquerda.clone() } else { String::new() },
        right: if both { query.direita.clone() } else { String::new() },
        photos,
        id,
    })
}

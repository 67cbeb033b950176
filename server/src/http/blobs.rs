//! `GET` and `PUT` under `/blobs`: files of patients, chunk by chunk, after the records that name them.
//!
//! Every request is signed by the device; its clinic, whose file it is and under which key it is sealed come from the
//! database, never from the request. Invariant: what the device may not have, what is another clinic's and what does not
//! exist are answered alike.

mod request;

use crate::blobs::custody::confirm;
use crate::clock;
use crate::state::AppState;
use crate::store::blobs::BlobRow;
use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, header};
use axum::response::{IntoResponse, Response};
use neonpro_contract::blob::{Address, Custody, SIZE_HEADER, chunk_bytes, chunk_count, path};
use neonpro_contract::catalogue::{FacetId, TableId};
use neonpro_contract::edit::DocumentId;
use neonpro_contract::ids::RecordId;
use request::{Problem, Signed};
use uuid::Uuid;

/// Where a file stands: `/blobs/table/record/facet/address`, and a chunk of it behind that.
type Place = (u16, Uuid, u8, String);
type ChunkPlace = (u16, Uuid, u8, String, u32);

fn document((table, record, facet, address): &Place) -> Result<(DocumentId, Address), Problem> {
    let document = DocumentId { table: TableId(*table), record: RecordId(*record), facet: FacetId(*facet) };
    Ok((document, Address::from_hex(address).ok_or(Problem::NotFound)?))
}

/// `GET /blobs/…`: how far the server has a file.
pub(super) async fn custody(
    State(state): State<AppState>,
    place: Result<Path<Place>, PathRejection>,
    headers: HeaderMap,
) -> Result<Json<Custody>, Problem> {
    let (document, address) = document(&place?.0)?;
    let signed = Signed::read(&state, &headers, &Method::GET, &path(&document, &address, None), b"").await?;
    apart(async move {
        let mut scoped = state.store.begin(&signed.actor).await?;
        let subject = scoped.find_blob_subject(document, &address).await?.ok_or(Problem::NotFound)?;
        let found = scoped.find_blob(subject, &address).await?;
        scoped.rollback().await?;
        Ok(Json(found.map_or(Custody { chunks: 0, stored: false }, custody_of)))
    })
    .await
}

fn custody_of(row: BlobRow) -> Custody {
    Custody { chunks: row.chunks, stored: row.stored }
}

/// `GET /blobs/…/chunk`: a chunk of a file that is there whole.
pub(super) async fn get(
    State(state): State<AppState>,
    place: Result<Path<ChunkPlace>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Path((table, record, facet, address, chunk)) = place?;
    let (document, address) = document(&(table, record, facet, address))?;
    let path = path(&document, &address, Some(chunk));
    let signed = Signed::read(&state, &headers, &Method::GET, &path, b"").await?;
    apart(async move {
        let mut scoped = state.store.begin(&signed.actor).await?;
        let subject = scoped.find_blob_subject(document, &address).await?.ok_or(Problem::NotFound)?;
        let row = scoped.find_blob(subject, &address).await?.filter(|row| row.stored);
        let row = row.filter(|row| chunk_bytes(row.size, chunk).is_some()).ok_or(Problem::NotFound)?;
        let sealed = state.blobs.get(signed.actor.clinic(), row.id, chunk).await?;
        let plain = scoped.chunk_opener(row.id, &sealed).await?.open(chunk, &sealed)?;
        scoped.rollback().await?;
        let headers = [
            (header::CONTENT_TYPE.as_str(), "application/octet-stream".to_owned()),
            (SIZE_HEADER, row.size.to_string()),
        ];
        Ok((headers, plain).into_response())
    })
    .await
}

/// `PUT /blobs/…/chunk`: the next chunk of a file. One that is there already is answered as if it came now.
pub(super) async fn put(
    State(state): State<AppState>,
    place: Result<Path<ChunkPlace>, PathRejection>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Custody>, Problem> {
    let Path((table, record, facet, address, chunk)) = place?;
    let (document, address) = document(&(table, record, facet, address))?;
    let path = path(&document, &address, Some(chunk));
    let signed = Signed::read(&state, &headers, &Method::PUT, &path, &body).await?;
    let size =
        signed.size.filter(|size| chunk_bytes(*size, chunk) == Some(body.len())).ok_or(Problem::Size)?;
    apart(take(state, signed, (document, address), (size, chunk), body)).await
}

/// Database work and the object go on when the tablet hangs up.
async fn apart<T: Send + 'static>(
    work: impl Future<Output = Result<T, Problem>> + Send + 'static,
) -> Result<T, Problem> {
    tokio::spawn(work).await.unwrap_or(Err(Problem::Failed))
}

async fn take(
    state: AppState,
    signed: Signed,
    (document, address): (DocumentId, Address),
    (size, chunk): (u64, u32),
    body: Bytes,
) -> Result<Json<Custody>, Problem> {
    let clinic = signed.actor.clinic();
    let mut scoped = state.store.begin(&signed.actor).await?;
    let subject = scoped.find_blob_subject(document, &address).await?.ok_or(Problem::NotFound)?;
    let now = state.clock.now();
    if chunk == 0 {
        scoped.append_blob((clock::fresh_id(now), subject), &address, size, now).await?;
    }
    let row = scoped.find_blob(subject, &address).await?.ok_or(Problem::NotFound)?;
    if row.size != size {
        return Err(Problem::Size);
    }
    if row.stored || chunk < row.chunks {
        scoped.commit().await?;
        // All is there and nobody has looked at the whole: this process, or another, ended before it could.
        let unread = !row.stored && Some(row.chunks) == chunk_count(size);
        return if unread { finish(&state, &signed, row, &address).await } else { Ok(Json(custody_of(row))) };
    }
    if chunk > row.chunks {
        scoped.commit().await?;
        return Err(Problem::OutOfOrder);
    }
    let sealed = scoped.chunk_sealer(row.id, subject).await?.seal(chunk, &body)?;
    scoped.commit().await?;
    // The object first: a chunk that counts is there.
    state.blobs.put(clinic, row.id, chunk, sealed).await?;
    let mut scoped = state.store.begin(&signed.actor).await?;
    if !scoped.mark_chunk(row.id, chunk).await? {
        scoped.rollback().await?;
        return Err(Problem::OutOfOrder);
    }
    scoped.commit().await?;
    let chunks = chunk.saturating_add(1);
    if Some(chunks) != chunk_count(size) {
        return Ok(Json(Custody { chunks, stored: false }));
    }
    finish(&state, &signed, BlobRow { chunks, ..row }, &address).await
}

async fn finish(
    state: &AppState,
    signed: &Signed,
    row: BlobRow,
    address: &Address,
) -> Result<Json<Custody>, Problem> {
    let now = state.clock.now();
    let genuine = confirm((&state.store, &state.blobs), &signed.actor, row, address, now).await?;
    if genuine { Ok(Json(Custody { chunks: row.chunks, stored: true })) } else { Err(Problem::Mismatch) }
}

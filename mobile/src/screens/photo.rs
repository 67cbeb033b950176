//! One photograph or document as bytes: only what a record on this tablet names, and nothing a browser could run.

use crate::app::App;
use crate::failure::Failure;
use crate::picture::{is_pdf, thumb_of};
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use neonpro_contract::blob::Address;

/// Nothing in a file runs, whatever it is.
const SANDBOX: &str = "default-src 'none'; sandbox";

fn answer(bytes: Vec<u8>) -> Response {
    let pdf = is_pdf(&bytes);
    let (kind, shown) = if pdf {
        ("application/pdf", "attachment; filename=\"documento.pdf\"")
    } else {
        ("image/jpeg", "inline")
    };
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_DISPOSITION, shown),
        (header::CONTENT_SECURITY_POLICY, SANDBOX),
    ];
    (headers, bytes).into_response()
}

/// The whole file. One that was taken off to make room is asked for.
pub async fn show(State(app): State<App>, Path(hex): Path<String>) -> Result<Response, Failure> {
    app.work(move |replica| {
        let address = Address::from_hex(&hex).ok_or(Failure::NotFound)?;
        match replica.read_blob(&address)? {
            Some(bytes) => Ok(answer(bytes.to_vec())),
            None => {
                replica.ask_for_blob(&address)?;
                Err(Failure::NotFound)
            }
        }
    })
    .await
}

/// The small picture; made and kept the first time it is asked for.
pub async fn mini(State(app): State<App>, Path(hex): Path<String>) -> Result<Response, Failure> {
    app.work(move |replica| {
        let address = Address::from_hex(&hex).ok_or(Failure::NotFound)?;
        if let Some(thumb) = replica.find_thumb(&address)? {
            return Ok(answer(thumb));
        }
        let bytes = replica.read_blob(&address)?.ok_or(Failure::NotFound)?;
        let thumb = thumb_of(&bytes).ok_or(Failure::NotFound)?;
        replica.put_thumb(&address, &thumb)?;
        Ok(answer(thumb))
    })
    .await
}

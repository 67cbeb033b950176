//! Files of patients: cleaned and kept as a screen does it, and written out again.

use super::Answer;
use super::commands::members;
use super::refusal::Refusal;
use crate::picture::{Taken, clean};
use neonpro_client_core::Replica;
use neonpro_contract::blob::Address;
use serde_json::json;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

/// Keeps a file; the answer is its address.
pub(super) fn keep(replica: &Replica, path: &Path) -> Answer {
    let picked = std::fs::read(path).map_err(|error| Refusal::file(&error))?;
    let cleaned = clean(&picked, Taken::PicturesAndDocuments).map_err(|error| {
        Refusal::new("file_not_taken", format!("Nothing was kept: {error}. Give a JPEG, PNG, WebP or PDF."))
    })?;
    let address = replica.put_blob(&cleaned.bytes, cleaned.thumb.as_deref())?;
    Ok(members(json!({ "address": address.to_string(), "bytes": cleaned.bytes.len() })))
}

/// Writes a file out; never over another.
pub(super) fn fetch(replica: &Replica, address: &str, to: &Path) -> Answer {
    let address = Address::parse(address)
        .ok_or_else(|| Refusal::malformed("an address is `sha256:` and 64 hexadecimal digits"))?;
    let Some(bytes) = replica.read_blob(&address)? else {
        replica.ask_for_blob(&address)?;
        let message =
            "The file is not all here yet. Wait until it was fetched, or ask another tablet to go online.";
        return Err(Refusal::new("file_not_here", message));
    };
    let mut options = OpenOptions::new();
    let written = options.write(true).create_new(true).open(to).and_then(|mut file| file.write_all(&bytes));
    written.map_err(|error| Refusal::file(&error))?;
    let custody = replica.blob_state(&address)?.is_some_and(|blob| blob.custody);
    Ok(members(json!({ "bytes": bytes.len(), "custody": custody })))
}

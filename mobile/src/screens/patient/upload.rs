//! A posted file with the words beside it, as photographs and documents come.
//!
//! Owns reading the form and what became of the edit that names the file. Never writes. Invariant: a form that breaks off, or is
//! longer than one may be, is answered as a file that is too large, never as one that is whole.

use crate::failure::Failure;
use crate::picture::{Cleaned, PictureError, Taken, clean};
use crate::text::errors;
use axum::extract::multipart::MultipartRejection;
use axum::extract::{FromRequest, Multipart, Request};
use neonpro_client_core::EditRejected;
use std::collections::BTreeMap;

/// The field of the file itself.
const FILE: &str = "foto";

/// What was posted.
pub struct Upload {
    /// `None` for a form that did not come whole.
    file: Option<Vec<u8>>,
    words: BTreeMap<String, String>,
}

impl<S: Send + Sync> FromRequest<S> for Upload {
    type Rejection = MultipartRejection;

    async fn from_request(request: Request, state: &S) -> Result<Self, MultipartRejection> {
        let mut form = Multipart::from_request(request, state).await?;
        let mut upload = Self { file: Some(Vec::new()), words: BTreeMap::new() };
        if upload.read(&mut form).await.is_none() {
            upload.file = None;
        }
        Ok(upload)
    }
}

impl Upload {
    async fn read(&mut self, form: &mut Multipart) -> Option<()> {
        while let Some(part) = form.next_field().await.ok()? {
            match part.name().unwrap_or_default() {
                FILE => self.file = Some(part.bytes().await.ok()?.to_vec()),
                name => {
                    let name = name.to_owned();
                    self.words.insert(name, part.text().await.ok()?);
                }
            }
        }
        Some(())
    }

    /// A word beside the file; empty where it is missing.
    pub(super) fn get(&self, name: &str) -> &str {
        self.words.get(name).map_or("", String::as_str)
    }

    /// The file, drawn anew or checked.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn clean(&self, taken: Taken) -> Result<Cleaned, PictureError> {
        clean(self.file.as_deref().ok_or(PictureError::TooLarge)?, taken)
    }
}

/// What a person is told of an edit that was not taken; `None` for one that was.
///
/// # Errors
/// The replica failed.
pub(super) fn unfit(kept: Result<(), EditRejected>) -> Result<Option<&'static str>, Failure> {
    match kept {
        Ok(()) | Err(EditRejected::NothingToDo) => Ok(None),
        Err(EditRejected::Replica(error)) => Err(Failure::Replica(error)),
        Err(rejected) => Ok(Some(errors::rejected(&rejected))),
    }
}

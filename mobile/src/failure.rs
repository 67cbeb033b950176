//! A request that could not be answered: what, why, what to do, and a stable code.
//!
//! Owns the failure page. Never shows a person's data or a database's words. Invariant: what is the person's to
//! correct is a form message and never arrives here.

use crate::text;
use askama::Template;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use neonpro_client_core::{EditRejected, ReplicaError};

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// No such page or record on this tablet.
    #[error("no such page or record on this tablet")]
    NotFound,
    /// The replica could not be read or written.
    #[error("the replica could not be read or written")]
    Replica(#[from] ReplicaError),
    /// An edit was not taken.
    #[error("the edit was not taken")]
    Edit(#[from] EditRejected),
    /// A page could not be drawn.
    #[error("the page could not be drawn")]
    Page(#[from] askama::Error),
    /// The work ended early.
    #[error("the work ended early")]
    Interrupted,
}

impl Failure {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::Replica(error) => error.code(),
            Self::Edit(error) => error.code(),
            Self::Page(_) => "page",
            Self::Interrupted => "interrupted",
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Edit(EditRejected::NotFound) => StatusCode::NOT_FOUND,
            Self::Replica(ReplicaError::LeaseExpired) => StatusCode::LOCKED,
            Self::Edit(EditRejected::Replica(_)) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Edit(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Replica(_) | Self::Page(_) | Self::Interrupted => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn sentence(&self) -> &'static str {
        match self {
            Self::NotFound | Self::Edit(EditRejected::NotFound) => text::errors::NOT_FOUND,
            Self::Replica(ReplicaError::LeaseExpired) => text::locked::WHY,
            Self::Edit(EditRejected::Replica(_)) => text::errors::INTERNAL,
            Self::Edit(rejected) => text::errors::rejected(rejected),
            Self::Replica(_) | Self::Page(_) | Self::Interrupted => text::errors::INTERNAL,
        }
    }
}

#[derive(Template)]
#[template(path = "failure.html")]
struct FailurePage {
    sentence: &'static str,
    code: &'static str,
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = self.status();
        if status.is_server_error() {
            tracing::error!(code = self.code(), error = ?self, "a request failed");
        }
        let page = FailurePage { sentence: self.sentence(), code: self.code() };
        match page.render() {
            Ok(page) => (status, Html(page)).into_response(),
            Err(_) => (status, text::errors::INTERNAL).into_response(),
        }
    }
}

//! Refusals of the API: RFC 9457 problems with a stable code.

use crate::blobs::BlobError;
use crate::erasure::ErasureError;
use crate::paper::PaperError;
use crate::store::StoreError;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// Why a request was not answered.
#[derive(Debug)]
pub(super) enum Problem {
    /// No token, or none that is good for this.
    Unauthorised,
    /// Not there, or not this clinic's.
    NotFound,
    /// The request does not read; how.
    Invalid(String),
    /// The law, a consent or the record's state is against it; why.
    Conflict(&'static str, String),
    /// The server's own fault. Says nothing of what happened.
    Failed,
}

impl Problem {
    fn parts(self) -> (StatusCode, &'static str, String) {
        match self {
            Self::Unauthorised => (
                StatusCode::UNAUTHORIZED,
                "unauthorised",
                "send a service token that is good for this: Authorization: Bearer npt_…".to_owned(),
            ),
            Self::NotFound => (StatusCode::NOT_FOUND, "not_found", "there is no such thing here".to_owned()),
            Self::Invalid(detail) => (StatusCode::UNPROCESSABLE_ENTITY, "invalid_request", detail),
            Self::Conflict(code, detail) => (StatusCode::CONFLICT, code, detail),
            Self::Failed => (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "try again".to_owned()),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, code, detail) = self.parts();
        let title = status.canonical_reason().unwrap_or_default();
        let body = json!({ "type": "about:blank", "title": title, "status": status.as_u16(), "code": code,
            "detail": detail });
        let mut response = (status, body.to_string()).into_response();
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

fn failed(error: &dyn std::error::Error) -> Problem {
    tracing::error!(%error, source = ?error.source(), "a request of the API failed");
    Problem::Failed
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Missing(_) => Self::NotFound,
            other => failed(&other),
        }
    }
}

impl From<BlobError> for Problem {
    fn from(error: BlobError) -> Self {
        failed(&error)
    }
}

impl From<PaperError> for Problem {
    fn from(error: PaperError) -> Self {
        failed(&error)
    }
}

impl From<ErasureError> for Problem {
    fn from(error: ErasureError) -> Self {
        match error {
            ErasureError::NoPatient | ErasureError::NotDone => Self::NotFound,
            ErasureError::NothingToErase(_) => Self::Conflict("nothing_to_erase", error.to_string()),
            ErasureError::NotRestricted => Self::Conflict("not_restricted", error.to_string()),
            ErasureError::NoReason => Self::Invalid(error.to_string()),
            ErasureError::Store(error) => error.into(),
            ErasureError::Ledger(error) => failed(&error),
        }
    }
}

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        Self::Invalid(rejection.body_text())
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        Self::Invalid(rejection.body_text())
    }
}

/// An id that is none names nothing.
impl From<PathRejection> for Problem {
    fn from(_: PathRejection) -> Self {
        Self::NotFound
    }
}

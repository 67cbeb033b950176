//! One visit to a page: where, by whom, with which message.
//!
//! Owns the author's cookie and the address to come back to. Invariant: an address to come back to is always a path
//! of this page, never another site.

use crate::app::{App, LockControl};
use crate::failure::Failure;
use crate::guard::{Guard, cookie};
use crate::screens::frame::Page;
use crate::text;
use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Redirect, Response};
use neonpro_contract::ids::AuthorId;
use std::convert::Infallible;

/// What every screen knows of its request.
#[derive(Debug, Clone)]
pub struct Visit {
    /// Path and query of the page.
    pub here: String,
    /// Who is using the tablet, as chosen; not yet checked against the clinic's people.
    pub author: Option<AuthorId>,
    /// The message of the last action.
    pub notice: Option<&'static str>,
    /// What the page offers to protect the tablet.
    pub lock: LockControl,
}

impl FromRequestParts<App> for Visit {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        let query = parts.uri.query().unwrap_or("");
        let notice = query.split('&').find_map(|pair| pair.strip_prefix("ok=")).and_then(text::notice);
        let kept: Vec<&str> = query.split('&').filter(|pair| !pair.is_empty() && !passing(pair)).collect();
        let path = parts.uri.path();
        let here = if kept.is_empty() { path.to_owned() } else { format!("{path}?{}", kept.join("&")) };
        let author = author_of(app, &parts.headers);
        Ok(Self { here, author, notice, lock: app.lock() })
    }
}

impl Visit {
    /// The same visit seen as a visit to another page: a refused form is drawn as the page it came from.
    #[must_use]
    pub fn at(&self, here: impl Into<String>) -> Self {
        Self { here: here.into(), author: self.author, notice: None, lock: self.lock }
    }
}

/// Parts of an address that belong to one visit only: the message, the revision that was drawn.
fn passing(pair: &str) -> bool {
    pair.starts_with("ok=") || pair.starts_with("visto=")
}

/// Who is using the tablet, as chosen.
#[must_use]
pub fn author_of(app: &App, headers: &HeaderMap) -> Option<AuthorId> {
    cookie(headers, &author_cookie(app)).and_then(|id| id.parse().ok())
}

fn author_cookie(app: &App) -> String {
    author_cookie_of(app.guard())
}

/// Name of the cookie that remembers who is using this tablet.
pub(crate) fn author_cookie_of(guard: &Guard) -> String {
    format!("{}_autor", guard.cookie())
}

/// Remembers who is using the tablet and goes back.
#[must_use]
pub fn remember(app: &App, author: Option<AuthorId>, back: &str) -> Response {
    let mut response = Redirect::to(local(back)).into_response();
    let (value, age) = author.map_or((String::new(), "; Max-Age=0"), |author| (author.to_string(), ""));
    let cookie = format!("{}={value}; Path=/; HttpOnly; SameSite=Strict{age}", author_cookie(app));
    if let Ok(value) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
    response
}

/// A path of this page; anything else is its first page.
#[must_use]
pub fn local(path: &str) -> &str {
    let plain = path.bytes().all(|byte| (0x21..0x7f).contains(&byte) && byte != b'\\');
    if path.starts_with('/') && !path.starts_with("//") && plain { path } else { "/" }
}

/// Goes to a page with a message.
#[must_use]
pub fn done(path: &str, notice: &str) -> Response {
    let joint = if path.contains('?') { '&' } else { '?' };
    Redirect::to(&format!("{path}{joint}ok={notice}")).into_response()
}

/// Shows a page again whose form was not taken.
///
/// # Errors
/// Never: it is a handler's last line.
pub fn refused(page: Page) -> Result<Response, Failure> {
    Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coming_back_never_leaves_this_page() {
        assert_eq!(local("/pacientes?busca=a%20b"), "/pacientes?busca=a%20b");
        for elsewhere in
            ["https://evil.example", "//evil.example", "/\\evil.example", "", "/a\r\nSet-Cookie: x"]
        {
            assert_eq!(local(elsewhere), "/", "{elsewhere:?}");
        }
    }
}

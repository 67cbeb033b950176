//! The page's own files, inside the program: nothing is ever loaded from elsewhere.

use axum::extract::Path;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

const CSS: &str = include_str!("../assets/tablet.css");
const SCRIPT: &str = include_str!("../assets/tablet.js");
const COMPARE: &str = include_str!("../assets/compare.js");
const GHOST: &str = include_str!("../assets/ghost.js");
const SIGN: &str = include_str!("../assets/sign.js");
const MAP: &str = include_str!("../assets/map.js");
const AGENDA: &str = include_str!("../assets/agenda.js");
const LOCK: &str = include_str!("../assets/lock.js");
/// htmx 2.0.11, unchanged; its licence (0BSD) stands beside it.
const HTMX: &str = include_str!("../assets/htmx.min.js");
const ICON: &str = include_str!("../assets/neonpro.svg");

/// One file by name.
pub async fn show(Path(name): Path<String>) -> Response {
    let (kind, content) = match name.as_str() {
        "tablet.css" => ("text/css; charset=utf-8", CSS),
        "tablet.js" => ("text/javascript; charset=utf-8", SCRIPT),
        "compare.js" => ("text/javascript; charset=utf-8", COMPARE),
        "ghost.js" => ("text/javascript; charset=utf-8", GHOST),
        "sign.js" => ("text/javascript; charset=utf-8", SIGN),
        "map.js" => ("text/javascript; charset=utf-8", MAP),
        "agenda.js" => ("text/javascript; charset=utf-8", AGENDA),
        "lock.js" => ("text/javascript; charset=utf-8", LOCK),
        "htmx.js" => ("text/javascript; charset=utf-8", HTMX),
        "neonpro.svg" => ("image/svg+xml", ICON),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    // The program is the file's version: a browser asks again after each launch, not after each page.
    let cached = HeaderValue::from_static("private, max-age=300");
    ([(header::CONTENT_TYPE, HeaderValue::from_static(kind)), (header::CACHE_CONTROL, cached)], content)
        .into_response()
}

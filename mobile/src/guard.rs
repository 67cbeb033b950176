//! Who may talk to the tablet's page: this browser, on this loopback address, in this run of the program.
//!
//! Owns the per-launch secret, its cookie, the checks of Host and Origin, and the security headers. Never sees a
//! patient's data. Invariant: without the secret no request reaches a screen, whatever its method or path.

use axum::extract::{Request, State};
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};

/// Bytes of the secret: more than anyone can guess between two launches.
const SECRET_BYTES: usize = 32;

/// What a page may load and do: its own files, nothing inline, no frame around it.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Headers of every answer. The referrer stays `same-origin`: with `no-referrer` browsers send `Origin: null`
/// even for our own forms, and the Origin check would refuse them.
const SECURITY_HEADERS: [(HeaderName, &str); 7] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(self), geolocation=(), microphone=()"),
];

/// The door of one launch: the address it stands on and the secret that opens it.
#[derive(Clone)]
pub struct Guard {
    host: String,
    secret: String,
    cookie: String,
}

impl std::fmt::Debug for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Guard({}, …)", self.host)
    }
}

impl Guard {
    /// A guard for this loopback address (`127.0.0.1:4000`) with a fresh secret.
    ///
    /// # Errors
    /// The system gave no randomness.
    pub fn new(address: std::net::SocketAddr) -> Result<Self, ring::error::Unspecified> {
        let mut bytes = [0u8; SECRET_BYTES];
        SystemRandom::new().fill(&mut bytes)?;
        // Browsers share cookies between the ports of a host: two tablets side by side need two names.
        let cookie = format!("neonpro_key_{}", address.port());
        Ok(Self { host: address.to_string(), secret: URL_SAFE_NO_PAD.encode(bytes), cookie })
    }

    /// The address that opens the page for the first time in this launch.
    #[must_use]
    pub fn entrance(&self) -> String {
        format!("http://{}/?key={}", self.host, self.secret)
    }

    /// Name of the secret's cookie, and suffix of every other cookie of this tablet.
    #[must_use]
    pub fn cookie(&self) -> &str {
        &self.cookie
    }

    fn judge(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Judgement {
        let host = headers.get(header::HOST).and_then(|value| value.to_str().ok());
        if host != Some(self.host.as_str()) {
            return Judgement::Refused("host");
        }
        if !matches!(*method, Method::GET | Method::HEAD) && !self.same_origin(headers) {
            return Judgement::Refused("origin");
        }
        if cookie(headers, &self.cookie).is_some_and(|value| self.is_secret(value)) {
            return Judgement::Known;
        }
        if bearer(headers).is_some_and(|value| self.is_secret(value)) {
            return Judgement::Known;
        }
        let key = uri.query().and_then(|query| query.split('&').find_map(|pair| pair.strip_prefix("key=")));
        let enters =
            *method == Method::GET && uri.path() == "/" && key.is_some_and(|key| self.is_secret(key));
        if enters { Judgement::Enters } else { Judgement::Refused("secret") }
    }

    fn same_origin(&self, headers: &HeaderMap) -> bool {
        let origin = headers.get(header::ORIGIN).and_then(|value| value.to_str().ok());
        origin.and_then(|origin| origin.strip_prefix("http://")) == Some(self.host.as_str())
    }

    /// Digests are compared, so the time it takes says nothing about the secret.
    fn is_secret(&self, given: &str) -> bool {
        digest(&SHA256, given.as_bytes()).as_ref() == digest(&SHA256, self.secret.as_bytes()).as_ref()
    }

    fn enter(&self) -> Response {
        let cookie = format!("{}={}; Path=/; HttpOnly; SameSite=Strict", self.cookie, self.secret);
        let mut response = Redirect::to("/").into_response();
        if let Ok(value) = HeaderValue::from_str(&cookie) {
            response.headers_mut().append(header::SET_COOKIE, value);
        }
        response
    }
}

enum Judgement {
    Known,
    Enters,
    Refused(&'static str),
}

/// The middleware in front of every route.
pub async fn stand_guard(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let mut response = match guard.judge(request.method(), request.uri(), request.headers()) {
        Judgement::Known => next.run(request).await,
        Judgement::Enters => guard.enter(),
        Judgement::Refused(what) => {
            tracing::debug!(what, "request refused");
            (StatusCode::FORBIDDEN, crate::text::FORBIDDEN).into_response()
        }
    };
    let headers = response.headers_mut();
    for (name, value) in SECURITY_HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // Pages carry patient data: nothing of it may stay in the browser's cache.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// The value of a cookie.
#[must_use]
pub fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(key, value)| (key == name).then_some(value))
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

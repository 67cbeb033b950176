//! The demo's own page: what runs, where to look, what to try.
//!
//! It carries the keys of the tablets, so it has one of its own: whoever does not know its address learns nothing.

use super::Outcome;
use super::view::{ServerView, TabletView, View, fate};
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::fmt::Write as _;
use std::net::SocketAddr;
use tokio::net::TcpListener;
use tokio::sync::watch;

const FRAME: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

const HEADERS: [(HeaderName, &str); 5] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// The page, listening.
#[derive(Debug)]
pub struct DemoPage {
    /// The address to open.
    pub url: String,
    listener: TcpListener,
    state: PageState,
}

#[derive(Debug, Clone)]
struct PageState {
    host: String,
    key: String,
    view: watch::Receiver<View>,
}

impl DemoPage {
    /// Takes a free port on loopback.
    ///
    /// # Errors
    /// No port, or no randomness.
    pub async fn bind(view: watch::Receiver<View>) -> Outcome<Self> {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
        let host = listener.local_addr()?.to_string();
        let secret: [u8; 16] =
            neonpro_server::clock::try_random().map_err(|_| "the system gave no randomness")?;
        let key = secret.iter().fold(String::new(), |mut key, byte| {
            let _ = write!(key, "{byte:02x}");
            key
        });
        Ok(Self { url: format!("http://{host}/{key}/"), listener, state: PageState { host, key, view } })
    }

    /// Serves until dropped.
    ///
    /// # Errors
    /// The listener failed.
    pub async fn serve(self) -> Outcome<()> {
        let router = Router::new().route("/{key}/", get(page)).route("/{key}/{file}", get(file));
        Ok(axum::serve(self.listener, router.with_state(self.state)).await?)
    }
}

/// Another site must not read this page through a name that leads to this machine: the Host is checked, too.
fn knows(state: &PageState, key: &str, headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    key == state.key && host == Some(&state.host)
}

async fn page(State(state): State<PageState>, Path(key): Path<String>, headers: HeaderMap) -> Response {
    if !knows(&state, &key, &headers) {
        return StatusCode::NOT_FOUND.into_response();
    }
    let html = render(&state.view.borrow());
    answer("text/html; charset=utf-8", html)
}

async fn file(
    State(state): State<PageState>,
    Path((key, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    match name.as_str() {
        _ if !knows(&state, &key, &headers) => StatusCode::NOT_FOUND.into_response(),
        "demo.css" => answer("text/css; charset=utf-8", STYLE.to_owned()),
        "demo.js" => answer("text/javascript; charset=utf-8", SCRIPT.to_owned()),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

fn answer(kind: &'static str, body: String) -> Response {
    let mut response = ([(header::CONTENT_TYPE, kind)], body).into_response();
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// The page as it stands.
#[must_use]
pub fn render(view: &View) -> String {
    let tablets: String = view.tablets.iter().map(tablet).collect();
    FRAME
        .replace("{{tablets}}", &tablets)
        .replace("{{items}}", &items(&view.items))
        .replace("{{server}}", &server(&view.server))
}

fn tablet(view: &TabletView) -> String {
    let (tone, words) = &view.connection;
    let attention_tone = if view.attention > 0 { "red" } else { "none" };
    format!(
        "<article class=\"card tablet\"><header><h2>{name}</h2><p class=\"soft\">{clinic}</p></header>\
         <div data-live><p class=\"connection\"><span class=\"dot\" data-tone=\"{tone}\"></span>{words}</p>\
         <dl class=\"facts\"><div><dt>Confirmado</dt><dd>{confirmed}</dd></div>\
         <div><dt>Aguardando</dt><dd>{waiting}</dd></div>\
         <div data-tone=\"{attention_tone}\"><dt>Precisa de atenção</dt><dd>{attention}</dd></div></dl></div>\
         <a class=\"button\" href=\"{url}\" target=\"_blank\" rel=\"noreferrer\" \
         aria-label=\"Abrir {name}\">Abrir</a></article>",
        name = escape(&view.name),
        clinic = escape(&view.clinic),
        words = escape(words),
        confirmed = escape(&view.confirmed),
        waiting = registros(view.waiting),
        attention = view.attention,
        url = escape(&view.url),
    )
}

fn registros(number: u64) -> String {
    if number == 1 { "1 registro".to_owned() } else { format!("{number} registros") }
}

fn items(items: &[(String, usize)]) -> String {
    if items.is_empty() {
        return "<p class=\"soft\">Nada a decidir.</p>".to_owned();
    }
    let mut list = String::from("<ul class=\"items\">");
    for (words, number) in items {
        let _ = write!(list, "<li><span>{}</span><strong>{number}</strong></li>", escape(words));
    }
    list.push_str("</ul>");
    list
}

fn server(view: &ServerView) -> String {
    let (tone, words) =
        if view.ready { ("ok", "Pronto, banco de dados respondendo") } else { ("red", "Não responde") };
    let mut rows = format!("<li><span>Sessões abertas</span><strong>{}</strong></li>", view.sessions);
    for (name, number) in &view.edits {
        let _ = write!(rows, "<li><span>Edições {}</span><strong>{number}</strong></li>", escape(fate(name)));
    }
    if view.edits.is_empty() {
        rows.push_str("<li><span>Edições recebidas</span><strong>0</strong></li>");
    }
    format!(
        "<p class=\"connection\"><span class=\"dot\" data-tone=\"{tone}\"></span>{words}</p><ul class=\"items\">{rows}</ul>"
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> View {
        View {
            server: ServerView { ready: true, sessions: 2, edits: [("accepted".to_owned(), 7)].into() },
            items: vec![("Agenda: dois atendimentos no mesmo horário".to_owned(), 1)],
            tablets: vec![TabletView {
                name: "Tablet <Sala> 1".to_owned(),
                url: "http://127.0.0.1:1/?key=a&b".to_owned(),
                connection: ("grey", "Sem internet".to_owned()),
                waiting: 1,
                ..TabletView::default()
            }],
        }
    }

    #[test]
    fn every_part_of_the_page_is_filled_and_text_is_escaped() {
        let html = render(&sample());
        assert!(!html.contains("{{"), "an unfilled part");
        for part in
            ["Tablet &lt;Sala&gt; 1", "?key=a&amp;b", "1 registro<", "Edições aceitas", "dois atendimentos"]
        {
            assert!(html.contains(part), "{part}");
        }
        assert!(render(&View::default()).contains("Nada a decidir"));
    }

    #[tokio::test]
    async fn without_its_key_or_under_another_name_the_page_is_not_there() {
        let (_sender, view) = watch::channel(sample());
        let page = DemoPage::bind(view).await.unwrap();
        let (url, address) = (page.url.clone(), page.listener.local_addr().unwrap());
        let serving = tokio::spawn(page.serve());
        let path = url.trim_start_matches(&format!("http://{address}")).to_owned();
        let status =
            async |path: &str| super::super::http::get_plain(address, path, "").await.unwrap().status;
        assert_eq!(status(&path).await, 200);
        assert_eq!(status(&format!("{path}demo.js")).await, 200);
        for wrong in ["/", "/0123456789abcdef0123456789abcdef/", "/0123456789abcdef0123456789abcdef/demo.js"]
        {
            assert_eq!(status(wrong).await, 404, "{wrong}");
        }
        let mut headers = HeaderMap::new();
        let state = PageState {
            host: "127.0.0.1:1".into(),
            key: "k".into(),
            view: watch::channel(View::default()).1,
        };
        headers.insert(header::HOST, HeaderValue::from_static("elsewhere.example:1"));
        assert!(!knows(&state, "k", &headers));
        serving.abort();
    }
}

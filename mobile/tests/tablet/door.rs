//! Who is let in: the matrix of secrets, hosts, origins and methods.

use crate::fixture::{ADDRESS, Tablet};
use axum::body::Body;
use axum::http::{Request, StatusCode};

/// Every address the router knows, read from its source: those that are shown, those that are posted to.
fn addresses() -> (Vec<String>, Vec<String>) {
    let source = include_str!("../../src/screens.rs");
    let (mut screens, mut forms) = (vec!["/does-not-exist".to_owned()], Vec::new());
    let routes = source.split(".route(").skip(1);
    for route in routes {
        let path = route.split('"').nth(1).unwrap();
        let id = "01900000-0000-7000-8000-000000000001";
        let names = [("{table}", "professional_teams"), ("{purpose}", "treatment"), ("{name}", "tablet.css")];
        let path = names.iter().fold(path.to_owned(), |path, (part, value)| path.replace(part, value));
        let path = path.replace("{id}", id).replace("{edit}", id).replace("{address}", &"0".repeat(64));
        if route.contains("get(") {
            screens.push(path.clone());
        }
        if route.contains("post(") {
            forms.push(path);
        }
    }
    assert!(screens.len() > 30 && forms.len() > 25, "the source was not understood");
    (screens, forms)
}

struct Visitor {
    host: Option<&'static str>,
    origin: Option<&'static str>,
    cookie: Option<String>,
    bearer: Option<String>,
}

impl Visitor {
    fn of(tablet: &Tablet) -> Self {
        Self {
            host: Some(ADDRESS),
            origin: Some("http://127.0.0.1:4000"),
            cookie: Some(format!("neonpro_key_4000={}", tablet.key())),
            bearer: None,
        }
    }

    async fn ask(&self, tablet: &Tablet, method: &str, path: &str) -> StatusCode {
        let mut request = Request::builder().method(method).uri(path);
        let headers = [
            ("host", self.host.map(str::to_owned)),
            ("origin", self.origin.map(str::to_owned)),
            ("cookie", self.cookie.clone()),
            ("authorization", self.bearer.clone()),
        ];
        for (name, value) in headers {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        tower::ServiceExt::oneshot(tablet.router(), request.body(Body::empty()).unwrap())
            .await
            .unwrap()
            .status()
    }
}

#[tokio::test]
async fn without_the_secret_nothing_is_answered() {
    let tablet = Tablet::clinical();
    let wrong: [Option<String>; 4] = [
        None,
        Some("neonpro_key_4000=".to_owned()),
        Some("neonpro_key_4000=wrong".to_owned()),
        Some(format!("neonpro_key_4001={}", tablet.key())),
    ];
    for cookie in wrong {
        let visitor = Visitor { cookie: cookie.clone(), ..Visitor::of(&tablet) };
        for path in &addresses().0 {
            assert_eq!(visitor.ask(&tablet, "GET", path).await, StatusCode::FORBIDDEN, "{path} {cookie:?}");
        }
        for path in &addresses().1 {
            assert_eq!(visitor.ask(&tablet, "POST", path).await, StatusCode::FORBIDDEN, "{path} {cookie:?}");
        }
    }
}

#[tokio::test]
async fn another_host_or_origin_is_refused_even_with_the_secret() {
    let tablet = Tablet::clinical();
    for host in
        [None, Some("localhost:4000"), Some("127.0.0.1:4001"), Some("evil.example"), Some("127.0.0.1")]
    {
        let visitor = Visitor { host, ..Visitor::of(&tablet) };
        for path in &addresses().0 {
            assert_eq!(visitor.ask(&tablet, "GET", path).await, StatusCode::FORBIDDEN, "{path} {host:?}");
        }
    }
    let origins = [
        None,
        Some("null"),
        Some("http://evil.example"),
        Some("https://127.0.0.1:4000"),
        Some("http://127.0.0.1:4001"),
    ];
    for origin in origins {
        let visitor = Visitor { origin, ..Visitor::of(&tablet) };
        for path in &addresses().1 {
            assert_eq!(visitor.ask(&tablet, "POST", path).await, StatusCode::FORBIDDEN, "{path} {origin:?}");
            assert_eq!(
                visitor.ask(&tablet, "DELETE", path).await,
                StatusCode::FORBIDDEN,
                "{path} {origin:?}"
            );
        }
    }
}

#[tokio::test]
async fn with_secret_host_and_origin_the_door_is_open() {
    let tablet = Tablet::clinical();
    let visitor = Visitor::of(&tablet);
    for path in &addresses().0 {
        assert_ne!(visitor.ask(&tablet, "GET", path).await, StatusCode::FORBIDDEN, "{path}");
    }
    for path in &addresses().1 {
        assert_ne!(visitor.ask(&tablet, "POST", path).await, StatusCode::FORBIDDEN, "{path}");
    }
    let watcher = Visitor { cookie: None, bearer: Some(format!("Bearer {}", tablet.key())), ..visitor };
    assert_eq!(watcher.ask(&tablet, "GET", "/estado.json").await, StatusCode::OK);
}

#[tokio::test]
async fn the_first_visit_trades_the_secret_for_a_cookie_and_only_there() {
    let tablet = Tablet::clinical();
    let visit = |path: String| {
        let request = Request::builder().uri(path).header("host", ADDRESS).body(Body::empty()).unwrap();
        tablet.send(request)
    };
    let entered = visit(format!("/?key={}", tablet.key())).await;
    entered.went_to("/");
    assert_eq!(
        entered.cookies,
        [format!("neonpro_key_4000={}; Path=/; HttpOnly; SameSite=Strict", tablet.key())]
    );
    for path in [format!("/pacientes?key={}", tablet.key()), "/?key=".to_owned(), "/?key=wrong".to_owned()] {
        assert_eq!(visit(path.clone()).await.status, StatusCode::FORBIDDEN, "{path}");
    }
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let tablet = Tablet::clinical();
    for cookie in [String::new(), format!("neonpro_key_4000={}", tablet.key())] {
        let request = Request::builder().uri("/").header("host", ADDRESS).header("cookie", cookie);
        let request = request.body(Body::empty()).unwrap();
        let response = tower::ServiceExt::oneshot(tablet.router(), request).await.unwrap();
        let policy = response.headers().get("content-security-policy").unwrap().to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(response.headers().get("x-content-type-options").unwrap(), "nosniff");
        assert_eq!(response.headers().get("cache-control").unwrap(), "no-store");
    }
}

#[tokio::test]
async fn a_chosen_person_is_remembered_only_if_of_the_clinic_and_never_leads_away() {
    let tablet = Tablet::clinical();
    let doctor = crate::fixture::doctor().to_string();
    let chosen = tablet.post("/autor", &[("autor", &doctor), ("de", "/pacientes")]).await;
    chosen.went_to("/pacientes");
    assert!(chosen.cookies[0].starts_with(&format!("neonpro_key_4000_autor={doctor};")));
    let stranger = crate::fixture::id(99).to_string();
    let refused = tablet.post("/autor", &[("autor", &stranger), ("de", "//evil.example")]).await;
    assert_eq!(refused.location, "/");
    assert!(refused.cookies[0].contains("Max-Age=0"));
}

//! Every main screen: nothing keeps anybody out, nothing runs over the edge, no script fails, in light and in dark.

use neonpro_contract::catalogue::Role;
use neonpro_tests::browser::{Browser, LAID_DOWN, Screen, UPRIGHT};
use neonpro_tests::fleet::Fleet;
use serde_json::json;

/// Addresses of screens that need no record.
const SCREENS: [&str; 16] = [
    "/",
    "/agenda",
    "/agenda?visao=semana",
    "/pacientes",
    "/pacientes/novo",
    "/estoque",
    "/equipe",
    "/conversas/nova",
    "/mais",
    "/conformidade",
    "/fechamento",
    "/pagamentos",
    "/sincronizacao",
    "/registros/professionals",
    "/registros/compliance_assessments/novo",
    "/pin?de=/",
];

/// The first of every kind of record, found by following links.
const FOLLOWED: [(&str, &str); 8] = [
    ("/agenda", ".slot[data-id]"),
    ("/pacientes", "#lista a.row"),
    ("/estoque", "#produtos a.row"),
    ("/equipe", "#conversas a.row"),
    ("/registros/professionals", "#lista a.row"),
    ("/conformidade", "#exigencias a.button"),
    ("/pagamentos", "#pagamentos a.row"),
    ("/fechamento", "#fechamento a.row"),
];

async fn link(screen: &Screen, page: &str, css: &str) -> Option<String> {
    screen.goto(page).await;
    let script =
        "const one = document.querySelector(arguments[0]); return one ? one.getAttribute('href') : null;";
    screen.window.run(script, json!([css])).await.as_str().map(str::to_owned)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_screen_keeps_anybody_out_or_runs_over_its_edge() {
    let (fleet, browser) = (Fleet::start().await, Browser::start().await);
    let doctor =
        &fleet.clinic(0).people.iter().find(|person| person.role == Role::Professional).unwrap().name;
    let screen = Screen::open(&fleet, &browser, 0, doctor).await;
    let mut paths: Vec<String> = SCREENS.map(str::to_owned).to_vec();
    for (page, css) in FOLLOWED {
        paths.extend(link(&screen, page, css).await);
    }
    let patient = link(&screen, "/pacientes", "#lista a.row").await.unwrap();
    for more in ["/fotos", "/documentos", "/cobrar", "/termos/photography", "/sessoes/nova"] {
        paths.push(format!("{patient}{more}"));
    }
    // What is looked for is noticed.
    let spoil = "document.querySelector('main').insertAdjacentHTML('beforeend', '<img src=\"/recursos/neonpro.svg\">');";
    screen.window.run(spoil, json!([])).await;
    let barriers = screen.window.barriers().await;
    assert!(barriers.len() == 1 && barriers[0].starts_with("image-alt"), "{barriers:?}");
    assert!(paths.len() >= SCREENS.len() + 8, "too few screens were found: {paths:?}");
    screen.window.complaints().await;
    let mut found = Vec::new();
    for path in &paths {
        for (size, scheme) in [(UPRIGHT, "light"), (LAID_DOWN, "dark")] {
            screen.window.resize(size).await;
            screen.window.scheme(scheme).await;
            screen.goto(path).await;
            let over = "return document.documentElement.scrollWidth - window.innerWidth;";
            let over = screen.window.run(over, json!([])).await.as_i64().unwrap();
            if over > 0 {
                found.push(format!("{path} {size:?}: {over} px over the edge"));
            }
            let barriers = screen.window.barriers().await;
            found.extend(barriers.into_iter().map(|barrier| format!("{path} {scheme}: {barrier}")));
            let complaints = screen.window.complaints().await;
            found.extend(complaints.into_iter().map(|complaint| format!("{path}: {complaint}")));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
    screen.close().await;
    fleet.stop().await;
}

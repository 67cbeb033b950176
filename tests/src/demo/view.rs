//! What the demo's page shows, gathered once a second: the server, its open items, the tablets.

use super::books::Books;
use super::server::DemoServer;
use super::tablet::DemoTablet;
use neonpro_contract::ids::ClinicId;
use neonpro_contract::time::US_PER_SECOND;
use neonpro_contract::value::{Column, Value};
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// Everything the page shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct View {
    /// The server.
    pub server: ServerView,
    /// What people must decide in the clinic of the first tablets: words and how many.
    pub items: Vec<(String, usize)>,
    /// The tablets.
    pub tablets: Vec<TabletView>,
}

/// The server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerView {
    /// Its database answers.
    pub ready: bool,
    /// Open sessions.
    pub sessions: u64,
    /// Edits by fate since it started.
    pub edits: BTreeMap<String, u64>,
}

/// A tablet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TabletView {
    /// Its name.
    pub name: String,
    /// Its clinic.
    pub clinic: String,
    /// The address that opens it.
    pub url: String,
    /// What it does: a tone and words.
    pub connection: (&'static str, String),
    /// When it was last confirmed, in words.
    pub confirmed: String,
    /// Records that wait.
    pub waiting: u64,
    /// Edits that need a person.
    pub attention: u64,
}

/// Looks at everything. What does not answer is shown as such.
pub async fn look(
    server: &DemoServer,
    books: &Books,
    clinic: ClinicId,
    tablets: &[DemoTablet],
    now_us: i64,
) -> View {
    let numbers = server.numbers().await.unwrap_or_default();
    let ready = server.ready().await;
    let items = counted(&books.items(clinic).await.unwrap_or_default());
    let mut views = Vec::with_capacity(tablets.len());
    for tablet in tablets {
        let state = tablet.state().await.ok();
        views.push(of_tablet(tablet, state.as_ref(), now_us));
    }
    View {
        server: ServerView { ready, sessions: numbers.sessions, edits: numbers.edits },
        items,
        tablets: views,
    }
}

fn of_tablet(tablet: &DemoTablet, state: Option<&Json>, now_us: i64) -> TabletView {
    let number = |name: &str| state.and_then(|state| state.get(name)?.as_u64()).unwrap_or_default();
    TabletView {
        name: tablet.name.clone(),
        clinic: tablet.clinic.name.clone(),
        url: tablet.url.clone(),
        connection: state.map_or_else(|| ("red", "Não responde".to_owned()), connection),
        confirmed: state.map_or_else(|| "—".to_owned(), |state| confirmed(state, now_us)),
        waiting: number("waiting_records"),
        attention: number("needs_attention"),
    }
}

fn connection(state: &Json) -> (&'static str, String) {
    if let (Some(done), Some(total)) =
        (state["first_sync"]["done"].as_u64(), state["first_sync"]["total"].as_u64())
    {
        return ("ok", format!("Recebendo {done} de {total}"));
    }
    match (state["connection"].as_str(), state["caught_up"].as_bool()) {
        (Some("live"), Some(true)) => ("ok", "Conectado e em dia".to_owned()),
        (Some("live" | "connecting"), _) => ("ok", "Sincronizando".to_owned()),
        (Some("stopped"), _) => ("red", "Recusado pelo servidor".to_owned()),
        _ => ("grey", "Sem rede, tudo salvo".to_owned()),
    }
}

/// The last confirmation as a distance from now.
fn confirmed(state: &Json, now_us: i64) -> String {
    let at =
        Value::from_json(&state["last_confirmed_at"], Column::Instant).ok().and_then(|at| at.as_instant());
    let Some(at) = at else { return "nunca".to_owned() };
    match now_us.saturating_sub(at).div_euclid(US_PER_SECOND) {
        ..=1 => "agora".to_owned(),
        seconds @ 2..=59 => format!("há {seconds} s"),
        seconds @ 60..=3_599 => format!("há {} min", seconds / 60),
        seconds => format!("há {} h", seconds / 3_600),
    }
}

/// Items in words, each with its number.
fn counted(names: &[String]) -> Vec<(String, usize)> {
    let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
    for name in names {
        *numbers.entry(name).or_default() += 1;
    }
    numbers.into_iter().map(|(name, number)| (words(name).to_owned(), number)).collect()
}

fn words(item: &str) -> &str {
    match item {
        "agenda/double_booking" => "Agenda: dois atendimentos no mesmo horário",
        "fields/concurrent_values" => "Cadastro: dois valores para o mesmo campo",
        "stock/negative_lot" => "Estoque: lote com saldo negativo",
        "stock/negative_product" => "Estoque: produto com saldo negativo",
        "duplicates/same_identifier" => "Cadastro: duas fichas com o mesmo documento",
        _ if item.starts_with("consent_photos/") => "Consentimento: dado de segurança sem termo",
        _ => item,
    }
}

/// A fate in words.
#[must_use]
pub fn fate(name: &str) -> &str {
    match name {
        "accepted" => "aceitas",
        "duplicate" => "repetidas",
        "held" => "à espera de outra",
        "quarantined" => "em quarentena",
        "refused" => "recusadas",
        "rebase" => "refeitas",
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn items_are_counted_in_words() {
        let names = ["stock/negative_lot", "agenda/double_booking", "stock/negative_lot"].map(str::to_owned);
        let expected =
            [("Agenda: dois atendimentos no mesmo horário", 1), ("Estoque: lote com saldo negativo", 2)];
        assert_eq!(counted(&names), expected.map(|(words, number)| (words.to_owned(), number)));
    }

    #[test]
    fn the_last_confirmation_is_a_distance() {
        let state = json!({"last_confirmed_at": "2026-01-01T00:00:00Z"});
        let at =
            Value::from_json(&state["last_confirmed_at"], Column::Instant).unwrap().as_instant().unwrap();
        let after = |seconds: i64| confirmed(&state, at + seconds * US_PER_SECOND);
        assert_eq!([after(0), after(7), after(120), after(7_200)], ["agora", "há 7 s", "há 2 min", "há 2 h"]);
        assert_eq!(confirmed(&json!({"last_confirmed_at": null}), at), "nunca");
    }

    #[test]
    fn a_connection_has_a_tone() {
        assert_eq!(connection(&json!({"connection": "live", "caught_up": true})).0, "ok");
        assert_eq!(connection(&json!({"connection": "offline", "caught_up": false})).0, "grey");
        assert_eq!(connection(&json!({"connection": "stopped"})).0, "red");
        let first = json!({"connection": "live", "first_sync": {"done": 3, "total": 9}});
        assert_eq!(connection(&first).1, "Recebendo 3 de 9");
    }
}

//! The lock: what a PIN protects, who comes in, and that nothing typed is lost when the tablet locks.

use crate::fixture::{ADDRESS, Answer, NOW_US, Tablet as Fixture, desk, doctor, key_path, replica_path};
use axum::body::{Body, to_bytes};
use axum::http::header::{CONTENT_TYPE, COOKIE, HOST, LOCATION, ORIGIN};
use axum::http::{Request, StatusCode};
use neonpro_client_core::{Clock, ManualClock};
use neonpro_contract::ids::AuthorId;
use neonpro_mobile::guard::Guard;
use neonpro_mobile::lock::{AUTO_LOCK_MINUTES, Place, Tablet, router};
use neonpro_mobile::vault::{FREE_TRIES, Vault};
use serde_json::json;
use tempfile::TempDir;
use tower::ServiceExt;

const PIN: &str = "274916";
const MINUTE_US: i64 = 60_000_000;

/// A tablet with a clinic, one patient and its lock.
struct Case {
    folder: TempDir,
    tablet: Tablet,
    time: ManualClock,
    key: String,
}

impl Case {
    /// Open, without a PIN.
    async fn open() -> Self {
        let fixture = Fixture::clinical();
        fixture.patient("Beatriz Moura");
        fixture.replica.close().unwrap();
        let place = Place {
            replica: replica_path(&fixture.folder),
            key_file: key_path(&fixture.folder),
            online: None,
        };
        let guard = Guard::new(ADDRESS.parse().unwrap()).unwrap();
        let key = guard.entrance().split("key=").nth(1).unwrap().to_owned();
        let (clock, time) = Clock::manual(NOW_US);
        let tablet = Tablet::begin(place, guard, clock).unwrap();
        Self { folder: fixture.folder, tablet, time, key }
    }

    /// With the doctor's PIN, locked.
    async fn locked() -> Self {
        let case = Self::open().await;
        case.choose(doctor(), PIN).await.went_to("/");
        case.post("/bloquear", &[]).await.went_to("/entrar");
        case
    }

    async fn choose(&self, person: AuthorId, pin: &str) -> Answer {
        let person = person.to_string();
        self.post("/pin", &[("pessoa", &person), ("pin", pin), ("de_novo", pin), ("de", "/")]).await
    }

    async fn enter(&self, person: AuthorId, pin: &str) -> Answer {
        let person = person.to_string();
        self.post("/entrar", &[("pessoa", &person), ("pin", pin), ("de", "/pacientes")]).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, Body::empty()).await
    }

    async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.send("POST", path, Body::from(crate::fixture::encode(fields))).await
    }

    async fn send(&self, method: &str, path: &str, body: Body) -> Answer {
        // Whoever forges the cookie of who is using the tablet gains nothing by it.
        let cookies = format!("neonpro_key_4000={}; neonpro_key_4000_autor={}", self.key, desk());
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, ADDRESS)
            .header(ORIGIN, format!("http://{ADDRESS}"))
            .header(COOKIE, cookies)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        let response = router(self.tablet.clone()).oneshot(request.body(body).unwrap()).await.unwrap();
        let header =
            |name| response.headers().get_all(name).iter().map(|value| value.to_str().unwrap().to_owned());
        let location = header(LOCATION).next().unwrap_or_default();
        let cookies = header(axum::http::header::SET_COOKIE).collect();
        let status = response.status();
        let body = to_bytes(response.into_body(), 4 << 20).await.unwrap();
        Answer {
            status,
            location,
            cookies,
            body: String::from_utf8_lossy(&body).into_owned(),
            bytes: body.to_vec(),
        }
    }
}

#[tokio::test]
async fn without_a_pin_the_tablet_is_open_and_offers_one() {
    let case = Case::open().await;
    let page = case.get("/").await;
    assert_eq!(page.status, StatusCode::OK);
    page.shows("Criar PIN").hides("Bloquear");
    case.post("/bloquear", &[]).await.went_to("/pin");
    case.get("/entrar").await.went_to("/");
    assert_eq!(std::fs::read(key_path(&case.folder)).unwrap().len(), 32);
}

#[tokio::test]
async fn the_first_pin_takes_the_key_out_of_the_clear_and_names_whose_it_is() {
    let case = Case::open().await;
    let raw = std::fs::read(key_path(&case.folder)).unwrap();
    case.choose(doctor(), PIN).await.went_to("/");
    let file = std::fs::read(key_path(&case.folder)).unwrap();
    assert!(!file.windows(8).any(|window| window == &raw[..8]));
    let holders = Vault::read(&key_path(&case.folder)).unwrap().unwrap().holders();
    assert_eq!(holders.iter().map(|holder| holder.person).collect::<Vec<_>>(), vec![doctor()]);
    let page = case.get("/pacientes").await;
    page.shows("Bloquear").hides("Criar PIN").shows("Beatriz Moura");
    page.shows(&format!("<option value=\"{}\" selected>", doctor()));
}

#[tokio::test]
async fn a_pin_that_does_not_hold_is_refused_with_the_reason() {
    let case = Case::open().await;
    let helena = doctor().to_string();
    for (pin, again, reason) in [
        ("27491", "27491", "6 a 12 algarismos"),
        ("123456", "123456", "dos primeiros"),
        (PIN, "902817", "são diferentes"),
    ] {
        let answer = case.post("/pin", &[("pessoa", &helena), ("pin", pin), ("de_novo", again)]).await;
        answer.refused();
        answer.shows(reason).hides(pin);
    }
    case.post("/pin", &[("pin", PIN), ("de_novo", PIN)]).await.shows("Escolha de quem");
    assert!(Vault::read(&key_path(&case.folder)).unwrap().is_none());
}

#[tokio::test]
async fn while_it_is_locked_no_screen_is_reached_and_no_patient_named() {
    let case = Case::locked().await;
    for path in ["/", "/pacientes", "/pacientes/novo", "/sincronizacao", "/agendamentos/novo", "/pin", "/x"] {
        let answer = case.get(path).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{path}");
        assert!(answer.location.starts_with("/entrar"), "{path}: {}", answer.location);
    }
    assert_eq!(case.get("/estado.json").await.status, StatusCode::LOCKED);
    assert_eq!(case.get("/recursos/tablet.css").await.status, StatusCode::OK);
    let page = case.get("/entrar").await;
    page.shows("Helena Prado").hides("Joana").hides("Beatriz");
    assert_eq!(case.post("/presenca", &[]).await.status, StatusCode::LOCKED);
}

#[tokio::test]
async fn a_wrong_pin_stays_outside_and_the_right_one_comes_back_to_where_it_was() {
    let case = Case::locked().await;
    let wrong = case.enter(doctor(), "902817").await;
    assert_eq!(wrong.status, StatusCode::LOCKED);
    wrong.shows("Este não é o PIN").hides("902817");
    assert!(case.tablet.is_locked().await);
    case.enter(doctor(), PIN).await.went_to("/pacientes");
    let page = case.get("/pacientes").await;
    page.shows("Beatriz Moura").shows(&format!("<option value=\"{}\" selected>", doctor()));
}

#[tokio::test]
async fn too_many_wrong_pins_wait_and_time_lets_the_right_one_in() {
    let case = Case::locked().await;
    for _ in 0..FREE_TRIES {
        case.enter(doctor(), "902817").await.shows("Este não é o PIN");
    }
    case.enter(doctor(), PIN).await.shows("Tente de novo em 30 s");
    case.time.set_us(NOW_US + MINUTE_US);
    case.enter(doctor(), PIN).await.went_to("/pacientes");
}

#[tokio::test]
async fn a_form_sent_while_it_was_locked_is_kept_and_saved_after_entering() {
    let case = Case::locked().await;
    let held = case.post("/pacientes", &[("name", "Célia & Filhas"), ("phone", "+55 11 98888-0000")]).await;
    assert_eq!(held.status, StatusCode::LOCKED);
    held.shows("é salvo em seguida").hides("Célia");
    let value = |name: &str| {
        let from = held.body.split(&format!("name=\"{name}\" value=\"")).nth(1).unwrap();
        from.split('"').next().unwrap().to_owned()
    };
    let (path, body, helena) = (value("para"), value("formulario"), doctor().to_string());
    assert_eq!(path, "/pacientes");
    let wrong = [("pessoa", helena.as_str()), ("pin", "902817"), ("para", &path), ("formulario", &body)];
    assert!(case.post("/entrar", &wrong).await.body.contains(&body), "still there after a wrong PIN");
    let right = [("pessoa", helena.as_str()), ("pin", PIN), ("para", &path), ("formulario", &body)];
    case.post("/entrar", &right).await.went_to("/pacientes/");
    case.get("/pacientes").await.shows("Célia &#38; Filhas");
}

#[tokio::test]
async fn it_locks_itself_when_nobody_uses_it_and_not_while_somebody_types() {
    let case = Case::locked().await;
    case.enter(doctor(), PIN).await.went_to("/pacientes");
    let almost = AUTO_LOCK_MINUTES * MINUTE_US - 1;
    case.time.set_us(NOW_US + almost);
    case.tablet.lock_if_idle().await.unwrap();
    assert!(!case.tablet.is_locked().await);
    assert_eq!(case.post("/presenca", &[]).await.status, StatusCode::NO_CONTENT);
    case.get("/estado.json").await;
    case.time.set_us(NOW_US + 2 * almost);
    case.tablet.lock_if_idle().await.unwrap();
    assert!(!case.tablet.is_locked().await, "typing is a sign of life");
    case.time.set_us(NOW_US + 2 * almost + 1);
    case.get("/estado.json").await;
    case.tablet.lock_if_idle().await.unwrap();
    assert!(case.tablet.is_locked().await, "what a page asks by itself is none");
}

#[tokio::test]
async fn an_open_tablet_changes_hands_with_the_other_persons_pin_alone() {
    let case = Case::locked().await;
    case.enter(doctor(), PIN).await.went_to("/pacientes");
    let joana = desk().to_string();
    let asked = case.post("/autor", &[("autor", &joana), ("de", "/sincronizacao")]).await;
    asked.went_to(&format!("/entrar?pessoa={joana}&de=/sincronizacao"));
    assert_eq!(case.enter(desk(), PIN).await.status, StatusCode::LOCKED, "no PIN of hers yet");
    case.choose(desk(), "902817").await.went_to("/");
    case.enter(desk(), "902817").await.went_to("/pacientes");
    case.get("/").await.shows(&format!("<option value=\"{joana}\" selected>"));
    let answer = case.choose(doctor(), "556677").await;
    answer.refused();
    answer.shows("Só a própria pessoa");
    case.enter(doctor(), PIN).await.went_to("/pacientes");
    case.choose(doctor(), "556677").await.went_to("/");
    case.post("/bloquear", &[]).await.went_to("/entrar");
    assert_eq!(case.enter(doctor(), PIN).await.status, StatusCode::LOCKED, "the old PIN is gone");
    case.enter(doctor(), "556677").await.went_to("/pacientes");
}

#[tokio::test]
async fn whoever_left_the_clinic_does_not_open_the_tablet_any_more() {
    let case = Case::open().await;
    case.choose(doctor(), PIN).await.went_to("/");
    case.choose(desk(), "902817").await.went_to("/");
    let key = neonpro_mobile::vault::Key::new({
        let mut vault = Vault::read(&key_path(&case.folder)).unwrap().unwrap();
        *vault.open(doctor(), &neonpro_mobile::pin::Pin::typed(PIN), NOW_US).unwrap().key
    });
    case.post("/bloquear", &[]).await.went_to("/entrar");
    crate::fixture::alter_with(
        &case.folder,
        *key,
        &format!(
            "UPDATE clinic_professionals SET is_active = 0 WHERE professional_id = x'{}'",
            desk().0.simple()
        ),
    );
    case.enter(desk(), "902817").await.shows("não usa mais este tablet");
    assert!(case.tablet.is_locked().await);
    case.enter(doctor(), PIN).await.went_to("/pacientes");
}

#[tokio::test]
async fn a_program_that_starts_again_begins_locked_with_everything_written_before() {
    let case = Case::locked().await;
    case.enter(doctor(), PIN).await.went_to("/pacientes");
    case.post("/pacientes", &[("name", "Rita Campos")]).await.went_to("/pacientes/");
    case.tablet.shut().await.unwrap();
    let place = Place { replica: replica_path(&case.folder), key_file: key_path(&case.folder), online: None };
    let (clock, time) = Clock::manual(NOW_US + MINUTE_US);
    let tablet = Tablet::begin(place, case.tablet.guard().clone(), clock).unwrap();
    let case = Case { tablet, time, ..case };
    assert!(case.tablet.is_locked().await);
    case.enter(doctor(), PIN).await.went_to("/pacientes");
    case.get("/pacientes").await.shows("Rita Campos");
    let waiting = case.get("/estado.json").await;
    let told: serde_json::Value = serde_json::from_str(&waiting.body).unwrap();
    assert_ne!(told, json!({ "locked": true }));
}

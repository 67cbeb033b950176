//! The pages of the lock: who enters, and a PIN for somebody.
//!
//! Never shows anything of a patient: names of the clinic's people stand here, nothing else. Invariant: a PIN never
//! comes back on a page.

use super::gate::resume;
use super::{LockError, Tablet};
use crate::failure::Failure;
use crate::forms::Posted;
use crate::guard::cookie;
use crate::pin::{Pin, PinProblem};
use crate::screens::frame::PersonView;
use crate::text;
use crate::vault::{Holder, VaultError};
use crate::visit::{author_cookie_of, local};
use askama::Template;
use axum::body::Bytes;
use axum::extract::{Form, FromRequest, Query, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Redirect, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use neonpro_contract::ids::AuthorId;

/// A form that was sent while the tablet was locked.
pub(super) struct Held {
    /// Where to.
    pub path: String,
    /// As it came.
    pub body: Bytes,
}

#[derive(Template)]
#[template(path = "entrance.html")]
struct EntrancePage {
    people: Vec<PersonView>,
    back: String,
    held: Option<(String, String)>,
    problem: Option<String>,
}

#[derive(Template)]
#[template(path = "pin.html")]
struct PinPage {
    people: Vec<PersonView>,
    first: bool,
    back: String,
    problem: Option<&'static str>,
}

type Pairs = Vec<(String, String)>;

fn find<'p>(pairs: &'p Pairs, name: &str) -> &'p str {
    pairs.iter().rev().find(|(key, _)| key == name).map_or("", |(_, value)| value)
}

/// People to choose from. One alone is chosen already.
fn views(holders: Vec<Holder>, chosen: Option<AuthorId>) -> Vec<PersonView> {
    let alone = holders.len() == 1;
    let view =
        |Holder { person, name }| PersonView { id: person, name, chosen: alone || chosen == Some(person) };
    holders.into_iter().map(view).collect()
}

/// Who enters?
pub(super) async fn show_entrance(
    State(tablet): State<Tablet>,
    Query(asked): Query<Pairs>,
) -> Result<Response, Failure> {
    let holders = match tablet.holders() {
        Ok(holders) => holders,
        Err(error) => return Ok(failed(&error)),
    };
    if holders.is_empty() {
        return Ok(Redirect::to("/").into_response());
    }
    let page = EntrancePage {
        people: views(holders, find(&asked, "pessoa").parse().ok()),
        back: local(find(&asked, "de")).to_owned(),
        held: None,
        problem: None,
    };
    Ok(Html(page.render()?).into_response())
}

/// The locked page over a form that came too late.
pub(super) fn hold(tablet: &Tablet, held: Held) -> Result<Response, Failure> {
    let holders = match tablet.holders() {
        Ok(holders) => holders,
        Err(error) => return Ok(failed(&error)),
    };
    draw(holders, None, "/", Some(&held), None)
}

fn draw(
    holders: Vec<Holder>,
    chosen: Option<AuthorId>,
    back: &str,
    held: Option<&Held>,
    problem: Option<String>,
) -> Result<Response, Failure> {
    let held = held.map(|held| (held.path.clone(), STANDARD.encode(&held.body)));
    let page = EntrancePage { people: views(holders, chosen), back: back.to_owned(), held, problem };
    Ok((StatusCode::LOCKED, Html(page.render()?)).into_response())
}

/// Tries a PIN.
pub(super) async fn enter(
    State(tablet): State<Tablet>,
    headers: HeaderMap,
    Form(posted): Form<Pairs>,
) -> Result<Response, Failure> {
    let back = local(find(&posted, "de")).to_owned();
    let held = STANDARD.decode(find(&posted, "formulario")).ok().filter(|body| !body.is_empty());
    let held = held.map(|body| Held { path: local(find(&posted, "para")).to_owned(), body: body.into() });
    let person: Option<AuthorId> = find(&posted, "pessoa").parse().ok();
    let entered = match person {
        // A task of its own: a browser that goes away must not end a try in the middle.
        Some(person) => {
            let (tablet, pin) = (tablet.clone(), Pin::typed(find(&posted, "pin")));
            let tried = tokio::spawn(async move { tablet.enter(person, pin).await });
            tried.await.unwrap_or_else(|ended| Err(LockError::Interrupted(ended)))
        }
        None => Err(LockError::Vault(VaultError::Wrong)),
    };
    let Err(error) = entered else {
        let resumed = match &held {
            Some(held) => resume(&tablet, held, &headers).await,
            None => None,
        };
        return Ok(resumed.unwrap_or_else(|| Redirect::to(&back).into_response()));
    };
    let problem = match &error {
        LockError::Vault(VaultError::Wrong) => text::lock::WRONG.to_owned(),
        LockError::Vault(VaultError::Wait { until_us }) => {
            text::lock::wait(until_us.saturating_sub(tablet.0.clock.now_us()))
        }
        LockError::NotOfClinic => text::lock::NOT_OF_CLINIC.to_owned(),
        _ => return Ok(failed(&error)),
    };
    draw(tablet.holders().unwrap_or_default(), person, &back, held.as_ref(), Some(problem))
}

/// Locks at once.
pub(super) async fn lock(State(tablet): State<Tablet>) -> Response {
    let locking = tablet.clone();
    let locked = tokio::spawn(async move { locking.lock().await }).await;
    match locked.unwrap_or_else(|ended| Err(LockError::Interrupted(ended))) {
        Ok(()) => Redirect::to("/entrar").into_response(),
        Err(LockError::NoPin) => Redirect::to("/pin").into_response(),
        Err(error) => failed(&error),
    }
}

/// Somebody else wants to use the open tablet: first their PIN, or one for them.
pub(super) async fn hand_over(request: Request) -> Response {
    let Ok(Form(pairs)) = Form::<Pairs>::from_request(request, &()).await else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let posted = Posted::new(pairs);
    let back = encoded(local(posted.get("de")));
    match posted.get("autor").parse::<AuthorId>() {
        Ok(person) => Redirect::to(&format!("/entrar?pessoa={person}&de={back}")).into_response(),
        Err(_) => Redirect::to(&format!("/entrar?de={back}")).into_response(),
    }
}

/// A PIN for somebody.
pub(super) async fn show_pin(
    State(tablet): State<Tablet>,
    headers: HeaderMap,
    Query(asked): Query<Pairs>,
) -> Result<Response, Failure> {
    let chosen = find(&asked, "pessoa").parse().ok();
    pin_page(&tablet, &headers, chosen, local(find(&asked, "de")), None).await
}

async fn pin_page(
    tablet: &Tablet,
    headers: &HeaderMap,
    chosen: Option<AuthorId>,
    back: &str,
    problem: Option<&'static str>,
) -> Result<Response, Failure> {
    let first = tablet.holders().is_ok_and(|holders| holders.is_empty());
    let state = tablet.0.state.read().await;
    let Some(opened) = state.as_ref() else { return Ok(Redirect::to("/entrar?de=%2Fpin").into_response()) };
    let using = cookie(headers, &author_cookie_of(tablet.guard())).and_then(|id| id.parse().ok());
    let chosen = chosen.or(opened.signed_in).or(using);
    let people = opened.app.work(|replica| Ok(replica.users()?)).await?;
    drop(state);
    let people = people.into_iter().filter(|user| user.is_active);
    let people = people.map(|user| Holder { person: user.author, name: user.name }).collect();
    let page = PinPage { people: views(people, chosen), first, back: back.to_owned(), problem };
    let status = if problem.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    Ok((status, Html(page.render()?)).into_response())
}

/// Takes the PIN.
pub(super) async fn choose_pin(
    State(tablet): State<Tablet>,
    headers: HeaderMap,
    Form(posted): Form<Pairs>,
) -> Result<Response, Failure> {
    let back = local(find(&posted, "de")).to_owned();
    let person: Option<AuthorId> = find(&posted, "pessoa").parse().ok();
    let problem = match (person, Pin::choose(find(&posted, "pin"))) {
        (None, _) => text::lock::CHOOSE_PERSON,
        (_, Err(PinProblem::Digits)) => text::lock::DIGITS,
        (_, Err(PinProblem::Simple)) => text::lock::SIMPLE,
        _ if find(&posted, "pin").trim() != find(&posted, "de_novo").trim() => text::lock::DIFFERENT,
        (Some(person), Ok(pin)) => {
            let choosing = tablet.clone();
            let chosen = tokio::spawn(async move { choosing.choose_pin(person, pin).await }).await;
            match chosen.unwrap_or_else(|ended| Err(LockError::Interrupted(ended))) {
                Ok(()) => return Ok(crate::visit::done(&back, "pin")),
                Err(LockError::NotYours) => text::lock::NOT_YOURS,
                Err(LockError::NotOfClinic) => text::lock::NOT_OF_CLINIC,
                Err(LockError::Locked) => return Ok(Redirect::to("/entrar").into_response()),
                Err(error) => return Ok(failed(&error)),
            }
        }
    };
    pin_page(&tablet, &headers, person, &back, Some(problem)).await
}

/// A key file or replica that failed: logged whole, told without its words.
pub(super) fn failed(error: &LockError) -> Response {
    tracing::error!(%error, source = ?std::error::Error::source(error), "the lock failed");
    let sentence = match error {
        LockError::Vault(VaultError::Damaged) => text::lock::DAMAGED,
        _ => text::errors::INTERNAL,
    };
    (StatusCode::INTERNAL_SERVER_ERROR, sentence).into_response()
}

/// A path as it stands in a query.
pub(super) fn encoded(path: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(byte);
    path.bytes().fold(String::with_capacity(path.len()), |mut text, byte| {
        if plain(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
        text
    })
}

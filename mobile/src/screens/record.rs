//! Records that are one form: lists, new ones, existing ones, retiring them. The catalogue says which fields each has.
//!
//! Owns which tables are written here. Tables whose work deserves a screen of its own are not among them; a test holds that every
//! table a tablet may write has one or the other.

use super::frame::{Frame, Page, Tab, page};
use crate::app::App;
use crate::failure::Failure;
use crate::forms::input::FormBody;
use crate::forms::record::{self as form, Choices, fields};
use crate::forms::{Posted, Problems};
use crate::read::badge::Badge;
use crate::read::records::{
    RecordView, label, list_choices, list_records, reference_name, shown_value, title,
};
use crate::read::{Record, attention, find_record, text as text_of, zone};
use crate::text;
use crate::visit::{Visit, done, refused};
use crate::write::{self, Outcome, Refusal};
use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use neonpro_client_core::{Draft, EditRejected, Replica};
use neonpro_contract::catalogue::{Lifecycle, Table, table};
use neonpro_contract::ids::RecordId;
use neonpro_contract::words::table_label;
use std::collections::BTreeMap;

/// Marks a field that the page before has decided.
const GIVEN_PREFIX: &str = "dado_";

/// Tables written here, each with its tab and the page it belongs to.
pub const WRITTEN_HERE: [(&str, Tab, &str); 14] = [
    ("clinics", Tab::More, "/mais"),
    ("professionals", Tab::Team, "/equipe"),
    ("clinic_professionals", Tab::Team, "/equipe"),
    ("professional_teams", Tab::Team, "/equipe"),
    ("team_members", Tab::Team, "/equipe"),
    ("coordination_protocols", Tab::Team, "/equipe"),
    ("collaborative_sessions", Tab::Team, "/equipe"),
    ("professional_referrals", Tab::Team, "/equipe"),
    ("inventory_products", Tab::Stock, "/estoque"),
    ("inventory_lots", Tab::Stock, "/estoque"),
    ("compliance_assessments", Tab::More, "/conformidade"),
    ("documentation_templates", Tab::More, "/mais"),
    ("treatment_plans", Tab::Patients, "/pacientes"),
    ("treatment_assessments", Tab::Patients, "/pacientes"),
];

/// A table and where it stands among the pages.
#[derive(Clone, Copy)]
struct Place {
    table: &'static Table,
    tab: Tab,
    home: &'static str,
}

fn place(name: &str) -> Result<Place, Failure> {
    let found = WRITTEN_HERE.into_iter().find(|(table, ..)| *table == name);
    let (name, tab, home) = found.ok_or(Failure::NotFound)?;
    Ok(Place { table: table(name).ok_or(Failure::NotFound)?, tab, home })
}

#[derive(Template)]
#[template(path = "records.html")]
struct RecordsPage {
    frame: Frame,
    heading: &'static str,
    table: &'static str,
    home: &'static str,
    records: Vec<RecordView>,
}

#[derive(Template)]
#[template(path = "record.html")]
struct RecordPage {
    frame: Frame,
    heading: String,
    kind: &'static str,
    home: String,
    state: Option<Badge>,
    facts: Vec<(&'static str, String)>,
    form: Option<FormBody>,
    ledger: bool,
    retire: Option<String>,
}

/// What a page of a record starts from: parts that were decided before, by field, and what every page has.
type Given = BTreeMap<String, String>;

/// The list of a table.
pub async fn list(State(app): State<App>, visit: Visit, Path(name): Path<String>) -> Result<Page, Failure> {
    let now_us = app.now_us();
    app.work(move |replica| {
        let at = place(&name)?;
        let heading = table_label(at.table.name).unwrap_or_default();
        page(&RecordsPage {
            frame: Frame::load(replica, &visit, now_us, heading, at.tab)?.live("#lista"),
            heading,
            table: at.table.name,
            home: at.home,
            records: list_records(replica, at.table, zone(replica)?)?,
        })
    })
    .await
}

/// An empty form. Fields named in the address are decided.
pub async fn new(
    State(app): State<App>,
    visit: Visit,
    Path(name): Path<String>,
    Query(query): Query<Given>,
) -> Result<Page, Failure> {
    let now_us = app.now_us();
    app.work(move |replica| {
        let at = place(&name)?;
        let kept = match query.get("corrigir") {
            Some(edit) => attention::find_kept_creation(replica, edit, at.table.name)?,
            None => None,
        };
        let given = given(at.table, |name| query.get(name).map(String::as_str));
        let typed = match kept {
            Some(kept) => Some((kept, Refusal::of(text::status::CORRECTING))),
            None => prefilled(at.table, &query).map(|posted| (posted, Refusal::default())),
        };
        draw_new(replica, &visit, now_us, at, &given, typed.as_ref())
    })
    .await
}

/// Values the page before already knows, such as those of a scanned package.
fn prefilled(table: &'static Table, query: &Given) -> Option<Posted> {
    let plain = fields(table, true).filter(|field| field.references.is_none());
    let pairs: Vec<_> =
        plain.filter_map(|field| Some((field.name.to_owned(), query.get(field.name)?.clone()))).collect();
    (!pairs.is_empty()).then(|| Posted::new(pairs))
}

/// References that were decided before and read as ids.
fn given<'v>(
    table: &'static Table,
    value: impl Fn(&str) -> Option<&'v str>,
) -> Vec<(&'static str, RecordId)> {
    fields(table, true)
        .filter(|field| field.references.is_some())
        .filter_map(|field| Some((field.name, value(field.name)?.parse().ok()?)))
        .collect()
}

/// Creates a record.
pub async fn create(
    State(app): State<App>,
    visit: Visit,
    Path(name): Path<String>,
    posted: Posted,
) -> Result<Response, Failure> {
    let now_us = app.now_us();
    app.work(move |replica| {
        let at = place(&name)?;
        let given = given(at.table, |name| {
            posted.has(&format!("{GIVEN_PREFIX}{name}")).then(|| posted.trimmed(name))
        });
        let wanted = form::read(at.table, &posted, &Record::new(), zone(replica)?);
        let home = home_of(at, |name| Some(posted.trimmed(name)));
        match write::create(replica, &visit, at.table.name, wanted, posted.corrects())? {
            Outcome::Saved(_) | Outcome::Unchanged => Ok(done(&home, "salvo")),
            Outcome::Refused(refusal) => {
                let here = visit.at(format!("/registros/{name}/novo"));
                refused(draw_new(replica, &here, now_us, at, &given, Some(&(posted, refusal)))?)
            }
        }
    })
    .await
}

/// An existing record.
pub async fn show(
    State(app): State<App>,
    visit: Visit,
    Path((name, id)): Path<(String, RecordId)>,
    Query(query): Query<Given>,
) -> Result<Page, Failure> {
    let now_us = app.now_us();
    app.work(move |replica| {
        let at = place(&name)?;
        let kept = match query.get("corrigir") {
            Some(edit) => attention::find_kept(replica, edit, at.table.name, id)?,
            None => None,
        };
        let typed = kept.map(|kept| (kept, Refusal::of(text::status::CORRECTING)));
        let seen = query.get("visto").map(String::as_str);
        draw(replica, &visit, now_us, (at, id), seen, typed.as_ref())
    })
    .await
}

/// Saves what was touched.
pub async fn save(
    State(app): State<App>,
    visit: Visit,
    Path((name, id)): Path<(String, RecordId)>,
    posted: Posted,
) -> Result<Response, Failure> {
    let now_us = app.now_us();
    app.work(move |replica| {
        let at = place(&name)?;
        let record = find_record(replica, at.table.name, id)?.ok_or(Failure::NotFound)?;
        let here = format!("/registros/{name}/{id}");
        let wanted = match posted.get("acao") {
            "encerrar" => return retire(replica, &visit, now_us, (at, id), posted.trimmed("motivo")),
            _ => form::read(at.table, &posted, &record, zone(replica)?),
        };
        match write::update(replica, &visit, at.table.name, id, wanted, posted.corrects())? {
            Outcome::Saved(_) => Ok(done(&here, "salvo")),
            Outcome::Unchanged => Ok(done(&here, "sem_mudanca")),
            Outcome::Refused(refusal) => {
                let page = draw(replica, &visit.at(here), now_us, (at, id), None, Some(&(posted, refusal)))?;
                refused(page)
            }
        }
    })
    .await
}

fn retire(
    replica: &Replica,
    visit: &Visit,
    now_us: i64,
    (at, id): (Place, RecordId),
    reason: &str,
) -> Result<Response, Failure> {
    let here = visit.at(format!("/registros/{}/{id}", at.table.name));
    let again = |problem| {
        let typed = (Posted::default(), Refusal::of(problem));
        refused(draw(replica, &here, now_us, (at, id), None, Some(&typed))?)
    };
    let Some(author) = write::author(replica, visit)? else { return again(text::errors::AUTHOR) };
    if reason.is_empty() {
        return again(text::errors::REASON);
    }
    match replica.edit(Draft::new(author).retire(at.table.name, id, reason)) {
        Ok(_) | Err(EditRejected::NothingToDo) => Ok(done(at.home, "registro_encerrado")),
        Err(EditRejected::Replica(error)) => Err(Failure::Replica(error)),
        Err(rejected) => again(text::errors::rejected(&rejected)),
    }
}

/// The page a record belongs to: its patient's or its product's, where it has one.
fn home_of<'v>(at: Place, value: impl Fn(&str) -> Option<&'v str>) -> String {
    let id = |name: &str| value(name).and_then(|id| id.parse::<RecordId>().ok());
    match (id("patient_id"), id("product_id")) {
        (Some(patient), _) => format!("/pacientes/{patient}"),
        (None, Some(product)) => format!("/estoque/{product}"),
        (None, None) => at.home.to_owned(),
    }
}

fn draw_new(
    replica: &Replica,
    visit: &Visit,
    now_us: i64,
    at: Place,
    given: &[(&'static str, RecordId)],
    typed: Option<&(Posted, Refusal)>,
) -> Result<Page, Failure> {
    let kind = text::table(at.table.name);
    let mut facts = Vec::new();
    let mut extra = String::new();
    for (name, id) in given {
        let Some((_, field)) = at.table.field(name) else { continue };
        let named = reference_name(replica, field.references.unwrap_or_default(), &id.to_string())?;
        facts.push((label(at.table, field), named));
        // Both are ids that were parsed and names of the catalogue: nothing to escape.
        extra.push_str(&format!(
            "<input type=\"hidden\" name=\"{name}\" value=\"{id}\"><input type=\"hidden\" name=\"{GIVEN_PREFIX}{name}\" value=\"1\">"
        ));
    }
    let hidden: Vec<&str> = given.iter().map(|(name, _)| *name).collect();
    let find = |name: &str| given.iter().find(|(given, _)| *given == name).map(|(_, id)| id.to_string());
    let (patient, product) = (find("patient_id"), find("product_id"));
    let home = home_of(at, |name| match name {
        "patient_id" => patient.as_deref(),
        _ => product.as_deref(),
    });
    let heading = format!("{}: {}", text::record::CREATING, kind.to_lowercase());
    page(&RecordPage {
        frame: Frame::load(replica, visit, now_us, &heading, at.tab)?,
        heading,
        kind: table_label(at.table.name).unwrap_or(kind),
        state: None,
        facts,
        form: Some(body(
            replica,
            at.table,
            &Record::new(),
            &hidden,
            (format!("/registros/{}", at.table.name), home.clone(), extra),
            typed,
        )?),
        home,
        ledger: false,
        retire: None,
    })
}

fn draw(
    replica: &Replica,
    visit: &Visit,
    now_us: i64,
    (at, id): (Place, RecordId),
    seen: Option<&str>,
    typed: Option<&(Posted, Refusal)>,
) -> Result<Page, Failure> {
    let record = find_record(replica, at.table.name, id)?.ok_or(Failure::NotFound)?;
    let heading = title(replica, at.table, &record)?;
    let zone = zone(replica)?;
    let ledger = at.table.lifecycle != Lifecycle::Editable;
    let mut facts = Vec::new();
    for field in at.table.fields.iter().filter(|field| ledger || field.fixed) {
        let value = shown_value(replica, at.table, field, &record, zone)?;
        if !value.is_empty() {
            facts.push((label(at.table, field), value));
        }
    }
    let home = home_of(at, |name| Some(text_of(&record, name)));
    let here = format!("/registros/{}/{id}", at.table.name);
    let revision = crate::read::revision(
        record.values().map(ToString::to_string).collect::<Vec<_>>().iter().map(String::as_str),
    );
    page(&RecordPage {
        frame: Frame::load(replica, visit, now_us, &heading, at.tab)?
            .live("#cabecalho")
            .open_record(&revision, seen),
        heading,
        kind: table_label(at.table.name).unwrap_or_default(),
        state: Some(Badge::of(replica, at.table.name, &id.to_string())?),
        facts,
        form: if ledger {
            None
        } else {
            let around = (here.clone(), home.clone(), String::new());
            Some(body(replica, at.table, &record, &[], around, typed)?)
        },
        home,
        ledger,
        retire: (!ledger).then_some(here),
    })
}

fn body(
    replica: &Replica,
    table: &'static Table,
    record: &Record,
    hidden: &[&str],
    (action, cancel, extra): (String, String, String),
    typed: Option<&(Posted, Refusal)>,
) -> Result<FormBody, Failure> {
    let none = Problems::new();
    let (posted, problems) =
        typed.map_or((None, &none), |(posted, refusal)| (Some(posted), &refusal.problems));
    let mut choices = Choices::new();
    for field in fields(table, record.is_empty()).filter(|field| !hidden.contains(&field.name)) {
        if let Some(target) = field.references {
            choices.insert(field.name, list_choices(replica, target)?);
        }
    }
    let chosen = (&mut choices, hidden);
    Ok(FormBody {
        action,
        problem: typed.and_then(|(_, refusal)| refusal.problem),
        inputs: form::inputs(table, record, chosen, (posted, problems), zone(replica)?),
        corrects: typed.and_then(|(posted, _)| posted.corrects()),
        extra,
        submit: text::SAVE,
        cancel: Some(cancel),
    })
}

//! What stands around every screen: navigation, the three facts, who is using the tablet, messages.
//!
//! Owns the strip that is on every page. Invariant: the strip shows the facts the replica reports, never what a
//! screen hopes.

use crate::app::LockControl;
use crate::failure::Failure;
use crate::text;
use crate::visit::Visit;
use crate::zone::Zone;
use askama::Template;
use axum::response::Html;
use neonpro_client_core::{Connection, Replica};
use neonpro_contract::ids::AuthorId;
use neonpro_contract::time::US_PER_DAY;

/// How long work may wait before it is amber, µs: a clinic's day.
const WAITING_LONG_US: i64 = US_PER_DAY;

/// A drawn page.
pub type Page = Html<String>;

/// Which tab a screen belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tab {
    /// Hoje.
    Today,
    /// Agenda.
    Agenda,
    /// Pacientes.
    Patients,
    /// Estoque.
    Stock,
    /// Equipe.
    Team,
    /// Sincronização.
    Sync,
    /// Everything that is not used every hour.
    More,
}

/// The tabs in their order: where each leads and what it is called.
const TABS: [(Tab, &str, &str); 7] = [
    (Tab::Today, "/", text::TODAY),
    (Tab::Agenda, "/agenda", text::AGENDA),
    (Tab::Patients, "/pacientes", text::PATIENTS),
    (Tab::Stock, "/estoque", text::STOCK),
    (Tab::Team, "/equipe", text::TEAM),
    (Tab::Sync, "/sincronizacao", text::SYNC),
    (Tab::More, "/mais", text::MORE),
];

/// Somebody who may use the tablet.
pub struct PersonView {
    /// Professional id.
    pub id: AuthorId,
    /// Name.
    pub name: String,
    /// Whether this person is using the tablet.
    pub chosen: bool,
}

/// The frame of one page.
pub struct Frame {
    /// Title of the page.
    pub title: String,
    /// Its tab.
    pub tab: Tab,
    /// The clinic's name.
    pub clinic: String,
    /// The strip.
    pub strip: Strip,
    /// Who may use the tablet.
    pub people: Vec<PersonView>,
    /// Who uses it, if that person is one of them.
    pub author: Option<AuthorId>,
    /// The page's address.
    pub here: String,
    /// Regions that are fetched again when something changed.
    pub live: String,
    /// Where from.
    pub live_from: String,
    /// Control whose value is sent along, such as the words searched for right now.
    pub live_with: &'static str,
    /// Whether the open record changed elsewhere.
    pub moved: bool,
    /// Message of the last action.
    pub notice: Option<&'static str>,
    /// Why nothing was saved.
    pub problem: Option<&'static str>,
    lock: LockControl,
}

impl Frame {
    /// Reads what the frame shows.
    ///
    /// # Errors
    /// What the replica reports.
    pub fn load(
        replica: &Replica,
        visit: &Visit,
        now_us: i64,
        title: &str,
        tab: Tab,
    ) -> Result<Self, Failure> {
        let zone = crate::read::zone(replica)?;
        let mut people = list_people(replica)?;
        for person in &mut people {
            person.chosen = visit.author == Some(person.id);
        }
        let author = visit.author.filter(|_| people.iter().any(|person| person.chosen));
        Ok(Self {
            title: title.to_owned(),
            tab,
            clinic: replica.identity().clinic_name.clone(),
            strip: Strip::load(replica, zone, now_us, &visit.here)?,
            people,
            author,
            here: visit.here.clone(),
            live: "#situacao".to_owned(),
            live_from: visit.here.clone(),
            live_with: "",
            moved: false,
            notice: visit.notice,
            problem: None,
            lock: visit.lock,
        })
    }

    /// Regions of the page that are fetched again, beside the strip.
    #[must_use]
    pub fn live(mut self, regions: &str) -> Self {
        self.live = format!("#situacao,{regions}");
        self
    }

    /// Fetches them with what is typed into a control now, instead of what the page was opened with.
    #[must_use]
    pub fn live_with(mut self, control: &'static str) -> Self {
        self.live_with = control;
        self.live_from = self.here.split('?').next().unwrap_or("/").to_owned();
        self
    }

    /// The open record: the ribbon appears once it is no longer the one that was drawn.
    #[must_use]
    pub fn open_record(mut self, revision: &str, seen: Option<&str>) -> Self {
        self.moved = seen.is_some_and(|seen| seen != revision);
        let revision = seen.unwrap_or(revision);
        let path = self.here.split('?').next().unwrap_or("/");
        self.live_from = format!("{path}?visto={revision}");
        self.live.push_str(",#faixa");
        self
    }

    /// The tabs, each with whether this page is under it.
    pub fn tabs(&self) -> impl Iterator<Item = (&'static str, &'static str, bool)> + '_ {
        TABS.into_iter().map(|(tab, href, label)| (href, label, tab == self.tab))
    }

    /// Whether the tablet can be locked.
    #[must_use]
    pub fn locks(&self) -> bool {
        self.lock == LockControl::Lock
    }

    /// Whether the tablet has no PIN yet.
    #[must_use]
    pub fn offers_pin(&self) -> bool {
        self.lock == LockControl::Offer
    }

    /// Says why nothing was saved.
    #[must_use]
    pub fn problem(mut self, problem: Option<&'static str>) -> Self {
        self.problem = problem;
        self
    }
}

/// Who may use the tablet, as views.
///
/// # Errors
/// What the replica reports.
pub fn list_people(replica: &Replica) -> Result<Vec<PersonView>, Failure> {
    let users = replica.users()?;
    Ok(users
        .into_iter()
        .filter(|user| user.is_active)
        .map(|user| PersonView { id: user.author, name: user.name, chosen: false })
        .collect())
}

/// Progress of a first sync.
pub struct ProgressView {
    /// Received.
    pub done: u64,
    /// Announced.
    pub total: u64,
    /// Both in words.
    pub text: String,
}

/// The strip with the three facts and the connection.
#[derive(Template)]
#[template(path = "strip.html")]
pub struct Strip {
    confirmed: String,
    waiting: String,
    waiting_long: bool,
    attention: u64,
    tone: &'static str,
    connection: &'static str,
    switched_off: bool,
    progress: Option<ProgressView>,
    here: String,
}

impl Strip {
    fn load(replica: &Replica, zone: Zone, now_us: i64, here: &str) -> Result<Self, Failure> {
        let status = replica.status()?;
        let confirmed = status.last_confirmed_at.map(|at| zone.moment(at.0, now_us));
        let waits_since = status.last_confirmed_at.map_or(now_us, |at| at.0);
        let (tone, connection) = connection_words(&status.connection);
        Ok(Self {
            confirmed: confirmed.unwrap_or_else(|| text::status::CONFIRMED_NEVER.to_owned()),
            waiting: text::status::waiting(&status.waiting),
            waiting_long: status.waiting.records.saturating_add(status.waiting.files) > 0
                && now_us.saturating_sub(waits_since) > WAITING_LONG_US,
            attention: status.needs_attention,
            tone,
            connection,
            switched_off: status.connection == Connection::Offline,
            progress: status.first_sync.filter(|progress| progress.total > 0).map(|progress| ProgressView {
                done: progress.done,
                total: progress.total,
                text: text::status::progress(progress.done, progress.total),
            }),
            here: here.to_owned(),
        })
    }
}

/// Tone and words of the connection. Offline is grey and calm; red is for a tablet the server turned away.
pub(crate) const fn connection_words(connection: &Connection) -> (&'static str, &'static str) {
    match connection {
        Connection::Live { caught_up: true } => ("ok", text::status::LIVE),
        Connection::Live { caught_up: false } => ("ok", text::status::CATCHING_UP),
        Connection::Connecting => ("grey", text::status::CONNECTING),
        Connection::Offline | Connection::Waiting { .. } => ("grey", text::status::OFFLINE),
        Connection::Stopped { .. } => ("red", text::status::STOPPED),
    }
}

/// Draws a page.
///
/// # Errors
/// The template failed.
pub fn page(template: &impl Template) -> Result<Page, Failure> {
    Ok(Html(template.render()?))
}
